//! blake3 over bytes that come in any pieces, at the speed that it has for long ones.
//!
//! blake3 hashes sixteen pieces of 1,024 bytes side by side, but only where what it is given begins and ends at a multiple of that. Bodies come behind a
//! header, and in an archive behind a tar header, so that nothing of them ever did.

/// What is hashed together: as much as the widest processors hash side by side.
const PIECE_BYTES: usize = 16 << 10;

/// A blake3 hasher that collects what it is given until there is a whole piece of it.
#[derive(Clone, Debug)]
pub struct Hasher {
    hasher: blake3::Hasher,
    /// What was not given to `hasher` yet.
    pending: Vec<u8>,
}

impl Default for Hasher {
    fn default() -> Self {
        Hasher::of(blake3::Hasher::new())
    }
}

impl Hasher {
    /// For the digests of one use, kept apart from all others.
    pub fn for_context(context: &str) -> Self {
        Hasher::of(blake3::Hasher::new_derive_key(context))
    }

    fn of(hasher: blake3::Hasher) -> Self {
        Hasher { hasher, pending: Vec::new() }
    }

    /// Forgets all bytes, and keeps the memory.
    pub fn reset(&mut self) {
        self.hasher.reset();
        self.pending.clear();
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        if !self.pending.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.pending.len()));
            self.pending.extend_from_slice(now);
            if self.pending.len() < PIECE_BYTES {
                return;
            }
            self.hasher.update(&self.pending);
            self.pending.clear();
            bytes = later;
        }
        let (pieces, rest) = bytes.split_at(bytes.len() - bytes.len() % PIECE_BYTES);
        self.hasher.update(pieces);
        self.pending.extend_from_slice(rest);
    }

    /// The digest of all bytes so far.
    pub fn digest(&self) -> super::Digest {
        self.hasher.clone().update(&self.pending).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_blake3_for_any_pieces() {
        let bytes: Vec<u8> = (0..150_000u32).map(|number| (number.wrapping_mul(number) >> 8) as u8).collect();
        let mut hasher = Hasher::default();
        for piece in [1, 150, 1024, 16_383, 16_384, 16_385, 65_536, 150_000] {
            hasher.reset();
            for (number, chunk) in bytes.chunks(piece).enumerate() {
                hasher.update(chunk);
                if number == 2 {
                    let so_far = &bytes[..bytes.len().min(3 * piece)];
                    assert_eq!(hasher.digest(), *blake3::hash(so_far).as_bytes());
                }
            }
            assert_eq!(hasher.digest(), *blake3::hash(&bytes).as_bytes());
        }
    }

    #[test]
    fn contexts_are_those_of_blake3() {
        let mut hasher = Hasher::for_context("a use");
        hasher.update(b"bytes");
        assert_eq!(hasher.digest(), blake3::derive_key("a use", b"bytes"));
    }
}
