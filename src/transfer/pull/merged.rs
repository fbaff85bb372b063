//! A peer's records, of which only those come over the wire that are not here.

use super::chosen::Chosen;
use super::lists::Records;
use super::plan::{Plan, Row};
use crate::archive::{RandomReader, Stream};
use crate::codec::Digest;
use crate::codec::manifest::{Identity, IndexEntry};
use crate::endpoint::{Failure, Source};
use crate::record::{Body, End, Header, Key, Kind, SiteInfo};
use crate::wire::{Connector, Info, Scope, Steady, SteadyChosen, Tally, WireError};

/// The peer's snapshot, put together from archives and what the peer gives. A record that is here is taken from the archive that has it, with
/// the residue that it has there.
pub struct Merged<'a, P: Chosen> {
    info: Info,
    index: Vec<IndexEntry>,
    rows: std::vec::IntoIter<Row>,
    listed_records: Records,
    row: Present,
    own: Vec<Stream<'a>>,
    /// The archive that the present record is from, if it is from one.
    place: usize,
    peer: P,
    /// Of the present record: what the peer lists of it, if it came from there.
    listed: Option<Identity>,
    present: Option<(Kind, Key, u64)>,
    tally: Tally,
    taken: (u64, u64),
}

/// The row that records are taken from.
enum Present {
    /// The first archive, up to the record with which this block begins.
    Own(usize),
    /// So many of the lists.
    Listed(u64),
}

impl<'a, C: Connector> Merged<'a, SteadyChosen<'a, C>> {
    /// Takes what the archives have from there, and all else from the peer. They are those that the plan was made with.
    pub fn new(steady: &'a mut Steady<C>, archives: &[&'a RandomReader], plan: Plan, info: Info) -> Self {
        let wanted = plan.wanted();
        Merged::of(archives, plan, info, steady.chosen(wanted))
    }
}

impl<'a, P: Chosen> Merged<'a, P> {
    /// Takes what the archives have from there, and all else from what the plan wants.
    pub fn of(archives: &[&'a RandomReader], plan: Plan, info: Info, peer: P) -> Self {
        Merged {
            info,
            index: plan.index,
            rows: plan.rows.into_iter(),
            listed_records: plan.lists.records(),
            row: Present::Listed(0),
            own: archives.iter().map(|archive| archive.stream()).collect(),
            place: 0,
            peer,
            listed: None,
            present: None,
            tally: Tally::new(Scope::All),
            taken: (0, 0),
        }
    }

    /// How many records came from archives so far, and how many from the peer.
    pub fn taken(&self) -> (u64, u64) {
        self.taken
    }

    /// The next record of the present row or of those behind it.
    fn advance(&mut self) -> Result<Option<Header>, Failure> {
        loop {
            match &mut self.row {
                Present::Own(end) => {
                    let behind = self.index.get(*end).map(|entry| (entry.kind, &entry.key));
                    let Some(own) = self.own.first_mut() else { return Ok(None) };
                    let upcoming = own.upcoming()?.map(|record| (record.kind, &record.key));
                    if upcoming.is_some_and(|record| behind.is_none_or(|behind| record < behind)) {
                        return self.take_own(0);
                    }
                }
                Present::Listed(0) => {}
                Present::Listed(left) => {
                    *left -= 1;
                    match self.listed_records.next().transpose()? {
                        Some((record, Some(place))) => {
                            if let Some(own) = self.own.get_mut(place) {
                                own.seek(record.kind, &record.key)?;
                            }
                            return self.take_own(place);
                        }
                        Some((record, None)) => {
                            self.taken.1 += 1;
                            self.listed = Some(record);
                            return self.peer.next_record();
                        }
                        // The lists have as many as the rows say.
                        None => {}
                    }
                }
            }
            match self.rows.next() {
                None => return Ok(None),
                Some(Row::Listed(count)) => self.row = Present::Listed(count),
                Some(Row::Own(range)) => {
                    if let (Some(first), Some(own)) = (self.index.get(range.start), self.own.first_mut()) {
                        own.seek(first.kind, &first.key)?;
                    }
                    self.row = Present::Own(range.end);
                }
            }
        }
    }

    /// The record that comes next in an archive.
    fn take_own(&mut self, place: usize) -> Result<Option<Header>, Failure> {
        self.taken.0 += 1;
        self.place = place;
        Ok(self.own.get_mut(place).map_or(Ok(None), Stream::next_record)?)
    }

    /// Counts the present record, whose body was read to its end.
    fn complete(&mut self) -> Result<(), Failure> {
        let digest = self.digest();
        let Some((kind, _, body_bytes)) = &self.present else { return Ok(()) };
        if self.listed.as_ref().is_some_and(|listed| listed.digest != digest) {
            return Err(WireError::Digest { what: "a record" }.into());
        }
        self.tally.record(*kind, *body_bytes, &digest);
        Ok(())
    }
}

impl<P: Chosen> Source for Merged<'_, P> {
    fn site(&self) -> &SiteInfo {
        &self.info.site
    }

    fn position(&self) -> Option<(u64, u64)> {
        Some((self.tally.body_bytes(), self.info.total.body_bytes))
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let mut rest = Vec::new();
        while self.segment(&mut rest)? {}
        self.complete()?;
        let last = self.present.take();
        self.listed = None;
        let Some(header) = self.advance()? else { return Ok(None) };
        if last.is_some_and(|(kind, key, _)| (kind, &key) >= (header.kind, &header.key)) {
            let problem = "what it lists is not in canonical order";
            return Err(WireError::Disagreement { problem }.into());
        }
        let body_bytes = header.body.as_ref().map_or(0, Body::length);
        self.present = Some((header.kind, header.key.clone(), body_bytes));
        Ok(Some(header))
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        Ok(match self.listed {
            Some(_) => self.peer.segment(segment)?,
            None => self.own.get_mut(self.place).map_or(Ok(false), |own| own.segment(segment))?,
        })
    }

    fn digest(&self) -> Digest {
        match self.listed {
            Some(_) => self.peer.digest(),
            None => self.own.get(self.place).map(Stream::digest).unwrap_or_default(),
        }
    }

    fn finish(&mut self) -> Result<End, Failure> {
        if self.tally.totals() != self.info.total {
            let problem = "the records that it lists are not those that it counted";
            return Err(WireError::Disagreement { problem }.into());
        }
        Ok(End { state_after: self.info.state_after.clone() })
    }
}
