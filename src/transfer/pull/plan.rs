//! What differs between a peer's snapshot and archives that are here (`format-spec/wire.md`, section 9).

use std::ops::Range;

use super::comparison::Comparison;
use crate::archive::RandomReader;
use crate::codec::manifest::{Identity, IndexEntry};
use crate::endpoint::Failure;
use crate::record::{Key, Kind};
use crate::wire::{Connector, Steady};

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

impl Plan {
    /// Compares archives with the peer's snapshot: the first one segment by segment, and what it lacks is looked for in all.
    pub fn make<C: Connector>(steady: &mut Steady<C>, archives: &[&RandomReader]) -> Result<Plan, Failure> {
        Comparison::with(archives)?.plan(steady)
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
