//! An archive as a place that is served to peers.

use std::sync::{Arc, OnceLock};

use crate::archive::{RandomReader, ReadError, Stream};
use crate::codec::Digest;
use crate::codec::manifest::{Identity, IndexEntry, encode_identities};
use crate::endpoint::{Class, Failure, Source};
use crate::record::{Header, Key, Kind, SiteInfo};
use crate::transfer::served_records::{AllTotals, ServedRecords, Steps, Tallies, range_of};
use crate::wire::{Pulse, Refusal, Scope, SegmentAt, Segments, Served, SnapshotId, View};

/// Serves one archive, whatever snapshot is asked for.
pub struct ServedArchive(Arc<ArchiveView>);

impl ServedArchive {
    /// Serves this snapshot.
    pub fn new(view: Arc<ArchiveView>) -> Self {
        ServedArchive(view)
    }
}

impl Served for ServedArchive {
    fn snapshot(&mut self, _id: Option<&SnapshotId>, _pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        Ok(Arc::<ArchiveView>::clone(&self.0))
    }
}

/// An archive in a regular file, as a snapshot.
#[derive(Debug)]
pub struct ArchiveView {
    archive: RandomReader,
    id: SnapshotId,
    /// Kept once it was read: some 150 bytes for every hundred records.
    index: OnceLock<Vec<IndexEntry>>,
    totals: OnceLock<AllTotals>,
}

impl ArchiveView {
    /// Makes a snapshot of an archive. Its id follows from the final manifest, so the same archive is always the same snapshot.
    pub fn new(archive: RandomReader) -> Result<Self, Failure> {
        let root = archive.root().encode().map_err(|error| Failure::new(Class::Damaged, error))?;
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(&root).as_bytes()[..16]);
        Ok(ArchiveView { archive, id: SnapshotId(id), index: OnceLock::new(), totals: OnceLock::new() })
    }

    /// The archive.
    pub fn archive(&self) -> &RandomReader {
        &self.archive
    }

    fn index(&self) -> Result<&[IndexEntry], ReadError> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = self.archive.index().collect::<Result<Vec<_>, ReadError>>()?;
        Ok(self.index.get_or_init(|| index))
    }

    fn count(&self) -> Result<AllTotals, ReadError> {
        let mut tallies = Tallies::default();
        for record in self.archive.records(None)? {
            tallies.record(&record?);
        }
        Ok(tallies.totals())
    }
}

impl View for ArchiveView {
    fn id(&self) -> SnapshotId {
        self.id
    }

    fn site(&self) -> &SiteInfo {
        self.archive.site()
    }

    fn state_after(&self) -> &str {
        &self.archive.root().state_after
    }

    fn totals(&self) -> Result<AllTotals, Failure> {
        if let Some(totals) = self.totals.get() {
            return Ok(totals.clone());
        }
        let totals = self.count()?;
        Ok(self.totals.get_or_init(|| totals).clone())
    }

    fn segments(&self, scope: Scope) -> Result<Segments<'_>, Failure> {
        let index = self.index()?;
        let range = range_of(scope, index.len(), |holds| index.partition_point(|entry| holds(entry.kind)));
        Ok(Box::new(range.map(|number| Ok(SegmentAt { number, digest: index[number].identity_digest }))))
    }

    fn segment(&self, number: usize) -> Result<Vec<u8>, Failure> {
        let Some(entry) = self.index()?.get(number) else { return Ok(Vec::new()) };
        Ok(encode_identities(&self.archive.manifest_segment(entry)?.identities))
    }

    fn records(&self, scope: Scope, after: Option<(&(Kind, Key), u64)>) -> Result<Box<dyn Source + '_>, Refusal> {
        let stream = match scope {
            Scope::All => self.archive.stream(),
            Scope::Kind(kind) => self.archive.stream_from(kind).map_err(Failure::from)?,
        };
        Ok(Box::new(ServedRecords::of_scope(self, stream, scope, after)?))
    }

    fn chosen(&self, kind: Kind, keys: Vec<Key>, offset: u64) -> Result<Box<dyn Source + '_>, Refusal> {
        Ok(Box::new(ServedRecords::chosen(self, self.archive.stream(), kind, keys, offset)?))
    }
}

impl Steps for Stream<'_> {
    fn upcoming(&mut self) -> Result<Option<&Identity>, Failure> {
        Ok(Stream::upcoming(self)?)
    }

    fn seek(&mut self, kind: Kind, key: &Key) -> Result<bool, Failure> {
        Ok(Stream::seek(self, kind, key)?)
    }

    fn next_record(&mut self) -> Result<Option<Header>, Failure> {
        Ok(Stream::next_record(self)?)
    }

    fn skip_to(&mut self, offset: u64) -> Result<bool, Failure> {
        Ok(Stream::skip_to(self, offset)?)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        Ok(Stream::segment(self, segment)?)
    }

    fn digest(&self) -> Digest {
        Stream::digest(self)
    }
}
