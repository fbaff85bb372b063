//! The account of blocks, manifest groups, index and totals, kept from the records in their order. The writer writes what it says, and
//! the sequential reader demands it.

use crate::codec::block::BlockCutter;
use crate::codec::manifest::{
    Count, EncodedSegment, Identity, IndexEncoder, IndexEntry, IndexSegment, Root, Segment, Storage,
};
use crate::codec::{Digest, Hasher, SiteHasher};
use crate::record::{Body, Header, Key, Kind};

/// A group of manifest segments comes when so many blocks ended since the last one.
const GROUP_BLOCKS: usize = 16;
/// A group of manifest segments comes when blocks of so many bytes ended since the last one.
const GROUP_BYTES: u64 = 8 << 20;

/// The account of one archive.
#[derive(Debug, Default)]
pub struct Ledger {
    cutter: BlockCutter,
    /// The last record of the blocks that ended.
    last: Option<(Kind, Key)>,
    block: Option<OpenBlock>,
    group: Vec<ClosedBlock>,
    group_bytes: u64,
    index: IndexEncoder,
    kinds: Vec<(Kind, Count)>,
    site: SiteHasher,
}

#[derive(Debug)]
struct OpenBlock {
    position: u64,
    bytes: u64,
    hasher: Hasher,
    identities: Vec<Identity>,
    storages: Vec<Storage>,
}

/// A block that ended, and its manifest segment, which comes with the next group.
#[derive(Debug)]
pub struct ClosedBlock {
    /// Kind of its first record.
    pub kind: Kind,
    /// Key of its first record.
    pub key: Key,
    /// Where it begins.
    pub position: u64,
    /// Its manifest segment.
    pub segment: EncodedSegment,
}

impl Ledger {
    /// Kind and key of the record before, if that doesn't come before `header` in canonical order.
    pub fn disorder(&self, header: &Header) -> Option<String> {
        let (kind, key) = self.last()?;
        ((kind, key) >= (header.kind, &header.key)).then(|| format!("{kind} record {key}"))
    }

    /// Takes the next header and tells whether a block ends before it. Is called once for each record.
    pub fn ends_block_before(&mut self, header: &Header) -> bool {
        self.cutter.begins_block(header.kind, &header.key, body_bytes(header))
    }

    /// Whether there is a block that has not ended.
    pub fn has_open_block(&self) -> bool {
        self.block.is_some()
    }

    /// Begins a block at a position of the stream.
    pub fn open_block(&mut self, position: u64) {
        self.block = Some(OpenBlock {
            position,
            bytes: 0,
            hasher: Hasher::default(),
            identities: Vec::new(),
            storages: Vec::new(),
        });
    }

    /// How many bytes the open block has so far.
    pub fn block_bytes(&self) -> u64 {
        self.block.as_ref().map_or(0, |block| block.bytes)
    }

    /// Takes the next bytes of the open block.
    pub fn take_bytes(&mut self, bytes: &[u8]) {
        if let Some(block) = &mut self.block {
            block.hasher.update(bytes);
            block.bytes += bytes.len() as u64;
        }
    }

    /// Takes the next record, whose header stands at `offset` of the open block and has `header_bytes` bytes.
    pub fn begin_record(&mut self, header: &Header, offset: u64, header_bytes: u32) {
        if let Some(block) = &mut self.block {
            // How long the body is in segments, and its digest, show at its end.
            block.storages.push(Storage { offset, header_bytes, body_bytes: 0 });
            let length = header.body.as_ref().map(Body::length);
            let (kind, key) = (header.kind, header.key.clone());
            block.identities.push(Identity { kind, key, length, digest: Digest::default() });
        }
        match self.kinds.last_mut() {
            Some((kind, count)) if *kind == header.kind => {
                count.records += 1;
                count.body_bytes = count.body_bytes.saturating_add(body_bytes(header));
            }
            _ => self.kinds.push((header.kind, Count { records: 1, body_bytes: body_bytes(header) })),
        }
    }

    /// Kind and key of the record that began last.
    pub fn last(&self) -> Option<(Kind, &Key)> {
        let of_block = self.block.as_ref().and_then(|block| block.identities.last());
        let of_block = of_block.map(|identity| (identity.kind, &identity.key));
        of_block.or_else(|| self.last.as_ref().map(|(kind, key)| (*kind, key)))
    }

    /// The record that began last is complete, with so many bytes in segments.
    pub fn end_record(&mut self, stored_bytes: u64, digest: &Digest) {
        if let Some(block) = &mut self.block {
            if let Some(storage) = block.storages.last_mut() {
                storage.body_bytes = stored_bytes;
            }
            if let Some(identity) = block.identities.last_mut() {
                identity.digest = *digest;
                self.site.record(identity.kind, digest);
            }
        }
    }

    /// Ends the open block, if there is one.
    pub fn close_block(&mut self) {
        let Some(block) = self.block.take() else { return };
        let Some(Identity { kind, key, .. }) = block.identities.first().cloned() else { return };
        self.last = block.identities.last().map(|identity| (identity.kind, identity.key.clone()));
        self.group_bytes += block.bytes;
        let segment = Segment {
            identities: block.identities,
            storages: block.storages,
            block_bytes: block.bytes,
            block_digest: block.hasher.digest(),
        };
        self.group.push(ClosedBlock { kind, key, position: block.position, segment: segment.encode() });
    }

    /// Whether a group of manifest segments must follow the block that just ended.
    pub fn group_is_due(&self) -> bool {
        self.group.len() >= GROUP_BLOCKS || self.group_bytes >= GROUP_BYTES
    }

    /// The blocks whose manifest segments come now.
    pub fn take_group(&mut self) -> Vec<ClosedBlock> {
        self.group_bytes = 0;
        std::mem::take(&mut self.group)
    }

    /// Takes note of where a manifest segment stands, and gives the index segment that this completes.
    pub fn place_segment(&mut self, block: ClosedBlock, segment_position: u64) -> Option<Vec<u8>> {
        let EncodedSegment { bytes, identity_digest } = block.segment;
        self.index.push(&IndexEntry {
            kind: block.kind,
            key: block.key,
            identity_digest,
            position: block.position,
            segment_position,
            // A manifest segment has at most 65,536 bytes.
            segment_bytes: bytes.len() as u32,
            segment_digest: blake3::hash(&bytes).into(),
        })
    }

    /// The last index segment.
    pub fn finish_index(&mut self) -> Option<Vec<u8>> {
        self.index.finish()
    }

    /// The root of the manifest.
    pub fn root(&self, site_info_digest: Digest, index: Vec<IndexSegment>, state_after: String) -> Root {
        Root { site_info_digest, site_digest: self.site.digest(), kinds: self.kinds.clone(), index, state_after }
    }
}

fn body_bytes(header: &Header) -> u64 {
    header.body.as_ref().map_or(0, Body::length)
}
