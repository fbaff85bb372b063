//! Records as frames: `KIND`, `HEADERS`, `DIGEST`, and for a longer body `BODY` and its segments (`format-spec/wire.md`, section 7).

mod reading;
mod receiver;
mod sender;
mod source;
mod tail;

pub(super) use reading::{MOST_AT_WORK_LINES, next_item, piece, site, state};
pub use receiver::{Position, Receiver};
pub use sender::Sender;
pub use source::Frames;

use crate::codec::Digest;

/// The digest of a frame: over the bytes of its headers, then the identity digests of its records.
fn digest(headers: &[u8], records: &[Digest]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(headers);
    hasher.update(records.as_flattened());
    hasher.finalize().into()
}
