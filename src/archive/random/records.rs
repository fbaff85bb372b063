//! Records by the manifest, and their headers.

use super::super::error::ReadError;
use super::super::member::TAR_BLOCK_BYTES;
use super::super::name;
use super::RandomReader;
use super::body::BodyReader;
use super::index::IndexEntries;
use crate::codec::cbor::Decoder;
use crate::codec::manifest::{Identity, IndexEntry, Segment, Storage};
use crate::codec::{CodecError, Digest, MAX_HEADER_BYTES, RecordHasher, header};
use crate::record::{Body, Header, Key, Kind};

/// A block as its manifest segment describes it.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) entry: IndexEntry,
    pub(super) segment: Segment,
}

/// Walks over the records of one kind, or of all.
#[derive(Debug)]
struct Walk<'a> {
    archive: &'a RandomReader,
    kind: Option<Kind>,
    entries: IndexEntries<'a>,
    block: Option<Block>,
    next_record: usize,
    ended: bool,
}

impl Walk<'_> {
    /// Goes to the next record: its block and number are then those of the walk.
    fn advance(&mut self) -> Result<Option<usize>, ReadError> {
        while !self.ended {
            let record = self.block.as_ref().and_then(|block| block.segment.identities.get(self.next_record));
            match (record, self.kind) {
                (Some(record), Some(kind)) if record.kind > kind => self.ended = true,
                (Some(record), Some(kind)) if record.kind < kind => self.next_record += 1,
                (Some(_), _) => {
                    self.next_record += 1;
                    return Ok(Some(self.next_record - 1));
                }
                (None, _) => match self.entries.next().transpose()? {
                    None => self.ended = true,
                    Some(entry) => {
                        let segment = self.archive.manifest_segment(&entry)?;
                        self.block = Some(Block { entry, segment });
                        self.next_record = 0;
                    }
                },
            }
        }
        Ok(None)
    }

    /// Gives something of the next record; after an error the walk has ended.
    fn step<T>(
        &mut self,
        work: impl FnOnce(&RandomReader, &Block, usize) -> Result<T, ReadError>,
    ) -> Option<Result<T, ReadError>> {
        let result = self.advance().and_then(|record| match (record, &self.block) {
            (Some(number), Some(block)) => work(self.archive, block, number).map(Some),
            _ => Ok(None),
        });
        self.ended |= result.is_err();
        result.transpose()
    }
}

/// What the manifest says of records, in canonical order.
#[derive(Debug)]
pub struct Records<'a>(Walk<'a>);

impl Iterator for Records<'_> {
    type Item = Result<Identity, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step(|_, block, number| Ok(block.segment.identities[number].clone()))
    }
}

/// Headers of records and their identity digests by the manifest, in canonical order. The digest of a record with a longer body was not compared.
#[derive(Debug)]
pub struct Headers<'a>(Walk<'a>);

impl Iterator for Headers<'_> {
    type Item = Result<(Header, Digest), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step(|archive, block, number| {
            let header = archive.header(block, number)?;
            Ok((header.unfolded(), block.segment.identities[number].digest))
        })
    }
}

impl RandomReader {
    /// What the manifest says of the records of a kind, or of all. Reads manifest segments only.
    pub fn records(&self, kind: Option<Kind>) -> Result<Records<'_>, ReadError> {
        self.walk(kind).map(Records)
    }

    /// The headers of the records of a kind, or of all. Reads the frames that hold headers.
    pub fn headers(&self, kind: Option<Kind>) -> Result<Headers<'_>, ReadError> {
        self.walk(kind).map(Headers)
    }

    /// One record: its header, and its body for those who want to read it. `None` if there is no such record.
    pub fn open_record(&self, kind: Kind, key: &Key) -> Result<Option<(Header, BodyReader<'_>)>, ReadError> {
        let Some(entry) = self.index_from(kind, Some(key))?.next().transpose()? else { return Ok(None) };
        let block = Block { segment: self.manifest_segment(&entry)?, entry };
        let order = |record: &Identity| (record.kind, &record.key).cmp(&(kind, key));
        let Ok(number) = block.segment.identities.binary_search_by(order) else { return Ok(None) };
        self.open_at(&block, number).map(Some)
    }

    /// The record with a number in its block.
    pub(super) fn open_at(&self, block: &Block, number: usize) -> Result<(Header, BodyReader<'_>), ReadError> {
        let header = self.header(block, number)?;
        let (identity, storage) = (&block.segment.identities[number], block.segment.storages[number]);
        // Saturating: a position that can't be is refused when something is read there.
        let behind_header = storage.offset.saturating_add(u64::from(storage.header_bytes));
        let in_block = behind_header.checked_next_multiple_of(TAR_BLOCK_BYTES as u64).unwrap_or(u64::MAX);
        let position = block.entry.position.saturating_add(in_block);
        let place = (position, storage.body_bytes);
        let body = BodyReader::new(self, &header, stem(&block.segment, number), identity.digest, place);
        Ok((header.unfolded(), body))
    }

    fn walk(&self, kind: Option<Kind>) -> Result<Walk<'_>, ReadError> {
        let entries = match kind {
            None => self.index(),
            Some(kind) => self.index_from(kind, None)?,
        };
        Ok(Walk { archive: self, kind, entries, block: None, next_record: 0, ended: false })
    }

    /// Reads a record's header and holds it against the manifest.
    fn header(&self, block: &Block, number: usize) -> Result<Header, ReadError> {
        let (identity, Storage { offset, header_bytes, body_bytes }) =
            (&block.segment.identities[number], block.segment.storages[number]);
        let member = name::headers(&stem(&block.segment, number));
        let position = block.entry.position.saturating_add(offset);
        let place = || self.place(position, &member);
        let wrong = |problem: &str| ReadError::Record {
            place: place(),
            kind: identity.kind,
            key: identity.key.to_string(),
            problem: problem.to_owned(),
        };
        let end = offset.saturating_add(u64::from(header_bytes)).saturating_add(body_bytes);
        if header_bytes as usize > MAX_HEADER_BYTES || end > block.segment.block_bytes {
            return Err(wrong("is too long for its block, by the manifest"));
        }
        let mut bytes = Vec::new();
        self.read(position, header_bytes as usize, &mut bytes)?;
        let codec = |source: CodecError| ReadError::Codec { place: place(), source };
        let mut decoder = Decoder::new(&bytes, "header");
        let header = header::decode(&mut decoder).map_err(codec)?;
        decoder.end().map_err(codec)?;
        let is_stored_so = match header.body {
            Some(Body::Segments(length)) if header.kind.has_numbers() => (1..=length).contains(&body_bytes),
            Some(Body::Segments(length)) => body_bytes == length,
            Some(Body::Folded(_)) => body_bytes > 0,
            _ => body_bytes == 0,
        };
        let length = header.body.as_ref().map(Body::length);
        if !is_stored_so || (header.kind, &header.key, length) != (identity.kind, &identity.key, identity.length) {
            return Err(wrong("is not the one that stands where the manifest puts it"));
        }
        if body_bytes == 0 {
            let mut hasher = RecordHasher::default();
            hasher.begin(&header);
            if hasher.digest() != identity.digest {
                return Err(wrong("has another digest than the manifest says"));
            }
        }
        Ok(header)
    }
}

/// `<kind>/<name>` of the member in which a record's header stands: that of the first of the headers that adjoin it.
fn stem(segment: &Segment, number: usize) -> String {
    let adjoins = |number: usize| {
        let (before, this) = (segment.storages[number - 1], segment.storages[number]);
        before.offset.checked_add(u64::from(before.header_bytes)) == Some(this.offset)
    };
    let mut first = number;
    while first > 0 && adjoins(first) {
        first -= 1;
    }
    let identity = &segment.identities[first];
    name::stem(identity.kind, &identity.key)
}
