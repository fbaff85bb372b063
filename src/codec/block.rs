//! Where blocks end (`format-spec/archive.md`, section 6): content decides, so that a record that comes or goes moves no boundary far away.

use super::Digest;
use super::cbor::Encoder;
use super::header::encode_key;
use crate::record::{Key, Kind};

/// A block has at least so many records (but the last one), unless its size ends it.
pub const LEAST_RECORDS: u32 = 32;
/// A block of so many body bytes ends.
pub const MOST_BODY_BYTES: u64 = 8 << 20;
/// The records of a block take at most so many bytes of its manifest segment, each counted as `entry_bytes` does.
pub const MOST_ENTRY_BYTES: usize = 48 * 1024;
/// Of the hash's 32 lowest bits so many must be 0 for a boundary: one record in 128.
const BOUNDARY_BITS: u32 = 7;

/// Decides, record after record, where a block ends. The decision depends on nothing but the records of the block itself.
#[derive(Debug, Default)]
pub struct BlockCutter {
    records: u32,
    body_bytes: u64,
    entry_bytes: usize,
    ends: bool,
    encoder: Encoder,
}

impl BlockCutter {
    /// Takes the next record and tells whether it begins a new block. The first record of all does not: the first block begins with it.
    pub fn begins_block(&mut self, kind: Kind, key: &Key, body_bytes: u64) -> bool {
        let entry_bytes = entry_bytes(key);
        let begins = self.ends || (self.records > 0 && self.entry_bytes + entry_bytes > MOST_ENTRY_BYTES);
        if begins {
            (self.records, self.body_bytes, self.entry_bytes) = (0, 0, 0);
        }
        self.records += 1;
        self.body_bytes = self.body_bytes.saturating_add(body_bytes);
        self.entry_bytes += entry_bytes;
        self.ends =
            self.body_bytes >= MOST_BODY_BYTES || (self.records >= LEAST_RECORDS && self.is_boundary(kind, key));
        begins
    }

    fn is_boundary(&mut self, kind: Kind, key: &Key) -> bool {
        self.encoder.clear();
        self.encoder.array(2);
        self.encoder.text(kind.name());
        encode_key(key, &mut self.encoder);
        let digest: Digest = blake3::hash(self.encoder.as_bytes()).into();
        let [a, b, c, d, ..] = digest;
        u32::from_le_bytes([a, b, c, d]).trailing_zeros() >= BOUNDARY_BITS
    }
}

/// What a record is counted with in its block's manifest segment: its key, and 96 bytes for all the rest, which never takes more.
pub fn entry_bytes(key: &Key) -> usize {
    key.size() + 96
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundaries(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
        let mut cutter = BlockCutter::default();
        numbers.filter(|number| cutter.begins_block(Kind::Message, &Key::number(*number), 1000)).collect()
    }

    #[test]
    fn a_record_that_comes_moves_only_boundaries_near_it() {
        let before = boundaries((0..100_000).map(|number| number * 2));
        let after = boundaries((0..100_000).flat_map(|number| match number {
            50_000 => vec![100_000, 100_001],
            number => vec![number * 2],
        }));
        let near = |boundary: &&i64| (99_000..103_000).contains(*boundary);
        let far = |list: &[i64]| list.iter().filter(|boundary| !near(boundary)).copied().collect::<Vec<_>>();
        assert_eq!(far(&before), far(&after));
        assert!((300..1500).contains(&before.len()), "{} blocks of 100,000 records", before.len());
    }

    #[test]
    fn long_keys_end_a_block_before_its_manifest_segment_is_full() {
        let mut cutter = BlockCutter::default();
        let begins: Vec<bool> = (0..100)
            .map(|number| cutter.begins_block(Kind::Table, &Key::number_and_name(number, vec![b'x'; 4344]), 0))
            .collect();
        let first = begins.iter().position(|begins| *begins).unwrap();
        assert_eq!(first, MOST_ENTRY_BYTES / (4352 + 96));
    }
}
