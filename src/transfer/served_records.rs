//! Records of a snapshot on their way to a peer, whatever the snapshot is kept in.

use crate::codec::Digest;
use crate::codec::manifest::Identity;
use crate::endpoint::{Failure, Source};
use crate::record::{Body, End, Header, Key, Kind, SiteInfo};
use crate::wire::{Code, Refusal, Scope, Tally, Totals, View};

/// Goes through the records of a snapshot, one after the other or from place to place.
pub(super) trait Steps {
    /// What the record is that comes next.
    fn upcoming(&mut self) -> Result<Option<&Identity>, Failure>;
    /// Goes to a record; `false` if there is no such record.
    fn seek(&mut self, kind: Kind, key: &Key) -> Result<bool, Failure>;
    /// The header of the next record.
    fn next_record(&mut self) -> Result<Option<Header>, Failure>;
    /// Passes over the body of the present record up to an offset where a segment begins, or its end; `false` if there is no such place.
    fn skip_to(&mut self, offset: u64) -> Result<bool, Failure>;
    /// The next segment of its body; `false` when there is none left.
    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure>;
    /// The identity digest of the present record.
    fn digest(&self) -> Digest;
}

/// What there is of every kind that occurs, and of all.
pub(super) type AllTotals = (Vec<(Kind, Totals)>, Totals);

/// Adds up the records of a snapshot.
pub(super) struct Tallies {
    kinds: Vec<(Kind, Tally)>,
    all: Tally,
}

impl Default for Tallies {
    fn default() -> Self {
        Tallies { kinds: Vec::new(), all: Tally::new(Scope::All) }
    }
}

impl Tallies {
    /// Takes the next record, in canonical order.
    pub fn record(&mut self, record: &Identity) {
        let body_bytes = record.length.unwrap_or(0);
        if self.kinds.last().is_none_or(|(kind, _)| *kind != record.kind) {
            self.kinds.push((record.kind, Tally::new(Scope::Kind(record.kind))));
        }
        if let Some((_, tally)) = self.kinds.last_mut() {
            tally.record(record.kind, body_bytes, &record.digest);
        }
        self.all.record(record.kind, body_bytes, &record.digest);
    }

    /// The sums.
    pub fn totals(&self) -> AllTotals {
        (self.kinds.iter().map(|(kind, tally)| (*kind, tally.totals())).collect(), self.all.totals())
    }
}

/// The numbers of the blocks that hold records of a scope; `before` says how many of all begin with a kind of which something holds.
pub(super) fn range_of(
    scope: Scope,
    blocks: usize,
    before: impl Fn(&dyn Fn(Kind) -> bool) -> usize,
) -> std::ops::Range<usize> {
    match scope {
        Scope::All => 0..blocks,
        // The block before the first that begins with the kind may end with it.
        Scope::Kind(kind) => before(&|other| other < kind).saturating_sub(1)..before(&|other| other <= kind),
    }
}

/// The records that a peer has asked for.
pub(super) struct ServedRecords<'a, S> {
    view: &'a dyn View,
    steps: S,
    /// A record that was opened already.
    first: Option<Header>,
    wanted: Wanted,
}

enum Wanted {
    Scope(Scope),
    Keys(Kind, std::vec::IntoIter<Key>),
}

impl<'a, S: Steps> ServedRecords<'a, S> {
    /// The records of a scope, to the first of which the steps have come; or those behind a position, with what is left of the body there.
    pub fn of_scope(
        view: &'a dyn View,
        mut steps: S,
        scope: Scope,
        after: Option<(&(Kind, Key), u64)>,
    ) -> Result<Self, Refusal> {
        let mut first = None;
        if let Some(((kind, key), offset)) = after {
            let header = open(&mut steps, *kind, key, offset)?;
            // What is complete is not sent again.
            first = Some(header).filter(|header| long_body_bytes(header).is_some_and(|length| offset < length));
        }
        Ok(ServedRecords { view, steps, first, wanted: Wanted::Scope(scope) })
    }

    /// The records with these keys, all of which must be there.
    pub fn chosen(view: &'a dyn View, mut steps: S, kind: Kind, keys: Vec<Key>, offset: u64) -> Result<Self, Refusal> {
        for key in &keys {
            if !steps.seek(kind, key)? {
                return Err(missing(kind, key));
            }
        }
        let mut keys = keys.into_iter();
        let first = match keys.next() {
            None => None,
            Some(key) => {
                let header = open(&mut steps, kind, &key, offset)?;
                if offset > 0 && long_body_bytes(&header) == Some(offset) {
                    return Err(Refusal::new(Code::ILLEGAL, format!("nothing is left of {kind} {key} there")));
                }
                Some(header)
            }
        };
        Ok(ServedRecords { view, steps, first, wanted: Wanted::Keys(kind, keys) })
    }
}

/// Goes to a record and into its body.
fn open(steps: &mut impl Steps, kind: Kind, key: &Key, offset: u64) -> Result<Header, Refusal> {
    let header = if steps.seek(kind, key)? { steps.next_record()? } else { None };
    let header = header.ok_or_else(|| missing(kind, key))?;
    if !steps.skip_to(offset)? {
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

impl<S: Steps> Source for ServedRecords<'_, S> {
    fn site(&self) -> &SiteInfo {
        self.view.site()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match &mut self.wanted {
            Wanted::Scope(scope) => match self.steps.upcoming()? {
                Some(record) if scope.holds(record.kind) => {}
                _ => return Ok(None),
            },
            Wanted::Keys(kind, keys) => match keys.next() {
                None => return Ok(None),
                Some(key) => {
                    self.steps.seek(*kind, &key)?;
                }
            },
        }
        self.steps.next_record()
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.steps.segment(segment)
    }

    fn digest(&self) -> Digest {
        self.steps.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(End { state_after: self.view.state_after().to_owned() })
    }
}
