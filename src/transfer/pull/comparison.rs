//! Asks a peer what its snapshot has that archives here have not.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::ops::Range;

use super::plan::{Plan, Row};
use crate::archive::{RandomReader, ReadError, Stream};
use crate::codec::Digest;
use crate::codec::manifest::{Group, GroupCutter, Identity, IndexEntry};
use crate::endpoint::Failure;
use crate::wire::{Ahead, Client, Connector, Level, Listed, Scope, Steady, WireError};

/// With so many segments or more, groups are compared first. The digests of fewer can be sent ahead of all answers.
const MANY_SEGMENTS: usize = 384;
/// So many segments are asked for at once, so that four such questions can be under way while the answer to a fifth comes.
const SEGMENTS_AT_ONCE: usize = 120;

/// Archives that are going to be compared with a peer's snapshot.
pub struct Comparison<'a> {
    archives: &'a [&'a RandomReader],
    /// What the first of them holds.
    index: Vec<IndexEntry>,
    own: Vec<Digest>,
    groups: Option<Groups>,
}

/// The segments of an archive in groups.
struct Groups {
    digests: Vec<Digest>,
    /// The number of the first segment of each group, and behind the last.
    starts: Vec<usize>,
}

/// A row before its segments have come.
enum Known {
    Own(Range<usize>),
    Listed(Vec<Identity>),
    Digest(Digest),
}

impl<'a> Comparison<'a> {
    /// Looks what the archives hold: the first one is compared segment by segment, and what it lacks is looked for in all.
    pub fn with(archives: &'a [&'a RandomReader]) -> Result<Self, ReadError> {
        let index = match archives.first() {
            Some(first) => first.index().collect::<Result<Vec<IndexEntry>, _>>()?,
            None => Vec::new(),
        };
        let own: Vec<Digest> = index.iter().map(|entry| entry.identity_digest).collect();
        let groups = (own.len() >= MANY_SEGMENTS).then(|| Groups::of(&own));
        Ok(Comparison { archives, index, own, groups })
    }

    /// What the peer will be asked first, to ask it ahead.
    pub fn question(&self) -> Option<Ahead<'_>> {
        self.archives.first()?;
        Some(match &self.groups {
            Some(groups) => Ahead::Since(Level::Groups, &groups.digests),
            None => Ahead::Since(Level::Segments, &self.own),
        })
    }

    /// Compares.
    pub fn plan<C: Connector>(self, steady: &mut Steady<C>) -> Result<Plan, Failure> {
        if self.archives.is_empty() {
            return Ok(Plan { index: Vec::new(), rows: Vec::new() });
        }
        let mut known = match &self.groups {
            Some(groups) => by_groups(steady, &self.own, groups)?,
            None => by_segments(steady, &self.own)?,
        };
        fetch_segments(steady, &mut known)?;
        let mut streams: Vec<Stream> = self.archives.iter().map(|archive| archive.stream()).collect();
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
        Ok(Plan { index: self.index, rows })
    }
}

impl Groups {
    fn of(segments: &[Digest]) -> Self {
        let mut cutter = GroupCutter::default();
        let mut groups: Vec<Group> = segments.iter().filter_map(|segment| cutter.push(*segment)).collect();
        groups.extend(cutter.finish());
        let mut starts = vec![0];
        starts.extend(groups.iter().scan(0, |end, group| {
            *end += group.0.len();
            Some(*end)
        }));
        Groups { digests: groups.iter().map(Group::digest).collect(), starts }
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

fn by_groups<C: Connector>(steady: &mut Steady<C>, own: &[Digest], groups: &Groups) -> Result<Vec<Known>, WireError> {
    let Groups { digests, starts } = groups;
    let numbers: HashMap<&Digest, usize> = own.iter().zip(0..).collect();
    steady.attempt(|client| {
        let mut listing = client.since(Scope::All, Level::Groups, digests)?;
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
    let questions: Vec<&[Digest]> = missing.chunks(SEGMENTS_AT_ONCE).collect();
    let (mut lists, mut asked) = (HashMap::new(), 0);
    for (number, question) in questions.iter().enumerate() {
        let came = steady.attempt(|client| {
            let result = (|| {
                asked = asked.max(number);
                while let Some(next) = questions.get(asked).filter(|next| client.may_ask(next.len() * 32)) {
                    client.ask_segments(Scope::All, next)?;
                    asked += 1;
                }
                client.begin_answer()?;
                listed_segments(client, question)
            })();
            if result.is_err() {
                // If this connection broke, the next one must be asked again.
                asked = 0;
            }
            result
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

fn listed_segments<R: Read, W: Write>(
    client: &mut Client<R, W>,
    chosen: &[Digest],
) -> Result<Vec<(Digest, Vec<Identity>)>, WireError> {
    let mut listing = client.listed_segments(chosen);
    let mut came = Vec::with_capacity(chosen.len());
    while let Some(listed) = listing.next_node()? {
        if let Listed::Segment(digest, records) = listed {
            came.push((digest, records));
        }
    }
    Ok(came)
}
