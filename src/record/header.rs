//! The header of a record.

use super::{Fields, Key, Kind};

/// A body of at most so many bytes stands inside its header, a longer one never does; unless it is message numbers.
pub const INLINE_BODY_BYTES: usize = 4096;
/// The same for bodies of message numbers, which take a fraction of it there.
pub const INLINE_NUMBERS_BYTES: usize = 32_768;

/// The longest value that a residue may reproduce; longer ones are `table` records.
pub const MAX_RESIDUE_VALUE_BYTES: u32 = 1 << 20;

/// Everything about a record but a long body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record is about.
    pub kind: Kind,
    /// What tells it from all others of its kind.
    pub key: Key,
    /// Its fields by name.
    pub fields: Fields,
    /// Its body, where it has one.
    pub body: Option<Body>,
    /// What the fields don't reproduce of the source's own bytes. No part of the record's identity.
    pub residue: Option<Residue>,
}

impl Header {
    /// The header of the same record with its body as it is.
    pub fn unfolded(mut self) -> Header {
        if let Some(Body::Folded(length)) = self.body {
            self.body = Some(Body::Segments(length));
        }
        self
    }
}

/// How the body of a record is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The body itself, at most `Kind::inline_body_bytes` long.
    Inline(Vec<u8>),
    /// The length in bytes of a longer body, which follows the header in segments.
    Segments(u64),
    /// The length in bytes of a longer body, of which the folded form follows the header in segments (`format-spec/record.md`, section 4.1).
    Folded(u64),
}

impl Body {
    /// Length in bytes, however it is kept.
    pub fn length(&self) -> u64 {
        match self {
            Body::Inline(bytes) => bytes.len() as u64,
            Body::Segments(length) | Body::Folded(length) => *length,
        }
    }
}

/// How the source's bytes of a value differ from what its fields give when encoded in the source's layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Residue {
    /// The value's length in bytes, where it isn't that of the layout.
    pub length: Option<u32>,
    /// Whether a visit stood in its table without compression.
    pub uncompressed: bool,
    /// Bytes at an offset of the value, in rising order, never touching each other.
    pub patches: Vec<(u32, Vec<u8>)>,
}

impl Residue {
    /// Whether there is nothing in it; such a residue is left out of the header.
    pub fn is_empty(&self) -> bool {
        self.length.is_none() && !self.uncompressed && self.patches.is_empty()
    }

    /// About how many bytes it takes in a header.
    pub fn size(&self) -> usize {
        self.patches.iter().map(|(_, patch)| patch.len() + 8).sum::<usize>() + 16
    }

    /// What must be done to `encoded` to get `actual`; empty if they are the same.
    pub fn between(encoded: &[u8], actual: &[u8]) -> Residue {
        if encoded == actual {
            return Residue::default();
        }
        // Differences closer than this stand in one patch: a patch of its own costs about as much.
        const GAP: usize = 8;
        let mut patches: Vec<(u32, Vec<u8>)> = Vec::new();
        let mut end_of_last = 0;
        for (offset, byte) in actual.iter().enumerate() {
            if *byte == encoded.get(offset).copied().unwrap_or(0) {
                continue;
            }
            match patches.last_mut() {
                Some((_, patch)) if offset - end_of_last <= GAP => {
                    patch.extend_from_slice(&actual[end_of_last..=offset]);
                }
                _ => patches.push((offset as u32, vec![*byte])),
            }
            end_of_last = offset + 1;
        }
        let length = (encoded.len() != actual.len()).then_some(actual.len() as u32);
        Residue { length, uncompressed: false, patches }
    }

    /// Turns `encoded` into the source's bytes; `None` if a patch reaches beyond the value, or the value would be longer than any that is kept so.
    pub fn apply(&self, mut encoded: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(length) = self.length {
            if length > MAX_RESIDUE_VALUE_BYTES {
                return None;
            }
            encoded.resize(length as usize, 0);
        }
        for (offset, patch) in &self.patches {
            let start = *offset as usize;
            encoded.get_mut(start..start.checked_add(patch.len())?)?.copy_from_slice(patch);
        }
        Some(encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_residue_turns_the_encoding_into_the_actual_bytes(
            encoded in prop::collection::vec(0u8..3, 0..100),
            actual in prop::collection::vec(0u8..3, 0..100),
        ) {
            let residue = Residue::between(&encoded, &actual);
            prop_assert_eq!(residue.is_empty(), encoded == actual);
            prop_assert_eq!(residue.apply(encoded), Some(actual));
        }
    }

    #[test]
    fn a_patch_beyond_the_value_is_refused() {
        let residue = Residue { patches: vec![(3, vec![1, 2])], ..Residue::default() };
        assert_eq!(residue.apply(vec![0; 4]), None);
    }

    #[test]
    fn a_length_of_four_gigabytes_is_not_believed() {
        let residue = Residue { length: Some(u32::MAX), ..Residue::default() };
        assert_eq!(residue.apply(Vec::new()), None);
    }
}
