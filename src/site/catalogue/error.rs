//! What can go wrong with a catalogue of a site.

use std::path::PathBuf;

use crate::codec::CodecError;
use crate::endpoint::{Class, Failure};
use crate::record::Kind;
use crate::site::ReadSiteError;

/// Why there is no catalogue of a site, or why a record can't be read by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The site can't be read.
    #[error(transparent)]
    Site(#[from] ReadSiteError),
    /// The scratch file that holds the catalogue can't be written or read.
    #[error("{path}: the catalogue of the site can't be kept there: {source}; make room, or name another directory with --scratch", path = path.display())]
    Scratch {
        /// The scratch directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The scratch file is not what was written to it.
    #[error("the catalogue of the site was changed in its scratch file ({0}); try again")]
    Broken(#[from] CodecError),
    /// A record is not what it was.
    #[error(
        "{kind} {key} is not what it was when it was looked at: the site has changed since, or its disk gives other bytes than before; another snapshot reads all of it anew"
    )]
    Changed {
        /// Kind of the record.
        kind: Kind,
        /// Key of the record.
        key: String,
    },
}

impl From<CatalogueError> for Failure {
    fn from(error: CatalogueError) -> Self {
        let class = match &error {
            CatalogueError::Site(error) => error.class(),
            CatalogueError::Changed { .. } => Class::InUse,
            CatalogueError::Scratch { .. } | CatalogueError::Broken(_) => Class::Failed,
        };
        Failure::new(class, error)
    }
}
