//! What can go wrong while a site is put in place.

use super::anchor::shown;
use crate::endpoint::{Class, Failure};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why a site was not put in place. Unless a message says otherwise, the target is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The directory that is to hold the target does not exist.
    #[error("{} does not exist, so no site can be made in it; make it first, or name another directory", path.display())]
    NoParent {
        /// The directory that is missing.
        path: PathBuf,
    },
    /// The target is something else than a directory.
    #[error("{} is not a directory, so it can't become a site; name another place", path.display())]
    NotADirectory {
        /// The target.
        path: PathBuf,
    },
    /// A server uses the target, or has just begun to.
    #[error("a Citadel server runs on {}: {how}; stop it, then run this again", path.display())]
    ServerRunning {
        /// The target.
        path: PathBuf,
        /// How that was found out.
        how: String,
    },
    /// The target holds something, and nothing of it is Citadel's.
    #[error(
        "{} is not empty, and no site of Citadel: {why}; name the directory of a site, or one that is empty or not there yet (only a site can be replaced)",
        path.display()
    )]
    NoSite {
        /// The target.
        path: PathBuf,
        /// What was found in it.
        why: String,
    },
    /// The target holds a site that has been used.
    #[error(
        "{} is not empty and not fresh from a server's first start: {why}; name another directory, or say --replace to put the new site in its place (what is there now is kept under another name)",
        path.display()
    )]
    NotFresh {
        /// The target.
        path: PathBuf,
        /// What was found in it.
        why: String,
    },
    /// A part of the target lies on another file system, where no rename reaches it.
    #[error(
        "{} {why}, and a site is exchanged by renaming its parts, which can't cross file systems; unmount it or put a directory in its place and run this again, or import into another directory and move the files yourself",
        path.display()
    )]
    PartElsewhere {
        /// The part, or the mount point in it.
        path: PathBuf,
        /// What it is: a mount point, a link.
        why: String,
    },
    /// Another process is at work on the same target.
    #[error("{}{} is putting a site into the same place, in {}; wait for it to end, or stop it", 
        match pid { Some(pid) => format!("process {pid}"), None => "another process".to_owned() },
        match source_name { Some(name) => format!(" (from {name})"), None => String::new() },
        path.display())]
    Living {
        /// Its workshop.
        path: PathBuf,
        /// Its process id, where it has been written down.
        pid: Option<u32>,
        /// What it imports, in the words it gave.
        source_name: Option<String>,
    },
    /// The site can't be arranged so.
    #[error(transparent)]
    Arrangement(#[from] crate::site::arrangement::ArrangementError),
    /// The root of a site that is spread over several directories is not there.
    #[error(
        "the site is to lie in several directories, and {}, the one of its tables, is not there: make it (mkdir, chown to the server's user) and run this again, or name the directory that the server was built with",
        path.display()
    )]
    RootMissing {
        /// The root.
        path: PathBuf,
    },
    /// An import into another site works in a directory that both have.
    #[error(
        "{} is there: an import {} uses the same directory, or was interrupted; wait for it to end, or begin an import into that site again, with its directories, which removes what is left",
        path.display(),
        match root { Some(root) => format!("into {}", root.display()), None => "into another site".to_owned() }
    )]
    Shared {
        /// What stands there.
        path: PathBuf,
        /// The root of the other site, where it has been written down.
        root: Option<PathBuf>,
    },
    /// An interrupted import has changed directories that were not named this time.
    #[error(
        "an import into {} was interrupted, and it had begun to work in {} too; name the same directories as then (--arrangement debian, --sysconfdir ...), so that it can be finished or undone",
        path.display(), directory.display()
    )]
    Untold {
        /// The root of the site.
        path: PathBuf,
        /// One of the directories.
        directory: PathBuf,
    },
    /// The workshop, or something in it, was made by somebody who has no business there.
    #[error("{} looks like something that ctdl-dump has made, but {why}", path.display())]
    NotOurs {
        /// The workshop.
        path: PathBuf,
        /// What is strange about it, and what to do.
        why: String,
    },
    /// The new site holds a top-level name that this module needs, or that is a program in the target.
    #[error("the new site holds {name:?} at its top, {why}; it can't be put in place")]
    BadName {
        /// The name.
        name: OsString,
        /// Why it can't be.
        why: String,
    },
    /// The target is not any more what it was when it was looked at.
    #[error("{} has changed since the import began: {what}; make sure that nobody else works on it and run this again", path.display())]
    Changed {
        /// The target.
        path: PathBuf,
        /// What is different.
        what: String,
    },
    /// A journal can't be read, so nobody knows what to finish.
    #[error(
        "{} line {line}: {reason}; an import was killed in the middle and its journal can't be followed: compare the directories beside it with the site by hand, then remove the directory it lies in",
        path.display()
    )]
    Journal {
        /// The journal.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// Something stands where the journal says that nothing can.
    #[error("{} should not exist at this point of the exchange; move it away and run any ctdl-dump command on the site again to finish", path.display())]
    Appeared {
        /// What stands there.
        path: PathBuf,
    },
    /// The exchange failed in the middle and could not be undone either.
    #[error(
        "the exchange failed ({cause}) and could not be undone ({undo}): parts of the old and the new site are in {}; don't start the server; put the cause right, then run any ctdl-dump command on the site: it finishes from the journal there",
        workshop.display()
    )]
    HalfDone {
        /// Where the journal and the missing parts lie.
        workshop: PathBuf,
        /// What failed first.
        #[source]
        cause: Box<InstallError>,
        /// What failed while undoing it.
        undo: Box<InstallError>,
    },
    /// The new site is in place, but something after it failed.
    #[error("the new site is in place, but it may not be safe on disk yet, or remains of the exchange are left in {}: {cause}; put that right and run any ctdl-dump command on the site to finish", workshop.display())]
    Untidy {
        /// What is left.
        workshop: PathBuf,
        /// What failed.
        #[source]
        cause: Box<InstallError>,
    },
    /// The operating system refused a step.
    #[error("can't {action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was tried, as in "can't ... PATH".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

impl InstallError {
    /// Wraps a refusal of the operating system: `action` as in "can't ... PATH".
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: shown(path), source: source.into() }
    }
}

/// What a person can do about a refusal; empty where the message of the system says it all.
fn advice(source: &io::Error) -> &'static str {
    match Errno::from_io_error(source) {
        Some(Errno::NOSPC | Errno::DQUOT) => {
            "; free space on that file system (the new site needs its room beside the old one), then run this again"
        }
        Some(Errno::ACCESS | Errno::PERM) => "; run this as root, or as the owner of the site",
        Some(Errno::ROFS) => "; mount the file system writable, then run this again",
        Some(Errno::XDEV) => {
            "; the directory can't be renamed where it is (a lower layer of an overlay file system, or another volume): put the site on a volume of its own"
        }
        Some(Errno::IO) => "; the disk reports errors: look at the kernel's log before anything else",
        _ => "; put that right, then run this again",
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        let class = match &error {
            InstallError::ServerRunning { .. } | InstallError::Living { .. } | InstallError::Shared { .. } => {
                Class::InUse
            }
            _ => Class::Failed,
        };
        Failure::new(class, error)
    }
}
