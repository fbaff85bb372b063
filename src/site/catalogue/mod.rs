//! A catalogue of a site: what every record is and where its body lies, so that it is found without a walk over the tables.
//!
//! It is made in one walk in canonical order, and stands in a scratch file without a name: one block behind the other, cut where an archive's
//! are, each with the headers of its records, the places of their bodies, and the identity part of its manifest segment. Bodies stay where
//! they are. So a site can be served as an archive is, record by record and from anywhere on, without an archive of it being written.
//!
//! The digests of long bodies are kept for the next time in a file of this machine's own ([`CatalogueOptions::digests`]); that of a body
//! whose stored form is the same as then is taken from there, and the body is not read. They are never trusted for more than speed: what is
//! read by the catalogue is compared with its digest.

mod build;
mod digests;
mod error;
mod evidence;
mod reader;
mod rows;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use error::CatalogueError;
pub use reader::CatalogueReader;

use crate::codec::Digest;
use crate::record::{End, Key, Kind};
use crate::site::source::LogFile;
use crate::site::{ReadOptions, Site};

/// How a catalogue is made.
#[derive(Clone, Debug)]
pub struct CatalogueOptions {
    /// How the site is read. The catalogue stands in the scratch directory, too.
    pub read: ReadOptions,
    /// The directory in which digests are kept for the next time; `None` to read all and keep nothing.
    pub digests: Option<PathBuf>,
    /// When the snapshot was begun: files that were changed about then are read.
    pub begun: SystemTime,
}

/// A catalogue of a site.
#[derive(Debug)]
pub struct Catalogue {
    file: File,
    scratch: PathBuf,
    blocks: Vec<Block>,
    logs: Vec<LogFile>,
    end: End,
    read_bytes: u64,
}

/// A block of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Kind of its first record.
    pub kind: Kind,
    /// Key of its first record.
    pub key: Key,
    /// Digest of the identity part of its manifest segment.
    pub digest: Digest,
    /// Where it begins in the scratch file.
    position: u64,
    /// Bytes of its headers and places, and of its identity part, which follows them.
    rows_bytes: u64,
    identities_bytes: u32,
}

impl Catalogue {
    /// All blocks, in canonical order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The identity part of the manifest segment of a block; nothing if there is no such block.
    ///
    /// # Errors
    /// When the scratch file can't be read.
    pub fn identities(&self, number: usize) -> Result<Vec<u8>, CatalogueError> {
        let Some(block) = self.blocks.get(number) else { return Ok(Vec::new()) };
        let mut bytes = vec![0; block.identities_bytes as usize];
        self.read_at(&mut bytes, block.position + block.rows_bytes)?;
        Ok(bytes)
    }

    /// Goes through the records. The site must be the one that the catalogue is of.
    pub fn reader<'c>(&'c self, site: &'c Site) -> CatalogueReader<'c> {
        CatalogueReader::new(self, site)
    }

    /// What the look at the site found after the catalogue was made.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// How many bytes of bodies had to be read for it.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// The number of the block in which a record stands, if it is there.
    fn block_of(&self, kind: Kind, key: &Key) -> usize {
        self.blocks.partition_point(|block| (block.kind, &block.key) <= (kind, key)).saturating_sub(1)
    }

    fn read_at(&self, bytes: &mut [u8], position: u64) -> Result<(), CatalogueError> {
        self.file
            .read_exact_at(bytes, position)
            .map_err(|source| CatalogueError::Scratch { path: self.scratch.clone(), source })
    }
}

/// Forgets the digests that are kept for a site: something they say has turned out to be wrong.
///
/// # Errors
/// When the file is there and can't be removed.
pub fn forget_digests(directory: &Path, site: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(digests::path_in(directory, site)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
