//! What can go wrong when a site is copied.

use std::io;
use std::path::{Path, PathBuf};

use crate::endpoint::{Class, Failure};
use crate::site::advice::advice;
use crate::site::inventory::InventoryError;

/// Why there is no copy, or none that could be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Something of the site can't be read.
    #[error("{path}: can't be read: {source}{}", advice(source), path = path.display())]
    Source {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The scratch directory can't be used.
    #[error("can't {action} {path}: {source}; put that right, or name another directory with --scratch", path = path.display())]
    Scratch {
        /// What was tried, as in "can't ... PATH".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There's too little room for the copies, found out before they began.
    #[error(
        "{directory} has {free_bytes} bytes free, and the copies that this site needs can take {needed_bytes}; make room there, or name another directory with --scratch",
        directory = directory.display()
    )]
    NoSpace {
        /// Where the copies were to go.
        directory: PathBuf,
        /// What is free there.
        free_bytes: u64,
        /// What the copies can take.
        needed_bytes: u64,
    },
    /// The disk became full while copying.
    #[error(
        "no room left for {path}: the copies there need {needed_bytes} bytes in all; what was copied is removed; make room, or name a directory on another disk with --scratch",
        path = path.display()
    )]
    Full {
        /// The copy that no longer fitted.
        path: PathBuf,
        /// What this step needs altogether.
        needed_bytes: u64,
    },
    /// Pages of a table were written faster than they could be read twice alike.
    #[error(
        "{table}: {pages} pages changed at each of {looks} looks, so the copy is void; start again at a quieter moment, or export with --single-user or --freeze",
        table = table.display()
    )]
    Moving {
        /// The table.
        table: PathBuf,
        /// Pages of which no two reads agreed.
        pages: u64,
        /// How often they were read.
        looks: u32,
    },
    /// A table came or went while the tables were copied.
    #[error("{data}: {table} came or went while the tables were copied, or is no regular file, so the copy is void; start again", data = data.display())]
    TablesChanged {
        /// The directory of the tables.
        data: PathBuf,
        /// Its name.
        table: String,
    },
    /// A log file that the copy needs is not there, or no longer.
    #[error(
        "{data}: log file {number} is not there, but recovery needs it: the server removed it meanwhile (c_auto_cull), so the copy is void; start again, or export with --single-user or --freeze",
        data = data.display()
    )]
    LogVanished {
        /// The directory of the log.
        data: PathBuf,
        /// The file's number.
        number: u32,
    },
    /// The numbers of the log files have a gap.
    #[error(
        "{data}: log file {missing} is not there, but those before and after it are, so the copy is void; start again, and if this stays, stop the server in order and export then",
        data = data.display()
    )]
    LogGap {
        /// The directory of the log.
        data: PathBuf,
        /// The first number that is missing.
        missing: u32,
    },
    /// The copied log ends too early: before the place where it ended already, or before whole transactions.
    #[error("{data}: {reason}, so the copy is void; start again, and if this stays, stop the server in order and export then", data = data.display())]
    LogCut {
        /// The directory of the log.
        data: PathBuf,
        /// Where it ends, and why that is too early.
        reason: String,
    },
    /// The log doesn't show from where on it is needed.
    #[error("{data}: {reason}; without its log the copy of a running site can't be made whole: stop the server in order and export then", data = data.display())]
    LogUnreadable {
        /// The directory of the log.
        data: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The files of the site could not be listed.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The user interrupted the work.
    #[error("interrupted")]
    Interrupted,
}

impl SnapshotError {
    /// Whether the server moved on while it was copied, so that another try from the beginning may succeed.
    pub fn is_void(&self) -> bool {
        matches!(
            self,
            SnapshotError::Moving { .. }
                | SnapshotError::TablesChanged { .. }
                | SnapshotError::LogVanished { .. }
                | SnapshotError::LogGap { .. }
                | SnapshotError::LogCut { .. }
        )
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            SnapshotError::Interrupted => Class::Interrupted,
            SnapshotError::LogUnreadable { .. } => Class::InUse,
            error if error.is_void() => Class::InUse,
            _ => Class::Failed,
        }
    }

    pub(super) fn source(path: &Path, source: impl Into<io::Error>) -> Self {
        SnapshotError::Source { path: path.to_owned(), source: source.into() }
    }

    pub(super) fn scratch(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        SnapshotError::Scratch { action, path: path.to_owned(), source: source.into() }
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        Failure::new(error.class(), error)
    }
}
