//! What a pull has got so far, beside the file that it is going to be.
//!
//! | file | what |
//! |---|---|
//! | `FILE.partial` | the archive as it is written |
//! | `FILE.partial.before` | what an earlier run has got: the beginning of `FILE.partial` comes from there |
//! | `FILE.partial.from` | lines of text: which peer, which of its snapshots; and of which one `FILE.partial.before` is, by its inode, if that is another |
//!
//! Both archives are locked while their owner lives.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ctdl_dump::record::printable;
use ctdl_dump::wire::SnapshotId;
use rustix::fs::{FlockOperation, flock};

use crate::partial::{Partial, beside, check_target};
use crate::place::parent_of;

/// The first line of `FILE.partial.from`.
const MAGIC: &str = "ctdl-dump pull 1";

/// Somebody else is at work there.
#[derive(Debug, thiserror::Error)]
#[error("{} is being used by another ctdl-dump; wait for it, or give another name", path.display())]
pub struct InUse {
    path: PathBuf,
}

/// The files of one pull.
pub struct Spool {
    target: PathBuf,
    peer: String,
    partial: Partial,
    /// What is here already, and of which snapshot.
    beginning: Option<(SnapshotId, File)>,
    /// What the lines of text say.
    snapshot: Option<SnapshotId>,
}

impl Spool {
    /// Looks what an earlier run of the same pull has left, and begins to write. What another pull has left is not touched.
    pub fn open(target: &Path, replaces: bool, peer: &dyn Display) -> Result<Spool> {
        check_target(target, replaces)?;
        let peer = printable(peer.to_string().as_bytes());
        let (partial, before, from) = paths(target);
        let (mut beginning, mut snapshot) = (None, None);
        match read_state(&from) {
            Some(state) if state.peer != peer && (partial.exists() || before.exists()) => bail!(
                "{} was left by a pull from {}; run that again to go on with it, or remove the file to begin anew",
                partial.display(),
                state.peer
            ),
            Some(state) if state.peer == peer => {
                if let Some(file) = longest(&partial, &before)? {
                    let id = state.snapshot_of(&file)?;
                    if id == state.snapshot && state.before.is_some() {
                        // The other file is gone, and a new one may get its inode.
                        write_state(&from, &peer, id, None)?;
                    }
                    (beginning, snapshot) = (Some((id, file)), Some(state.snapshot));
                }
            }
            _ => {}
        }
        let partial = Partial::create(target, replaces)?;
        Ok(Spool { target: target.to_owned(), peer, partial, beginning, snapshot })
    }

    /// What is here already: the beginning of an archive, of this snapshot.
    pub fn beginning(&self) -> Option<(SnapshotId, PathBuf)> {
        self.beginning.as_ref().map(|(id, _locked)| (*id, before_of(&self.target)))
    }

    /// Whether this is what it is going to be.
    pub fn is_for(&self, target: &Path) -> bool {
        self.target == target
    }

    /// The directory in which all of it stands.
    pub fn directory(&self) -> PathBuf {
        parent_of(&self.target)
    }

    /// Gives up what is here already; `false` if that was nothing.
    pub fn forget(&mut self) -> Result<bool> {
        self.snapshot = None;
        remove(&before_of(&self.target))?;
        Ok(self.beginning.take().is_some())
    }

    /// The file to write to.
    pub fn file(&self) -> Result<File> {
        Ok(self.partial.file()?)
    }

    /// What comes is of this snapshot.
    pub fn note_snapshot(&mut self, id: SnapshotId) -> Result<()> {
        if self.snapshot == Some(id) {
            return Ok(());
        }
        let (_, _, from) = paths(&self.target);
        write_state(&from, &self.peer, id, self.beginning.as_ref().filter(|(other, _)| *other != id))?;
        self.snapshot = Some(id);
        Ok(())
    }

    /// Gives the archive its name.
    pub fn complete(self) -> Result<()> {
        self.partial.complete()?;
        let (_, before, from) = paths(&self.target);
        remove(&before)?;
        remove(&beside(&from, ".new"))?;
        remove(&from)
    }

    /// Leaves what there is to a later run. `false` if that is nothing.
    pub fn keep(self) -> Result<bool> {
        let Some(_) = self.snapshot else { return self.discard().map(|()| false) };
        let (partial, before, _) = paths(&self.target);
        self.partial.keep();
        if length(&partial) > length(&before) {
            remove(&before)?;
        }
        Ok(length(&partial) > 0 || length(&before) > 0)
    }

    /// Removes all that there is.
    pub fn discard(self) -> Result<()> {
        let (_, before, from) = paths(&self.target);
        drop(self.partial);
        remove(&before)?;
        remove(&beside(&from, ".new"))?;
        remove(&from)
    }
}

/// Fails where a pull has left what it has got so far: that may be the work of hours, and an export is not to take its place.
pub fn check_none(target: &Path) -> Result<()> {
    let (partial, before, from) = paths(target);
    if let Some(state) = read_state(&from).filter(|_| partial.exists() || before.exists()) {
        bail!(
            "{} holds what a pull from {} has got so far; run that again to go on with it, give another name, or remove {0}, {} and {} to give it up",
            if partial.exists() { &partial } else { &before }.display(),
            state.peer,
            before.display(),
            from.display()
        );
    }
    Ok(())
}

fn paths(target: &Path) -> (PathBuf, PathBuf, PathBuf) {
    (beside(target, ".partial"), before_of(target), beside(target, ".partial.from"))
}

fn before_of(target: &Path) -> PathBuf {
    beside(target, ".partial.before")
}

/// Of two files the longer one, under the second name; the other one is removed.
fn longest(partial: &Path, before: &Path) -> Result<Option<File>> {
    let (first, second) = (open_locked(partial)?, open_locked(before)?);
    let kept = match (&first, &second) {
        (Some(_), Some(_)) if length(partial) <= length(before) => {
            remove(partial)?;
            second
        }
        (Some(_), _) => {
            std::fs::rename(partial, before).with_context(|| format!("{} can't be renamed", partial.display()))?;
            first
        }
        (None, _) => second,
    };
    Ok(kept)
}

fn open_locked(path: &Path) -> Result<Option<File>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.with_context(|| format!("{} can't be opened", path.display()))?,
    };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(InUse { path: path.to_owned() }.into());
    }
    Ok(Some(file))
}

/// What the lines of text say.
struct State {
    peer: String,
    snapshot: SnapshotId,
    /// The inode of a file that is of another snapshot.
    before: Option<(SnapshotId, u64)>,
}

impl State {
    /// Of which snapshot a file is. It keeps its inode when it is renamed, so this is true between a renaming and the next lines, too.
    fn snapshot_of(&self, file: &File) -> Result<SnapshotId> {
        let inode = file.metadata().context("what an earlier run has got")?.ino();
        Ok(self.before.filter(|(_, other)| *other == inode).map_or(self.snapshot, |(id, _)| id))
    }
}

/// Writes the lines of text. The old ones are true until the new ones are there and safe on the disk; a run that is killed in between leaves one file, which the next one replaces.
fn write_state(path: &Path, peer: &str, id: SnapshotId, before: Option<&(SnapshotId, File)>) -> Result<()> {
    let what = || format!("{} can't be written", path.display());
    let mut text = format!("{MAGIC}\npeer {peer}\nsnapshot {id}\n");
    if let Some((other, file)) = before {
        text.push_str(&format!("before {other} {}\n", file.metadata().with_context(what)?.ino()));
    }
    let new = beside(path, ".new");
    remove(&new)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).with_context(what)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(what)?;
    std::fs::rename(&new, path).with_context(what)?;
    File::open(parent_of(path)).and_then(|directory| directory.sync_all()).with_context(what)
}

fn read_state(path: &Path) -> Option<State> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    if lines.next()? != MAGIC {
        return None;
    }
    let peer = lines.next()?.strip_prefix("peer ")?.to_owned();
    let snapshot = SnapshotId::parse(lines.next()?.strip_prefix("snapshot ")?)?;
    let before = match lines.next() {
        None => None,
        Some(line) => {
            let (id, inode) = line.strip_prefix("before ")?.split_once(' ')?;
            Some((SnapshotId::parse(id)?, inode.parse().ok()?))
        }
    };
    Some(State { peer, snapshot, before })
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} can't be removed", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a run leaves that is killed.
    fn killed(spool: Spool, bytes: usize) {
        spool.file().unwrap().write_all(&vec![0x28; bytes]).unwrap();
        let Spool { partial, beginning, .. } = spool;
        partial.keep();
        drop(beginning);
    }

    #[test]
    fn an_export_leaves_alone_what_a_pull_has_got_and_a_killed_writing_of_its_lines_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.ctz");
        check_none(&target).unwrap();
        let mut spool = Spool::open(&target, false, &"cmd:x").unwrap();
        spool.note_snapshot(SnapshotId([1; 16])).unwrap();
        killed(spool, 500);
        let text = check_none(&target).unwrap_err().to_string();
        assert!(
            text.contains("a.ctz.partial holds what a pull from cmd:x") && text.contains("a.ctz.partial.from"),
            "{text}"
        );
        std::fs::write(folder.path().join("a.ctz.partial.from.new"), "cut").unwrap();
        Spool::open(&target, false, &"cmd:x").unwrap().discard().unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        check_none(&target).unwrap();
    }

    #[test]
    fn what_is_here_is_of_the_snapshot_that_it_came_from_whenever_a_run_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.ctz");
        let open = || Spool::open(&target, false, &"cmd:x").unwrap();
        let [monday, tuesday, friday] = [1, 2, 3].map(|day| SnapshotId([day; 16]));
        let of = |spool: &Spool| spool.beginning().map(|(id, path)| (id, length(&path)));

        let mut first = open();
        assert_eq!(of(&first), None);
        first.note_snapshot(monday).unwrap();
        killed(first, 500);
        // The peer has another one by now, and little of that has come.
        let mut second = open();
        assert_eq!(of(&second), Some((monday, 500)));
        second.note_snapshot(tuesday).unwrap();
        killed(second, 100);
        let third = open();
        assert_eq!(of(&third), Some((monday, 500)));
        killed(third, 0);
        // The same with more than was here.
        let mut fourth = open();
        fourth.note_snapshot(friday).unwrap();
        killed(fourth, 900);
        let fifth = open();
        assert_eq!(of(&fifth), Some((friday, 900)));
        // A new file may have got the inode of the one before.
        killed(fifth, 1000);
        assert_eq!(of(&open()), Some((friday, 1000)));
        open().discard().unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
