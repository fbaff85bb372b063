//! An archive as a place that is served to peers.

use std::sync::{Arc, OnceLock};

use crate::archive::{RandomReader, ReadError, Stream};
use crate::codec::Digest;
use crate::codec::manifest::{IndexEntry, encode_identities};
use crate::endpoint::{Class, Failure, Source};
use crate::record::{Body, End, Header, Key, Kind, SiteInfo};
use crate::wire::{Code, Pulse, Refusal, Scope, SegmentAt, Segments, Served, SnapshotId, Tally, Totals, View};

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
    totals: OnceLock<(Vec<(Kind, Totals)>, Totals)>,
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

    fn count(&self) -> Result<(Vec<(Kind, Totals)>, Totals), ReadError> {
        let mut all = Tally::new(Scope::All);
        let mut kinds: Vec<(Kind, Tally)> = Vec::new();
        for record in self.archive.records(None)? {
            let record = record?;
            let body_bytes = record.length.unwrap_or(0);
            if kinds.last().is_none_or(|(kind, _)| *kind != record.kind) {
                kinds.push((record.kind, Tally::new(Scope::Kind(record.kind))));
            }
            if let Some((_, tally)) = kinds.last_mut() {
                tally.record(record.kind, body_bytes, &record.digest);
            }
            all.record(record.kind, body_bytes, &record.digest);
        }
        Ok((kinds.iter().map(|(kind, tally)| (*kind, tally.totals())).collect(), all.totals()))
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

    fn totals(&self) -> Result<(Vec<(Kind, Totals)>, Totals), Failure> {
        if let Some(totals) = self.totals.get() {
            return Ok(totals.clone());
        }
        let totals = self.count()?;
        Ok(self.totals.get_or_init(|| totals).clone())
    }

    fn segments(&self, scope: Scope) -> Result<Segments<'_>, Failure> {
        let index = self.index()?;
        let range = match scope {
            Scope::All => 0..index.len(),
            // The block before the first that begins with the kind may end with it.
            Scope::Kind(kind) => {
                index.partition_point(|entry| entry.kind < kind).saturating_sub(1)
                    ..index.partition_point(|entry| entry.kind <= kind)
            }
        };
        Ok(Box::new(range.map(|number| Ok(SegmentAt { number, digest: index[number].identity_digest }))))
    }

    fn segment(&self, number: usize) -> Result<Vec<u8>, Failure> {
        let Some(entry) = self.index()?.get(number) else { return Ok(Vec::new()) };
        Ok(encode_identities(&self.archive.manifest_segment(entry)?.identities))
    }

    fn records(&self, scope: Scope, after: Option<(&(Kind, Key), u64)>) -> Result<Box<dyn Source + '_>, Refusal> {
        let mut stream = match scope {
            Scope::All => self.archive.stream(),
            Scope::Kind(kind) => self.archive.stream_from(kind).map_err(Failure::from)?,
        };
        let mut first = None;
        if let Some(((kind, key), offset)) = after {
            let header = open(&mut stream, *kind, key, offset)?;
            // What is complete is not sent again.
            first = Some(header).filter(|header| long_body_bytes(header).is_some_and(|length| offset < length));
        }
        Ok(Box::new(Walk { view: self, stream, first, wanted: Wanted::Scope(scope) }))
    }

    fn chosen(&self, kind: Kind, keys: Vec<Key>, offset: u64) -> Result<Box<dyn Source + '_>, Refusal> {
        let mut stream = self.archive.stream();
        for key in &keys {
            if !stream.seek(kind, key).map_err(Failure::from)? {
                return Err(missing(kind, key));
            }
        }
        let mut keys = keys.into_iter();
        let first = match keys.next() {
            None => None,
            Some(key) => {
                let header = open(&mut stream, kind, &key, offset)?;
                if offset > 0 && long_body_bytes(&header) == Some(offset) {
                    return Err(Refusal::new(Code::ILLEGAL, format!("nothing is left of {kind} {key} there")));
                }
                Some(header)
            }
        };
        Ok(Box::new(Walk { view: self, stream, first, wanted: Wanted::Keys(kind, keys) }))
    }
}

/// Goes to a record and into its body.
fn open(stream: &mut Stream<'_>, kind: Kind, key: &Key, offset: u64) -> Result<Header, Refusal> {
    let is_there = stream.seek(kind, key).map_err(Failure::from)?;
    let header = if is_there { stream.next_record().map_err(Failure::from)? } else { None };
    let header = header.ok_or_else(|| missing(kind, key))?;
    if !stream.skip_to(offset).map_err(Failure::from)? {
        let text = format!("no segment of the body of {kind} {key} begins at byte {offset}");
        return Err(Refusal::new(Code::ILLEGAL, text));
    }
    Ok(header)
}

fn missing(kind: Kind, key: &Key) -> Refusal {
    Refusal::new(Code::NO_RECORD, format!("there is no {kind} {key} in this snapshot"))
}

fn long_body_bytes(header: &Header) -> Option<u64> {
    match header.body {
        Some(Body::Segments(length)) => Some(length),
        _ => None,
    }
}

/// Records of an archive on their way to a peer.
struct Walk<'a> {
    view: &'a ArchiveView,
    stream: Stream<'a>,
    /// A record that was opened already.
    first: Option<Header>,
    wanted: Wanted,
}

enum Wanted {
    Scope(Scope),
    Keys(Kind, std::vec::IntoIter<Key>),
}

impl Source for Walk<'_> {
    fn site(&self) -> &SiteInfo {
        self.view.site()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match &mut self.wanted {
            Wanted::Scope(scope) => match self.stream.upcoming()? {
                Some(record) if scope.holds(record.kind) => {}
                _ => return Ok(None),
            },
            Wanted::Keys(kind, keys) => match keys.next() {
                None => return Ok(None),
                Some(key) => {
                    self.stream.seek(*kind, &key)?;
                }
            },
        }
        Ok(self.stream.next_record()?)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        Ok(self.stream.segment(segment)?)
    }

    fn digest(&self) -> Digest {
        self.stream.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(End { state_after: self.view.state_after().to_owned() })
    }
}
