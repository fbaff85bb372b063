//! The Internet addresses in a user's vCard, as release 980 finds them there.

/// The values of all `EMAIL` properties that call themselves Internet addresses, in their order, without white space around them. The text may be that
/// of a message with MIME headers before the card.
pub(super) fn internet_addresses(text: &[u8]) -> Vec<Vec<u8>> {
    let mut addresses = Vec::new();
    let mut inside = false;
    for line in unfolded(text).split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii());
        match name.as_slice() {
            b"begin" if value.eq_ignore_ascii_case(b"vcard") => inside = true,
            b"end" => inside = false,
            name if inside && is_internet_address(name) && !value.is_empty() => addresses.push(value.to_vec()),
            _ => {}
        }
    }
    addresses
}

/// A line that begins with white space goes on with the line before it.
fn unfolded(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().filter(|byte| *byte != b'\r').peekable();
    while let Some(byte) = bytes.next() {
        let goes_on = byte == b'\n' && bytes.peek().is_some_and(|next| matches!(next, b' ' | b'\t'));
        if !goes_on {
            lines.push(byte);
        }
    }
    lines
}

fn is_internet_address(name: &[u8]) -> bool {
    let is_internet = name.windows(b"internet".len()).any(|part| part == b"internet");
    name.starts_with(b"email;") && is_internet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internet_addresses_are_found_behind_mime_headers_and_in_folded_lines() {
        let card =
            b"Content-type: text/x-vcard\n\nBEGIN:VCARD\r\nemail;INTERNET:  a@x.org \r\nEMAIL;type=home;\r\n internet;\
            charset=UTF-8:b@x.org\r\nemail:no@x.org\r\nfn:A\r\nEND:vcard\r\nemail;internet:late@x.org\r\n";
        assert_eq!(internet_addresses(card), [b"a@x.org".to_vec(), b"b@x.org".to_vec()]);
    }

    #[test]
    fn what_is_no_card_has_no_addresses() {
        assert!(internet_addresses(b"email;internet:a@x.org").is_empty());
        assert!(internet_addresses(b"").is_empty());
    }

    #[test]
    fn a_card_without_an_end_is_read_to_its_end() {
        assert_eq!(internet_addresses(b"begin:vcard\nemail;internet:a@x.org"), [b"a@x.org".to_vec()]);
    }
}
