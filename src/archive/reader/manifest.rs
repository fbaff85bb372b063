//! The manifest as it comes along in the stream: every part must be the one that the records before it demand.

use std::io::Read;

use super::super::error::ReadError;
use super::super::{ROOT_MEMBER, name};
use super::Reader;
use crate::codec::identity::hex;
use crate::codec::manifest::{IndexSegment, Root, Segment};
use crate::record::End;

impl<R: Read> Reader<R> {
    /// Reads the manifest segments of the blocks that ended since the last group, and tells whether they were due.
    pub(super) fn read_group(&mut self) -> Result<bool, ReadError> {
        self.ledger.close_block();
        let was_due = self.ledger.group_is_due();
        for block in self.ledger.take_group() {
            let position = self.stream.position();
            let content = self.stream.alone(&name::manifest_segment(self.manifest_segments))?;
            if content != block.segment.bytes {
                return Err(self.stream.manifest_error(difference(&block.segment.bytes, &content)));
            }
            self.manifest_segments += 1;
            if let Some(segment) = self.ledger.place_segment(block, position) {
                self.index.push((segment.len(), blake3::hash(&segment).into()));
            }
        }
        Ok(was_due)
    }

    /// Reads index segments, root, digest and seek table.
    pub(super) fn read_tail(&mut self) -> Result<End, ReadError> {
        if let Some(segment) = self.ledger.finish_index() {
            self.index.push((segment.len(), blake3::hash(&segment).into()));
        }
        let mut places = Vec::new();
        for (number, (bytes, digest)) in std::mem::take(&mut self.index).into_iter().enumerate() {
            let position = self.stream.position();
            let content = self.stream.alone(&name::index_segment(number as u64))?;
            if blake3::hash(&content) != digest {
                return Err(self.stream.manifest_error("it is not the index of the blocks before it"));
            }
            // An index segment has at most 65,536 bytes.
            places.push(IndexSegment { position, bytes: bytes as u32, digest });
        }
        let content = self.stream.alone(ROOT_MEMBER)?;
        let found = Root::decode(&content).map_err(|source| self.stream.codec_error(source))?;
        let expected = self.ledger.root(self.site_info_digest, places, found.state_after.clone());
        if let Some(problem) = root_difference(&expected, &found) {
            return Err(self.stream.manifest_error(problem));
        }
        self.stream.end()?;
        Ok(End { state_after: found.state_after })
    }
}

/// Says how the manifest segment that was found differs from the one that the block demands.
fn difference(expected: &[u8], found: &[u8]) -> String {
    let (expected, found) = match (Segment::decode(expected), Segment::decode(found)) {
        (Ok(expected), Ok(found)) => (expected, found),
        (_, Err(error)) => return error.to_string(),
        (Err(error), _) => return error.to_string(),
    };
    for (expected, found) in expected.identities.iter().zip(&found.identities) {
        let (kind, key) = (expected.kind, &expected.key);
        if (found.kind, &found.key) != (kind, key) {
            return format!("it has {} record {} where its block has {kind} record {key}", found.kind, found.key);
        }
        if found.length != expected.length {
            return format!("it gives {kind} record {key} another length than the record has");
        }
        if found.digest != expected.digest {
            return format!(
                "by it {kind} record {key} has the digest {}, but what stands in the block has {}",
                hex(&found.digest),
                hex(&expected.digest)
            );
        }
    }
    if found.identities.len() != expected.identities.len() {
        return format!("it has {} records, its block {}", found.identities.len(), expected.identities.len());
    }
    for (identity, (expected, found)) in expected.identities.iter().zip(expected.storages.iter().zip(&found.storages)) {
        if expected != found {
            return format!("it puts {} record {} elsewhere than it stands", identity.kind, identity.key);
        }
    }
    if found.block_bytes != expected.block_bytes {
        return format!("by it its block has {} bytes, but there are {}", found.block_bytes, expected.block_bytes);
    }
    format!(
        "by it its block has the digest {}, but the bytes that are there have {}",
        hex(&found.block_digest),
        hex(&expected.block_digest)
    )
}

fn root_difference(expected: &Root, found: &Root) -> Option<String> {
    if found.site_info_digest != expected.site_info_digest {
        return Some("it is the manifest of another site.cbor".to_owned());
    }
    for (kind, count) in &expected.kinds {
        let listed = found.kinds.iter().find(|(other, _)| other == kind).map(|(_, count)| *count).unwrap_or_default();
        if listed != *count {
            return Some(format!(
                "it counts {} records of kind {kind} with {} bytes of bodies, but there are {} with {}",
                listed.records, listed.body_bytes, count.records, count.body_bytes
            ));
        }
    }
    if found.kinds.len() != expected.kinds.len() {
        return Some("it counts records of a kind that the archive doesn't have".to_owned());
    }
    if found.index != expected.index {
        return Some("it doesn't list the index segments that are there".to_owned());
    }
    (found.site_digest != expected.site_digest).then(|| {
        format!(
            "by it the site digest is {}, but the records have {}",
            hex(&found.site_digest),
            hex(&expected.site_digest)
        )
    })
}
