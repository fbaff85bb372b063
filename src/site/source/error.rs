//! What can go wrong when a site is read.

use std::path::PathBuf;

use crate::codec::CodecError;
use crate::endpoint::{Class, Failure};
use crate::site::advice::advice;
use crate::site::btree::TableError;
use crate::site::inventory::InventoryError;
use crate::site::layout::{DetectError, ReleaseError};
use crate::site::settled::{SettledError, Verdict};
use crate::site::sort::SortError;

/// Why a site can't be read, or not trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadSiteError {
    /// There's no such directory, or it holds no tables.
    #[error("{path} is not a Citadel site: {problem}; name the directory that holds data/", path = path.display())]
    NotASite {
        /// The directory that was named.
        path: PathBuf,
        /// What it lacks.
        problem: String,
    },
    /// The site is running, crashed, or not settled for another reason.
    #[error("{path}: {verdict}", path = path.display())]
    NotSettled {
        /// The site.
        path: PathBuf,
        /// What was found.
        verdict: Verdict,
    },
    /// The site changed while it was read.
    #[error("{path} changed while it was read ({what}), so the copy is void; stop what changes it (a server, an import), and start again", path = path.display())]
    Moved {
        /// The site.
        path: PathBuf,
        /// What changed.
        what: String,
    },
    /// The scratch directory has no room for the external sort.
    #[error(
        "{scratch} has {free_bytes} bytes free, and sorting the tables of this site can take {needed_bytes}; make room there, or name another directory with --scratch",
        scratch = scratch.display()
    )]
    NoScratchSpace {
        /// The scratch directory.
        scratch: PathBuf,
        /// What is free there.
        free_bytes: u64,
        /// What the sort can take.
        needed_bytes: u64,
    },
    /// A pair whose key is longer than that of any record.
    #[error("{path}: {pair}: the key has {bytes} bytes, and an archive takes no longer one than {limit}; `export --salvage` alone goes on without the pair, and names it", path = path.display())]
    KeyTooLong {
        /// The table.
        path: PathBuf,
        /// The pair, by the beginning of its key.
        pair: String,
        /// The length of its key in bytes.
        bytes: usize,
        /// The greatest length.
        limit: usize,
    },
    /// A page of a table has none of its pairs.
    #[error("{path}: none of the {pairs} pairs of page {page}, the first with the key {first}, is like those of this table: a page of another table stands in the place of one whose pairs are lost; restore this file from a backup", path = path.display())]
    ForeignPage {
        /// The table.
        path: PathBuf,
        /// The page.
        page: u32,
        /// Its pairs.
        pairs: u32,
        /// The first key, readable.
        first: String,
    },
    /// The user interrupted the work.
    #[error("interrupted")]
    Interrupted,
    /// A file could not be read.
    #[error("{path}: {source}{advice}", path = path.display(), advice = advice(source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Records of the site don't fit the format.
    #[error("a record of the site can't be expressed: {0}; please report this, with the record's name")]
    Codec(#[from] CodecError),
    /// Whether the site is settled could not be found out.
    #[error(transparent)]
    Settled(#[from] SettledError),
    /// A table is damaged or can't be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The external sort failed.
    #[error(transparent)]
    Sort(#[from] SortError),
    /// The files of the site could not be listed.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The machine that the site was on can't be told.
    #[error(transparent)]
    Layout(#[from] DetectError),
    /// The site is of a release that isn't read.
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

impl ReadSiteError {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            ReadSiteError::NotSettled { .. } | ReadSiteError::Moved { .. } => Class::InUse,
            ReadSiteError::Interrupted | ReadSiteError::Table(TableError::Interrupted) => Class::Interrupted,
            ReadSiteError::Table(error) if error.is_damage() => Class::Damaged,
            ReadSiteError::NotASite { .. } | ReadSiteError::Layout(_) => Class::Damaged,
            ReadSiteError::KeyTooLong { .. } | ReadSiteError::ForeignPage { .. } => Class::Damaged,
            ReadSiteError::Settled(SettledError::NoTables { .. } | SettledError::NotATable { .. }) => Class::Damaged,
            _ => Class::Failed,
        }
    }
}

impl From<ReadSiteError> for Failure {
    fn from(error: ReadSiteError) -> Self {
        Failure::new(error.class(), error)
    }
}
