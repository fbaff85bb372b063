//! What can go wrong while a site's state is looked at.

use std::path::{Path, PathBuf};

use crate::site::advice::advice;

/// Why the state of a site could not be found out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettledError {
    /// A file or directory of the site can't be read.
    #[error("{path}: can't be read: {source}{}", advice(source), path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There are no tables, so this is no site, or not the whole of one.
    #[error(
        "{data}: there is no table (cdb.00, cdb.01 ...) in it, so this is not the data directory of a Citadel site; name the directory that holds data/",
        data = data.display()
    )]
    NoTables {
        /// The directory searched.
        data: PathBuf,
    },
    /// A file named like a table is something else, or damaged at its very beginning.
    #[error(
        "{path}: this is not a Berkeley DB B-tree: {found}; the table is damaged: restore it from a backup, or run the export with --salvage to take what can be had of the others",
        path = path.display()
    )]
    NotATable {
        /// The file.
        path: PathBuf,
        /// What stands in it.
        found: String,
    },
}

impl SettledError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        SettledError::Io { path: path.to_owned(), source }
    }
}
