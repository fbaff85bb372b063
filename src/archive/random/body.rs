//! The body of one record.

use super::super::error::{ReadError, TarError};
use super::super::member::{self, TAR_BLOCK_BYTES, TarHeader};
use super::super::name;
use super::RandomReader;
use crate::codec::fold::Unfolder;
use crate::codec::segment::{self, Cutter};
use crate::codec::{Digest, RecordHasher, numbers};
use crate::record::{Body, Header};

/// Reads a longer body segment by segment, unfolded if need be. A body that stands in the header has none.
#[derive(Debug)]
pub struct BodyReader<'a> {
    archive: &'a RandomReader,
    header: Header,
    stem: String,
    digest: Digest,
    hasher: RecordHasher,
    position: u64,
    body_bytes: u64,
    given_bytes: u64,
    /// How long the body is in segments.
    stored_bytes: u64,
    read_bytes: u64,
    unfolder: Option<Unfolder>,
    unfolded: Cutter,
    /// Whether all that was given was also read: what is passed over is not.
    is_read_whole: bool,
}

impl<'a> BodyReader<'a> {
    pub(super) fn new(
        archive: &'a RandomReader,
        header: &Header,
        stem: String,
        digest: Digest,
        (position, stored_bytes): (u64, u64),
    ) -> Self {
        let (body_bytes, unfolder) = match header.body {
            Some(Body::Segments(length)) => (length, None),
            Some(Body::Folded(length)) => (length, Some(Unfolder::new(length))),
            _ => (0, None),
        };
        let mut hasher = RecordHasher::default();
        hasher.begin(header);
        BodyReader {
            archive,
            header: header.clone(),
            stem,
            digest,
            hasher,
            position,
            body_bytes,
            given_bytes: 0,
            stored_bytes,
            read_bytes: 0,
            unfolder,
            unfolded: Cutter::default(),
            is_read_whole: true,
        }
    }

    /// Passes over the body up to an offset where a segment begins, or its end; `false` if there is no such place in it. What is passed over
    /// is not read where the body is stored in segments of known lengths, and so the digest of the rest is not compared: whoever has the beginning does that.
    pub fn skip_to(&mut self, offset: u64) -> Result<bool, ReadError> {
        let is_cut = offset == self.body_bytes || offset.is_multiple_of(segment::SEGMENT_BYTES as u64);
        if !is_cut || offset > self.body_bytes || offset < self.given_bytes {
            return Ok(false);
        }
        let mut scratch = Vec::new();
        while self.given_bytes < offset && (self.unfolder.is_some() || self.header.kind.has_numbers()) {
            self.segment(&mut scratch)?;
        }
        if self.given_bytes < offset {
            // Every segment that is passed over is whole, or none is read behind it.
            let segments = segment::count(offset - self.given_bytes);
            let bytes_in_tar = (TAR_BLOCK_BYTES + segment::SEGMENT_BYTES) as u64;
            self.position = self.position.saturating_add(segments.saturating_mul(bytes_in_tar));
            (self.given_bytes, self.read_bytes, self.is_read_whole) = (offset, offset, false);
        }
        Ok(true)
    }

    /// The record's identity digest by the manifest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Puts the next segment into `segment`; `false` when there is none left. The last one is given only if the record's digest is right.
    pub fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, ReadError> {
        segment.clear();
        if self.given_bytes == self.body_bytes {
            return Ok(false);
        }
        match self.unfolder.take() {
            None if self.header.kind.has_numbers() => {
                let mut stored = Vec::new();
                self.stored_segment(&mut stored)?;
                let size = segment::next_bytes(self.body_bytes, self.given_bytes);
                numbers::restore_segment(&stored, size, segment).map_err(|error| self.wrong(error.to_string()))?;
            }
            None => self.stored_segment(segment)?,
            Some(mut unfolder) => {
                let result = self.unfold_segment(&mut unfolder, segment);
                self.unfolder = Some(unfolder);
                result?;
            }
        }
        self.hasher.body(segment);
        let given_bytes = self.given_bytes + segment.len() as u64;
        if given_bytes == self.body_bytes {
            if self.read_bytes != self.stored_bytes {
                segment.clear();
                return Err(self.wrong("has a body that is stored in another length than the manifest says".to_owned()));
            }
            if self.is_read_whole && self.hasher.digest() != self.digest {
                segment.clear();
                return Err(self.wrong("has another digest than the manifest says".to_owned()));
            }
        }
        self.given_bytes = given_bytes;
        Ok(true)
    }

    fn unfold_segment(&mut self, unfolder: &mut Unfolder, out: &mut Vec<u8>) -> Result<(), ReadError> {
        let mut stored = Vec::new();
        while !self.unfolded.has_segment() && !unfolder.is_complete() {
            self.stored_segment(&mut stored)?;
            unfolder
                .push(&stored, self.unfolded.input())
                .and_then(|()| if self.read_bytes == self.stored_bytes { unfolder.finish() } else { Ok(()) })
                .map_err(|error| self.wrong(error.to_string()))?;
        }
        self.unfolded.segment(out);
        Ok(())
    }

    /// Reads the next stored segment into `out`.
    fn stored_segment(&mut self, out: &mut Vec<u8>) -> Result<(), ReadError> {
        out.clear();
        let name = self.member();
        let tar_error = |problem: TarError| ReadError::Tar { place: self.archive.place(self.position, &name), problem };
        let mut tar_header = Vec::new();
        self.archive.read(self.position, TAR_BLOCK_BYTES, &mut tar_header)?;
        let tar_header: &TarHeader = tar_header.first_chunk().unwrap_or(&[0; TAR_BLOCK_BYTES]);
        let size = if self.header.kind.has_numbers() {
            member::content_bytes(tar_header).map_err(tar_error)?
        } else {
            segment::next_bytes(self.stored_bytes, self.read_bytes)
        };
        member::check_header(tar_header, &name, size).map_err(tar_error)?;
        let content_at = self.position.saturating_add(TAR_BLOCK_BYTES as u64);
        self.archive.read(content_at, size, out)?;
        let padding_at = content_at.saturating_add(size as u64);
        let mut padding = Vec::new();
        self.archive.read(padding_at, member::padding_bytes(size), &mut padding)?;
        member::check_padding(&padding).map_err(tar_error)?;
        self.read_bytes += size as u64;
        self.position = padding_at.saturating_add(padding.len() as u64);
        Ok(())
    }

    /// The member that comes next.
    fn member(&self) -> String {
        let bytes_before = if self.header.kind.has_numbers() { self.given_bytes } else { self.read_bytes };
        name::segment(&self.stem, bytes_before / segment::SEGMENT_BYTES as u64)
    }

    fn wrong(&self, problem: String) -> ReadError {
        ReadError::Record {
            place: self.archive.place(self.position, &self.member()),
            kind: self.header.kind,
            key: self.header.key.to_string(),
            problem,
        }
    }
}
