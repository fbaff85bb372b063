//! Keys as they are typed, which is how `list` prints them: numbers in decimal, names with their escapes, parts separated by `/`.

use ctdl_dump::record::schema::{self, PartType};
use ctdl_dump::record::{Key, KeyPart, Kind};

use crate::error::Usage;

/// The key that is meant by `typed`.
pub fn parse(kind: Kind, typed: &str) -> Result<Key, Usage> {
    let types = schema::of(kind).key;
    let mut rest = typed;
    let mut parts = Vec::new();
    for (index, part) in types.iter().enumerate() {
        let is_last = index + 1 == types.len();
        let (this, after) = match rest.split_once('/') {
            Some(split) if !is_last => split,
            None if !is_last => {
                return Err(Usage(format!(
                    "\"{typed}\" is no key of a {kind} record, which has {} parts",
                    types.len()
                )));
            }
            _ => (rest, ""),
        };
        rest = after;
        parts.push(match part {
            PartType::Name => KeyPart::Name(unescape(this)?),
            _ => KeyPart::Number(
                this.parse().map_err(|_| Usage(format!("\"{this}\" is no number, as keys of {kind} records are")))?,
            ),
        });
    }
    Ok(Key::new(parts))
}

fn unescape(typed: &str) -> Result<Vec<u8>, Usage> {
    let wrong = |what: &str| Usage(format!("\"{typed}\": {what}; a backslash itself is \\\\"));
    let mut bytes = Vec::new();
    let mut rest = typed.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next() {
            Some('\\') => bytes.push(b'\\'),
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                let byte =
                    u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2 && !digits.starts_with('+'));
                bytes.push(byte.ok_or_else(|| wrong("\\x needs two hexadecimal digits"))?);
            }
            Some('u') => {
                let (digits, after) = rest
                    .as_str()
                    .strip_prefix('{')
                    .and_then(|text| text.split_once('}'))
                    .ok_or_else(|| wrong("\\u needs {digits}"))?;
                let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                let character = character.ok_or_else(|| wrong("\\u needs the number of a character"))?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after.chars();
            }
            _ => return Err(wrong("not an escape that list prints")),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_list_prints_can_be_typed(name in prop::collection::vec(any::<u8>(), 0..40), room in any::<i64>()) {
            let (file, euid) = (Key::name(name.clone()), Key::number_and_name(room, name));
            prop_assert_eq!(parse(Kind::File, &file.to_string()).unwrap(), file);
            prop_assert_eq!(parse(Kind::Euid, &euid.to_string()).unwrap(), euid);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for (kind, typed) in [
            (Kind::Message, "twelve"),
            (Kind::Visit, "1/2"),
            (Kind::File, "a\\"),
            (Kind::File, "\\x1"),
            (Kind::File, "\\x+1"),
            (Kind::File, "\\q"),
            (Kind::File, "\\u{110000}"),
        ] {
            assert!(parse(kind, typed).is_err(), "{typed}");
        }
    }
}
