//! Why no snapshot could be taken.

use std::path::PathBuf;

use crate::endpoint::{Class, Failure};
use crate::site::settled::Lsn;

/// Why no snapshot could be taken. Each says what can be done instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotFailure {
    /// The tables can't be made whole.
    #[error(
        "{site}: the tables can't be made whole: {tried}; run the export again with --salvage to take what can be had, with a list of what is lost",
        site = site.display()
    )]
    Torn {
        /// The site.
        site: PathBuf,
        /// What was tried, and how each ended.
        tried: String,
    },
    /// The server removed logs faster than they could be copied.
    #[error(
        "{site}: the site changed {rounds} times while it was copied ({last}); export it with --freeze, which stops the server for the seconds of the copy, or --single-user 60, or stop the server",
        site = site.display()
    )]
    Moving {
        /// The site.
        site: PathBuf,
        /// How often it was tried.
        rounds: u32,
        /// What went wrong the last time.
        last: String,
    },
    /// Nobody is to be kept out.
    #[error("{site}: no server runs here, so it can't be taken single-user", site = site.display())]
    NoServer {
        /// The site.
        site: PathBuf,
    },
    /// The server was started on what a killed one had left, and has made no checkpoint since.
    #[error(
        "{site}: the server was started again at {at} of the log after it had been killed, without recovery, and has made no checkpoint since, so its log fits neither its tables nor a copy of them; it makes one within a quarter of an hour of use, and when it is stopped in order: export then",
        site = site.display()
    )]
    Restarted {
        /// The site.
        site: PathBuf,
        /// The first record of the server that runs.
        at: Lsn,
    },
    /// Only the log has some of the changes, and it is of a libdb whose logs are not replayed.
    #[error(
        "{site}: the log has changes that the tables may lack, and its version {version} is of a libdb before 5.0, which is not replayed; a server of a release before 980 recovers its tables when it starts: let the old server run once and stop it in order, and export then; or export while no server runs, with --salvage, which takes the tables without the log",
        site = site.display()
    )]
    OldLog {
        /// The site.
        site: PathBuf,
        /// The log's version.
        version: u32,
    },
    /// Something in the scratch directory went wrong.
    #[error("{path}: {source}", path = path.display())]
    Scratch {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl From<SnapshotFailure> for Failure {
    fn from(error: SnapshotFailure) -> Self {
        let class = match error {
            SnapshotFailure::Torn { .. } => Class::Damaged,
            SnapshotFailure::Moving { .. } | SnapshotFailure::Restarted { .. } | SnapshotFailure::OldLog { .. } => {
                Class::InUse
            }
            _ => Class::Failed,
        };
        Failure::new(class, error)
    }
}
