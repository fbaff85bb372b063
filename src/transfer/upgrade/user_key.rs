//! Under which key release 928 and later keep an account.

/// Longest display name in bytes; its place has one more, for the NUL.
const NAME_BYTES: usize = 63;

/// The key of an account with this display name: its ASCII letters and digits in lower case, of its first 63 bytes. Empty for a name without any,
/// and then no server finds the account.
pub(super) fn user_key(name: &[u8]) -> Vec<u8> {
    let seen = &name[..name.len().min(NAME_BYTES)];
    seen.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
}

/// The name with a word behind it that tells it from others; what is too long is cut off the name, not off the word, and not inside a character.
pub(super) fn with_word(name: &[u8], word: &str) -> Vec<u8> {
    let mut kept = name.len().min(NAME_BYTES.saturating_sub(word.len() + 1));
    while kept > 0 && name.get(kept).is_some_and(|byte| byte & 0xc0 == 0x80) {
        kept -= 1;
    }
    let mut longer = name[..kept].trim_ascii_end().to_vec();
    if !longer.is_empty() {
        longer.push(b' ');
    }
    longer.extend_from_slice(word.as_bytes());
    longer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_letters_and_digits_of_ascii_only() {
        assert_eq!(user_key("Zoë Müller-Lüdenscheidt".as_bytes()), b"zomllerldenscheidt");
        assert_eq!(user_key(b"J\xf6rg Latin1"), b"jrglatin1");
        assert_eq!(user_key("Иван Петров 7".as_bytes()), b"7");
        assert_eq!(user_key("日本".as_bytes()), b"");
    }

    #[test]
    fn only_63_bytes_of_a_name_are_looked_at() {
        assert_eq!(user_key(&[b'a'; 64]), [b'a'; 63]);
    }

    #[test]
    fn a_longer_name_fits_its_place_and_ends_with_the_word() {
        assert_eq!(with_word("日本".as_bytes(), "user7"), "日本 user7".as_bytes());
        assert_eq!(with_word(b"", "user7"), b"user7");
        let long = "ä".repeat(31) + "x";
        let longer = with_word(long.as_bytes(), "2");
        assert!(longer.len() <= 63 && longer.ends_with(" 2".as_bytes()));
        assert!(String::from_utf8(longer).is_ok());
    }
}
