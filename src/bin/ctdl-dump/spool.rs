//! What a pull has got so far, beside the file that it is going to be.
//!
//! | file | what |
//! |---|---|
//! | `FILE.partial` | the archive as it is written |
//! | `FILE.partial.before` | what an earlier run has got: the beginning of `FILE.partial` comes from there |
//! | `FILE.partial.from` | lines of text: which peer, which of its snapshots |
//!
//! Both archives are locked while their owner lives.

use std::fmt::Display;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ctdl_dump::record::printable;
use ctdl_dump::wire::SnapshotId;
use rustix::fs::{FlockOperation, flock};

use crate::partial::{Partial, beside, check_target};

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
        let mut beginning = None;
        match read_state(&from) {
            Some((other, _)) if other != peer && (partial.exists() || before.exists()) => bail!(
                "{} was left by a pull from {other}; run that again to go on with it, or remove the file to begin anew",
                partial.display()
            ),
            Some((same, id)) if same == peer => {
                beginning = longest(&partial, &before)?.map(|file| (id, file));
            }
            _ => {}
        }
        let snapshot = beginning.as_ref().map(|(id, _)| *id);
        let partial = Partial::create(target, replaces)?;
        Ok(Spool { target: target.to_owned(), peer, partial, beginning, snapshot })
    }

    /// What is here already: the beginning of an archive, of this snapshot.
    pub fn beginning(&self) -> Option<(SnapshotId, PathBuf)> {
        self.beginning.as_ref().map(|(id, _locked)| (*id, before_of(&self.target)))
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
        let what = || format!("{} can't be written", from.display());
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&from).with_context(what)?;
        write!(file, "{MAGIC}\npeer {}\nsnapshot {id}\n", self.peer).with_context(what)?;
        self.snapshot = Some(id);
        Ok(())
    }

    /// Gives the archive its name.
    pub fn complete(self) -> Result<()> {
        self.partial.complete()?;
        let (_, before, from) = paths(&self.target);
        remove(&before)?;
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
        remove(&from)
    }
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

fn read_state(path: &Path) -> Option<(String, SnapshotId)> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    if lines.next()? != MAGIC {
        return None;
    }
    let peer = lines.next()?.strip_prefix("peer ")?.to_owned();
    Some((peer, SnapshotId::parse(lines.next()?.strip_prefix("snapshot ")?)?))
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
