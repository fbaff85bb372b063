//! What can go wrong when a table is written.

use std::io;
use std::path::PathBuf;

use crate::site::advice::advice_on_writing;
use crate::site::sort::SortError;

/// Why a table could not be written. The file may be there in part; whoever wanted it removes it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableWriteError {
    /// The file could not be made; it may exist already.
    #[error("{path}: cannot make the table: {source}{}", advice_on_writing(source), path = path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system could not write a part of the file.
    #[error("{path}: cannot write {bytes} bytes at byte {offset}: {source}{advice}", path = path.display(), advice = advice_on_writing(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Where the write began.
        offset: u64,
        /// How much was to be written.
        bytes: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// Pages of this size are impossible.
    #[error("{path}: pages of {page_size} bytes are impossible; a power of two from 512 to 65,536 is needed", path = path.display())]
    PageSize {
        /// The file.
        path: PathBuf,
        /// The size that was asked for.
        page_size: u32,
    },
    /// A key that no reader takes.
    #[error("{path}: a key of {bytes} bytes ({key}); at most {limit} are possible", path = path.display())]
    KeyTooLong {
        /// The file.
        path: PathBuf,
        /// The beginning of the key, readable.
        key: String,
        /// Its length.
        bytes: usize,
        /// The greatest length.
        limit: u32,
    },
    /// A value of 4 GiB or more.
    #[error("{path}: the value of the key {key} has {bytes} bytes; a table holds at most 4,294,967,295 in one", path = path.display())]
    ValueTooLong {
        /// The file.
        path: PathBuf,
        /// The key, readable.
        key: String,
        /// The length of the value.
        bytes: u64,
    },
    /// Two values for a key; a table holds one.
    #[error("{path}: the key {key} came twice; a table has one value for a key, so one of the two records must go", path = path.display())]
    DuplicateKey {
        /// The file.
        path: PathBuf,
        /// The key, readable.
        key: String,
    },
    /// More or fewer bytes of a value than were announced.
    #[error("{path}: the value of the key {key} was announced with {announced} bytes, but {came} came", path = path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// The key, readable.
        key: String,
        /// The length that was announced.
        announced: u32,
        /// Bytes that came, or at least so many.
        came: u64,
    },
    /// A value was begun and never finished.
    #[error("{path}: the value of the key {key} was begun and not finished, so the table cannot go on", path = path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// The key, readable.
        key: String,
    },
    /// More pages than page numbers.
    #[error("{path}: the table needs more than 4,294,967,295 pages of {page_size} bytes; larger pages are needed", path = path.display())]
    TooManyPages {
        /// The file.
        path: PathBuf,
        /// Bytes of a page.
        page_size: u32,
    },
    /// The scratch directory gave back something else than was put there.
    #[error("{path}: what came back from the scratch directory is not what was put there; its disk is at fault, or something else writes into its files: name another directory with --scratch", path = path.display())]
    ScratchChanged {
        /// The table that was written.
        path: PathBuf,
    },
    /// The external sort failed.
    #[error(transparent)]
    Sort(#[from] SortError),
}
