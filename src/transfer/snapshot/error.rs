//! Why no snapshot could be taken.

use std::path::PathBuf;

use crate::endpoint::{Class, Failure};

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
        "{site}: the site changed {rounds} times while it was copied ({last}); use --freeze, which stops the server for the seconds of the copy, or --single-user 60, or stop the server",
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
    /// The server has no process that can be seen.
    #[error(
        "{site}: a server runs on this site ({sign}), but its process can't be seen, so it can't be frozen; run this as root on the server's own machine, or without --freeze",
        site = site.display()
    )]
    NoProcess {
        /// The site.
        site: PathBuf,
        /// What shows that it runs.
        sign: String,
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
            SnapshotFailure::Moving { .. } => Class::InUse,
            _ => Class::Failed,
        };
        Failure::new(class, error)
    }
}
