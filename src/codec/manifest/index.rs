//! Index segments: where the blocks stand and which manifest segment speaks of each.

use super::within_limit;
use crate::codec::cbor::{Decoder, Encoder};
use crate::codec::header::{decode_key, decode_kind, encode_key};
use crate::codec::{CodecError, Digest};
use crate::record::{Key, Kind};

/// An index segment ends when it holds so many bytes.
const INDEX_SEGMENT_BYTES: usize = 48 * 1024;

/// What the index says of one block. Positions count bytes of the uncompressed stream from the end of `site.cbor`'s frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Kind of the block's first record.
    pub kind: Kind,
    /// Key of the block's first record.
    pub key: Key,
    /// Digest of the identity part of the block's manifest segment.
    pub identity_digest: Digest,
    /// Where the block begins.
    pub position: u64,
    /// Where the member of its manifest segment begins.
    pub segment_position: u64,
    /// Length of the manifest segment in bytes.
    pub segment_bytes: u32,
    /// blake3 of the manifest segment.
    pub segment_digest: Digest,
}

/// Encodes index entries, one after the other, into index segments.
#[derive(Debug, Default)]
pub struct IndexEncoder {
    items: Encoder,
    count: usize,
}

impl IndexEncoder {
    /// Takes the next entry, and gives the segment that it completes.
    pub fn push(&mut self, entry: &IndexEntry) -> Option<Vec<u8>> {
        let items = &mut self.items;
        items.array(7);
        items.text(entry.kind.name());
        encode_key(&entry.key, items);
        items.binary(&entry.identity_digest);
        items.unsigned(entry.position);
        items.unsigned(entry.segment_position);
        items.unsigned(u64::from(entry.segment_bytes));
        items.binary(&entry.segment_digest);
        self.count += 1;
        if items.as_bytes().len() >= INDEX_SEGMENT_BYTES { self.finish() } else { None }
    }

    /// Gives the last segment, if an entry came since the one before it.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        if self.count == 0 {
            return None;
        }
        let mut encoder = Encoder::new();
        encoder.array(self.count);
        let mut segment = encoder.into_bytes();
        segment.extend_from_slice(self.items.as_bytes());
        self.items.clear();
        self.count = 0;
        Some(segment)
    }
}

/// Decodes one index segment.
pub fn decode_index(bytes: &[u8]) -> Result<Vec<IndexEntry>, CodecError> {
    within_limit("index segment", bytes)?;
    let mut decoder = Decoder::new(bytes, "index segment");
    let count = decoder.array()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        decoder.array_of(7)?;
        entries.push(IndexEntry {
            kind: decode_kind(&mut decoder)?,
            key: decode_key(&mut decoder)?,
            identity_digest: decoder.digest()?,
            position: decoder.unsigned()?,
            segment_position: decoder.unsigned()?,
            segment_bytes: u32::try_from(decoder.unsigned()?)
                .map_err(|_| decoder.error("a manifest segment that is too long"))?,
            segment_digest: decoder.digest()?,
        });
    }
    decoder.end()?;
    if entries.is_empty() {
        return Err(decoder.error("has no blocks"));
    }
    if entries.windows(2).any(|pair| (pair[0].kind, &pair[0].key) >= (pair[1].kind, &pair[1].key)) {
        return Err(decoder.error("its blocks are not in canonical order"));
    }
    Ok(entries)
}

/// Where an index segment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSegment {
    /// Where its member begins.
    pub position: u64,
    /// Its length in bytes.
    pub bytes: u32,
    /// Its blake3 digest.
    pub digest: Digest,
}
