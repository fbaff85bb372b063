//! The records that an upgrade makes, in canonical order.

use std::collections::BTreeMap;
use std::path::Path;

use super::content::Piece;
use crate::codec::cbor::{Decoder, Encoder};
use crate::codec::{CodecError, header};
use crate::endpoint::{Class, Failure};
use crate::record::{Header, Key, Kind};
use crate::site::sort::{SortError, Sorted, Sorter};

/// So much of the records without a body is held in memory.
const MEMORY_BYTES: usize = 8 << 20;

/// Collects made records.
pub(super) struct Making {
    /// Those with a body: a few for each user and each room.
    with_body: BTreeMap<(Kind, Key), (Header, Vec<Piece>)>,
    sorter: Sorter,
}

/// Gives them.
pub(super) struct Made {
    with_body: BTreeMap<(Kind, Key), (Header, Vec<Piece>)>,
    sorted: Sorted,
    next: Option<Header>,
    behind: Option<Header>,
}

impl Making {
    /// Nothing is made yet. What doesn't fit in memory goes to `scratch`.
    pub fn new(scratch: &Path) -> Self {
        Making { with_body: BTreeMap::new(), sorter: Sorter::new(scratch, MEMORY_BYTES) }
    }

    /// A record with a body, of these pieces.
    pub fn with_body(&mut self, header: Header, pieces: Vec<Piece>) {
        self.with_body.insert((header.kind, header.key.clone()), (header, pieces));
    }

    /// A record without a body. Of several with one key the last one counts.
    pub fn plain(&mut self, record: &Header) -> Result<(), Failure> {
        let mut key = vec![record.kind as u8];
        record.key.sort_bytes(&mut key);
        let mut encoder = Encoder::default();
        header::encode(record, &mut encoder);
        self.sorter.push(&key, &encoder.into_bytes()).map_err(failed)
    }

    /// All records are made.
    pub fn finish(self) -> Result<Made, Failure> {
        let sorted = self.sorter.finish().map_err(failed)?;
        let mut made = Made { with_body: self.with_body, sorted, next: None, behind: None };
        made.behind = made.read()?;
        made.advance()?;
        Ok(made)
    }
}

/// A record that was made, and the pieces of its body if it has one.
pub type MadeRecord = (Header, Option<Vec<Piece>>);

impl Made {
    /// Kind and key of the next record.
    pub fn upcoming(&self) -> Option<(Kind, &Key)> {
        let plain = self.next.as_ref().map(|header| (header.kind, &header.key));
        let with_body = self.with_body.first_key_value().map(|((kind, key), _)| (*kind, key));
        match (plain, with_body) {
            (Some(plain), Some(with_body)) => Some(plain.min(with_body)),
            (plain, with_body) => plain.or(with_body),
        }
    }

    /// The next record, and the pieces of its body if it has one.
    pub fn next_record(&mut self) -> Result<Option<MadeRecord>, Failure> {
        let is_plain = match (&self.next, self.upcoming()) {
            (Some(header), Some(upcoming)) => (header.kind, &header.key) == upcoming,
            _ => false,
        };
        if !is_plain {
            return Ok(self.with_body.pop_first().map(|(_, (header, pieces))| (header, Some(pieces))));
        }
        let header = self.next.take();
        self.advance()?;
        Ok(header.map(|header| (header, None)))
    }

    /// Goes on to the last of the records with the next key.
    fn advance(&mut self) -> Result<(), Failure> {
        self.next = self.behind.take();
        self.behind = self.read()?;
        while let (Some(next), Some(behind)) = (&self.next, &self.behind)
            && (next.kind, &next.key) == (behind.kind, &behind.key)
        {
            self.next = self.behind.take();
            self.behind = self.read()?;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Header>, Failure> {
        let (mut key, mut payload) = (Vec::new(), Vec::new());
        if !self.sorted.next(&mut key, &mut payload).map_err(failed)? {
            return Ok(None);
        }
        let decode =
            |bytes: &[u8]| -> Result<Header, CodecError> { header::decode(&mut Decoder::new(bytes, "header")) };
        decode(&payload).map(Some).map_err(|error| Failure::new(Class::Failed, error))
    }
}

fn failed(error: SortError) -> Failure {
    Failure::new(Class::Failed, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Fields;

    fn record(kind: Kind, key: Key, name: &'static str, value: i64) -> Header {
        let mut fields = Fields::new();
        fields.set_int(name, value);
        Header { kind, key, fields, body: None, residue: None }
    }

    #[test]
    fn made_records_come_in_canonical_order_and_each_key_once() {
        let mut making = Making::new(&std::env::temp_dir());
        for time in [1, 2, 3] {
            making.plain(&record(Kind::Use, Key::number(7), "time", time)).unwrap();
        }
        making.plain(&record(Kind::Use, Key::number(-7), "time", 4)).unwrap();
        making.plain(&record(Kind::Openid, Key::name("x"), "usernum", 4)).unwrap();
        making.with_body(record(Kind::Config, Key::name("b"), "x", 1), vec![Piece::Bytes(b"1".to_vec())]);
        making.with_body(record(Kind::Message, Key::number(1), "x", 1), Vec::new());
        let mut made = making.finish().unwrap();
        let mut seen = Vec::new();
        while let Some((header, pieces)) = made.next_record().unwrap() {
            seen.push((header.kind, header.key.to_string(), header.fields.int("time"), pieces.is_some()));
        }
        let expected = [
            (Kind::Config, "b", None, true),
            (Kind::Use, "-7", Some(4), false),
            (Kind::Use, "7", Some(3), false),
            (Kind::Openid, "x", None, false),
            (Kind::Message, "1", None, true),
        ];
        assert_eq!(seen, expected.map(|(kind, key, time, body)| (kind, key.to_owned(), time, body)));
    }
}
