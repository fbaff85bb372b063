//! Paths and strings as one word of a line: `%XX` for every byte that is not plain. And as one word of a shell.

use std::path::Path;

/// The bytes as printable ASCII without blanks; `%` and everything unusual becomes `%XX`. Never empty: no bytes give `%`.
pub(super) fn escape(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "%".to_owned();
    }
    let escape_byte = |&byte: &u8| match byte {
        b'%' => "%25".to_owned(),
        _ if byte.is_ascii_graphic() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(escape_byte).collect()
}

/// The bytes that [`escape`] was given; `None` for a text that it can't have made.
pub(super) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            _ => *first,
        });
    }
    if text == "%" {
        bytes.clear();
    }
    (escape(&bytes) == text).then_some(bytes)
}

/// A path or argument as one word of a shell's command line.
pub(in crate::live) fn shell_word(word: &Path) -> String {
    let text = word.to_string_lossy();
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-+:@%=,".contains(sign);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
