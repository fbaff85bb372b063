//! Reads an archive in one pass and bounded memory, and checks everything that it can while it does.

mod body;
mod frames;
mod headers;
mod manifest;
mod scan;
mod stream;

use std::io::Read;

use self::body::OpenRecord;
use self::frames::Frames;
use self::headers::{Decoded, Member};
pub use self::scan::describe;
use self::stream::{Next, Stream};
use super::error::ReadError;
use super::ledger::Ledger;
use super::member::{self, MAX_MEMBER_BYTES, TAR_BLOCK_BYTES};
use super::{SITE_MEMBER, name};
use crate::codec::segment::Cutter;
use crate::codec::{Digest, RecordHasher, ShortRecords, site_info};
use crate::endpoint::{Failure, Source};
use crate::record::{End, Header, Kind, SiteInfo};

/// An archive as it is read from a file or a pipe.
#[derive(Debug)]
pub struct Reader<R> {
    stream: Stream<R>,
    site: SiteInfo,
    site_info_digest: Digest,
    file_bytes: Option<u64>,
    state: State,
    ledger: Ledger,
    hasher: RecordHasher,
    short_records: ShortRecords,
    digest: Digest,
    member: Member,
    record: Option<OpenRecord>,
    /// The stored segment that was read last, of a folded body or of message numbers.
    stored: Vec<u8>,
    /// What it and those before it unfolded to, as far as it was not given.
    unfolded: Cutter,
    buffer: Vec<u8>,
    manifest_segments: u64,
    index: Vec<(usize, Digest)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Records,
    Tail,
    Failed,
}

impl<R: Read> Reader<R> {
    /// Begins to read: up to what `site.cbor` says. `threads` unpack frames ahead of their use; with 0 the caller's own does it.
    pub fn new(input: R, threads: usize) -> Result<Self, ReadError> {
        let mut stream = Stream::new(Frames::new(input, threads));
        let content = stream.first(SITE_MEMBER)?;
        let site = site_info::decode(&content).map_err(|source| stream.codec_error(source))?;
        Ok(Reader {
            stream,
            site,
            site_info_digest: blake3::hash(&content).into(),
            file_bytes: None,
            state: State::Records,
            ledger: Ledger::default(),
            hasher: RecordHasher::default(),
            short_records: ShortRecords::default(),
            digest: Digest::default(),
            member: Member::default(),
            record: None,
            stored: Vec::new(),
            unfolded: Cutter::default(),
            buffer: Vec::new(),
            manifest_segments: 0,
            index: Vec::new(),
        })
    }

    /// Tells how long the file is, where that is known, so that the reader can tell how far it is.
    pub fn set_file_bytes(&mut self, bytes: u64) {
        self.file_bytes = Some(bytes);
    }

    /// Does one step; after an error there is no other.
    fn step<T>(&mut self, state: State, work: impl FnOnce(&mut Self) -> Result<T, ReadError>) -> Result<T, Failure> {
        let result = if self.state == state { work(self) } else { Err(ReadError::NotAtEnd) };
        if result.is_err() {
            self.state = State::Failed;
        }
        Ok(result?)
    }

    fn next_record(&mut self) -> Result<Option<Header>, ReadError> {
        self.buffer.clear();
        let mut rest = std::mem::take(&mut self.buffer);
        while self.next_segment(&mut rest)? {
            rest.clear();
        }
        self.buffer = rest;
        if self.member.decoded < self.member.content_bytes {
            let decoded = self.decode_header()?;
            self.check_inside_member(&decoded.stored.header)?;
            return self.begin_record(decoded).map(Some);
        }
        if self.stream.upcoming()? == Next::Alone {
            let was_due = self.read_group()?;
            match self.stream.upcoming()? {
                Next::Alone => {
                    self.state = State::Tail;
                    return Ok(None);
                }
                Next::Data if !was_due => {
                    return Err(self
                        .stream
                        .manifest_error("data follows it, but no group of manifest segments was due here"));
                }
                Next::Data => {}
            }
        }
        self.read_member().map(Some)
    }

    /// Reads the next member of headers and begins its first record.
    fn read_member(&mut self) -> Result<Header, ReadError> {
        let position = self.stream.position();
        let before = (self.member.content_bytes, self.member.kind, self.member.is_closed);
        let mut raw = std::mem::take(&mut self.member.raw);
        raw.clear();
        let tar_header = self.stream.member_header(&mut raw)?;
        let content_bytes = member::content_bytes(&tar_header).map_err(|problem| self.stream.tar_error(problem))?;
        self.stream.take(content_bytes, &mut raw)?;
        self.stream.padding(content_bytes, &mut raw)?;
        self.member = Member::new(raw, content_bytes);

        let decoded = self.decode_header()?;
        let header = &decoded.stored.header;
        let stem = name::stem(header.kind, &header.key);
        member::check_header(&tar_header, &name::headers(&stem), content_bytes)
            .map_err(|problem| self.stream.tar_error(problem))?;
        self.check_order(header)?;
        self.check_between_members(header, decoded.bytes, before)?;
        if !self.ledger.has_open_block() {
            self.ledger.open_block(position);
        }
        self.member.stem = stem;
        self.member.kind = Some(header.kind);
        self.member.block_offset = self.ledger.block_bytes();
        self.ledger.take_bytes(&self.member.raw);
        self.begin_record(decoded)
    }

    /// Fails unless the format begins a new member with this header, after one with `before`.
    fn check_between_members(
        &mut self,
        header: &Header,
        header_bytes: usize,
        before: (usize, Option<Kind>, bool),
    ) -> Result<(), ReadError> {
        let (content_bytes, kind, is_closed) = before;
        if self.ledger.ends_block_before(header) {
            self.ledger.close_block();
            if self.ledger.group_is_due() {
                return Err(self
                    .stream
                    .record_error(header, "follows a block behind which manifest segments are missing"));
            }
            return Ok(());
        }
        if !self.ledger.has_open_block() && kind.is_some() {
            return Err(self
                .stream
                .record_error(header, "begins a block, but the format doesn't end the one before it here"));
        }
        if !is_closed && kind == Some(header.kind) && content_bytes + header_bytes <= MAX_MEMBER_BYTES {
            return Err(self.stream.record_error(header, "begins a member, but it has room in the one before it"));
        }
        Ok(())
    }

    /// Fails unless the format puts this header behind the others of its member.
    fn check_inside_member(&mut self, header: &Header) -> Result<(), ReadError> {
        self.check_order(header)?;
        if self.member.is_closed {
            return Err(self
                .stream
                .record_error(header, "follows a record with a longer body, which must be the last of its member"));
        }
        if self.member.kind != Some(header.kind) {
            return Err(self.stream.record_error(header, "stands in a member of another kind"));
        }
        if self.ledger.ends_block_before(header) {
            return Err(self
                .stream
                .record_error(header, "must begin a new block, but stands in the middle of a member"));
        }
        Ok(())
    }

    fn check_order(&self, header: &Header) -> Result<(), ReadError> {
        match self.ledger.disorder(header) {
            None => Ok(()),
            Some(after) => Err(self
                .stream
                .record_error(header, format!("comes after {after}, which is out of order or the same record twice"))),
        }
    }

    fn begin_record(&mut self, decoded: Decoded) -> Result<Header, ReadError> {
        let Decoded { stored, bytes: header_bytes, digest } = decoded;
        if digest.is_none() {
            self.hasher.begin_stored(&stored, self.member.undecoded());
        }
        let header = stored.header;
        let offset = self.member.block_offset + (TAR_BLOCK_BYTES + self.member.decoded) as u64;
        // A member has at most 65,536 bytes, and so has a header in it.
        self.ledger.begin_record(&header, offset, header_bytes as u32);
        self.member.decoded += header_bytes;
        self.record = OpenRecord::new(&header);
        if self.record.is_none() {
            self.digest = digest.unwrap_or_else(|| self.hasher.digest());
            self.ledger.end_record(0, &self.digest);
            return Ok(header);
        }
        self.member.is_closed = true;
        if self.member.decoded < self.member.content_bytes {
            return Err(self
                .stream
                .record_error(&header, "has a longer body, but other records follow it in its member"));
        }
        Ok(header.unfolded())
    }
}

impl<R: Read> Source for Reader<R> {
    fn site(&self) -> &SiteInfo {
        &self.site
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.file_bytes.map(|bytes| (self.stream.file_offset(), bytes))
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        if self.state == State::Tail {
            return Ok(None);
        }
        self.step(State::Records, Self::next_record)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.step(State::Records, |reader| reader.next_segment(segment))
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn finish(&mut self) -> Result<End, Failure> {
        self.step(State::Tail, Self::read_tail)
    }
}
