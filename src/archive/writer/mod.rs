//! Writes an archive in one pass and bounded memory.

mod body;
mod output;

use std::io::Write;

use self::body::OpenBody;
use self::output::Output;
use super::effort::{Content, USUAL_LEVEL};
use super::error::WriteError;
use super::ledger::{ClosedBlock, Ledger};
use super::member::{self, MAX_MEMBER_BYTES, TAR_BLOCK_BYTES};
use super::{FRAME_BYTES, ROOT_MEMBER, SITE_MEMBER, TAR_END_BYTES, name};
use crate::codec::cbor::Encoder;
use crate::codec::manifest::IndexSegment;
use crate::codec::{CodecError, Digest, MAX_HEADER_BYTES, header, site_info};
use crate::endpoint::{Failure, Sink};
use crate::record::{End, Header, Kind, SiteInfo, schema};

/// How an archive is written. The records, their digests and the manifest don't depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// zstd's level, 1 to 22. At the usual one, 3, frames are compressed in a way that suits what stands in them.
    pub level: i32,
    /// How many threads compress. With 0 the caller's own does it. The bytes are the same for every number.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { level: USUAL_LEVEL, threads: 1 }
    }
}

/// An archive as it is written. Without a successful `finish` it has no end, and every reader refuses it.
#[derive(Debug)]
pub struct Writer<W> {
    output: Output<W>,
    state: State,
    ledger: Ledger,
    /// Content of the frame that fills.
    frame: Vec<u8>,
    /// How many bytes of it belong to the full text index.
    number_bytes: usize,
    /// Headers of the member that fills.
    member: Vec<u8>,
    /// `<kind>/<name>` of that member, or of the one whose last record's body is being written.
    stem: String,
    /// Bytes of the stream since the frame of `site.cbor`.
    position: u64,
    /// The body of the record that is not complete.
    body: Option<OpenBody>,
    encoder: Encoder,
    site_info_digest: Digest,
    manifest_segments: u64,
    index: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Records,
    Finished,
    Failed,
}

impl<W: Write> Writer<W> {
    /// An archive that will be written to `output`.
    pub fn new(output: W, options: Options) -> Self {
        Writer {
            output: Output::new(output, options.level, options.threads),
            state: State::New,
            ledger: Ledger::default(),
            frame: Vec::new(),
            number_bytes: 0,
            member: Vec::new(),
            stem: String::new(),
            position: 0,
            body: None,
            encoder: Encoder::new(),
            site_info_digest: Digest::default(),
            manifest_segments: 0,
            index: Vec::new(),
        }
    }

    /// How many bytes were written to the output.
    pub fn bytes_written(&self) -> u64 {
        self.output.bytes()
    }

    /// Writes all that has come, for a copy that failed but can go on with what is there. The last frame may be shorter than the format wants it,
    /// so that a reader gives what is in it and finds out behind it that this is no archive.
    ///
    /// # Errors
    /// When the output refuses it; what is there is a beginning all the same.
    pub fn write_beginning(&mut self) -> Result<(), WriteError> {
        if std::mem::replace(&mut self.state, State::Failed) == State::Records {
            self.end_member()?;
            if !self.frame.is_empty() {
                self.end_frame()?;
            }
        }
        self.output.drain()
    }

    /// Gives the output back, for its owner to sync, rename or throw away.
    pub fn into_output(self) -> W {
        self.output.into_writer()
    }

    /// Does one call of the sink in the state that it needs; after an error nothing more is accepted.
    fn in_state(
        &mut self,
        state: State,
        call: &'static str,
        work: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), Failure> {
        let result = if self.state == state { work(self) } else { Err(WriteError::WrongOrder { call }) };
        if result.is_err() {
            self.state = State::Failed;
        }
        Ok(result?)
    }

    fn write_site(&mut self, site: &SiteInfo) -> Result<(), WriteError> {
        let content = site_info::encode(site);
        if content.len() > MAX_MEMBER_BYTES {
            return Err(too_long(SITE_MEMBER, content.len(), MAX_MEMBER_BYTES));
        }
        self.site_info_digest = blake3::hash(&content).into();
        let mut frame = Vec::new();
        member::append(SITE_MEMBER, &content, &mut frame);
        self.output.frame(frame, Content::Any)?;
        self.state = State::Records;
        Ok(())
    }

    fn begin_record(&mut self, header: &Header) -> Result<(), WriteError> {
        if self.body.is_some() {
            return Err(WriteError::WrongOrder { call: "record" });
        }
        schema::check(header).map_err(CodecError::from)?;
        if let Some(after) = self.ledger.disorder(header) {
            return Err(WriteError::OutOfOrder { kind: header.kind, key: header.key.to_string(), after });
        }
        self.encoder.clear();
        header::encode(header, &mut self.encoder);
        let header_bytes = self.encoder.as_bytes().len();
        if header_bytes > MAX_HEADER_BYTES {
            return Err(too_long("header", header_bytes, MAX_HEADER_BYTES));
        }
        if self.ledger.ends_block_before(header) {
            self.end_member()?;
            self.ledger.close_block();
            if self.ledger.group_is_due() {
                self.write_group()?;
            }
        }
        if !self.ledger.has_open_block() {
            self.ledger.open_block(self.position);
        }
        let is_of_another_kind = self.record_kind_of_member() != Some(header.kind.name());
        if is_of_another_kind || self.member.len() + header_bytes > MAX_MEMBER_BYTES {
            self.end_member()?;
            self.stem = name::stem(header.kind, &header.key);
        }
        let offset = self.ledger.block_bytes() + (TAR_BLOCK_BYTES + self.member.len()) as u64;
        // A header has at most 65,536 bytes.
        self.ledger.begin_record(header, offset, header_bytes as u32);
        self.member.extend_from_slice(self.encoder.as_bytes());
        let body = OpenBody::new(header);
        if body.is_in_segments() {
            self.end_member()?;
        }
        self.body = Some(body);
        Ok(())
    }

    /// The kind of the records in the member that fills, if one does.
    fn record_kind_of_member(&self) -> Option<&str> {
        if self.member.is_empty() { None } else { self.stem.split('/').next() }
    }

    fn write_segment(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let Some(mut body) = self.body.take() else {
            return Err(WriteError::WrongOrder { call: "segment" });
        };
        let number = body.next_segment();
        let stored = body.take(bytes).map_err(|problem| self.body_error(problem))?;
        self.put(&member::header(&name::segment(&self.stem, number), stored.len()))?;
        self.put(stored)?;
        self.put(&[0; TAR_BLOCK_BYTES][..member::padding_bytes(stored.len())])?;
        self.body = Some(body);
        Ok(())
    }

    fn complete_record(&mut self, digest: &Digest) -> Result<(), WriteError> {
        let Some(body) = self.body.take() else {
            return Err(WriteError::WrongOrder { call: "end_record" });
        };
        body.finish().map_err(|problem| self.body_error(problem))?;
        self.ledger.end_record(body.stored_bytes(), digest);
        Ok(())
    }

    fn write_end(&mut self, end: &End) -> Result<(), WriteError> {
        if self.body.is_some() {
            return Err(WriteError::WrongOrder { call: "finish" });
        }
        self.end_member()?;
        self.ledger.close_block();
        self.write_group()?;
        self.index.extend(self.ledger.finish_index());
        let mut places = Vec::new();
        for (number, content) in std::mem::take(&mut self.index).into_iter().enumerate() {
            let digest = blake3::hash(&content).into();
            // An index segment has at most 65,536 bytes.
            places.push(IndexSegment { position: self.position, bytes: content.len() as u32, digest });
            self.write_alone(&name::index_segment(number as u64), &content)?;
        }
        let root = self.ledger.root(self.site_info_digest, places, end.state_after.clone()).encode()?;
        let mut frame = Vec::new();
        member::append(ROOT_MEMBER, &root, &mut frame);
        frame.resize(frame.len() + TAR_END_BYTES, 0);
        self.output.frame(frame, Content::Any)?;
        self.output.finish()?;
        self.state = State::Finished;
        Ok(())
    }

    /// What is wrong with the body of the present record.
    fn body_error(&self, problem: String) -> WriteError {
        match self.ledger.last() {
            Some((kind, key)) => WriteError::Body { kind, key: key.to_string(), problem },
            None => WriteError::WrongOrder { call: "segment" },
        }
    }

    /// Writes the manifest segments of the blocks that ended since the last group.
    fn write_group(&mut self) -> Result<(), WriteError> {
        let group: Vec<ClosedBlock> = self.ledger.take_group();
        if !group.is_empty() && !self.frame.is_empty() {
            self.end_frame()?;
        }
        for block in group {
            let position = self.position;
            self.write_alone(&name::manifest_segment(self.manifest_segments), &block.segment.bytes)?;
            self.manifest_segments += 1;
            self.index.extend(self.ledger.place_segment(block, position));
        }
        Ok(())
    }

    /// Writes a member that stands alone in its frame.
    fn write_alone(&mut self, name: &str, content: &[u8]) -> Result<(), WriteError> {
        let mut frame = Vec::new();
        member::append(name, content, &mut frame);
        self.position += frame.len() as u64;
        self.output.frame(frame, Content::Any)
    }

    /// Writes the member of headers that fills, if there is anything in it.
    fn end_member(&mut self) -> Result<(), WriteError> {
        if self.member.is_empty() {
            return Ok(());
        }
        let mut headers = std::mem::take(&mut self.member);
        self.put(&member::header(&name::headers(&self.stem), headers.len()))?;
        self.put(&headers)?;
        self.put(&[0; TAR_BLOCK_BYTES][..member::padding_bytes(headers.len())])?;
        headers.clear();
        self.member = headers;
        Ok(())
    }

    /// Appends bytes of the open block to the stream.
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        self.ledger.take_bytes(bytes);
        self.position += bytes.len() as u64;
        let is_of_numbers = self.stem.split('/').next() == Some(Kind::Fulltext.name());
        while !bytes.is_empty() {
            if self.frame.capacity() == 0 {
                self.frame = self.output.buffer();
            }
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_BYTES - self.frame.len()));
            self.frame.extend_from_slice(now);
            self.number_bytes += if is_of_numbers { now.len() } else { 0 };
            if self.frame.len() == FRAME_BYTES {
                self.end_frame()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Gives the frame that fills away.
    fn end_frame(&mut self) -> Result<(), WriteError> {
        let frame = std::mem::take(&mut self.frame);
        let number_bytes = std::mem::take(&mut self.number_bytes);
        let content = if number_bytes >= frame.len() / 4 * 3 { Content::Numbers } else { Content::Any };
        self.output.frame(frame, content)
    }
}

impl<W: Write> Sink for Writer<W> {
    fn begin(&mut self, site: &SiteInfo) -> Result<(), Failure> {
        self.in_state(State::New, "begin", |writer| writer.write_site(site))
    }

    fn record(&mut self, header: &Header) -> Result<(), Failure> {
        self.in_state(State::Records, "record", |writer| writer.begin_record(header))
    }

    fn segment(&mut self, segment: &[u8]) -> Result<(), Failure> {
        self.in_state(State::Records, "segment", |writer| writer.write_segment(segment))
    }

    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure> {
        self.in_state(State::Records, "end_record", |writer| writer.complete_record(digest))
    }

    fn finish(&mut self, end: &End) -> Result<(), Failure> {
        self.in_state(State::Records, "finish", |writer| writer.write_end(end))
    }
}

fn too_long(what: &'static str, bytes: usize, limit: usize) -> WriteError {
    WriteError::Codec(CodecError::TooLong { what, bytes, limit })
}
