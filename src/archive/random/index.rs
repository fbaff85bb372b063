//! The index of an archive: which block holds which records.

use super::super::error::ReadError;
use super::super::name;
use super::RandomReader;
use crate::codec::manifest::{self, IndexEntry, Segment};
use crate::record::{Key, Kind};

/// The entries of the index, in order. An index segment is read when its first entry is asked for.
#[derive(Clone, Debug)]
pub struct IndexEntries<'a> {
    archive: &'a RandomReader,
    next_segment: usize,
    entries: std::vec::IntoIter<IndexEntry>,
}

impl IndexEntries<'_> {
    /// Goes on to the last block that begins with this record or before it, if that is among those whose entries are in memory.
    pub(super) fn seek(&mut self, kind: Kind, key: &Key) -> bool {
        let there = self.entries.as_slice();
        let before = there.partition_point(|entry| (entry.kind, &entry.key) <= (kind, key));
        // Behind the last of them another block may begin before it.
        let is_among = before > 0 && before < there.len();
        if is_among {
            self.entries.by_ref().take(before - 1).for_each(drop);
        }
        is_among
    }
}

impl Iterator for IndexEntries<'_> {
    type Item = Result<IndexEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some(Ok(entry));
            }
            if self.next_segment >= self.archive.root.index.len() {
                return None;
            }
            let segment = self.archive.index_segment(self.next_segment);
            self.next_segment += 1;
            match segment {
                Ok(entries) => self.entries = entries.into_iter(),
                Err(error) => {
                    self.next_segment = usize::MAX;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl RandomReader {
    /// All entries of the index.
    pub fn index(&self) -> IndexEntries<'_> {
        IndexEntries { archive: self, next_segment: 0, entries: Vec::new().into_iter() }
    }

    /// The entries from the last block on that begins with this record or before it; without a key, before the first record of the kind.
    pub(super) fn index_from(&self, kind: Kind, key: Option<&Key>) -> Result<IndexEntries<'_>, ReadError> {
        let begins_before = |entry: &IndexEntry| match key {
            Some(key) => (entry.kind, &entry.key) <= (kind, key),
            None => entry.kind < kind,
        };
        // Binary search for the number of index segments that begin before.
        let (mut low, mut high) = (0, self.root.index.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let begins = self.index_segment(middle)?.first().is_some_and(begins_before);
            if begins {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(number) = low.checked_sub(1) else { return Ok(self.index()) };
        let mut entries = self.index_segment(number)?;
        let before = entries.partition_point(begins_before);
        entries.drain(..before.saturating_sub(1));
        Ok(IndexEntries { archive: self, next_segment: number + 1, entries: entries.into_iter() })
    }

    /// The manifest segment of a block.
    pub fn manifest_segment(&self, entry: &IndexEntry) -> Result<Segment, ReadError> {
        let place = || self.place(entry.segment_position, "manifest/");
        let content = self.alone_at(entry.segment_position, None)?;
        if content.len() != entry.segment_bytes as usize || blake3::hash(&content) != entry.segment_digest {
            let problem = "it has another digest than the index says".to_owned();
            return Err(ReadError::Manifest { place: place(), problem });
        }
        let segment = Segment::decode(&content).map_err(|source| ReadError::Codec { place: place(), source })?;
        let first = segment.identities.first().map(|first| (first.kind, &first.key));
        if first != Some((entry.kind, &entry.key)) || segment.encode().identity_digest != entry.identity_digest {
            let problem = "it is not what the index says of it".to_owned();
            return Err(ReadError::Manifest { place: place(), problem });
        }
        Ok(segment)
    }

    fn index_segment(&self, number: usize) -> Result<Vec<IndexEntry>, ReadError> {
        let Some(segment) = self.root.index.get(number) else { return Ok(Vec::new()) };
        let name = name::index_segment(number as u64);
        let content = self.alone_at(segment.position, Some(&name))?;
        let place = || self.place(segment.position, &name);
        if content.len() != segment.bytes as usize || blake3::hash(&content) != segment.digest {
            let problem = "it has another digest than the final manifest says".to_owned();
            return Err(ReadError::Manifest { place: place(), problem });
        }
        manifest::decode_index(&content).map_err(|source| ReadError::Codec { place: place(), source })
    }
}
