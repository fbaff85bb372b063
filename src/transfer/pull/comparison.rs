//! Asks a peer what its snapshot has that archives here have not.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::lists::{Lists, Mark};
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

/// A row before its segments have come: some that are here, or one that is not.
enum Known {
    Own(Range<usize>),
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

    /// Compares. `scratch` is a directory for lists that don't fit into memory.
    pub fn plan<C: Connector>(self, steady: &mut Steady<C>, scratch: &Path) -> Result<Plan, Failure> {
        let mut rows = Rows {
            streams: self.archives.iter().map(|archive| archive.stream()).collect(),
            rows: Vec::new(),
            lists: Lists::new(scratch),
        };
        match &self.groups {
            _ if self.archives.is_empty() => {}
            Some(groups) => {
                let known = by_groups(steady, &self.own, groups)?;
                fetch_segments(steady, &known, &mut rows)?;
            }
            None => by_segments(steady, &self.own, &mut rows)?,
        }
        Ok(Plan { index: self.index, rows: rows.rows, lists: Arc::new(rows.lists) })
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

/// The rows of a plan, as they are put together.
struct Rows<'a> {
    streams: Vec<Stream<'a>>,
    rows: Vec<Row>,
    lists: Lists,
}

/// How far the rows were before an answer began.
struct RowsMark {
    rows: usize,
    last: Option<Row>,
    lists: Mark,
}

impl Rows<'_> {
    fn mark(&self) -> RowsMark {
        RowsMark { rows: self.rows.len(), last: self.rows.last().cloned(), lists: self.lists.mark() }
    }

    /// Forgets what was added since.
    fn cut(&mut self, mark: &RowsMark) {
        self.rows.truncate(mark.rows);
        if let (Some(last), Some(before)) = (self.rows.last_mut(), &mark.last) {
            last.clone_from(before);
        }
        self.lists.cut(mark.lists);
    }

    fn own(&mut self, range: Range<usize>) {
        match self.rows.last_mut() {
            Some(Row::Own(last)) if last.end == range.start => last.end = range.end,
            _ => self.rows.push(Row::Own(range)),
        }
    }

    fn listed(&mut self, records: &[Identity]) -> Result<(), Failure> {
        for record in records {
            let place = place_of(record, &mut self.streams)?;
            self.lists.push(record, place)?;
        }
        match self.rows.last_mut() {
            Some(Row::Listed(count)) => *count += records.len() as u64,
            _ => self.rows.push(Row::Listed(records.len() as u64)),
        }
        Ok(())
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

fn by_segments<C: Connector>(steady: &mut Steady<C>, own: &[Digest], rows: &mut Rows) -> Result<(), Failure> {
    let before = rows.mark();
    steady.attempt(|client| {
        rows.cut(&before);
        let mut listing = client.since(Scope::All, Level::Segments, own)?;
        while let Some(listed) = listing.next_node()? {
            match listed {
                Listed::Keep(range) => rows.own(range),
                // What goes wrong here is nothing that another connection would mend.
                Listed::Segment(_, records) => match rows.listed(&records) {
                    Ok(()) => {}
                    Err(failure) => return Ok(Err(failure)),
                },
                // A listing of segments gives none.
                Listed::Group(_) => {}
            }
        }
        Ok(Ok(()))
    })?
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

/// Gets the lists of the segments of which only the digests are known, and puts them between those that are here.
fn fetch_segments<C: Connector>(steady: &mut Steady<C>, known: &[Known], rows: &mut Rows) -> Result<(), Failure> {
    let missing: Vec<Digest> = known
        .iter()
        .filter_map(|known| match known {
            Known::Digest(digest) => Some(*digest),
            Known::Own(_) => None,
        })
        .collect();
    let questions: Vec<&[Digest]> = missing.chunks(SEGMENTS_AT_ONCE).collect();
    let (mut left, mut asked) = (known, 0);
    for (number, question) in questions.iter().enumerate() {
        let before = rows.mark();
        left = steady.attempt(|client| {
            rows.cut(&before);
            let result = (|| {
                asked = asked.max(number);
                while let Some(next) = questions.get(asked).filter(|next| client.may_ask(next.len() * 32)) {
                    client.ask_segments(Scope::All, next)?;
                    asked += 1;
                }
                client.begin_answer()?;
                listed_segments(client, question, left, rows)
            })();
            if result.is_err() {
                // If this connection broke, the next one must be asked again.
                asked = 0;
            }
            result
        })??;
    }
    match own_first(left, rows) {
        [] => Ok(()),
        _ => Err(NOT_IN_THE_ORDER.into()),
    }
}

const NOT_IN_THE_ORDER: WireError =
    WireError::Disagreement { problem: "its segments do not come in the order in which its groups have them" };

/// Puts an answer where it belongs, with what is here before it, and gives what is left behind it.
fn listed_segments<'k, R: Read, W: Write>(
    client: &mut Client<R, W>,
    question: &[Digest],
    mut left: &'k [Known],
    rows: &mut Rows,
) -> Result<Result<&'k [Known], Failure>, WireError> {
    let mut listing = client.listed_segments(question);
    while let Some(listed) = listing.next_node()? {
        let Listed::Segment(digest, records) = listed else { continue };
        left = match own_first(left, rows) {
            [Known::Digest(next), rest @ ..] if *next == digest => rest,
            _ => return Err(NOT_IN_THE_ORDER),
        };
        // What goes wrong here is nothing that another connection would mend.
        if let Err(failure) = rows.listed(&records) {
            return Ok(Err(failure));
        }
    }
    Ok(Ok(left))
}

/// Takes what is here up to the next segment that is not.
fn own_first<'k>(mut left: &'k [Known], rows: &mut Rows) -> &'k [Known] {
    while let [Known::Own(range), rest @ ..] = left {
        rows.own(range.clone());
        left = rest;
    }
    left
}
