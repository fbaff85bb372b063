//! What stands in messages, and must be known before their turn comes: vCards, mail filters, the site's Internet configuration.

use std::collections::BTreeMap;

use super::aliases::GLOBAL_ALIAS_TABLE;
use super::domains::INTERNET_CONFIGURATION;
use super::mail_filter::MailFilter;
use super::rooms::Rooms;
use super::vcard::internet_addresses;
use crate::archive::{RandomReader, Stream};
use crate::endpoint::Failure;
use crate::record::{Body, Header, Key, Kind};

/// MIME type of a mail filter.
const MAIL_FILTER: &[u8] = b"application/x-citadel-sieve-config";
/// A longer message is no card, and nobody's filter.
const MOST_BYTES: usize = 1 << 20;

/// What was found in messages.
#[derive(Debug, Default)]
pub(super) struct Mails {
    /// Internet addresses in the last vCard of each user, by the user's number.
    pub addresses: BTreeMap<i64, Vec<Vec<u8>>>,
    /// The message with the last mail filter of each user, and what release 980 would do with it.
    pub filters: BTreeMap<i64, (i64, MailFilter)>,
    /// The text of the site's Internet configuration.
    pub internet_configuration: Vec<u8>,
    /// Whether there is a message with a table of aliases.
    pub has_alias_table: bool,
    /// Numbers of messages that are too long to be looked at.
    pub too_long: Vec<i64>,
}

impl Mails {
    /// Looks at the messages in the configuration rooms, each once and in the order of their numbers.
    pub fn read(archive: &RandomReader, rooms: &Rooms) -> Result<Mails, Failure> {
        let mut wanted: BTreeMap<i64, Vec<Option<i64>>> = BTreeMap::new();
        let of_users = rooms.config().iter().map(|(user, place)| (Some(*user), place));
        for (user, place) in rooms.system().map(|place| (None, place)).into_iter().chain(of_users) {
            place.messages.iter().for_each(|number| wanted.entry(*number).or_default().push(user));
        }
        let mut mails = Mails::default();
        let mut stream = archive.stream_from(Kind::Message).map_err(Failure::from)?;
        for (number, users) in wanted {
            if stream.seek(Kind::Message, &Key::number(number)).map_err(Failure::from)?
                && let Some(header) = stream.next_record().map_err(Failure::from)?
            {
                mails.look_at(number, &users, &header, &mut stream)?;
            }
        }
        Ok(mails)
    }

    fn look_at(
        &mut self,
        number: i64,
        users: &[Option<i64>],
        header: &Header,
        stream: &mut Stream,
    ) -> Result<(), Failure> {
        let content_type = header.fields.bytes("content_type").unwrap_or_default().to_ascii_lowercase();
        if content_type == GLOBAL_ALIAS_TABLE.as_bytes() && users.contains(&None) {
            self.has_alias_table = true;
        }
        let is_filter = content_type == MAIL_FILTER && users.iter().any(Option::is_some);
        let is_card = content_type.starts_with(b"text/") && content_type.ends_with(b"vcard");
        let is_configuration = content_type == INTERNET_CONFIGURATION && users.contains(&None);
        if !is_filter && !is_card && !is_configuration {
            return Ok(());
        }
        let is_too_long = header.body.as_ref().map_or(0, Body::length) > MOST_BYTES as u64;
        let text = if is_too_long { None } else { Some(text(header, &body(header, stream)?)) };
        match text {
            text if is_filter => {
                let filter = MailFilter::read(&text.unwrap_or_default());
                self.filters.extend(users.iter().flatten().map(|user| (*user, (number, filter))));
            }
            None => {}
            Some(text) if is_configuration => self.internet_configuration = text,
            Some(text) => {
                let addresses = internet_addresses(&text);
                self.addresses.extend(users.iter().flatten().map(|user| (*user, addresses.clone())));
            }
        }
        if is_too_long {
            self.too_long.push(number);
        }
        Ok(())
    }
}

fn body(header: &Header, stream: &mut Stream) -> Result<Vec<u8>, Failure> {
    let mut body = match &header.body {
        Some(Body::Inline(bytes)) => bytes.clone(),
        _ => Vec::new(),
    };
    let mut segment = Vec::new();
    while stream.segment(&mut segment).map_err(Failure::from)? {
        body.extend_from_slice(&segment);
    }
    Ok(body)
}

/// The text of a message: its field `M`, or else its big body, up to the NUL behind it.
fn text(header: &Header, body: &[u8]) -> Vec<u8> {
    let entry_bytes = usize::try_from(header.fields.int("entry").unwrap_or_default()).unwrap_or_default();
    let (entry, big) = body.split_at(entry_bytes.min(body.len()));
    let mut rest = entry.get(3..).unwrap_or_default();
    while let Some((letter, behind)) = rest.split_first() {
        let end = behind.iter().position(|byte| *byte == 0).unwrap_or(behind.len());
        match letter {
            0 => rest = behind,
            b'M' => return behind[..end].to_vec(),
            _ => rest = behind.get(end + 1..).unwrap_or_default(),
        }
    }
    big.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Fields;

    fn text_of(entry: &[u8], big: &[u8]) -> Vec<u8> {
        let mut fields = Fields::new();
        fields.set_int("entry", entry.len() as i64);
        let header = Header { kind: Kind::Message, key: Key::number(1), fields, body: None, residue: None };
        text(&header, &[entry, big].concat())
    }

    #[test]
    fn a_text_stands_in_the_entry_or_in_the_big_body() {
        assert_eq!(text_of(b"\xffA\x04Tx\0\0\0Mtext\0\0", b""), b"text");
        assert_eq!(text_of(b"\xffA\x04Tx\0", b"big\0"), b"big");
        assert_eq!(text_of(b"\xffA\x04Mno end", b""), b"no end");
        assert_eq!(text_of(b"\xff", b""), b"");
    }
}
