//! Records with their bodies, one after the other or from place to place.

use super::super::error::ReadError;
use super::RandomReader;
use super::body::BodyReader;
use super::index::IndexEntries;
use super::records::Block;
use crate::codec::Digest;
use crate::codec::manifest::{Identity, IndexEntry};
use crate::record::{Header, Key, Kind};

/// Walks over records in canonical order. Each is checked as it is read: its header at once, a longer body at its end.
#[derive(Debug)]
pub struct Stream<'a> {
    archive: &'a RandomReader,
    entries: IndexEntries<'a>,
    block: Option<Block>,
    /// Number in the block of the record that comes next.
    next: usize,
    body: Option<BodyReader<'a>>,
    digest: Digest,
}

impl RandomReader {
    /// All records.
    pub fn stream(&self) -> Stream<'_> {
        Stream { archive: self, entries: self.index(), block: None, next: 0, body: None, digest: Digest::default() }
    }

    /// The records from the first of a kind on; if there is none, from where it would stand.
    pub fn stream_from(&self, kind: Kind) -> Result<Stream<'_>, ReadError> {
        let mut stream = Stream { entries: self.index_from(kind, None)?, ..self.stream() };
        while stream.upcoming()?.is_some_and(|record| record.kind < kind) {
            stream.next += 1;
        }
        Ok(stream)
    }
}

impl Stream<'_> {
    /// What the manifest says of the record that comes next.
    pub fn upcoming(&mut self) -> Result<Option<&Identity>, ReadError> {
        while self.block.as_ref().is_none_or(|block| self.next >= block.segment.identities.len()) {
            let Some(entry) = self.entries.next().transpose()? else { return Ok(None) };
            self.enter(entry)?;
        }
        Ok(self.block.as_ref().and_then(|block| block.segment.identities.get(self.next)))
    }

    /// Goes to a record, which then comes next; `false` if there is no such record, and then something else comes next.
    pub fn seek(&mut self, kind: Kind, key: &Key) -> Result<bool, ReadError> {
        let wanted = (kind, key);
        let range = self
            .block
            .as_ref()
            .and_then(|block| Some((block.segment.identities.first()?, block.segment.identities.last()?)));
        let is_here =
            range.is_some_and(|(first, last)| (first.kind, &first.key) <= wanted && wanted <= (last.kind, &last.key));
        if !is_here {
            if !self.entries.seek(kind, key) {
                self.entries = self.archive.index_from(kind, Some(key))?;
            }
            let Some(entry) = self.entries.next().transpose()? else { return Ok(false) };
            self.enter(entry)?;
        }
        self.body = None;
        let Some(block) = &self.block else { return Ok(false) };
        let found = block.segment.identities.binary_search_by(|record| (record.kind, &record.key).cmp(&wanted));
        self.next = found.unwrap_or_else(|behind| behind);
        Ok(found.is_ok())
    }

    /// Reads the header of the next record, whose body can then be read or passed over.
    pub fn next_record(&mut self) -> Result<Option<Header>, ReadError> {
        self.body = None;
        if self.upcoming()?.is_none() {
            return Ok(None);
        }
        let Some(block) = &self.block else { return Ok(None) };
        let (header, body) = self.archive.open_at(block, self.next)?;
        self.next += 1;
        self.digest = body.digest();
        self.body = Some(body);
        Ok(Some(header))
    }

    /// Passes over the body of the present record up to an offset where a segment begins, or its end; `false` if there is no such place.
    pub fn skip_to(&mut self, offset: u64) -> Result<bool, ReadError> {
        self.body.as_mut().map_or(Ok(offset == 0), |body| body.skip_to(offset))
    }

    /// Puts the next segment of the present record's body into `segment`, unfolded if need be; `false` when there is none left.
    pub fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, ReadError> {
        match &mut self.body {
            Some(body) => body.segment(segment),
            None => {
                segment.clear();
                Ok(false)
            }
        }
    }

    /// The identity digest of the present record by the manifest, with which all that was read of it has been compared.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn enter(&mut self, entry: IndexEntry) -> Result<(), ReadError> {
        let segment = self.archive.manifest_segment(&entry)?;
        self.block = Some(Block { entry, segment });
        self.next = 0;
        Ok(())
    }
}
