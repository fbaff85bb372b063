//! What differs between a peer's snapshot and archives that are here (`format-spec/wire.md`, section 9).

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::comparison::Comparison;
use super::lists::Lists;
use crate::archive::RandomReader;
use crate::codec::manifest::IndexEntry;
use crate::endpoint::Failure;
use crate::record::{Key, Kind};
use crate::wire::{Connector, Steady};

/// The peer's records as rows of segments: those that are here, and the lists of the others. Takes memory by the number of segments; what differs is
/// put on a disk where it is much.
#[derive(Debug)]
pub struct Plan {
    pub(super) index: Vec<IndexEntry>,
    pub(super) rows: Vec<Row>,
    pub(super) lists: Arc<Lists>,
}

/// A part of the peer's records, in canonical order.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// What these blocks of the first archive hold.
    Own(Range<usize>),
    /// So many records of the lists, of segments that are not here.
    Listed(u64),
}

impl Plan {
    /// Compares archives with the peer's snapshot: the first one segment by segment, and what it lacks is looked for in all. `scratch` is a directory for
    /// lists that don't fit into memory.
    pub fn make<C: Connector>(
        steady: &mut Steady<C>,
        archives: &[&RandomReader],
        scratch: &Path,
    ) -> Result<Plan, Failure> {
        Comparison::with(archives)?.plan(steady, scratch)
    }

    /// The records that must come from the peer, in canonical order.
    pub fn wanted(&self) -> impl Iterator<Item = Result<(Kind, Key), Failure>> + Send + use<> {
        self.lists.records().filter_map(|listed| match listed {
            Ok((_, Some(_))) => None,
            Ok((record, None)) => Some(Ok((record.kind, record.key))),
            Err(failure) => Some(Err(failure)),
        })
    }

    /// Whether all of the peer's is here.
    pub fn wants_nothing(&self) -> bool {
        self.lists.found().missing == 0
    }

    /// Whether nothing of the peer's is here, so that it is better to ask for all.
    pub fn keeps_nothing(&self) -> bool {
        self.lists.found().here == 0 && self.rows.iter().all(|row| matches!(row, Row::Listed(_)))
    }
}
