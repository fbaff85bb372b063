//! Facts about numbered things, brought together by number in bounded memory.

use std::path::Path;

use crate::site::sort::{SortError, Sorted, Sorter};

/// Memory for each sort, in bytes.
const SORT_BYTES: usize = 8 << 20;

/// A number as bytes that sort by its value.
pub(super) fn sortable(number: i64) -> [u8; 8] {
    (number as u64 ^ 1 << 63).to_be_bytes()
}

/// The number in the bytes that [`sortable`] made; 0 if they are too few.
pub(super) fn number_at(bytes: &[u8], offset: usize) -> i64 {
    let found = bytes.get(offset..).and_then(|rest| rest.first_chunk::<8>());
    found.map_or(0, |bytes| (u64::from_be_bytes(*bytes) ^ 1 << 63) as i64)
}

/// Facts on their way in.
pub(super) struct Facts(Sorter);

impl Facts {
    pub fn new(scratch: &Path) -> Facts {
        Facts(Sorter::new(scratch, SORT_BYTES))
    }

    /// A fact about `number`: facts of one number come back in order of their `order`, and among equals as they came.
    pub fn push(&mut self, number: i64, order: &[u8], payload: &[u8]) -> Result<(), SortError> {
        let mut key = sortable(number).to_vec();
        key.extend_from_slice(order);
        self.0.push(&key, payload)
    }

    pub fn sorted(self) -> Result<SortedFacts, SortError> {
        Ok(SortedFacts { sorted: self.0.finish()?, key: Vec::new(), payload: Vec::new() })
    }
}

/// A fact: number, order, payload.
pub(super) type Fact<'f> = (i64, &'f [u8], &'f [u8]);

/// Facts on their way out.
pub(super) struct SortedFacts {
    sorted: Sorted,
    key: Vec<u8>,
    payload: Vec<u8>,
}

impl SortedFacts {
    /// The next fact.
    pub fn next(&mut self) -> Result<Option<Fact<'_>>, SortError> {
        if !self.sorted.next(&mut self.key, &mut self.payload)? {
            return Ok(None);
        }
        Ok(Some((number_at(&self.key, 0), self.key.get(8..).unwrap_or_default(), &self.payload)))
    }
}
