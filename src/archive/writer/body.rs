//! The body of a record on its way into the archive: whether its segments are those that its header announces.

use crate::codec::fold::{FoldError, Unfolder};
use crate::codec::segment::{self, SEGMENT_BYTES};
use crate::record::Body;

/// A body that stands in segments, as far as it has come.
#[derive(Debug)]
pub struct OpenBody {
    /// How many bytes the header announces, and of a folded body what its parts give.
    text_bytes: u64,
    unfolder: Option<Unfolder>,
    stored_bytes: u64,
}

impl OpenBody {
    /// The body that a header announces. One that stands in the header is complete.
    pub fn new(body: Option<&Body>) -> Self {
        let (text_bytes, unfolder) = match body {
            Some(Body::Segments(length)) => (*length, None),
            Some(Body::Folded(length)) => (*length, Some(Unfolder::new(*length))),
            _ => (0, None),
        };
        OpenBody { text_bytes, unfolder, stored_bytes: 0 }
    }

    /// Whether there are segments.
    pub fn is_in_segments(&self) -> bool {
        self.text_bytes > 0
    }

    /// How many bytes of segments have come.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// The number of the next segment.
    pub fn next_segment(&self) -> u64 {
        self.stored_bytes / SEGMENT_BYTES as u64
    }

    /// Takes the next segment, or says what is wrong with it.
    pub fn take(&mut self, segment: &[u8]) -> Result<(), String> {
        let done = self.stored_bytes;
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
        self.stored_bytes += segment.len() as u64;
        Ok(())
    }

    /// Says what is missing, if anything is.
    pub fn finish(&self) -> Result<(), String> {
        match &self.unfolder {
            Some(unfolder) => unfolder.finish().map_err(|error| error.to_string()),
            None if self.stored_bytes == self.text_bytes => Ok(()),
            None => Err(format!(
                "its body ended after {} bytes, but its header says {}",
                self.stored_bytes, self.text_bytes
            )),
        }
    }
}
