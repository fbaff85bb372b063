//! What can go wrong when a site is written.

use std::path::PathBuf;

use super::Misfits;
use crate::endpoint::{Class, Failure};
use crate::record::Kind;
use crate::site::advice::advice_on_writing;
use crate::site::btree::TableWriteError;
use crate::site::layout::{LayoutError, Problem};

/// Why a site can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteSiteError {
    /// A file could not be written.
    #[error("{path}: {source}{advice}; nothing of the target was changed", path = path.display(), advice = advice_on_writing(source))]
    Io {
        /// The file, directory or link.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A record names a place where no file of a site can be.
    #[error("file record {key}: {problem}, so the archive is not one of a site; don't import it")]
    BadPath {
        /// The path as the record has it.
        key: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A record names a file in the directory of the keys, where a server that has it beside its root looks for three names alone.
    #[error(
        "file record {key}: others may have files in {} (ssldir), and a server looks there for citadel.key, citadel.csr and citadel.cer alone; to take all along, say --ssldir DIR/keys, where DIR is the directory of the new site's tables, and copy from there to {} what its server needs",
        directory.display(), directory.display()
    )]
    StrangeKey {
        /// The path as the record has it.
        key: String,
        /// Where the keys are to lie.
        directory: PathBuf,
    },
    /// A room that could not be understood has a list.
    #[error("room record {key}: has a list of messages but no number; the archive is not one that ctdl-dump wrote")]
    ListWithoutRoom {
        /// The room's key.
        key: String,
    },
    /// There is content for a struct of an old release, but no record of its file.
    #[error(
        "there are records of what stands in {file}, but none of the file; the archive is not one that ctdl-dump wrote"
    )]
    StructWithoutFile {
        /// The file.
        file: String,
    },
    /// A record that is one value of a table is longer than any that is made.
    #[error("a value of more than {limit} bytes where none can be; the archive is not one that ctdl-dump wrote")]
    ValueTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A body came folded, and tables hold what it was before.
    #[error("{kind} record {key} came with a folded body, which a site can't take; this is a bug in ctdl-dump")]
    Folded {
        /// Kind of the record.
        kind: Kind,
        /// Its key.
        key: String,
    },
    /// A number of the present record's list doesn't fit.
    #[error("a list of numbers can't be written: {problem}")]
    Numbers {
        /// What is wrong.
        problem: Problem,
    },
    /// Records that the target's layout has no room for.
    #[error("{0}")]
    Misfits(Misfits),
    /// A table that Citadel can't have.
    #[error("a record of table {table}, and tables have numbers from 0 to 255")]
    BadTable {
        /// The number.
        table: i64,
    },
    /// A value had fewer bytes than were announced.
    #[error("a value ended {missing} bytes before the {announced} that were announced; this is a bug in ctdl-dump")]
    ShortValue {
        /// Bytes that were announced.
        announced: u32,
        /// Bytes that never came.
        missing: u32,
    },
    /// What a record became in its table would not be read as that record again.
    #[error(
        "{kind} record {key} would be another one when it is read again; this is a bug in ctdl-dump, please report it with the record's name"
    )]
    Altered {
        /// Kind of the record.
        kind: Kind,
        /// Its key.
        key: String,
    },
    /// A server would take the site for one of release 0.
    #[error(
        "the site is of release {release} and has no number in the setting MM_hosted_upgrade_level: a server takes that for 0, and gives the user admin a password that everybody knows; \
         where the settings were lost (ctdl-dump list ARCHIVE loss), take out messages and files with ctdl-dump extract"
    )]
    NoLevel {
        /// The release of the site.
        release: i64,
    },
    /// The setting that tells a server the site's release has the number of another one.
    #[error(
        "config MM_hosted_upgrade_level is {level}, and the site is of release {release} by the archive's first words: a server would bring it up to date from {level} once more, or refuse it. \
         No export makes such an archive; export the site again, or take out messages and files with ctdl-dump extract"
    )]
    OtherLevel {
        /// The number in the setting.
        level: i64,
        /// The release of the site.
        release: i64,
    },
    /// What was written is not what was to be written.
    #[error("what was read back from {path} is not what was written ({what}); check the disk and its space, and import again", path = path.display())]
    Readback {
        /// The staging directory.
        path: PathBuf,
        /// The first record that differs.
        what: String,
    },
    /// A record doesn't fit the target's structs.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A table could not be written.
    #[error(transparent)]
    Table(#[from] TableWriteError),
}

impl From<WriteSiteError> for Failure {
    fn from(error: WriteSiteError) -> Self {
        let class = match &error {
            WriteSiteError::BadPath { .. }
            | WriteSiteError::ListWithoutRoom { .. }
            | WriteSiteError::StructWithoutFile { .. }
            | WriteSiteError::ValueTooLong { .. } => Class::Damaged,
            _ => Class::Failed,
        };
        Failure::new(class, error)
    }
}
