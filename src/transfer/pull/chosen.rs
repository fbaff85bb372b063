//! The records of a peer that are not here: as they come, or as they have come before.

use crate::archive::Stream;
use crate::codec::Digest;
use crate::endpoint::{Failure, Source};
use crate::record::{End, Header, SiteInfo};
use crate::wire::{Connector, Info, Steady, SteadyChosen};

use super::Plan;

/// Gives the records that a plan wants from the peer, one after the other, and no others.
pub trait Chosen {
    /// The next header; `None` when all have come.
    fn next_record(&mut self) -> Result<Option<Header>, Failure>;

    /// Puts the next segment of the present record's body into `segment`; `false` when there is none left.
    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure>;

    /// The identity digest of the present record, whose body was read to its end.
    fn digest(&self) -> Digest;
}

impl<C: Connector> Chosen for SteadyChosen<'_, C> {
    fn next_record(&mut self) -> Result<Option<Header>, Failure> {
        SteadyChosen::next_record(self)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        SteadyChosen::segment(self, segment)
    }

    fn digest(&self) -> Digest {
        SteadyChosen::digest(self)
    }
}

/// An archive of them, as [`Missing`] fills it.
impl Chosen for Stream<'_> {
    fn next_record(&mut self) -> Result<Option<Header>, Failure> {
        Ok(Stream::next_record(self)?)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        Ok(Stream::segment(self, segment)?)
    }

    fn digest(&self) -> Digest {
        Stream::digest(self)
    }
}

/// What a plan wants from the peer, as a source of its own: to have it here before anything is done with it.
pub struct Missing<'a, C: Connector> {
    info: Info,
    chosen: SteadyChosen<'a, C>,
    taken: u64,
}

impl<'a, C: Connector> Missing<'a, C> {
    /// Asks the peer for all that the plan wants from it.
    pub fn new(steady: &'a mut Steady<C>, plan: &Plan, info: Info) -> Self {
        Missing { info, chosen: steady.chosen(plan.wanted()), taken: 0 }
    }

    /// How many records came so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}

impl<C: Connector> Source for Missing<'_, C> {
    fn site(&self) -> &SiteInfo {
        &self.info.site
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let header = self.chosen.next_record()?;
        self.taken += u64::from(header.is_some());
        Ok(header)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.chosen.segment(segment)
    }

    fn digest(&self) -> Digest {
        self.chosen.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(End { state_after: self.info.state_after.clone() })
    }
}
