//! The small parts that lines and counted pieces are made of.

use super::MAX_PIECE_BYTES;
use crate::codec::cbor::{Decoder, Encoder};
use crate::codec::header::{decode_key, decode_kind, encode_key};
use crate::codec::{CodecError, Digest};
use crate::record::{Key, Kind, MAX_KEY_BYTES};

/// What a peer can do, as the greeting and `IDEN` say it. A word that this version doesn't know is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// `zstd`: both directions can be packed.
    pub zstd: bool,
    /// `login`: nothing is done before a token was given.
    pub login: bool,
    /// `lease`: the site's server can be taken single-user.
    pub lease: bool,
    /// `cutover`: the site's server can be left refusing logins, or stopped.
    pub cutover: bool,
    /// `receive`: records are taken, not given.
    pub receive: bool,
}

impl Abilities {
    /// The words, separated by commas.
    pub fn encode(self) -> String {
        let words = [
            (self.zstd, "zstd"),
            (self.login, "login"),
            (self.lease, "lease"),
            (self.cutover, "cutover"),
            (self.receive, "receive"),
        ];
        words.iter().filter(|(is_there, _)| *is_there).map(|(_, word)| *word).collect::<Vec<_>>().join(",")
    }

    /// The abilities that words name.
    pub fn parse(words: &str) -> Self {
        let has = |word| words.split(',').any(|other| other == word);
        Abilities {
            zstd: has("zstd"),
            login: has("login"),
            lease: has("lease"),
            cutover: has("cutover"),
            receive: has("receive"),
        }
    }
}

/// A number of a line: digits only, no more of them than necessary, at most 2^63 - 1.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_shortest = text == "0" || !text.starts_with('0');
    if !is_plain || !is_shortest {
        return None;
    }
    text.parse().ok().filter(|number| *number <= i64::MAX as u64)
}

/// A point in time: a number of seconds, which may be before 1970.
pub(super) fn time(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(before) => Some(-number(before).filter(|seconds| *seconds > 0)?.cast_signed()),
        None => Some(number(text)?.cast_signed()),
    }
}

/// Bytes in hexadecimal, as lines have them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes from lower-case hexadecimal digits.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Digests one after the other; `None` if the bytes are not a whole number of them.
pub(super) fn digests(bytes: &[u8]) -> Option<Vec<Digest>> {
    let (digests, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| digests.to_vec())
}

/// The keys of a `get`: one after the other, each as in a header.
pub fn encode_keys<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Vec<u8> {
    let mut encoder = Encoder::new();
    keys.into_iter().for_each(|key| encode_key(key, &mut encoder));
    encoder.into_bytes()
}

/// Reads the keys of a `get`, of which there is at least one, in rising order.
pub fn decode_keys(bytes: &[u8]) -> Result<Vec<Key>, CodecError> {
    within_limit("list of keys", bytes)?;
    let mut decoder = Decoder::new(bytes, "list of keys");
    let mut keys: Vec<Key> = Vec::new();
    while !decoder.is_at_end() {
        let key = decode_key(&mut decoder)?;
        if key.size() > MAX_KEY_BYTES {
            return Err(decoder.error("a key that is too long"));
        }
        if keys.last().is_some_and(|last| *last >= key) {
            return Err(decoder.error("its keys are not in rising order"));
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(decoder.error("has no keys"));
    }
    Ok(keys)
}

/// A record's place in an answer: its kind and key.
pub fn encode_position(kind: Kind, key: &Key) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.array(2);
    encoder.text(kind.name());
    encode_key(key, &mut encoder);
    encoder.into_bytes()
}

/// Reads a record's place.
pub fn decode_position(bytes: &[u8]) -> Result<(Kind, Key), CodecError> {
    within_limit("position", bytes)?;
    let mut decoder = Decoder::new(bytes, "position");
    decoder.array_of(2)?;
    let position = (decode_kind(&mut decoder)?, decode_key(&mut decoder)?);
    decoder.end()?;
    if position.1.size() > MAX_KEY_BYTES {
        return Err(decoder.error("a key that is too long"));
    }
    Ok(position)
}

fn within_limit(what: &'static str, bytes: &[u8]) -> Result<(), CodecError> {
    if bytes.len() > MAX_PIECE_BYTES {
        return Err(CodecError::TooLong { what, bytes: bytes.len(), limit: MAX_PIECE_BYTES });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_has_one_way_to_be_written(text in "\\PC{0,21}|[0-9]{1,20}|0") {
            if let Some(number) = number(&text) {
                prop_assert_eq!(number.to_string(), text);
            }
        }

        #[test]
        fn keys_come_back_in_their_order(mut numbers in prop::collection::vec(any::<i64>(), 1..50)) {
            numbers.sort_unstable();
            numbers.dedup();
            let keys: Vec<Key> = numbers.into_iter().map(Key::number).collect();
            prop_assert_eq!(decode_keys(&encode_keys(&keys)).unwrap(), keys);
        }

        #[test]
        fn any_bytes_are_keys_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(keys) = decode_keys(&bytes) {
                prop_assert_eq!(encode_keys(&keys), bytes.clone());
            }
            if let Ok((kind, key)) = decode_position(&bytes) {
                prop_assert_eq!(encode_position(kind, &key), bytes);
            }
        }

        #[test]
        fn hexadecimal_digits_come_back(bytes in any::<[u8; 16]>(), text in "[0-9a-fA-F ]{0,33}") {
            prop_assert_eq!(from_hex(&hex(&bytes)), Some(bytes));
            if let Some(bytes) = from_hex::<16>(&text) {
                prop_assert_eq!(hex(&bytes), text);
            }
        }
    }

    #[test]
    fn abilities_of_later_versions_are_passed_over() {
        let abilities = Abilities { zstd: true, lease: true, ..Abilities::default() };
        assert_eq!(Abilities::parse(&abilities.encode()), abilities);
        assert_eq!(Abilities::parse("telepathy,zstd,lease"), abilities);
        assert_eq!(Abilities::parse(""), Abilities::default());
    }
}
