//! Private copies of a site's tables, logs and files, in a scratch directory that vanishes with its owner.
//!
//! A site that runs, or that crashed, is never read where it is: it is copied, and the copy is made whole (by recovery) and read. Nothing is
//! written to the site. The order matters: first the log is asked from where on it is needed, then the tables are copied, then the log, so
//! that every change in a copied page is in the copied log.
//!
//! | directory | what |
//! |---|---|
//! | `SCRATCH/data` | tables (`cdb.NN`) and log files, under their own names |
//! | `SCRATCH/files-copy` | the content of files, under running numbers |
//!
//! Copies are clones (reflinks) where the file system has them. Otherwise pages of a running site's tables are read until two reads agree,
//! the log's copy is cut behind its last whole record, and files are copied again if they moved. What can't be had consistently is an error
//! that says whether another try may help ([`SnapshotError::is_void`]).

mod block;
mod error;
mod files;
mod held_logs;
mod hot;
mod logs;
mod moving;
mod open_files;
mod scratch;
mod space;
mod tables;
#[cfg(test)]
mod tests;

pub use error::SnapshotError;
pub use files::{CopiedFiles, copy_files};
pub use hot::{HotCopy, hot_copy};
pub use logs::{CopiedLogs, Cut, copy_logs};
pub use open_files::{FileId, open_for_writing};
pub use scratch::{Scratch, remove_leftovers};
pub use space::{can_clone, check_space, estimate};
pub use tables::{CopiedTables, Source, copy_tables};
