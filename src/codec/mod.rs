//! How records are encoded, cut and digested, for all places alike.
//!
//! `cbor` is the deterministic encoding, `header` a record's header in it, `segment` the cutting of bodies, `fold` how base64 in bodies is
//! stored decoded, `numbers` how message numbers are stored, `hasher`, `side_by_side` and `identity` the digests, `block` where blocks end, `manifest` what an archive or a peer says of its blocks, `site_info` the
//! first and last words about a site.
//! Obeys `format-spec/record.md` and `format-spec/archive.md`. Nothing in here knows of files or tables.

pub mod block;
pub mod cbor;
pub mod fold;
pub mod hasher;
pub mod header;
pub mod identity;
pub mod manifest;
pub mod numbers;
pub mod segment;
mod side_by_side;
pub mod site_info;

pub use hasher::Hasher;
pub use header::MAX_HEADER_BYTES;
pub use identity::{Digest, RecordHasher, ShortRecords, SiteHasher};
pub use segment::SEGMENT_BYTES;

/// What is wrong with encoded bytes, and where in them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Not the one encoding that the value has.
    #[error("byte {offset} of the {what}: {problem}")]
    Encoding {
        /// Which structure is read: "header", "manifest segment" ...
        what: &'static str,
        /// Offset in bytes from its beginning.
        offset: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// Well encoded, but no record that the format knows.
    #[error(transparent)]
    Schema(#[from] crate::record::schema::SchemaError),
    /// More than the format allows.
    #[error("{what} of {bytes} bytes, more than the {limit} that the format allows")]
    TooLong {
        /// Which structure it is.
        what: &'static str,
        /// Its size in bytes.
        bytes: usize,
        /// The format's limit in bytes.
        limit: usize,
    },
}
