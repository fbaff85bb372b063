//! How members are called (`format-spec/archive.md`, section 3): readable and short. The key inside decides, never the name.

use std::fmt::Write as _;

use crate::codec::cbor::Encoder;
use crate::codec::header::encode_key;
use crate::record::{Key, KeyPart, Kind};

/// The longest `<name>` in bytes: with the longest kind, `/`, and `.` and 15 digits of a segment it gives 99, what a ustar header holds.
const MAX_NAME_BYTES: usize = 72;
/// `-` and 16 hexadecimal digits.
const HASH_BYTES: usize = 17;

/// `<kind>/<name>` of the member whose first record has this key.
pub fn stem(kind: Kind, key: &Key) -> String {
    let mut name = String::new();
    let mut has_name = false;
    for part in key.parts() {
        if !name.is_empty() {
            name.push('_');
        }
        match part {
            // Writing to a String can't fail.
            KeyPart::Number(number) if *number < 0 => drop(write!(name, "-{:019}", number.unsigned_abs())),
            KeyPart::Number(number) => drop(write!(name, "{number:020}")),
            KeyPart::Name(bytes) => {
                push_encoded(&mut name, bytes);
                has_name = true;
            }
        }
    }
    if has_name {
        let mut encoder = Encoder::new();
        encode_key(key, &mut encoder);
        let hash = blake3::hash(encoder.as_bytes()).to_hex();
        name.push('-');
        name.push_str(&hash[..HASH_BYTES - 1]);
    }
    format!("{kind}/{name}")
}

/// The member that holds headers.
pub fn headers(stem: &str) -> String {
    format!("{stem}.cbor")
}

/// The member that holds a segment of the body of the last record in `<stem>.cbor`.
pub fn segment(stem: &str, number: u64) -> String {
    format!("{stem}.{number:06}")
}

/// The member that holds a manifest segment.
pub fn manifest_segment(number: u64) -> String {
    format!("manifest/{number:08}.cbor")
}

/// The member that holds an index segment.
pub fn index_segment(number: u64) -> String {
    format!("manifest/index-{number:08}.cbor")
}

/// Appends as much of a name as there is room for, percent-encoded but for letters, digits, `_`, `-`, and dots that don't stand first.
fn push_encoded(name: &mut String, bytes: &[u8]) {
    for (index, byte) in bytes.iter().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (*byte == b'.' && index > 0);
        if name.len() + if plain { 1 } else { 3 } > MAX_NAME_BYTES - HASH_BYTES {
            return;
        }
        if plain {
            name.push(char::from(*byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_twenty_characters_and_no_hash() {
        assert_eq!(stem(Kind::Message, &Key::number(12)), "message/00000000000000000012");
        assert_eq!(stem(Kind::List, &Key::number(-5)), "list/-0000000000000000005");
        assert_eq!(stem(Kind::List, &Key::number(i64::MIN)), "list/-9223372036854775808");
        assert_eq!(
            stem(Kind::Visit, &Key::numbers([1, 2, -3])),
            "visit/00000000000000000001_00000000000000000002_-0000000000000000003"
        );
    }

    #[test]
    fn names_are_percent_encoded_cut_and_have_a_hash() {
        assert_eq!(stem(Kind::Room, &Key::name("lobby")), "room/lobby-2a39b7dfe52deae7");
        let odd = stem(Kind::File, &Key::name("../ü.txt"));
        assert!(odd.starts_with("file/%2E.%2F%C3%BC.txt-"), "{odd}");
        let long = stem(Kind::Euid, &Key::number_and_name(7, "a".repeat(300)));
        assert!(long.starts_with(&format!("euid/00000000000000000007_{}-", "a".repeat(34))), "{long}");
    }

    proptest! {
        #[test]
        fn every_name_fits_a_ustar_header(number: i64, name: Vec<u8>) {
            for key in [Key::numbers([number; 3]), Key::name(name.clone()), Key::number_and_name(number, name)] {
                let stem = stem(Kind::Usernumber, &key);
                prop_assert!(segment(&stem, i64::MAX as u64 / 65_536).len() < 100);
                prop_assert!(stem.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!stem.contains("/."));
            }
        }
    }
}
