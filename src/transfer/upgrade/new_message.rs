//! A message that holds what was a file before release 902, in the form in which release 980 keeps banners, pictures and profiles.

use super::content::Piece;
use crate::record::{Body, Fields, Header, Key, Kind};

/// A longer text stands in the table of big bodies.
const MOST_TEXT_IN_THE_ENTRY: u64 = 1024;
/// MIME message (the third byte of an entry), by a user who is not anonymous (the second).
const BEGINNING_OF_ENTRY: [u8; 3] = [0xff, b'A', 4];

/// What becomes a message.
#[derive(Clone, Debug)]
pub(super) struct NewMessage {
    /// Its number.
    pub number: i64,
    /// When it was written, in seconds since 1970.
    pub time: i64,
    /// Name of the room it is in, with the user's number if that is a mailbox.
    pub room: Vec<u8>,
    /// Subject; empty for none.
    pub subject: Vec<u8>,
    /// Its MIME type.
    pub content_type: &'static str,
    /// What stands behind the MIME type in its header.
    pub parameters: &'static str,
    /// How the content is written.
    pub encoding: &'static str,
    /// The content.
    pub content: Piece,
}

impl NewMessage {
    /// The record and its body.
    pub fn record(self, fqdn: &[u8]) -> (Header, Vec<Piece>) {
        let NewMessage { number, time, content_type, parameters, encoding, .. } = self;
        let time = time.max(0);
        let mime =
            format!("Content-type: {content_type}{parameters}\nContent-transfer-encoding: {encoding}\n\n").into_bytes();
        let mut entry = BEGINNING_OF_ENTRY.to_vec();
        let id = [format!("{time:08X}-{number:08X}@").as_bytes(), fqdn].concat();
        let time = time.to_string();
        let fields = [
            (b'I', id.as_slice()),
            (b'P', b"Citadel"),
            (b'T', time.as_bytes()),
            (b'A', b"Citadel"),
            (b'O', &self.room),
            (b'U', &self.subject),
        ];
        for (letter, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            entry.push(letter);
            entry.extend(value.iter().filter(|byte| **byte != 0));
            entry.push(0);
        }
        let text_bytes = mime.len() as u64 + self.content.length();
        let is_big = text_bytes > MOST_TEXT_IN_THE_ENTRY;
        if !is_big {
            entry.push(b'M');
        }
        let (entry_bytes, with_nul) = (entry.len() as u64, text_bytes + 1);
        let lengths = if is_big { (entry_bytes, Some(with_nul)) } else { (entry_bytes + with_nul, None) };
        let mut fields = Fields::new();
        fields.set_int("entry", lengths.0.cast_signed());
        if let Some(big) = lengths.1 {
            fields.set_int("big", big.cast_signed());
        }
        fields.set_int("refcount", 1);
        fields.set_string("content_type", content_type);
        // The server measures it when it is first asked for.
        fields.set_int("rfc822_length", 0);
        let body = Some(Body::Segments(entry_bytes + with_nul));
        let header = Header { kind: Kind::Message, key: Key::number(number), fields, body, residue: None };
        entry.extend_from_slice(&mime);
        (header, vec![Piece::Bytes(entry), self.content, Piece::Bytes(vec![0])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: Piece) -> NewMessage {
        NewMessage {
            number: 67,
            time: 0x6B05227F,
            room: b"0000000002.My Citadel Config".to_vec(),
            subject: b"Photo imported from file".to_vec(),
            content_type: "image/png",
            parameters: "",
            encoding: "base64",
            content,
        }
    }

    #[test]
    fn a_message_has_the_fields_that_a_server_gives_it() {
        let (header, pieces) = message(Piece::Bytes(b"AAAA\r\n".to_vec())).record(b"citadel.example.org");
        let bytes: Vec<u8> = pieces
            .into_iter()
            .flat_map(|piece| match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::File { .. } => Vec::new(),
            })
            .collect();
        let expected = b"\xffA\x04I6B05227F-00000043@citadel.example.org\0PCitadel\0T1795498623\0ACitadel\0\
            O0000000002.My Citadel Config\0UPhoto imported from file\0\
            MContent-type: image/png\nContent-transfer-encoding: base64\n\nAAAA\r\n\0";
        assert_eq!(bytes, expected);
        assert_eq!(header.fields.int("entry"), Some(expected.len() as i64));
        assert_eq!(header.fields.get("big"), None);
    }

    #[test]
    fn a_text_of_more_than_1024_bytes_stands_in_the_table_of_big_bodies() {
        let mime_bytes = "Content-type: image/png\nContent-transfer-encoding: base64\n\n".len();
        for (length, is_big) in [(1024, false), (1025, true)] {
            let (header, pieces) = message(Piece::Bytes(vec![b'x'; length - mime_bytes])).record(b"x");
            assert_eq!(header.fields.int("big"), is_big.then_some(length as i64 + 1));
            let bytes: u64 = pieces.iter().map(Piece::length).sum();
            assert_eq!(header.body, Some(Body::Segments(bytes)));
        }
    }
}
