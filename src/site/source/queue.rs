//! Records on their way through the external sort: a header, and where its body lies.

use std::path::Path;

use super::ReadSiteError;
use super::located::Located;
use crate::codec::cbor::{Decoder, Encoder};
use crate::codec::{CodecError, header};
use crate::record::Header;
use crate::site::sort::{Sorted, Sorter};

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
    pub fn push(&mut self, header: &Header, located: &Located) -> Result<(), ReadSiteError> {
        self.key.clear();
        header.key.sort_bytes(&mut self.key);
        self.push_encoded(header, located)
    }

    /// Takes a record under another sort key, for a join.
    pub fn push_under(&mut self, key: &[u8], header: &Header, located: &Located) -> Result<(), ReadSiteError> {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.push_encoded(header, located)
    }

    fn push_encoded(&mut self, header: &Header, located: &Located) -> Result<(), ReadSiteError> {
        self.encoder.clear();
        header::encode(header, &mut self.encoder);
        self.payload.clear();
        self.payload.extend_from_slice(self.encoder.as_bytes());
        located.encode(&mut self.payload);
        Ok(self.sorter.push(&self.key, &self.payload)?)
    }

    /// All records were taken.
    pub fn finish(self) -> Result<Ordered, ReadSiteError> {
        Ok(Ordered { sorted: self.sorter.finish()?, key: Vec::new(), payload: Vec::new() })
    }
}

impl Ordered {
    /// The next record.
    pub fn next(&mut self) -> Result<Option<(Header, Located)>, ReadSiteError> {
        if !self.sorted.next(&mut self.key, &mut self.payload)? {
            return Ok(None);
        }
        let mut decoder = Decoder::new(&self.payload, "record in the external sort");
        let header = header::decode(&mut decoder)?;
        let located = Located::decode(&self.payload[decoder.offset()..]).ok_or_else(|| broken(&decoder))?;
        Ok(Some((header, located)))
    }

    /// The sort key of the record that `next` gave last.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

fn broken(decoder: &Decoder) -> CodecError {
    decoder.error("is broken: the scratch directory was changed from outside")
}
