//! The note of a cutover: what stands where, and what to type, if the program ends between the last two steps.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use rustix::fs::OFlags;

use crate::partial::beside;
use crate::peer::Peer;
use crate::place::parent_of;

/// What follows the name of a site in the name of the note.
const NOTE: &str = ".ctdl-dump-cutover.txt";

/// A file of text beside the new site. It is there from before the old server is closed until the new site is in place.
pub struct Note {
    path: PathBuf,
    site: PathBuf,
}

impl Note {
    /// The note beside this site, which need not be there.
    pub fn beside(site: &Path) -> Result<Self> {
        let site = std::path::absolute(site).context("the site")?;
        Ok(Note { path: beside(&site, NOTE), site })
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Whether it is there, and the site that it was written for is in place: then only the last line of that cutover is missing.
    pub fn is_fulfilled(&self) -> bool {
        let written = std::fs::read_to_string(&self.path).unwrap_or_default();
        let found = std::fs::metadata(self.site.join("data")).map(|found| identity_line(Identity::of(&found)));
        found.is_ok_and(|line| written.lines().any(|written| written == line))
    }

    /// Writes it, so that it is found after a power cut. `data` is the directory of tables that is going to be in place.
    pub fn write(&self, peer: &Peer, data: Identity) -> Result<()> {
        let what = || format!("{} can't be written", self.path.display());
        let mut options = File::options();
        // Not through a link that somebody has put there.
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
        let mut file = options.open(&self.path).with_context(what)?;
        let text = format!(
            "ctdl-dump pull --cutover has closed the old server, or was about to, and was about to put the new site in place.\n\
             If this file is here and no ctdl-dump is at work, it was interrupted then. {}.\n\n{}\n",
            self.text_last(peer),
            identity_line(data)
        );
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(what)?;
        File::open(parent_of(&self.path)).and_then(|directory| directory.sync_all()).with_context(what)
    }

    /// Removes it, if it is there.
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} can't be removed", self.path.display()))
            }
            _ => Ok(()),
        }
    }

    /// How things stand when the program is gone, and nobody knows how far it came.
    pub fn text_last(&self, peer: &Peer) -> String {
        format!(
            "The old server ({peer}) may refuse all logins, or take them again; the new site may be in place in {}, or not yet. Run the same command again: it finds out, and finishes it. Or stay with the old server, and there: {}",
            self.site.display(),
            way_back(peer)
        )
    }

    /// How things stand when nobody can know whether the old server is closed.
    pub fn text_unsure(&self, peer: &Peer) -> String {
        format!(
            "The old server ({peer}) may refuse all logins, or take them again; nothing was changed in {}. Run the same command again: it finds out, and finishes it. Or stay with the old server, and there: {}",
            self.site.display(),
            way_back(peer)
        )
    }

    /// How things stand when the old server is closed, and the new site is not in place.
    pub fn text_closed(&self, peer: &Peer) -> String {
        format!(
            "the old server ({peer}) refuses all logins for good, and the new site could not be put in place in {}; nothing is lost, mail that is refused comes again. Mend this and run the same command again. Or go back to the old server, and there: {}",
            self.site.display(),
            way_back(peer)
        )
    }

    /// How things stand when the lease has ended too early.
    pub fn text_open(&self, peer: &Peer) -> String {
        format!(
            "the old server ({peer}) takes logins again, or will as soon as it notices that nobody speaks to it; nothing was changed in {}; run the same command again",
            self.site.display()
        )
    }
}

/// What tells a directory from all others of this machine: it keeps it when it is renamed. An inode is given to another one when it is free again, so
/// the moment when it was made belongs to it, where the file system keeps that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    born: u128,
}

impl Identity {
    /// Of what was found.
    pub fn of(found: &Metadata) -> Self {
        let born = found.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        Identity { device: found.dev(), inode: found.ino(), born: born.map_or(0, |born| born.as_nanos()) }
    }
}

fn identity_line(Identity { device, inode, born }: Identity) -> String {
    format!("(the tables of the new site lie in the directory with device {device} and inode {inode}, made at {born})")
}

/// What lets users in again on the old machine.
fn way_back(peer: &Peer) -> String {
    match peer {
        Peer::Ssh { path: Some(path), .. } => format!("ctdl-dump reopen --site {path}"),
        _ => "ctdl-dump reopen --site DIR, with the directory of the old site".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_fulfilled_by_the_directory_that_it_names_and_by_no_other_with_its_inode() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        std::fs::create_dir_all(site.join("data")).unwrap();
        let (note, peer) = (Note::beside(&site).unwrap(), "cmd:true".parse::<Peer>().unwrap());
        assert!(!note.is_fulfilled());
        let found = Identity::of(&std::fs::metadata(site.join("data")).unwrap());
        note.write(&peer, found).unwrap();
        assert!(note.is_fulfilled());
        note.write(&peer, Identity { born: found.born + 1, ..found }).unwrap();
        assert!(!note.is_fulfilled());
    }
}
