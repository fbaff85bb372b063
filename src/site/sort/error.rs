//! What can go wrong in a sort.

use std::io;
use std::path::PathBuf;

/// Why a sort ended early. The items pushed so far are lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SortError {
    /// The scratch directory could not be written, or not read back.
    #[error(
        "sorting: cannot {action} in the scratch directory {directory}, where {bytes_needed} bytes are needed so far: {source}{advice}",
        directory = directory.display(), advice = advice(source)
    )]
    Scratch {
        /// The directory that was given.
        directory: PathBuf,
        /// What was tried: "make a file", "write", "read back".
        action: &'static str,
        /// Bytes that the sort has put there, with those of this attempt.
        bytes_needed: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// A key is longer than the sort takes.
    #[error("sorting: a key of {bytes} bytes; at most {limit} are possible")]
    KeyTooLong {
        /// Length of the key.
        bytes: usize,
        /// The greatest length.
        limit: usize,
    },
    /// A payload is longer than the sort takes.
    #[error("sorting: an item of {bytes} bytes; at most {limit} are possible")]
    PayloadTooLong {
        /// Length of the payload.
        bytes: usize,
        /// The greatest length.
        limit: usize,
    },
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room there, or name another directory with --scratch"
        }
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory => "; name another directory with --scratch",
        _ => "; try again with another directory (--scratch) to see whether the disk is at fault",
    }
}
