//! A manifest segment: what one block holds, and where in it.

use super::within_limit;
use crate::codec::cbor::{Decoder, Encoder};
use crate::codec::header::{decode_key, decode_kind, encode_key};
use crate::codec::{CodecError, Digest};
use crate::record::{Key, Kind};

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
        let identity = encode_identities(&self.identities);
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
        encoder.binary(&identity);
        encoder.binary(storage.as_bytes());
        EncodedSegment { identity_digest: blake3::hash(&identity).into(), bytes: encoder.into_bytes() }
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

/// Encodes the identity part of a segment alone, as the wire sends it.
pub fn encode_identities(identities: &[Identity]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.array(identities.len());
    for record in identities {
        encoder.array(4);
        encoder.text(record.kind.name());
        encode_key(&record.key, &mut encoder);
        match record.length {
            None => encoder.null(),
            Some(length) => encoder.unsigned(length),
        }
        encoder.binary(&record.digest);
    }
    encoder.into_bytes()
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
