//! What can go wrong with an archive: one error for each direction, and the parts that the reading one is made of.

use std::fmt;
use std::io;

use crate::codec::CodecError;
use crate::endpoint::{Class, Failure};
use crate::record::Kind;

pub use super::pool::WorkerLost;

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output refused bytes.
    #[error(
        "writing the archive failed after {bytes} bytes: {source}; what was written so far is no archive{}",
        advice(source)
    )]
    Io {
        /// How many bytes had been written.
        bytes: u64,
        /// What the system says.
        source: io::Error,
    },
    /// zstd could not compress.
    #[error("compressing a frame failed: {source}")]
    Compress {
        /// What zstd says.
        source: io::Error,
    },
    /// Records did not come in canonical order.
    #[error(
        "{kind} record {key} comes after {after}, which canonical order puts behind it or which is the same record; the source is damaged"
    )]
    OutOfOrder {
        /// Kind of the record.
        kind: Kind,
        /// Key of the record.
        key: String,
        /// Kind and key of the record before it.
        after: String,
    },
    /// A header, the site's description or the manifest is too long, or breaks the rules of its kind.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The body is not as long as the header says, or is not cut as the format wants it.
    #[error("{kind} record {key}: {problem}")]
    Body {
        /// Kind of the record.
        kind: Kind,
        /// Key of the record.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The calls did not come in the order that a copy has.
    #[error("the archive was given its parts in the wrong order ({call}); this is a bug in ctdl-dump")]
    WrongOrder {
        /// Which call came at a wrong time.
        call: &'static str,
    },
    /// A worker thread is gone.
    #[error(transparent)]
    WorkerLost(#[from] WorkerLost),
}

/// What to do about an output that takes no more.
fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room there, or have it written to another place"
        }
        _ => "",
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Failure::new(Class::Failed, error)
    }
}

/// Where in an archive something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The member's name, as far as it can be read.
    pub member: String,
    /// Where its frame begins: bytes from the beginning of the file.
    pub frame_offset: u64,
    /// Where the member begins: bytes from the beginning of the unpacked tar.
    pub tar_offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { member, frame_offset, tar_offset } = self;
        write!(
            f,
            "member {member} (byte {tar_offset} of the unpacked tar, in the frame at byte {frame_offset} of the file)"
        )
    }
}

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input could not be read.
    #[error("reading the archive failed after {offset} bytes: {source}")]
    Io {
        /// Bytes read before.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing.
    #[error(
        "the archive is empty (0 bytes); either the export that should have written it failed, or this is the wrong file"
    )]
    Empty,
    /// It is something else.
    #[error(
        "this is no ctdl-dump archive, or its beginning is damaged: {found}; archives are made by `ctdl-dump export`"
    )]
    NotAnArchive {
        /// What it looks like.
        found: String,
    },
    /// The end is missing.
    #[error("the archive is cut short after {bytes} bytes: copy it again from its source, or export again")]
    CutShort {
        /// How long it is.
        bytes: u64,
    },
    /// There is something behind the end.
    #[error(
        "bytes follow the end of the archive, which is at byte {offset}: something was appended to it; copy it again from its source"
    )]
    Appended {
        /// Where the archive ends.
        offset: u64,
    },
    /// A zstd frame is damaged, or not of the sort that the format has.
    #[error(
        "the archive is damaged in the frame at byte {offset} of the file: {problem}; copy it again from its source"
    )]
    Frame {
        /// Where the frame begins in the file.
        offset: u64,
        /// What is wrong.
        problem: FrameProblem,
    },
    /// The bytes of the file are not those that were written.
    #[error(
        "the archive is damaged: the digest of the {offset} bytes before byte {offset} of the file is {computed}, but the file says {stored}; copy it again from its source"
    )]
    FileDigest {
        /// How many bytes the digest is over.
        offset: u64,
        /// The digest of the bytes that were read, in hexadecimal.
        computed: String,
        /// The digest that the file holds, in hexadecimal.
        stored: String,
    },
    /// The seek table is not the one that the frames demand.
    #[error(
        "the archive is damaged in its seek table, at byte {offset} of the file: {problem}; copy it again from its source"
    )]
    SeekTable {
        /// Where in the file.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// A member breaks the rules of the tar.
    #[error("the archive is damaged, or not made by ctdl-dump: {place}: {problem}; copy it again from its source")]
    Tar {
        /// Which member.
        place: Box<Place>,
        /// What is wrong.
        problem: TarError,
    },
    /// What a member holds is not encoded as the format demands.
    #[error("the archive is damaged, or not made by ctdl-dump: {place}: {source}; copy it again from its source")]
    Codec {
        /// Which member.
        place: Box<Place>,
        /// What is wrong.
        source: CodecError,
    },
    /// A record doesn't stand where or as it should.
    #[error(
        "the archive is damaged, or not made by ctdl-dump: {place}: {kind} record {key} {problem}; copy it again from its source"
    )]
    Record {
        /// In which member.
        place: Box<Place>,
        /// Kind of the record.
        kind: Kind,
        /// Key of the record.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The manifest doesn't fit what the archive holds.
    #[error("the archive is damaged, or not made by ctdl-dump: {place}: {problem}; copy it again from its source")]
    Manifest {
        /// Which part of the manifest.
        place: Box<Place>,
        /// What is wrong.
        problem: String,
    },
    /// `finish` was called before all records were read.
    #[error("the archive was not read to its end; this is a bug in ctdl-dump")]
    NotAtEnd,
    /// A worker thread is gone.
    #[error(transparent)]
    WorkerLost(#[from] WorkerLost),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let class = match error {
            ReadError::Io { .. } | ReadError::NotAtEnd | ReadError::WorkerLost(_) => Class::Failed,
            _ => Class::Damaged,
        };
        Failure::new(class, error)
    }
}

/// What is wrong with a zstd frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameProblem {
    /// Neither a frame of zstd nor one of the skippable frames at the end.
    #[error("it begins with {magic:08x}, which no frame of an archive does")]
    Magic {
        /// The first four bytes, as a little-endian number.
        magic: u32,
    },
    /// A property of its header that the format doesn't allow.
    #[error("its header has {what}")]
    Header {
        /// What it has or lacks.
        what: &'static str,
    },
    /// It would unpack to more or less than a frame of the format holds.
    #[error("it would unpack to {bytes} bytes; a frame holds 1 to {limit}")]
    ContentSize {
        /// The size in its header.
        bytes: u64,
        /// The most that the format allows.
        limit: usize,
    },
    /// A block in it can't be.
    #[error("it has a block that is too long or of an unknown type")]
    Block,
    /// It is longer than the worst compression makes it.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// The most that the format allows.
        limit: usize,
    },
    /// zstd could not unpack it.
    #[error("zstd says: {message}")]
    Zstd {
        /// What zstd says.
        message: String,
    },
    /// A skippable frame of a length that it doesn't have in an archive, or at a place where there is none.
    #[error("it is a skippable frame where the format has none, or of a wrong length")]
    Skippable,
    /// It ends elsewhere than the format wants it.
    #[error("{problem}")]
    Cut {
        /// What is wrong.
        problem: String,
    },
}

/// How a member breaks the rules of the tar.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// Another name than its content demands.
    #[error("its name is {found}, but by its content it is {expected}")]
    Name {
        /// The name in the header.
        found: String,
        /// The name that it should have.
        expected: String,
    },
    /// A field of the header that is not as the format wants it.
    #[error("the field \"{field}\" of its tar header is not as the format demands")]
    Field {
        /// Which field.
        field: &'static str,
    },
    /// Another size than the body to which it belongs demands.
    #[error("it has {found} bytes, but by its record's header it must have {expected}")]
    Size {
        /// The size in its tar header.
        found: usize,
        /// The size that it should have.
        expected: usize,
    },
    /// Too long.
    #[error("its tar header says that it has {bytes} bytes; no member has more than 65,536")]
    TooLong {
        /// The size in the header.
        bytes: u64,
    },
    /// A member of the manifest, or `site.cbor`, that doesn't fill its frame alone.
    #[error("its frame holds more or less than this one member")]
    NotAlone,
    /// Padding that is not zero.
    #[error("the padding behind it is not zero")]
    Padding,
}
