//! The body of one record.

use super::super::error::{ReadError, TarError};
use super::super::member::{self, TAR_BLOCK_BYTES, TarHeader};
use super::super::name;
use super::RandomReader;
use crate::codec::{Digest, RecordHasher, segment};
use crate::record::{Body, Header};

/// Reads a longer body segment by segment. A body that stands in the header has none.
#[derive(Debug)]
pub struct BodyReader<'a> {
    archive: &'a RandomReader,
    header: Header,
    stem: String,
    digest: Digest,
    hasher: RecordHasher,
    position: u64,
    body_bytes: u64,
    done_bytes: u64,
}

impl<'a> BodyReader<'a> {
    pub(super) fn new(archive: &'a RandomReader, header: &Header, stem: String, digest: Digest, position: u64) -> Self {
        let body_bytes = match header.body {
            Some(Body::Segments(length)) => length,
            _ => 0,
        };
        let mut hasher = RecordHasher::default();
        hasher.begin(header);
        BodyReader { archive, header: header.clone(), stem, digest, hasher, position, body_bytes, done_bytes: 0 }
    }

    /// Puts the next segment into `segment`; `false` when there is none left. The last one is given only if the record's digest is right.
    pub fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, ReadError> {
        segment.clear();
        let size = segment::next_bytes(self.body_bytes, self.done_bytes);
        if size == 0 {
            return Ok(false);
        }
        let name = name::segment(&self.stem, self.done_bytes / segment::SEGMENT_BYTES as u64);
        let tar_error = |problem: TarError| ReadError::Tar { place: self.archive.place(self.position, &name), problem };
        let mut tar_header = Vec::new();
        self.archive.read(self.position, TAR_BLOCK_BYTES, &mut tar_header)?;
        let tar_header: &TarHeader = tar_header.first_chunk().unwrap_or(&[0; TAR_BLOCK_BYTES]);
        member::check_header(tar_header, &name, size).map_err(tar_error)?;
        let content_at = self.position.saturating_add(TAR_BLOCK_BYTES as u64);
        self.archive.read(content_at, size, segment)?;
        let padding_at = content_at.saturating_add(size as u64);
        let mut padding = Vec::new();
        self.archive.read(padding_at, member::padding_bytes(size), &mut padding)?;
        member::check_padding(&padding).map_err(tar_error)?;
        self.hasher.body(segment);
        let done_bytes = self.done_bytes + size as u64;
        if done_bytes == self.body_bytes && self.hasher.digest() != self.digest {
            segment.clear();
            return Err(ReadError::Record {
                place: self.archive.place(self.position, &name),
                kind: self.header.kind,
                key: self.header.key.to_string(),
                problem: "has another digest than the manifest says".to_owned(),
            });
        }
        self.done_bytes = done_bytes;
        self.position = padding_at.saturating_add(padding.len() as u64);
        Ok(true)
    }
}
