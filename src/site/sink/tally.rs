//! What the pairs of a table add up to, in whatever order they come: a table is written in the order of its records, and read back in its own.
//!
//! It finds what a disk, a memory or a bug has changed, and for that 64 bits are enough: one change in 2^64 would go unnoticed. It is no digest
//! that withstands an enemy, and need not be one: whoever can change the tables before they are read back can change them behind it as well.

/// The sum over all pairs of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub pairs: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    sum: u64,
}

impl Tally {
    /// Adds a pair whose value was hashed to its end.
    pub fn add(&mut self, pair: PairHasher) {
        self.pairs += 1;
        self.bytes += pair.bytes;
        self.sum = self.sum.wrapping_add(pair.finish());
    }
}

/// A block has sixteen bytes for each of four sums, which a processor computes side by side.
const LANES: usize = 4;
const LANE_BYTES: usize = 16;
const BLOCK_BYTES: usize = LANES * LANE_BYTES;
/// Fractions of the golden ratio and of the roots of 2 and 3: numbers in which nobody can hide anything.
const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0x6a09_e667_f3bc_c909;
const THIRD: u64 = 0xbb67_ae85_84ca_a73b;

/// Hashes one pair: its key, then its value in any pieces.
pub(super) struct PairHasher {
    lanes: [u64; LANES],
    bytes: u64,
    /// The beginning of a block that is not complete.
    rest: [u8; BLOCK_BYTES],
    rest_bytes: usize,
}

impl PairHasher {
    /// Begins a pair.
    pub fn new(key: &[u8]) -> Self {
        // With the key's length at the beginning and that of both at the end, no byte can move from one to the other.
        let state = folded(key.len() as u64 ^ SECOND, THIRD);
        // Every lane begins with another number, so that what stands in one counts otherwise in the next.
        let lanes = [0, 1, 2, 3].map(|lane| state.wrapping_add(FIRST.wrapping_mul(lane)));
        let mut hasher = PairHasher { lanes, bytes: 0, rest: [0; BLOCK_BYTES], rest_bytes: 0 };
        hasher.update(key);
        hasher
    }

    /// Takes the next bytes of the value.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.rest_bytes > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.rest_bytes));
            self.rest[self.rest_bytes..self.rest_bytes + now.len()].copy_from_slice(now);
            self.rest_bytes += now.len();
            if self.rest_bytes < BLOCK_BYTES {
                return;
            }
            self.lanes = after(self.lanes, &self.rest);
            self.rest_bytes = 0;
            bytes = later;
        }
        let (blocks, rest) = bytes.as_chunks();
        self.lanes = blocks.iter().fold(self.lanes, after);
        self.rest[..rest.len()].copy_from_slice(rest);
        self.rest_bytes = rest.len();
    }

    fn finish(mut self) -> u64 {
        self.rest[self.rest_bytes..].fill(0);
        let [a, b, c, d] = after(self.lanes, &self.rest);
        folded(joined(joined(b, a, 0), c, d) ^ SECOND, self.bytes ^ THIRD)
    }
}

/// The lanes after one more block.
fn after(lanes: [u64; LANES], block: &[u8; BLOCK_BYTES]) -> [u64; LANES] {
    let mut next = lanes;
    for (lane, bytes) in next.iter_mut().zip(block.as_chunks::<LANE_BYTES>().0) {
        let bytes = u128::from_le_bytes(*bytes);
        *lane = joined(*lane, bytes as u64, (bytes >> 64) as u64);
    }
    next
}

/// A sum with two more numbers in it.
fn joined(sum: u64, a: u64, b: u64) -> u64 {
    // What was before stays in it, also where a factor happens to be 0.
    folded(a ^ FIRST, b ^ sum).wrapping_add(sum.rotate_left(29))
}

/// Both halves of a product, one over the other.
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tally<'p>(pairs: impl IntoIterator<Item = &'p (Vec<u8>, Vec<u8>)>, piece: usize) -> Tally {
        let mut tally = Tally::default();
        for (key, value) in pairs {
            let mut pair = PairHasher::new(key);
            value.chunks(piece).for_each(|piece| pair.update(piece));
            tally.add(pair);
        }
        tally
    }

    proptest! {
        #[test]
        fn pairs_add_up_to_the_same_in_any_order_and_any_pieces(
            pairs in prop::collection::vec(any::<(Vec<u8>, Vec<u8>)>(), 0..20), piece in 1usize..50,
        ) {
            prop_assert_eq!(tally(&pairs, usize::MAX), tally(pairs.iter().rev(), piece));
        }

        #[test]
        fn any_changed_bit_changes_the_sum(
            key in prop::collection::vec(any::<u8>(), 1..40), value in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(),
        ) {
            let whole = [key.as_slice(), &value].concat();
            let mut changed = whole.clone();
            let bit = at.index(whole.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            let split = |bytes: &[u8]| (bytes[..key.len()].to_vec(), bytes[key.len()..].to_vec());
            prop_assert_ne!(tally([&split(&whole)], 7), tally([&split(&changed)], 7));
        }
    }

    #[test]
    fn a_byte_that_moves_to_another_place_changes_the_sum() {
        let pair = |key: &[u8], value: &[u8]| tally([&(key.to_vec(), value.to_vec())], 5);
        assert_ne!(pair(b"ab", b"c"), pair(b"a", b"bc"));
        assert_ne!(pair(b"a", b"bc"), pair(b"a", b"cb"));
        assert_ne!(pair(b"a", b""), pair(b"a", b"\0"));
        assert_ne!(pair(b"a", &[0; 16]), pair(b"a", &[0; 32]));
        let lanes = |first: u8, second: u8| [[first; LANE_BYTES], [second; LANE_BYTES]].concat();
        assert_ne!(pair(b"", &lanes(1, 2)), pair(b"", &lanes(2, 1)));
        let two = tally([&(b"a".to_vec(), b"1".to_vec()), &(b"b".to_vec(), b"2".to_vec())], 5);
        assert_ne!(two, tally([&(b"a".to_vec(), b"2".to_vec()), &(b"b".to_vec(), b"1".to_vec())], 5));
    }

    #[test]
    fn a_long_run_of_the_constants_does_not_hide_what_was_before() {
        let constant = [FIRST.to_le_bytes(), FIRST.to_le_bytes()].concat().repeat(4 * LANES);
        let pair = |first: u8| tally([&(vec![1], [&[first; 2 * BLOCK_BYTES - 1], constant.as_slice()].concat())], 1000);
        assert_ne!(pair(1), pair(2));
    }
}
