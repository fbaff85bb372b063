//! File names and command lines as one word: `%XX` for every byte that is not plain.

/// The bytes as printable ASCII without blanks; `%` and everything unusual becomes `%XX`. Never empty: no bytes give `%`.
pub(in crate::site) fn escape(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "%".to_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() && byte != b'%' {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The bytes that [`escape`] was given; `None` for a text that it can't have made.
pub(in crate::site) fn unescape(text: &str) -> Option<Vec<u8>> {
    if text == "%" {
        return Some(Vec::new());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_and_no_blank_is_left() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [&all[..], b"", b"%", b"a b", b"plain/name-1"] {
            let text = escape(bytes);
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            assert_eq!(unescape(&text).as_deref(), Some(bytes));
        }
        for bad in ["%1", "a%", "%zz", "%+1x"] {
            assert!(unescape(bad).is_none_or(|bytes| escape(&bytes) != bad), "{bad}");
        }
    }
}
