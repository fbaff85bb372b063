//! Takes records. What was taken outlives the connection that it came over, so that another one can go on behind it.

use std::collections::VecDeque;
use std::io::Read;

use super::reading::{self, check_digest, next_item, piece};
use super::tail::Tail;
use crate::codec::cbor::Decoder;
use crate::codec::{Digest, RecordHasher, ShortRecords, header, segment};
use crate::record::{Body, End, Header, Key, Kind};
use crate::wire::command::Scope;
use crate::wire::error::WireError;
use crate::wire::item::Item;
use crate::wire::line::Input;
use crate::wire::totals::{Tally, Totals};

/// What came last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Kind of the last record.
    pub kind: Kind,
    /// Its key.
    pub key: Key,
    /// How many bytes of its body came in segments.
    pub offset: u64,
}

/// Takes the frames of one answer, over as many connections as it needs.
#[derive(Debug)]
pub struct Receiver {
    expected: Expected,
    last: Option<Position>,
    /// Records whose frame was found right, not yet asked for.
    ready: VecDeque<(Header, Digest)>,
    open: Option<Open>,
    hasher: RecordHasher,
    digest: Digest,
    tally: Tally,
    tail: Option<Tail>,
    has_ended: bool,
}

/// Which records must come.
#[derive(Debug)]
enum Expected {
    All(Scope),
    Chosen(Kind, VecDeque<Key>),
}

/// A record whose body is not complete.
#[derive(Debug)]
struct Open {
    header: Header,
    length: u64,
    done: u64,
    /// Its frame as far as it came over the present connection.
    frame: Option<OpenFrame>,
}

#[derive(Debug)]
struct OpenFrame {
    headers: Vec<u8>,
    has_chunks: bool,
}

impl Receiver {
    /// Takes all records of a kind, or all.
    pub fn all(scope: Scope) -> Self {
        Self::new(Expected::All(scope), Tally::new(scope))
    }

    /// Takes these records, which were asked for.
    pub fn chosen(kind: Kind, keys: impl IntoIterator<Item = Key>) -> Self {
        Self::new(Expected::Chosen(kind, keys.into_iter().collect()), Tally::new(Scope::Kind(kind)))
    }

    fn new(expected: Expected, tally: Tally) -> Self {
        Receiver {
            expected,
            last: None,
            ready: VecDeque::new(),
            open: None,
            hasher: RecordHasher::default(),
            digest: Digest::default(),
            tally,
            tail: None,
            has_ended: false,
        }
    }

    /// Takes a record that is here already, as if it had come. They are given in their order, before anything is received.
    pub fn take_known(&mut self, header: &Header, digest: &Digest) {
        let body_bytes = header.body.as_ref().map_or(0, Body::length);
        let offset = if matches!(header.body, Some(Body::Segments(_))) { body_bytes } else { 0 };
        self.last = Some(Position { kind: header.kind, key: header.key.clone(), offset });
        self.tally.record(header.kind, body_bytes, digest);
    }

    /// Takes the beginning of a record's longer body, likewise; `hasher` has taken it. What is left comes from `segment`.
    pub fn take_known_part(&mut self, header: Header, length: u64, done: u64, hasher: RecordHasher) {
        self.last = Some(Position { kind: header.kind, key: header.key.clone(), offset: done });
        self.hasher = hasher;
        self.open = Some(Open { header, length, done, frame: None });
    }

    /// What came last: another connection goes on behind it. `None` if nothing has come.
    pub fn position(&self) -> Option<&Position> {
        self.last.as_ref()
    }

    /// How many bytes of bodies have come.
    pub fn body_bytes(&self) -> u64 {
        self.tally.body_bytes() + self.open_offset()
    }

    /// How many bytes have come of a body that is not complete.
    pub fn open_offset(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.done)
    }

    /// The keys of records that were asked for and have not come whole.
    pub fn missing(&self) -> Vec<Key> {
        match &self.expected {
            Expected::All(_) => Vec::new(),
            Expected::Chosen(_, keys) => keys.iter().cloned().collect(),
        }
    }

    /// From here on the answer comes over another connection, from behind `position` on. Says whether there is anything left to ask for: of records that
    /// were chosen nothing is if only the end of the answer was cut off.
    pub fn reconnect(&mut self) -> bool {
        if let Some(open) = &mut self.open {
            open.frame = None;
        }
        self.has_ended |= matches!(&self.expected, Expected::Chosen(_, keys) if keys.is_empty());
        !self.has_ended
    }

    /// The next header, after whatever is left of the body before it; `None` at the end.
    pub fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Header>, WireError> {
        let mut rest = Vec::new();
        while self.segment(input, &mut rest)? {}
        loop {
            if let Some((header, digest)) = self.ready.pop_front() {
                self.digest = digest;
                return Ok(Some(header));
            }
            if self.has_ended {
                return Ok(None);
            }
            let header = self.frame(input)?;
            if header.is_some() {
                return Ok(header);
            }
        }
    }

    /// Puts the next segment of the present record's body into `segment`; `false` when there is none left. The last one is given only if
    /// the frame's digest is right.
    pub fn segment<R: Read>(&mut self, input: &mut Input<R>, segment: &mut Vec<u8>) -> Result<bool, WireError> {
        segment.clear();
        if self.open.as_ref().is_some_and(|open| open.frame.is_none()) {
            self.frame(input)?;
        }
        let Some(open) = &mut self.open else { return Ok(false) };
        let Some(frame) = &mut open.frame else { return Ok(false) };
        let size = segment::next_bytes(open.length, open.done);
        reading::segment(input, !frame.has_chunks, &open.header, size, segment)?;
        if open.done + (size as u64) < open.length {
            frame.has_chunks = true;
            self.hasher.body(segment);
            open.done += size as u64;
            if let Some(last) = &mut self.last {
                last.offset = open.done;
            }
            return Ok(true);
        }
        // A cut before the digest is there must leave everything as it was before this segment.
        let mut hasher = self.hasher.clone();
        hasher.body(segment);
        let record = hasher.digest();
        check_digest(input, &frame.headers, &[record])?;
        let header = self.open.take().map(|open| open.header);
        if let Some(header) = header {
            self.complete(&header, &record);
        }
        self.digest = record;
        Ok(true)
    }

    /// The identity digest of the present record, whose body was read to its end.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How the source was found at the end, as what comes behind all records says.
    pub fn end(&self) -> Result<End, WireError> {
        let problem = "the answer was not read to its end";
        let tail = self.tail.as_ref().ok_or(WireError::Disagreement { problem })?;
        Ok(End { state_after: tail.state_after.clone() })
    }

    /// Reads a frame up to its body, or the end of the answer. Gives the header of a body that begins.
    fn frame<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Header>, WireError> {
        const EXPECTED: &str = "KIND, or the end of the answer";
        match (next_item(input, EXPECTED)?, &self.expected) {
            (Item::Kind(kind), _) => match next_item(input, "BODY or HEADERS")? {
                Item::Headers(bytes) => self.small_records(input, kind, bytes).map(|()| None),
                Item::Body { length, offset } => self.long_record(input, kind, length, offset),
                item => Err(WireError::unexpected(&item.encode(), "BODY or HEADERS")),
            },
            (Item::Total(totals), Expected::All(_)) => self.read_tail(input, totals).map(|()| None),
            (Item::End, Expected::Chosen(_, keys)) if keys.is_empty() && self.open.is_none() => {
                self.has_ended = true;
                Ok(None)
            }
            (Item::End, Expected::Chosen(..)) => {
                Err(WireError::Disagreement { problem: "not all records came that were asked for" })
            }
            (item, _) => Err(WireError::unexpected(&item.encode(), EXPECTED)),
        }
    }

    /// Reads a frame of records without longer bodies; they are given once its digest was found right.
    fn small_records<R: Read>(&mut self, input: &mut Input<R>, kind: Kind, bytes: u64) -> Result<(), WireError> {
        if self.open.is_some() {
            return Err(WireError::Disagreement { problem: "the rest of a body is missing" });
        }
        let mut content = Vec::new();
        piece(input, bytes, "headers", &mut content)?;
        let mut decoder = Decoder::new(&content, "header");
        let mut headers: Vec<Header> = Vec::new();
        let mut short_records = ShortRecords::default();
        while !decoder.is_at_end() {
            let stored = header::decode_stored(&mut decoder)?;
            let header = &stored.header;
            let before = match headers.last() {
                Some(before) => Some((before.kind, &before.key)),
                None => self.last.as_ref().map(|last| (last.kind, &last.key)),
            };
            self.check_record(header, kind, before, headers.len())?;
            if !ShortRecords::take(header) {
                return Err(wrong(header, "has a longer body, but no BODY was announced"));
            }
            short_records.push_stored(&stored, &content);
            headers.push(stored.header);
        }
        if headers.is_empty() {
            return Err(WireError::Disagreement { problem: "a frame holds no records" });
        }
        let mut digests = Vec::with_capacity(headers.len());
        short_records.digests(&mut digests);
        check_digest(input, &content, &digests)?;
        for (header, digest) in headers.into_iter().zip(digests) {
            self.last = Some(Position { kind, key: header.key.clone(), offset: 0 });
            self.complete(&header, &digest);
            self.ready.push_back((header, digest));
        }
        Ok(())
    }

    /// Reads a frame up to the body of its only record; gives its header, unless it is one whose body goes on.
    fn long_record<R: Read>(
        &mut self,
        input: &mut Input<R>,
        kind: Kind,
        length: u64,
        offset: u64,
    ) -> Result<Option<Header>, WireError> {
        let Item::Headers(bytes) = next_item(input, "HEADERS")? else {
            return Err(WireError::Disagreement { problem: "no HEADERS follow BODY" });
        };
        let mut headers = Vec::new();
        piece(input, bytes, "headers", &mut headers)?;
        let mut decoder = Decoder::new(&headers, "header");
        let header = header::decode(&mut decoder)?;
        decoder.end()?;
        if header.body != Some(Body::Segments(length)) {
            return Err(wrong(&header, "has a body of another length than BODY says"));
        }
        let frame = Some(OpenFrame { headers, has_chunks: false });
        if let Some(open) = &mut self.open {
            if open.header != header || open.done != offset {
                return Err(wrong(&header, "comes where the rest of another body must come"));
            }
            open.frame = frame;
            return Ok(None);
        }
        self.check_record(&header, kind, self.last.as_ref().map(|last| (last.kind, &last.key)), 0)?;
        if offset != 0 {
            return Err(wrong(&header, "begins in the middle of its body"));
        }
        self.hasher.begin(&header);
        self.last = Some(Position { kind, key: header.key.clone(), offset: 0 });
        self.open = Some(Open { header: header.clone(), length, done: 0, frame });
        Ok(Some(header))
    }

    /// Fails unless this record may come here: behind `before`, and as the one with this number in its frame.
    fn check_record(
        &self,
        header: &Header,
        kind: Kind,
        before: Option<(Kind, &Key)>,
        number: usize,
    ) -> Result<(), WireError> {
        if header.kind != kind {
            return Err(wrong(header, "stands in a frame of another kind"));
        }
        if before.is_some_and(|before| before >= (header.kind, &header.key)) {
            return Err(wrong(header, "is out of order, or came before"));
        }
        let is_expected = match &self.expected {
            Expected::All(scope) => scope.holds(kind),
            Expected::Chosen(kind, keys) => *kind == header.kind && keys.get(number) == Some(&header.key),
        };
        if is_expected { Ok(()) } else { Err(wrong(header, "was not asked for")) }
    }

    fn complete(&mut self, header: &Header, digest: &Digest) {
        if let Some(Body::Segments(length)) = header.body
            && let Some(last) = &mut self.last
        {
            last.offset = length;
        }
        if let Expected::Chosen(_, keys) = &mut self.expected {
            keys.pop_front();
        }
        self.tally.record(header.kind, header.body.as_ref().map_or(0, Body::length), digest);
    }

    fn read_tail<R: Read>(&mut self, input: &mut Input<R>, totals: Totals) -> Result<(), WireError> {
        if self.open.is_some() {
            return Err(WireError::Disagreement { problem: "the rest of a body is missing" });
        }
        self.tail = Some(Tail::read(input, totals, &self.tally)?);
        self.has_ended = true;
        Ok(())
    }
}

fn wrong(header: &Header, problem: &'static str) -> WireError {
    WireError::Record { kind: header.kind, key: header.key.to_string(), problem }
}
