//! What differs between a peer's snapshot and archives that are here (`format-spec/wire.md`, section 9).

use std::collections::HashMap;
use std::ops::Range;

use crate::archive::{RandomReader, ReadError, Stream};
use crate::codec::Digest;
use crate::codec::manifest::{Group, GroupCutter, Identity, IndexEntry};
use crate::endpoint::Failure;
use crate::record::{Key, Kind};
use crate::wire::{Connector, Level, Listed, Scope, Steady, WireError};

/// With so many segments or more, groups are compared first.
const MANY_SEGMENTS: usize = 512;
/// So many segments are asked for at once.
const SEGMENTS_AT_ONCE: usize = 2048;

/// The peer's records as rows of segments: those that are here, and the lists of the others. Takes memory by what differs.
#[derive(Debug)]
pub struct Plan {
    pub(super) index: Vec<IndexEntry>,
    pub(super) rows: Vec<Row>,
}

/// A part of the peer's records, in canonical order.
#[derive(Debug)]
pub(super) enum Row {
    /// What these blocks of the first archive hold.
    Own(Range<usize>),
    /// A segment that is not here, and for each of its records the number of the archive that has it.
    Listed(Vec<(Identity, Option<usize>)>),
}

/// A row before its segments have come.
enum Known {
    Own(Range<usize>),
    Listed(Vec<Identity>),
    Digest(Digest),
}

impl Plan {
    /// Compares archives with the peer's snapshot: the first one segment by segment, and what it lacks is looked for in all.
    pub fn make<C: Connector>(steady: &mut Steady<C>, archives: &[&RandomReader]) -> Result<Plan, Failure> {
        let Some(first) = archives.first() else { return Ok(Plan { index: Vec::new(), rows: Vec::new() }) };
        let index = first.index().collect::<Result<Vec<IndexEntry>, _>>()?;
        let own: Vec<Digest> = index.iter().map(|entry| entry.identity_digest).collect();
        let mut known = if own.len() < MANY_SEGMENTS { by_segments(steady, &own)? } else { by_groups(steady, &own)? };
        fetch_segments(steady, &mut known)?;
        let mut streams: Vec<Stream> = archives.iter().map(|archive| archive.stream()).collect();
        let mut rows: Vec<Row> = Vec::new();
        for known in known {
            match (known, rows.last_mut()) {
                (Known::Own(range), Some(Row::Own(last))) if last.end == range.start => last.end = range.end,
                (Known::Own(range), _) => rows.push(Row::Own(range)),
                (Known::Listed(records), _) => {
                    let mut listed = Vec::with_capacity(records.len());
                    for record in records {
                        let place = place_of(&record, &mut streams)?;
                        listed.push((record, place));
                    }
                    rows.push(Row::Listed(listed));
                }
                (Known::Digest(_), _) => {}
            }
        }
        Ok(Plan { index, rows })
    }

    /// The records that must come from the peer, in canonical order.
    pub fn wanted(&self) -> impl Iterator<Item = (Kind, Key)> + '_ {
        self.rows
            .iter()
            .flat_map(|row| match row {
                Row::Own(_) => &[][..],
                Row::Listed(records) => records,
            })
            .filter(|(_, place)| place.is_none())
            .map(|(record, _)| (record.kind, record.key.clone()))
    }

    /// Whether nothing of the peer's is here, so that it is better to ask for all.
    pub fn keeps_nothing(&self) -> bool {
        self.rows.iter().all(|row| match row {
            Row::Own(_) => false,
            Row::Listed(records) => records.iter().all(|(_, place)| place.is_none()),
        })
    }
}

/// The number of the first archive that has a record as it is listed.
fn place_of(record: &Identity, streams: &mut [Stream]) -> Result<Option<usize>, ReadError> {
    for (number, stream) in streams.iter_mut().enumerate() {
        if stream.seek(record.kind, &record.key)? && stream.upcoming()?.is_some_and(|own| own.digest == record.digest) {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

fn by_segments<C: Connector>(steady: &mut Steady<C>, own: &[Digest]) -> Result<Vec<Known>, WireError> {
    steady.attempt(|client| {
        let mut listing = client.since(Scope::All, Level::Segments, own)?;
        let mut known = Vec::new();
        while let Some(listed) = listing.next_node()? {
            known.extend(match listed {
                Listed::Keep(range) => Some(Known::Own(range)),
                Listed::Segment(_, records) => Some(Known::Listed(records)),
                // A listing of segments gives none.
                Listed::Group(_) => None,
            });
        }
        Ok(known)
    })
}

fn by_groups<C: Connector>(steady: &mut Steady<C>, own: &[Digest]) -> Result<Vec<Known>, WireError> {
    let mut cutter = GroupCutter::default();
    let mut groups: Vec<Group> = own.iter().filter_map(|segment| cutter.push(*segment)).collect();
    groups.extend(cutter.finish());
    let digests: Vec<Digest> = groups.iter().map(Group::digest).collect();
    // The number of the first segment of each group, and behind the last.
    let mut starts = vec![0];
    starts.extend(groups.iter().scan(0, |end, group| {
        *end += group.0.len();
        Some(*end)
    }));
    let numbers: HashMap<&Digest, usize> = own.iter().zip(0..).collect();
    steady.attempt(|client| {
        let mut listing = client.since(Scope::All, Level::Groups, &digests)?;
        let mut known = Vec::new();
        while let Some(listed) = listing.next_node()? {
            match listed {
                Listed::Keep(range) => known.push(Known::Own(starts[range.start]..starts[range.end])),
                Listed::Group(group) => known.extend(group.0.into_iter().map(|digest| match numbers.get(&digest) {
                    Some(number) => Known::Own(*number..*number + 1),
                    None => Known::Digest(digest),
                })),
                // A listing of groups gives none.
                Listed::Segment(..) => {}
            }
        }
        Ok(known)
    })
}

/// Gets the lists of the segments of which only the digests are known.
fn fetch_segments<C: Connector>(steady: &mut Steady<C>, known: &mut [Known]) -> Result<(), WireError> {
    let missing: Vec<Digest> = known
        .iter()
        .filter_map(|known| match known {
            Known::Digest(digest) => Some(*digest),
            _ => None,
        })
        .collect();
    let mut lists: HashMap<Digest, Vec<Identity>> = HashMap::new();
    for digests in missing.chunks(SEGMENTS_AT_ONCE) {
        let came = steady.attempt(|client| {
            let mut listing = client.segments(Scope::All, digests)?;
            let mut came = Vec::new();
            while let Some(listed) = listing.next_node()? {
                if let Listed::Segment(digest, records) = listed {
                    came.push((digest, records));
                }
            }
            Ok(came)
        })?;
        lists.extend(came);
    }
    for known in known {
        if let Known::Digest(digest) = known
            && let Some(records) = lists.remove(digest)
        {
            *known = Known::Listed(records);
        }
    }
    Ok(())
}
