//! The body of a record on its way into the archive: whether its segments are those that its header announces.

use crate::codec::fold::{FoldError, Unfolder};
use crate::codec::numbers;
use crate::codec::segment::{self, SEGMENT_BYTES};
use crate::record::{Body, Header};

/// A body that stands in segments, as far as it has come.
#[derive(Debug)]
pub struct OpenBody {
    /// How many bytes the header announces, and of a folded body what its parts give.
    text_bytes: u64,
    unfolder: Option<Unfolder>,
    /// How many bytes have come.
    done_bytes: u64,
    stored_bytes: u64,
    /// What is stored of the last segment, if it is message numbers.
    numbers: Option<Vec<u8>>,
}

impl OpenBody {
    /// The body that a header announces. One that stands in the header is complete.
    pub fn new(header: &Header) -> Self {
        let (text_bytes, unfolder) = match header.body {
            Some(Body::Segments(length)) => (length, None),
            Some(Body::Folded(length)) => (length, Some(Unfolder::new(length))),
            _ => (0, None),
        };
        let numbers = header.kind.has_numbers().then(Vec::new);
        OpenBody { text_bytes, unfolder, done_bytes: 0, stored_bytes: 0, numbers }
    }

    /// Whether there are segments.
    pub fn is_in_segments(&self) -> bool {
        self.text_bytes > 0
    }

    /// How many bytes of segments are stored.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// The number of the next segment.
    pub fn next_segment(&self) -> u64 {
        self.done_bytes / SEGMENT_BYTES as u64
    }

    /// Takes the next segment and gives what is to be stored of it, or says what is wrong with it.
    pub fn take<'s>(&'s mut self, segment: &'s [u8]) -> Result<&'s [u8], String> {
        let done = self.done_bytes;
        match &mut self.unfolder {
            None => {
                let expected = segment::next_bytes(self.text_bytes, done);
                if segment.len() != expected {
                    let found = segment.len();
                    return Err(format!(
                        "after {done} bytes of its body a segment of {expected} bytes must follow, not one of {found}"
                    ));
                }
            }
            Some(unfolder) => {
                unfolder.skim(segment).map_err(|error: FoldError| error.to_string())?;
                let may_be_last = unfolder.is_complete() && (1..SEGMENT_BYTES).contains(&segment.len());
                if segment.len() != SEGMENT_BYTES && !may_be_last {
                    let found = segment.len();
                    return Err(format!("after {done} bytes of its folded body a segment of {found} bytes follows"));
                }
            }
        }
        self.done_bytes += segment.len() as u64;
        let stored = match &mut self.numbers {
            None => segment,
            Some(stored) => {
                numbers::store_segment(segment, stored);
                stored
            }
        };
        self.stored_bytes += stored.len() as u64;
        Ok(stored)
    }

    /// Says what is missing, if anything is.
    pub fn finish(&self) -> Result<(), String> {
        match &self.unfolder {
            Some(unfolder) => unfolder.finish().map_err(|error| error.to_string()),
            None if self.done_bytes == self.text_bytes => Ok(()),
            None => {
                Err(format!("its body ended after {} bytes, but its header says {}", self.done_bytes, self.text_bytes))
            }
        }
    }
}
