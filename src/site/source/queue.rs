//! Records on their way through the external sort: a header, and where its body lies.

use std::path::Path;

use super::ReadSiteError;
use crate::codec::cbor::{Decoder, Encoder};
use crate::codec::{CodecError, header};
use crate::record::Header;
use crate::site::btree::Place;
use crate::site::sort::{Sorted, Sorter};

/// Where a queued record's body lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// In the header, or nowhere.
    InHeader,
    /// Here: a body that is too long for its header, but was read to be understood.
    Bytes(Vec<u8>),
    /// It is the value at that place of that table, as it is.
    Value(u8, Place),
    /// It is the list of numbers at that place of that table.
    Numbers(u8, Place),
}

/// Takes records in any order.
pub(super) struct Queue {
    sorter: Sorter,
    key: Vec<u8>,
    payload: Vec<u8>,
    encoder: Encoder,
}

/// Gives them in canonical order.
pub(super) struct Ordered {
    sorted: Sorted,
    key: Vec<u8>,
    payload: Vec<u8>,
}

const IN_HEADER: u8 = 0;
const BYTES: u8 = 1;
const VALUE: u8 = 2;
const NUMBERS: u8 = 3;

impl Queue {
    /// An empty queue that keeps so many bytes in memory and the rest in the scratch directory.
    pub fn new(scratch: &Path, memory_bytes: usize) -> Queue {
        Queue {
            sorter: Sorter::new(scratch, memory_bytes),
            key: Vec::new(),
            payload: Vec::new(),
            encoder: Encoder::new(),
        }
    }

    /// Takes a record, under its own key.
    pub fn push(&mut self, header: &Header, body: &Body) -> Result<(), ReadSiteError> {
        self.key.clear();
        header.key.sort_bytes(&mut self.key);
        self.push_encoded(header, body)
    }

    /// Takes a record under another sort key, for a join.
    pub fn push_under(&mut self, key: &[u8], header: &Header, body: &Body) -> Result<(), ReadSiteError> {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.push_encoded(header, body)
    }

    fn push_encoded(&mut self, header: &Header, body: &Body) -> Result<(), ReadSiteError> {
        self.encoder.clear();
        header::encode(header, &mut self.encoder);
        self.payload.clear();
        self.payload.extend_from_slice(self.encoder.as_bytes());
        match body {
            Body::InHeader => self.payload.push(IN_HEADER),
            Body::Bytes(bytes) => {
                self.payload.push(BYTES);
                self.payload.extend_from_slice(bytes);
            }
            Body::Value(table, place) => {
                self.payload.extend_from_slice(&[VALUE, *table]);
                place.encode(&mut self.payload);
            }
            Body::Numbers(table, place) => {
                self.payload.extend_from_slice(&[NUMBERS, *table]);
                place.encode(&mut self.payload);
            }
        }
        Ok(self.sorter.push(&self.key, &self.payload)?)
    }

    /// All records were taken.
    pub fn finish(self) -> Result<Ordered, ReadSiteError> {
        Ok(Ordered { sorted: self.sorter.finish()?, key: Vec::new(), payload: Vec::new() })
    }
}

impl Ordered {
    /// The next record.
    pub fn next(&mut self) -> Result<Option<(Header, Body)>, ReadSiteError> {
        if !self.sorted.next(&mut self.key, &mut self.payload)? {
            return Ok(None);
        }
        let mut decoder = Decoder::new(&self.payload, "record in the external sort");
        let header = header::decode(&mut decoder)?;
        let body = decode_body(&self.payload[decoder.offset()..]).ok_or_else(|| broken(&decoder))?;
        Ok(Some((header, body)))
    }

    /// The sort key of the record that `next` gave last.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

fn decode_body(bytes: &[u8]) -> Option<Body> {
    let (form, rest) = bytes.split_first()?;
    match *form {
        IN_HEADER => Some(Body::InHeader),
        BYTES => Some(Body::Bytes(rest.to_vec())),
        VALUE => rest.split_first().and_then(|(table, place)| Some(Body::Value(*table, Place::decode(place)?))),
        NUMBERS => rest.split_first().and_then(|(table, place)| Some(Body::Numbers(*table, Place::decode(place)?))),
        _ => None,
    }
}

fn broken(decoder: &Decoder) -> CodecError {
    decoder.error("is broken: the scratch directory was changed from outside")
}
