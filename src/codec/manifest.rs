//! The manifest tree (`format-spec/archive.md`, section 7): a segment for each block, index segments over the segments, and the root.

use super::cbor::{Decoder, Encoder};
use super::header::{decode_key, decode_kind, encode_key};
use super::{CodecError, Digest};
use crate::record::{Key, Kind};

/// The longest manifest segment, index segment or root in bytes.
pub const MAX_MANIFEST_BYTES: usize = 65_536;
/// The format version that this program writes and reads.
pub const FORMAT_VERSION: u64 = 1;
/// An index segment ends when it holds so many bytes.
const INDEX_SEGMENT_BYTES: usize = 48 * 1024;

/// What a record is: one line of a segment's identity part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Kind of the record.
    pub kind: Kind,
    /// Key of the record.
    pub key: Key,
    /// Logical length of the body in bytes; `None` for a record without a body.
    pub length: Option<u64>,
    /// Identity digest of the record.
    pub digest: Digest,
}

/// Where a record stands in its block: one line of a segment's storage part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Bytes from the block's start to the first byte of the header.
    pub offset: u64,
    /// Length of the header in bytes.
    pub header_bytes: u32,
    /// Length of the body in bytes as it is stored in segments; 0 when there are none.
    pub body_bytes: u64,
}

/// What a manifest segment says of its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The records, in canonical order.
    pub identities: Vec<Identity>,
    /// Where they stand, in the same order.
    pub storages: Vec<Storage>,
    /// Length of the block in bytes: its members with their tar headers and padding.
    pub block_bytes: u64,
    /// blake3 of the block's bytes.
    pub block_digest: Digest,
}

/// A manifest segment in its encoding, and the digest of its identity part.
#[derive(Clone, Debug)]
pub struct EncodedSegment {
    /// The whole segment.
    pub bytes: Vec<u8>,
    /// blake3 of the identity part's encoding alone.
    pub identity_digest: Digest,
}

impl Segment {
    /// Encodes the segment.
    pub fn encode(&self) -> EncodedSegment {
        let mut identity = Encoder::new();
        identity.array(self.identities.len());
        for record in &self.identities {
            identity.array(4);
            identity.text(record.kind.name());
            encode_key(&record.key, &mut identity);
            match record.length {
                None => identity.null(),
                Some(length) => identity.unsigned(length),
            }
            identity.binary(&record.digest);
        }
        let mut storage = Encoder::new();
        storage.map(3);
        storage.text("block");
        storage.binary(&self.block_digest);
        storage.text("bytes");
        storage.unsigned(self.block_bytes);
        storage.text("records");
        storage.array(self.storages.len());
        for record in &self.storages {
            storage.array(3);
            storage.unsigned(record.offset);
            storage.unsigned(u64::from(record.header_bytes));
            storage.unsigned(record.body_bytes);
        }
        let mut encoder = Encoder::new();
        encoder.array(2);
        encoder.binary(identity.as_bytes());
        encoder.binary(storage.as_bytes());
        EncodedSegment { identity_digest: blake3::hash(identity.as_bytes()).into(), bytes: encoder.into_bytes() }
    }

    /// Decodes a segment.
    pub fn decode(bytes: &[u8]) -> Result<Segment, CodecError> {
        within_limit("manifest segment", bytes)?;
        let mut decoder = Decoder::new(bytes, "manifest segment");
        decoder.array_of(2)?;
        let (identity, storage) = (decoder.binary()?, decoder.binary()?);
        decoder.end()?;
        let identities = decode_identities(identity)?;

        let mut decoder = Decoder::new(storage, "storage part of a manifest segment");
        let mut pairs = decoder.map()?;
        let (mut block_digest, mut block_bytes, mut storages) = (None, None, None);
        while let Some(name) = pairs.next(&mut decoder)? {
            match name {
                "block" => block_digest = Some(decoder.digest()?),
                "bytes" => block_bytes = Some(decoder.unsigned()?),
                "records" => storages = Some(decode_storages(&mut decoder)?),
                _ => return Err(decoder.error("an entry that manifest segments don't have")),
            }
        }
        decoder.end()?;
        let (Some(block_digest), Some(block_bytes), Some(storages)) = (block_digest, block_bytes, storages) else {
            return Err(decoder.error("lacks an entry"));
        };
        if storages.len() != identities.len() || identities.is_empty() {
            return Err(decoder.error("has no records, or not as many as the identity part"));
        }
        Ok(Segment { identities, storages, block_bytes, block_digest })
    }
}

/// Decodes the identity part of a segment alone, as the wire sends it.
pub fn decode_identities(bytes: &[u8]) -> Result<Vec<Identity>, CodecError> {
    let mut decoder = Decoder::new(bytes, "identity part of a manifest segment");
    let count = decoder.array()?;
    let mut identities = Vec::new();
    for _ in 0..count {
        decoder.array_of(4)?;
        identities.push(Identity {
            kind: decode_kind(&mut decoder)?,
            key: decode_key(&mut decoder)?,
            length: if decoder.null()? { None } else { Some(decoder.unsigned()?) },
            digest: decoder.digest()?,
        });
    }
    decoder.end()?;
    if identities.windows(2).any(|pair| (pair[0].kind, &pair[0].key) >= (pair[1].kind, &pair[1].key)) {
        return Err(decoder.error("its records are not in canonical order"));
    }
    Ok(identities)
}

fn decode_storages(decoder: &mut Decoder) -> Result<Vec<Storage>, CodecError> {
    let count = decoder.array()?;
    let mut storages = Vec::new();
    for _ in 0..count {
        decoder.array_of(3)?;
        let offset = decoder.unsigned()?;
        let header_bytes =
            u32::try_from(decoder.unsigned()?).map_err(|_| decoder.error("a header that is too long"))?;
        storages.push(Storage { offset, header_bytes, body_bytes: decoder.unsigned()? });
    }
    Ok(storages)
}

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

/// Records and body bytes of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many records there are.
    pub records: u64,
    /// The sum of their logical body lengths in bytes.
    pub body_bytes: u64,
}

/// The root, `manifest.cbor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// blake3 of `site.cbor`.
    pub site_info_digest: Digest,
    /// The site digest: over the identity digests of all records.
    pub site_digest: Digest,
    /// Counts per kind, in canonical order; kinds without records are left out.
    pub kinds: Vec<(Kind, Count)>,
    /// The index segments.
    pub index: Vec<IndexSegment>,
    /// What the second look at the source found.
    pub state_after: String,
}

/// What an archive holds when it is not a part: the whole site.
const WHOLE_SITE: &str = "site";

impl Root {
    /// Encodes the root; fails when the site has more blocks than the format can list.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut encoder = Encoder::new();
        encoder.map(7);
        encoder.text("site");
        encoder.binary(&self.site_info_digest);
        encoder.text("index");
        encoder.array(self.index.len());
        for segment in &self.index {
            encoder.array(3);
            encoder.unsigned(segment.position);
            encoder.unsigned(u64::from(segment.bytes));
            encoder.binary(&segment.digest);
        }
        encoder.text("kinds");
        encoder.array(self.kinds.len());
        for (kind, count) in &self.kinds {
            encoder.array(3);
            encoder.text(kind.name());
            encoder.unsigned(count.records);
            encoder.unsigned(count.body_bytes);
        }
        encoder.text("scope");
        encoder.text(WHOLE_SITE);
        encoder.text("digest");
        encoder.binary(&self.site_digest);
        encoder.text("format");
        encoder.unsigned(FORMAT_VERSION);
        encoder.text("state_after");
        encoder.text(&self.state_after);
        within_limit("final manifest", encoder.as_bytes())?;
        Ok(encoder.into_bytes())
    }

    /// Decodes the root.
    pub fn decode(bytes: &[u8]) -> Result<Root, CodecError> {
        within_limit("final manifest", bytes)?;
        let mut decoder = Decoder::new(bytes, "final manifest");
        let mut pairs = decoder.map()?;
        let (mut site_info_digest, mut site_digest, mut kinds, mut index) = (None, None, None, None);
        let (mut state_after, mut scope, mut format) = (None, None, None);
        while let Some(name) = pairs.next(&mut decoder)? {
            match name {
                "site" => site_info_digest = Some(decoder.digest()?),
                "index" => index = Some(decode_root_index(&mut decoder)?),
                "kinds" => kinds = Some(decode_counts(&mut decoder)?),
                "scope" => scope = Some(decoder.text()?),
                "digest" => site_digest = Some(decoder.digest()?),
                "format" => format = Some(decoder.unsigned()?),
                "state_after" => state_after = Some(decoder.text()?.to_owned()),
                _ => return Err(decoder.error("has an entry that final manifests don't have")),
            }
        }
        decoder.end()?;
        if format != Some(FORMAT_VERSION) {
            return Err(decoder.error("is of a format version that this program doesn't know"));
        }
        if scope != Some(WHOLE_SITE) {
            return Err(decoder.error("is of a part of a site, which this program doesn't read yet"));
        }
        match (site_info_digest, site_digest, kinds, index, state_after) {
            (Some(site_info_digest), Some(site_digest), Some(kinds), Some(index), Some(state_after)) => {
                Ok(Root { site_info_digest, site_digest, kinds, index, state_after })
            }
            _ => Err(decoder.error("lacks an entry")),
        }
    }
}

fn decode_root_index(decoder: &mut Decoder) -> Result<Vec<IndexSegment>, CodecError> {
    let count = decoder.array()?;
    let mut index = Vec::new();
    for _ in 0..count {
        decoder.array_of(3)?;
        let position = decoder.unsigned()?;
        let bytes =
            u32::try_from(decoder.unsigned()?).map_err(|_| decoder.error("an index segment that is too long"))?;
        index.push(IndexSegment { position, bytes, digest: decoder.digest()? });
    }
    Ok(index)
}

fn decode_counts(decoder: &mut Decoder) -> Result<Vec<(Kind, Count)>, CodecError> {
    let count = decoder.array()?;
    let mut kinds: Vec<(Kind, Count)> = Vec::new();
    for _ in 0..count {
        decoder.array_of(3)?;
        let kind = decode_kind(decoder)?;
        if kinds.last().is_some_and(|(last, _)| *last >= kind) {
            return Err(decoder.error("the kinds are not in canonical order"));
        }
        kinds.push((kind, Count { records: decoder.unsigned()?, body_bytes: decoder.unsigned()? }));
    }
    Ok(kinds)
}

fn within_limit(what: &'static str, bytes: &[u8]) -> Result<(), CodecError> {
    if bytes.len() > MAX_MANIFEST_BYTES {
        return Err(CodecError::TooLong { what, bytes: bytes.len(), limit: MAX_MANIFEST_BYTES });
    }
    Ok(())
}
