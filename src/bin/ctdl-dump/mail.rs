//! A message as a person reads it. Its entry in table 00 is 0xff, a byte each for anonymity and format, then fields: a letter, bytes, NUL;
//! runs of NULs between them mean nothing, a second field of a letter replaces the first, and M, the text, is the last. Where there is no M
//! the text is the big body, which ends with a NUL of its own.

use std::io::{self, Write};

use crate::utc;

/// Format of messages that have MIME header lines of their own in front of the text.
const FORMAT_MIME: u8 = 4;
/// Format of text that the server fills into paragraphs.
const FORMAT_FILLED: u8 = 0;

/// The fields of an entry.
#[derive(Debug, Default)]
pub struct Entry<'e> {
    format: u8,
    fields: Vec<(u8, &'e [u8])>,
}

impl<'e> Entry<'e> {
    /// Takes an entry apart; one that was cut, too.
    pub fn parse(entry: &'e [u8]) -> Self {
        let mut fields: Vec<(u8, &[u8])> = Vec::new();
        let mut rest = entry.get(3..).unwrap_or_default();
        while let Some((letter, after)) = rest.split_first() {
            if *letter == 0 {
                rest = after;
                continue;
            }
            let end = after.iter().position(|byte| *byte == 0).unwrap_or(after.len());
            rest = after.get(end + 1..).unwrap_or_default();
            match fields.iter_mut().find(|(known, _)| known == letter) {
                Some(known) => known.1 = &after[..end],
                None => fields.push((*letter, &after[..end])),
            }
            if *letter == b'M' {
                break;
            }
        }
        Entry { format: entry.get(2).copied().unwrap_or_default(), fields }
    }

    /// The field of that letter.
    pub fn get(&self, letter: u8) -> Option<&'e [u8]> {
        self.fields.iter().find(|(known, _)| *known == letter).map(|(_, value)| *value)
    }

    /// When it was written: seconds since 1970.
    pub fn time(&self) -> Option<i64> {
        std::str::from_utf8(self.get(b'T')?).ok()?.trim().parse().ok()
    }

    /// Writes the header lines, and the empty line after them where the text doesn't bring it.
    fn write_head(&self, output: &mut impl Write) -> io::Result<()> {
        let from = match (self.get(b'A'), self.get(b'F')) {
            (Some(name), Some(address)) => {
                Some([quoted(name), b" <".to_vec(), address.to_vec(), b">".to_vec()].concat())
            }
            (name, address) => name.or(address).map(<[u8]>::to_vec),
        };
        let date = self.time().map(|seconds| utc::mail(seconds).into_bytes());
        let copy = |letter| self.get(letter).map(<[u8]>::to_vec);
        let in_brackets = |letter| {
            self.get(letter).map(|ids| {
                let ids: Vec<Vec<u8>> = ids.split(|byte| *byte == b'|').map(|id| [b"<", id, b">"].concat()).collect();
                ids.join(&b' ')
            })
        };
        for (name, value) in [
            ("From", from),
            ("To", copy(b'R')),
            ("Cc", copy(b'Y')),
            ("Reply-To", copy(b'K')),
            ("Date", date),
            ("Subject", copy(b'U')),
            ("Message-ID", in_brackets(b'I')),
            ("References", in_brackets(b'W')),
            ("List-ID", copy(b'L')),
            ("Envelope-To", copy(b'V')),
            ("X-Citadel-Room", copy(b'O')),
            ("X-Citadel-EUID", copy(b'E')),
        ] {
            if let Some(value) = value {
                write_line(output, name, &value)?;
            }
        }
        let shown = b"AFRYKTUIWLVOEM";
        for (letter, value) in self.fields.iter().filter(|(letter, _)| !shown.contains(letter)) {
            match letter {
                b'0'..=b'9' | b'A'..=b'Z' => write_line(output, &format!("X-Citadel-{}", char::from(*letter)), value)?,
                _ => write_line(output, &format!("X-Citadel-Byte-{letter:02x}"), value)?,
            }
        }
        match self.format {
            FORMAT_MIME => Ok(()),
            FORMAT_FILLED => output.write_all(b"Content-Type: text/x-citadel-variformat; charset=utf-8\n\n"),
            _ => output.write_all(b"Content-Type: text/plain; charset=utf-8\n\n"),
        }
    }
}

/// A header line. Line ends inside a value would begin another line.
fn write_line(output: &mut impl Write, name: &str, value: &[u8]) -> io::Result<()> {
    let value: Vec<u8> = value.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect();
    output.write_all(name.as_bytes())?;
    output.write_all(b": ")?;
    output.write_all(&value)?;
    output.write_all(b"\n")
}

/// A name in front of an address, in quotes where it has characters that mean something there.
fn quoted(name: &[u8]) -> Vec<u8> {
    if !name.iter().any(|byte| b"()<>[]:;@\\,.\"".contains(byte)) {
        return name.to_vec();
    }
    let mut quoted = vec![b'"'];
    for byte in name {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

/// Turns the stored bytes of a message into mail, as they come.
pub struct MailWriter<W> {
    output: W,
    entry: Vec<u8>,
    entry_bytes: usize,
    /// Whether the text stood in the entry.
    has_text: bool,
    /// Whether the last byte so far was a NUL, which ends the big body if nothing follows.
    holds_nul: bool,
}

impl<W: Write> MailWriter<W> {
    /// Begins a message whose entry has so many bytes.
    pub fn begin(output: W, entry_bytes: usize) -> io::Result<Self> {
        let mut writer = MailWriter { output, entry: Vec::new(), entry_bytes, has_text: false, holds_nul: false };
        if entry_bytes == 0 {
            writer.write_entry()?;
        }
        Ok(writer)
    }

    fn write_entry(&mut self) -> io::Result<()> {
        let entry = Entry::parse(&self.entry);
        entry.write_head(&mut self.output)?;
        if let Some(text) = entry.get(b'M') {
            self.has_text = true;
            self.output.write_all(text)?;
        }
        Ok(())
    }
}

impl<W: Write> Write for MailWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let missing = self.entry_bytes - self.entry.len();
        let (of_entry, of_big) = bytes.split_at(missing.min(bytes.len()));
        if missing > 0 {
            self.entry.extend_from_slice(of_entry);
            if self.entry.len() == self.entry_bytes {
                self.write_entry()?;
            }
        }
        if !self.has_text && !of_big.is_empty() {
            if self.holds_nul {
                self.output.write_all(&[0])?;
            }
            self.holds_nul = of_big.ends_with(&[0]);
            self.output.write_all(&of_big[..of_big.len() - usize::from(self.holds_nul)])?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mail(entry: &[u8], big: &[u8], cut: usize) -> String {
        let mut output = Vec::new();
        let mut writer = MailWriter::begin(&mut output, entry.len()).unwrap();
        let stored = [entry, big].concat();
        for piece in stored.chunks(cut.max(1)) {
            writer.write_all(piece).unwrap();
        }
        String::from_utf8_lossy(&output).into_owned()
    }

    const ENTRY: &[u8] = b"\xffA\x01Iid@node\0T951782400\0AAlice, W.\0Falice@x\0\0\0UHello\nBcc: x\0Wa|b\0Qodd\0";

    #[test]
    fn a_message_becomes_header_lines_and_its_text() {
        assert_eq!(
            mail(ENTRY, b"text\0", 1000),
            "From: \"Alice, W.\" <alice@x>\nDate: Tue, 29 Feb 2000 00:00:00 +0000\nSubject: Hello Bcc: x\nMessage-ID: <id@node>\n\
             References: <a> <b>\nX-Citadel-Q: odd\nContent-Type: text/plain; charset=utf-8\n\ntext"
        );
    }

    #[test]
    fn a_text_in_the_entry_wins_over_a_big_body() {
        let entry = b"\xffA\x04AAlice\0MContent-Type: text/html\n\n<b>hi</b>\0\0";
        assert_eq!(mail(entry, b"other\0", 1000), "From: Alice\nContent-Type: text/html\n\n<b>hi</b>");
    }

    #[test]
    fn a_second_field_of_a_letter_replaces_the_first() {
        let entry = Entry::parse(b"\xffA\x01Uone\0Utwo\0");
        assert_eq!(entry.get(b'U'), Some(b"two".as_slice()));
    }

    #[test]
    fn a_body_without_an_entry_is_still_written() {
        assert!(mail(b"", b"orphan\0", 3).ends_with("\n\norphan"));
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_a_message_comes_make_no_difference(
            entry in prop::collection::vec(any::<u8>(), 0..60),
            big in prop::collection::vec(0u8..3, 0..20),
            cut in 1usize..10,
        ) {
            prop_assert_eq!(mail(&entry, &big, cut), mail(&entry, &big, 1000));
        }
    }
}
