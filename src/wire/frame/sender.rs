//! Sends records.

use std::io::Write;

use super::digest;
use crate::codec::cbor::Encoder;
use crate::codec::{CodecError, Digest, MAX_HEADER_BYTES, header, numbers};
use crate::endpoint::{Failure, Sink};
use crate::record::{Body, End, Header, Kind, SiteInfo};
use crate::wire::MAX_PIECE_BYTES;
use crate::wire::command::Scope;
use crate::wire::error::WireError;
use crate::wire::item::Item;
use crate::wire::line::Output;
use crate::wire::totals::{Tally, Totals};

/// Turns records into frames.
pub struct Sender<'a, W: Write> {
    output: &'a mut Output<W>,
    kind: Option<Kind>,
    headers: Vec<u8>,
    digests: Vec<Digest>,
    /// Whether the frame has a longer body, and whether the first of its segments has gone.
    body: Option<bool>,
    /// What is sent of a segment, if it is message numbers.
    stored: Vec<u8>,
    encoder: Encoder,
    totals: TotalsOf,
}

/// Where the totals at the end come from.
enum TotalsOf {
    /// All that was sent.
    Sent(Box<Tally>, Option<(Kind, u64)>),
    /// Somebody who knows, for what is sent is only a part.
    Known(Totals),
}

impl<'a, W: Write> Sender<'a, W> {
    /// Sends records of which those that are sent are all.
    pub fn new(output: &'a mut Output<W>, scope: Scope) -> Self {
        Self::with(output, TotalsOf::Sent(Box::new(Tally::new(scope)), None))
    }

    /// Sends a part of records that are so many in all.
    pub fn of_part(output: &'a mut Output<W>, totals: Totals) -> Self {
        Self::with(output, TotalsOf::Known(totals))
    }

    fn with(output: &'a mut Output<W>, totals: TotalsOf) -> Self {
        Sender {
            output,
            kind: None,
            headers: Vec::new(),
            digests: Vec::new(),
            body: None,
            stored: Vec::new(),
            encoder: Encoder::new(),
            totals,
        }
    }

    /// Begins a record, whose longer body comes from an offset on.
    pub fn begin_record(&mut self, header: &Header, offset: u64) -> Result<(), WireError> {
        self.encoder.clear();
        header::encode(header, &mut self.encoder);
        let bytes = self.encoder.as_bytes().len();
        if bytes > MAX_HEADER_BYTES {
            return Err(CodecError::TooLong { what: "header", bytes, limit: MAX_HEADER_BYTES }.into());
        }
        if let TotalsOf::Sent(_, record) = &mut self.totals {
            *record = Some((header.kind, header.body.as_ref().map_or(0, Body::length)));
        }
        let length = match header.body {
            Some(Body::Segments(length)) => Some(length),
            Some(Body::Folded(_)) => return Err(WireError::FoldedBody),
            _ => None,
        };
        if self.kind != Some(header.kind) || length.is_some() || self.headers.len() + bytes > MAX_PIECE_BYTES {
            self.end_frame()?;
        }
        self.kind = Some(header.kind);
        self.headers.extend_from_slice(self.encoder.as_bytes());
        if let Some(length) = length {
            self.send(&Item::Kind(header.kind))?;
            self.send(&Item::Body { length, offset })?;
            self.send_headers()?;
            self.body = Some(false);
        }
        Ok(())
    }

    /// Sends the next segment.
    pub fn send_segment(&mut self, segment: &[u8]) -> Result<(), WireError> {
        let has_numbers = self.kind.is_some_and(Kind::has_numbers);
        if has_numbers {
            numbers::store_segment(segment, &mut self.stored);
        }
        let bytes = if has_numbers { self.stored.len() } else { segment.len() } as u64;
        let is_first = self.body.replace(true) == Some(false);
        self.send(&if is_first { Item::DataChunk(bytes) } else { Item::Chunk(bytes) })?;
        self.output.counted(if has_numbers { &self.stored } else { segment })
    }

    /// Completes the record.
    pub fn complete_record(&mut self, digest: &Digest) -> Result<(), WireError> {
        self.digests.push(*digest);
        if let TotalsOf::Sent(tally, record) = &mut self.totals
            && let Some((kind, body_bytes)) = record.take()
        {
            tally.record(kind, body_bytes, digest);
        }
        if self.body.is_some() { self.end_frame() } else { Ok(()) }
    }

    /// Sends what is left, and the end mark.
    pub fn end(&mut self) -> Result<(), WireError> {
        self.end_frame()?;
        self.send(&Item::End)
    }

    /// Sends what is left, how much it was in all, how the source was found at the end, and the end mark.
    pub fn end_with(&mut self, state_after: &str) -> Result<(), WireError> {
        self.end_frame()?;
        let totals = match &self.totals {
            TotalsOf::Sent(tally, _) => tally.totals(),
            TotalsOf::Known(totals) => *totals,
        };
        self.send(&Item::Total(totals))?;
        self.send(&Item::State(state_after.len() as u64))?;
        self.output.counted(state_after.as_bytes())?;
        self.send(&Item::Digest(blake3::hash(state_after.as_bytes()).into()))?;
        self.send(&Item::End)
    }

    /// Sends the frame that fills, if there is anything in it.
    fn end_frame(&mut self) -> Result<(), WireError> {
        if self.headers.is_empty() {
            return Ok(());
        }
        if let (None, Some(kind)) = (self.body, self.kind) {
            self.send(&Item::Kind(kind))?;
            self.send_headers()?;
        }
        let digest = digest(&self.headers, &self.digests);
        self.send(&Item::Digest(digest))?;
        self.headers.clear();
        self.digests.clear();
        self.body = None;
        Ok(())
    }

    fn send_headers(&mut self) -> Result<(), WireError> {
        self.send(&Item::Headers(self.headers.len() as u64))?;
        self.output.counted(&self.headers)
    }

    fn send(&mut self, item: &Item) -> Result<(), WireError> {
        self.output.line(&item.encode())
    }
}

impl<W: Write> Sink for Sender<'_, W> {
    /// The site was told before, by the command.
    fn begin(&mut self, _site: &SiteInfo) -> Result<(), Failure> {
        Ok(())
    }

    fn record(&mut self, header: &Header) -> Result<(), Failure> {
        Ok(self.begin_record(header, 0)?)
    }

    fn segment(&mut self, segment: &[u8]) -> Result<(), Failure> {
        Ok(self.send_segment(segment)?)
    }

    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure> {
        Ok(self.complete_record(digest)?)
    }

    fn finish(&mut self, end: &End) -> Result<(), Failure> {
        self.end_with(&end.state_after)?;
        Ok(self.output.flush()?)
    }
}
