//! blake3 of many short inputs, hashed side by side.
//!
//! blake3 is fast where it has eight or sixteen pieces of 1,024 bytes at hand, and a short record has none or a few; but there are thousands of
//! such records, and where their digests are wanted together, pieces of different ones can be hashed in one go. The functions for that are in blake3,
//! which offers them to nobody: they may change with any release, so Cargo.toml names one, and the tests compare with what blake3 does offer.

use blake3::IncrementCounter;
use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};
use blake3::platform::{Platform, le_bytes_from_words_32, words_from_le_bytes_32};

use super::Digest;

/// The units of blake3, in bytes (BLAKE3 paper, section 2.1).
const CHUNK_BYTES: usize = 1024;
const BLOCK_BYTES: usize = 64;
/// Flags of blake3 (BLAKE3 paper, section 2.3).
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 2;
const PARENT: u8 = 4;
const ROOT: u8 = 8;
const DERIVE_KEY_MATERIAL: u8 = 64;

/// A longer input goes to blake3 as it is: it has enough pieces for itself, and there may be no other of its length to go beside it.
const MOST_BYTES: usize = 5 * CHUNK_BYTES;

type Words = [u32; 8];

/// Inputs of one use, whose digests are wanted together.
#[derive(Clone, Debug)]
pub struct SideBySide {
    platform: Platform,
    context: ContextKey,
    key: Words,
    bytes: Vec<u8>,
    /// Where each input ends.
    ends: Vec<usize>,
    chunks: Vec<Chunk>,
    /// The digests of longer inputs, of which no bytes are kept.
    longer: Vec<(usize, Digest)>,
}

/// A chunk of an input, and what it was hashed to.
#[derive(Clone, Debug)]
struct Chunk {
    start: usize,
    bytes: usize,
    /// Which one of its input it is.
    number: u64,
    is_alone: bool,
    value: Words,
}

impl SideBySide {
    /// For the digests of one use, kept apart from all others.
    pub fn for_context(context: &str) -> Self {
        let context = hash_derive_key_context(context);
        SideBySide {
            platform: Platform::detect(),
            context,
            key: words_from_le_bytes_32(&context),
            bytes: Vec::new(),
            ends: Vec::new(),
            chunks: Vec::new(),
            longer: Vec::new(),
        }
    }

    /// Adds bytes to the input that is not complete.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Completes an input.
    pub fn end(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        if self.bytes.len() - start > MOST_BYTES {
            let mut hasher = blake3::Hasher::new_from_context_key(&self.context);
            self.longer.push((self.ends.len(), hasher.update(&self.bytes[start..]).finalize().into()));
            self.bytes.truncate(start);
        }
        let bytes = self.bytes.len() - start;
        let is_alone = bytes <= CHUNK_BYTES;
        let mut done = 0;
        // There is one chunk also where there is nothing.
        while done < bytes || done == 0 {
            let now = (bytes - done).min(CHUNK_BYTES);
            let number = (done / CHUNK_BYTES) as u64;
            self.chunks.push(Chunk { start: start + done, bytes: now, number, is_alone, value: self.key });
            done += CHUNK_BYTES;
        }
        self.ends.push(self.bytes.len());
    }

    /// Gives the digests of all inputs in their order, and forgets the inputs.
    pub fn digests(&mut self, out: &mut Vec<Digest>) {
        self.hash_whole_blocks();
        self.hash_last_blocks();
        let first = out.len();
        let (mut start, mut rest) = (0, self.chunks.as_slice());
        for end in &self.ends {
            let (chunks, later) = rest.split_at((end - start).div_ceil(CHUNK_BYTES).max(1));
            out.push(le_bytes_from_words_32(&self.tree(chunks, ROOT)));
            (start, rest) = (*end, later);
        }
        for (index, digest) in self.longer.drain(..) {
            out[first + index] = digest;
        }
        self.bytes.clear();
        self.ends.clear();
        self.chunks.clear();
    }

    /// All blocks but the last one of each chunk: those of chunks with equally many blocks and the same number go together.
    fn hash_whole_blocks(&mut self) {
        let of_chunk = |(index, chunk): (usize, &Chunk)| (chunk.number, chunk.whole_blocks(), index);
        let mut order: Vec<_> =
            self.chunks.iter().enumerate().map(of_chunk).filter(|(_, blocks, _)| *blocks > 0).collect();
        order.sort_unstable();
        let mut values = Vec::new();
        for group in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            values.clear();
            values.resize(group.len() * 32, 0);
            let (number, blocks, _) = group[0];
            match blocks {
                1 => self.hash_group::<64>(group, number, &mut values),
                2 => self.hash_group::<128>(group, number, &mut values),
                3 => self.hash_group::<192>(group, number, &mut values),
                4 => self.hash_group::<256>(group, number, &mut values),
                5 => self.hash_group::<320>(group, number, &mut values),
                6 => self.hash_group::<384>(group, number, &mut values),
                7 => self.hash_group::<448>(group, number, &mut values),
                8 => self.hash_group::<512>(group, number, &mut values),
                9 => self.hash_group::<576>(group, number, &mut values),
                10 => self.hash_group::<640>(group, number, &mut values),
                11 => self.hash_group::<704>(group, number, &mut values),
                12 => self.hash_group::<768>(group, number, &mut values),
                13 => self.hash_group::<832>(group, number, &mut values),
                14 => self.hash_group::<896>(group, number, &mut values),
                _ => self.hash_group::<960>(group, number, &mut values),
            }
            for ((_, _, index), value) in group.iter().zip(values.as_chunks::<32>().0) {
                self.chunks[*index].value = words_from_le_bytes_32(value);
            }
        }
    }

    /// Hashes the first `BYTES` of each chunk of a group.
    fn hash_group<const BYTES: usize>(&self, group: &[(u64, usize, usize)], number: u64, values: &mut [u8]) {
        let whole =
            |(_, _, index): &(u64, usize, usize)| self.bytes[self.chunks[*index].start..].first_chunk::<BYTES>();
        let inputs: Vec<&[u8; BYTES]> = group.iter().filter_map(whole).collect();
        let flags = DERIVE_KEY_MATERIAL;
        self.platform.hash_many(&inputs, &self.key, number, IncrementCounter::No, flags, CHUNK_START, 0, values);
    }

    /// The last block of each chunk, which may be shorter than others: one after the other.
    fn hash_last_blocks(&mut self) {
        for chunk in &mut self.chunks {
            let whole_blocks = chunk.whole_blocks();
            let last = &self.bytes[chunk.start + whole_blocks * BLOCK_BYTES..chunk.start + chunk.bytes];
            let mut block = [0; BLOCK_BYTES];
            block[..last.len()].copy_from_slice(last);
            let first = if whole_blocks == 0 { CHUNK_START } else { 0 };
            let root = if chunk.is_alone { ROOT } else { 0 };
            let flags = DERIVE_KEY_MATERIAL | first | CHUNK_END | root;
            // A block has at most 64 bytes.
            self.platform.compress_in_place(&mut chunk.value, &block, last.len() as u8, chunk.number, flags);
        }
    }

    /// What the tree over these chunks is hashed to: at its left as many of them as the largest power of two that leaves some for its right.
    fn tree(&self, chunks: &[Chunk], root: u8) -> Words {
        if let [chunk] = chunks {
            return chunk.value;
        }
        let (left, right) = chunks.split_at(chunks.len().next_power_of_two() / 2);
        let mut block = [0; BLOCK_BYTES];
        block[..32].copy_from_slice(&le_bytes_from_words_32(&self.tree(left, 0)));
        block[32..].copy_from_slice(&le_bytes_from_words_32(&self.tree(right, 0)));
        let mut value = self.key;
        let flags = DERIVE_KEY_MATERIAL | PARENT | root;
        self.platform.compress_in_place(&mut value, &block, BLOCK_BYTES as u8, 0, flags);
        value
    }
}

impl Chunk {
    /// How many of its blocks are not the last one.
    fn whole_blocks(&self) -> usize {
        self.bytes.saturating_sub(1) / BLOCK_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONTEXT: &str = "ctdl-dump test of digests side by side";

    fn check(inputs: &[Vec<u8>]) {
        let mut hashes = SideBySide::for_context(CONTEXT);
        // What was before must leave nothing behind.
        for _ in 0..2 {
            for input in inputs {
                let (one, other) = input.split_at(input.len() / 3);
                hashes.update(one);
                hashes.update(other);
                hashes.end();
            }
            let mut digests = Vec::new();
            hashes.digests(&mut digests);
            let expected: Vec<Digest> = inputs.iter().map(|input| blake3::derive_key(CONTEXT, input)).collect();
            assert_eq!(digests, expected);
        }
    }

    fn input(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|number| (number * number / 7 + bytes) as u8).collect()
    }

    #[test]
    fn every_length_of_two_chunks_and_lengths_around_every_edge_of_larger_trees() {
        check(&(0..2100).map(input).collect::<Vec<_>>());
        check(&(2..40).flat_map(|chunks| (chunks * 1024 - 1..=chunks * 1024 + 1).map(input)).collect::<Vec<_>>());
        check(&[]);
    }

    proptest! {
        #[test]
        fn the_digests_are_those_of_blake3(inputs in prop::collection::vec(prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..1200), 1 => prop::collection::vec(any::<u8>(), 0..9000),
        ], 0..40)) {
            check(&inputs);
        }
    }
}
