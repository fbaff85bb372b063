//! Lines of a room's network configuration that release 980 does nothing with.

/// What release 980 reads in network configurations.
const KNOWN: [&[u8]; 5] = [b"lastsent", b"listrecp", b"digestrecp", b"rssclient", b"pop3client"];

/// The first words of the other lines.
pub(super) fn unknown_words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.filter_map(|line| line.split(|byte| *byte == b'|').next()).filter(|word| !KNOWN.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_a_new_server_does_nothing_with_are_known_by_their_first_word() {
        let text = b"lastsent|5\r\nignet_push_share|node|room\n\nlistrecp|a@x\nroommailalias|talk@x\n";
        assert_eq!(unknown_words(text).collect::<Vec<_>>(), [b"ignet_push_share".as_slice(), b"roommailalias"]);
    }
}
