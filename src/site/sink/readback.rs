//! The read-back: whether what stands on the disk is what was to be written.
//!
//! Of each table, every pair is read again by the walk that proves a table whole, and what they add up to is compared. That a record's pair means
//! that record was proved before it was written (`agreement`), so nothing needs to be sorted and understood once more. Of files, directories and
//! links, the records are made again and their digests compared.

use std::sync::{Mutex, PoisonError};

use super::WriteSiteError;
use super::builder::{Tallies, file_name};
use super::checklist::{self, Checklist, Line};
use super::tally::{PairHasher, Tally};
use crate::endpoint::{Failure, Source as _};
use crate::monitor::Monitor;
use crate::record::Layout;
use crate::site::btree::{Item, Place, Table, TableError};
use crate::site::inventory;
use crate::site::{Arrangement, Parts, Site, Watch, data_directory, snapshot_now};

/// What must be found in a written site.
#[derive(Debug)]
pub struct Expected {
    tables: Tallies,
    files: Vec<Line>,
    layout: Layout,
}

impl Expected {
    pub(super) fn new(tables: Tallies, files: Checklist, layout: Layout) -> Self {
        Expected { tables, files: files.finish(), layout }
    }

    /// Reads the site that was written there, which nothing has touched since.
    ///
    /// # Errors
    /// When it can't be read, or is not what was written.
    pub fn read_back(&self, site: impl Into<Arrangement>, monitor: &dyn Monitor) -> Result<(), Failure> {
        let site = site.into();
        let altered = |what| Failure::from(WriteSiteError::Readback { path: site.root().to_owned(), what });
        let site = Site::of(written(&site, self.layout)?).map_err(|error| altered(error.to_string()))?;
        if !site.tables().numbers().eq(self.tables.keys().copied()) {
            return Err(altered("it has other tables".into()));
        }
        let mut waiting: Vec<(u8, Tally)> = self.tables.iter().map(|(number, tally)| (*number, *tally)).collect();
        // The longest first, so that no thread is left alone with it at the end.
        waiting.sort_by_key(|(_, tally)| tally.bytes);
        let waiting = Mutex::new(waiting);
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let check_tables = || {
            while let Some((number, expected)) = next() {
                let Some(table) = site.tables().get(number) else { continue };
                let found = tally(table, monitor).map_err(|error| match error {
                    TableError::Interrupted => Failure::interrupted(),
                    error => altered(error.to_string()),
                })?;
                if found != expected {
                    return Err(altered(difference(number, &expected, &found)));
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            // Without a thread of its own the tables wait for this one.
            let other = std::thread::Builder::new().spawn_scoped(scope, check_tables);
            let files = self.check_files(&site, monitor).and_then(|difference| match difference {
                None => check_tables(),
                Some(what) => Err(altered(what)),
            });
            let tables =
                other.map_or(Ok(()), |other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            files.and(tables)
        })
    }

    /// Where files, directories and links differ from what was written.
    fn check_files(&self, site: &Site, monitor: &dyn Monitor) -> Result<Option<String>, Failure> {
        let mut source = site.files(monitor);
        let (mut found, mut segment) = (Checklist::default(), Vec::new());
        while let Some(header) = source.next()? {
            while source.segment(&mut segment)? {
                if monitor.is_interrupted() {
                    return Err(Failure::interrupted());
                }
                monitor.progress(segment.len() as u64, 0);
            }
            monitor.progress(0, 1);
            found.record(header.kind, &header.key, &source.digest());
        }
        Ok(checklist::difference(&self.files, &found.finish()))
    }
}

/// A site that was written and not opened by a server.
fn written(site: &Arrangement, layout: Layout) -> Result<Parts, Failure> {
    let altered = |error: inventory::InventoryError| WriteSiteError::Readback {
        path: site.root().to_owned(),
        what: error.to_string(),
    };
    Ok(Parts {
        site: site.clone(),
        data: data_directory(site.root())?,
        inventory: inventory::take(site).map_err(altered)?,
        files: None,
        snapshot: snapshot_now("never opened", String::new()),
        layout: Some(layout),
        watch: Watch::Nothing,
        setting: None,
        losses: Vec::new(),
    })
}

/// What all pairs of a table add up to.
fn tally(table: &Table, monitor: &dyn Monitor) -> Result<Tally, TableError> {
    let mut tally = Tally::default();
    let mut items = table.items();
    let mut item = Item::default();
    while items.next_into(&mut item)? {
        let mut pair = PairHasher::new(&item.key);
        match &item.value {
            Place::Inline(value) => pair.update(value),
            place => {
                let mut value = table.value(place);
                while let Some(piece) = value.piece()? {
                    if monitor.is_interrupted() {
                        return Err(TableError::Interrupted);
                    }
                    pair.update(piece);
                }
            }
        }
        tally.add(pair);
        monitor.progress(u64::from(item.value.len()), 1);
        if monitor.is_interrupted() {
            return Err(TableError::Interrupted);
        }
    }
    Ok(tally)
}

fn difference(number: u8, expected: &Tally, found: &Tally) -> String {
    let name = file_name(number);
    if (expected.pairs, expected.bytes) == (found.pairs, found.bytes) {
        return format!("some of the {} pairs of {name} are others", found.pairs);
    }
    let Tally { pairs, bytes, .. } = found;
    format!("{name} has {pairs} pairs of {bytes} bytes, and {} of {} were written", expected.pairs, expected.bytes)
}
