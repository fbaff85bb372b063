//! The whole walk: every pair, and every byte of every value.

use std::path::Path;

use super::CheckError;
use crate::monitor::Monitor;
use crate::site::btree::{Item, Place, Table, TableError};
use crate::site::settled::table_names;

/// What a whole table holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Its pairs.
    pub pairs: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Walks over all pairs of a table and reads every value to its end. A table for which this succeeds is whole: its tree and the chain of its
/// leaves agree, keys rise, no page is used twice, every long value is as long as its item says.
///
/// # Errors
/// The first damage that is found, a failure of the disk, or [`TableError::Interrupted`].
pub fn walk_table(table: &Table, monitor: &dyn Monitor) -> Result<Walked, TableError> {
    let mut walked = Walked::default();
    let mut items = table.items();
    let mut item = Item::default();
    while items.next_into(&mut item)? {
        if matches!(item.value, Place::Overflow { .. }) {
            let mut value = table.value(&item.value);
            while value.piece()?.is_some() {
                if monitor.is_interrupted() {
                    return Err(TableError::Interrupted);
                }
            }
        }
        if monitor.is_interrupted() {
            return Err(TableError::Interrupted);
        }
        let bytes = item.key.len() as u64 + u64::from(item.value.len());
        walked.pairs += 1;
        walked.bytes += bytes;
        monitor.progress(bytes, 1);
    }
    Ok(walked)
}

/// A table's name, and what came of the walk over it.
pub type NamedWalk = (String, Result<Walked, TableError>);

/// Walks over every `cdb.NN` of a data directory, in order of their names.
///
/// # Errors
/// When the directory can't be listed, or the user interrupts.
pub fn walk_tables(data: &Path, monitor: &dyn Monitor) -> Result<Vec<NamedWalk>, CheckError> {
    let mut walked = Vec::new();
    for name in table_names(data).map_err(CheckError::unlisted(data))? {
        let found = Table::open(&data.join(&name)).and_then(|table| walk_table(&table, monitor));
        if let Err(TableError::Interrupted) = found {
            return Err(CheckError::Interrupted);
        }
        walked.push((name, found));
    }
    Ok(walked)
}
