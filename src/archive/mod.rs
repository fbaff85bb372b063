//! The archive, a `.ctz` file: written in one pass by `Writer`, read in one pass by `Reader`, and looked into by `RandomReader`.
//!
//! Obeys `format-spec/archive.md`. From the outside to the inside: `frame` is one zstd frame, `tail` what stands behind the last of them,
//! `member` one member of the tar that the frames hold, `name` how members are called, `ledger` the account of blocks, groups and
//! manifest that writer and reader keep alike, so that a reader demands exactly what a writer makes.

mod effort;
mod error;
mod frame;
mod ledger;
mod member;
mod name;
mod pool;
mod random;
mod reader;
mod tail;
mod writer;

pub use error::{Place, ReadError, WriteError};

pub use random::{BodyReader, Headers, IndexEntries, RandomReader, Records, Stream};
pub use reader::Reader;
pub use writer::{Options, Writer};

/// The uncompressed size in bytes of every data frame but the last before a manifest group, and the most that any frame holds.
const FRAME_BYTES: usize = 2 << 20;
/// The name of the first member.
const SITE_MEMBER: &str = "site.cbor";
/// The name of the last member, the root of the manifest.
const ROOT_MEMBER: &str = "manifest.cbor";
/// Two blocks of zeros end a tar.
const TAR_END_BYTES: usize = 1024;
