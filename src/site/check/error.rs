//! What can go wrong while a site is checked. Damage is no error here but a finding.

use std::path::{Path, PathBuf};

use crate::endpoint::{Class, Failure};
use crate::site::advice::advice;
use crate::site::btree::TableError;
use crate::site::sort::SortError;
use crate::site::source::ReadSiteError;

/// Why a check came to no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The directory of the tables could not be read.
    #[error("{path}: cannot list the tables: {source}{advice}", path = path.display(), advice = advice(source))]
    List {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The user interrupted the work.
    #[error("interrupted")]
    Interrupted,
    /// The tables could not be opened together.
    #[error(transparent)]
    Open(#[from] Box<ReadSiteError>),
    /// A table could not be read to its end; what belongs together can be told of whole tables only.
    #[error(transparent)]
    Table(TableError),
    /// The external sort failed.
    #[error(transparent)]
    Sort(#[from] SortError),
}

impl CheckError {
    /// A failure to list the tables of a data directory.
    pub(in crate::site) fn unlisted(data: &Path) -> impl Fn(std::io::Error) -> CheckError + '_ {
        |source| CheckError::List { path: data.to_owned(), source }
    }
}

impl From<TableError> for CheckError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Interrupted => CheckError::Interrupted,
            error => CheckError::Table(error),
        }
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        let class = match &error {
            CheckError::Interrupted => Class::Interrupted,
            CheckError::Open(error) => error.class(),
            CheckError::Table(error) if error.is_damage() => Class::Damaged,
            _ => Class::Failed,
        };
        Failure::new(class, error)
    }
}
