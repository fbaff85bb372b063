//! The manifest tree (`format-spec/archive.md`, section 7): a segment for each block, index segments over the segments, and the root.

mod group;
mod index;
mod root;
mod segment;

pub use group::{Group, GroupCutter, MAX_GROUP_SEGMENTS};
pub use index::{IndexEncoder, IndexEntry, IndexSegment, decode_index};
pub use root::{Count, Root};
pub use segment::{EncodedSegment, Identity, Segment, Storage, decode_identities, encode_identities};

use super::CodecError;

/// The longest manifest segment, index segment or root in bytes.
pub const MAX_MANIFEST_BYTES: usize = 65_536;
/// The format version that this program writes and reads.
pub const FORMAT_VERSION: u64 = 1;

fn within_limit(what: &'static str, bytes: &[u8]) -> Result<(), CodecError> {
    if bytes.len() > MAX_MANIFEST_BYTES {
        return Err(CodecError::TooLong { what, bytes: bytes.len(), limit: MAX_MANIFEST_BYTES });
    }
    Ok(())
}
