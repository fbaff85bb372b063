//! What can go wrong in a salvage. Losses are no errors.

use std::path::PathBuf;

use crate::endpoint::{Class, Failure};
use crate::site::btree::{TableError, TableWriteError};
use crate::site::check::CheckError;
use crate::site::sort::SortError;

/// Why a salvage came to no end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SalvageError {
    /// The file is no table of a site by its name.
    #[error("{path}: tables are called cdb.00 to cdb.ff; name the file so, that losses can be named", path = path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The user interrupted the work.
    #[error("interrupted")]
    Interrupted,
    /// A table can't be opened, is of a version that is not read, or changed while it was read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The new table could not be written.
    #[error(transparent)]
    Write(#[from] TableWriteError),
    /// The external sort failed.
    #[error(transparent)]
    Sort(#[from] SortError),
    /// What was salvaged could not be checked.
    #[error(transparent)]
    Check(CheckError),
}

impl From<CheckError> for SalvageError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Interrupted => SalvageError::Interrupted,
            error => SalvageError::Check(error),
        }
    }
}

impl From<SalvageError> for Failure {
    fn from(error: SalvageError) -> Self {
        match error {
            SalvageError::Interrupted => Failure::interrupted(),
            SalvageError::Check(error) => error.into(),
            SalvageError::Table(error) if error.is_damage() => Failure::new(Class::Damaged, error),
            error => Failure::new(Class::Failed, error),
        }
    }
}
