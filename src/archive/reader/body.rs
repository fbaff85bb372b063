//! The body of the present record, segment by segment, unfolded if need be.

use std::io::Read;

use super::super::error::ReadError;
use super::super::member::{self, TAR_BLOCK_BYTES};
use super::super::name;
use super::Reader;
use crate::codec::SEGMENT_BYTES;
use crate::codec::fold::Unfolder;
use crate::codec::{numbers, segment};
use crate::record::{Body, Header};

/// A record whose body is not complete.
#[derive(Debug)]
pub(super) struct OpenRecord {
    header: Header,
    body_bytes: u64,
    given_bytes: u64,
    stored_bytes: u64,
    unfolder: Option<Unfolder>,
}

impl OpenRecord {
    /// The record of this header, if its body stands in segments.
    pub fn new(header: &Header) -> Option<Self> {
        let (body_bytes, unfolder) = match header.body {
            Some(Body::Segments(length)) => (length, None),
            Some(Body::Folded(length)) => (length, Some(Unfolder::new(length))),
            _ => return None,
        };
        Some(OpenRecord { header: header.clone(), body_bytes, given_bytes: 0, stored_bytes: 0, unfolder })
    }
}

impl<R: Read> Reader<R> {
    /// Reads the next segment of the present record's body into `out`, and completes the record after the last one.
    pub(super) fn next_segment(&mut self, out: &mut Vec<u8>) -> Result<bool, ReadError> {
        out.clear();
        let Some(mut record) = self.record.take() else { return Ok(false) };
        let size = segment::next_bytes(record.body_bytes, record.given_bytes);
        match &mut record.unfolder {
            None if record.header.kind.has_numbers() => {
                let mut stored = std::mem::take(&mut self.stored);
                self.stored_segment(record.given_bytes, None, &mut stored)?;
                record.stored_bytes += stored.len() as u64;
                numbers::restore_segment(&stored, size, out)
                    .map_err(|error| self.stream.record_error(&record.header, error.to_string()))?;
                self.stored = stored;
            }
            None => {
                self.stored_segment(record.stored_bytes, Some(size), out)?;
                record.stored_bytes += size as u64;
            }
            Some(unfolder) => {
                while !self.unfolded.has_segment() && !unfolder.is_complete() {
                    let mut stored = std::mem::take(&mut self.stored);
                    self.stored_segment(record.stored_bytes, None, &mut stored)?;
                    record.stored_bytes += stored.len() as u64;
                    unfolder
                        .push(&stored, self.unfolded.input())
                        .and_then(|()| if stored.len() < SEGMENT_BYTES { unfolder.finish() } else { Ok(()) })
                        .map_err(|error| self.stream.record_error(&record.header, error.to_string()))?;
                    self.stored = stored;
                }
                self.unfolded.segment(out);
            }
        }
        self.hasher.body(out);
        record.given_bytes += out.len() as u64;
        if record.given_bytes == record.body_bytes {
            self.digest = self.hasher.digest();
            self.ledger.end_record(record.stored_bytes, &self.digest);
        } else {
            self.record = Some(record);
        }
        Ok(true)
    }

    /// Reads the member that holds the segment behind so many bytes into `out`; it must have the size that is given.
    fn stored_segment(&mut self, done_bytes: u64, size: Option<usize>, out: &mut Vec<u8>) -> Result<(), ReadError> {
        out.clear();
        let mut around = Vec::with_capacity(TAR_BLOCK_BYTES);
        let tar_header = self.stream.member_header(&mut around)?;
        let found = member::content_bytes(&tar_header).map_err(|problem| self.stream.tar_error(problem))?;
        let size = size.unwrap_or(found);
        let name = name::segment(&self.member.stem, done_bytes / SEGMENT_BYTES as u64);
        member::check_header(&tar_header, &name, size).map_err(|problem| self.stream.tar_error(problem))?;
        self.ledger.take_bytes(&around);
        around.clear();
        self.stream.take(size, out)?;
        self.stream.padding(size, &mut around)?;
        self.ledger.take_bytes(out);
        self.ledger.take_bytes(&around);
        Ok(())
    }
}
