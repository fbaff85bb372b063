//! The thread that writes the tables: it sorts, and builds trees, while another one reads and understands records.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;

use rustix::io::Errno;

use super::WriteSiteError;
use super::tally::{PairHasher, Tally};
use crate::endpoint::no_thread;
use crate::record::ByteOrder;
use crate::site::btree::{BigValue, DEFAULT_PAGE_SIZE, TableWriter};
use crate::site::layout::table;

/// A value up to so many bytes is written in one go; a longer one goes to its pages as it comes.
pub(super) const WHOLE_BYTES: usize = 64 << 10;
/// Memory for the sort of the table of messages, and of every other table, in bytes.
const MESSAGES_SORT_BYTES: usize = 48 << 20;
const SORT_BYTES: usize = 3 << 20;

/// What is to be written, one pair after the other; the value of a long one may go on in the next batch.
#[derive(Default)]
pub(super) struct Batch {
    /// Keys and values.
    pub bytes: Vec<u8>,
    pub parts: Vec<Part>,
    /// Behind this batch no pair comes for a table but these; for none, if it is the last one.
    pub only: Option<&'static [u8]>,
    /// How many tables a server of the site's release has, in the first batch.
    pub tables: Option<u8>,
    pub is_last: bool,
}

/// What the next bytes of a batch are.
pub(super) enum Part {
    /// A key, and the whole value.
    Pair { table: u8, key_bytes: usize, value_bytes: usize },
    /// The key of a pair whose value of so many bytes follows in pieces.
    Key { table: u8, key_bytes: usize, value_bytes: u32 },
    /// A piece of that value.
    Piece { bytes: usize },
}

/// What was written to each table.
pub(super) type Tallies = BTreeMap<u8, Tally>;

/// How tables are made.
#[derive(Clone)]
pub(super) struct Plan {
    /// The directory of the tables.
    pub data: PathBuf,
    /// The directory for what doesn't fit in memory.
    pub scratch: PathBuf,
    /// User and group of the files.
    pub owner: Option<(u32, u32)>,
    /// The byte order of pages.
    pub order: ByteOrder,
}

/// The tables that are being written.
pub(super) struct Builder {
    plan: Plan,
    open: BTreeMap<u8, Open>,
    /// The value that comes in pieces.
    value: Option<(u8, BigValue, PairHasher, u32)>,
    /// Tables that are complete, on their way into their files.
    finishing: Vec<JoinHandle<Result<Tallies, WriteSiteError>>>,
    /// The tables that may still get pairs.
    only: &'static [u8],
    /// How many tables there are to be.
    count: u8,
}

const ALL: [u8; table::COUNT as usize] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

struct Open {
    writer: TableWriter,
    tally: Tally,
}

impl Builder {
    pub fn new(plan: Plan) -> Self {
        Builder { plan, open: BTreeMap::new(), value: None, finishing: Vec::new(), only: &ALL, count: table::COUNT }
    }

    /// Takes batches, and gives them back for their memory, up to the last one; then ends all tables. `None` if the last one never came.
    pub fn run(mut self, batches: &Receiver<Batch>, used: &Sender<Batch>) -> Result<Option<Tallies>, WriteSiteError> {
        while let Ok(mut batch) = batches.recv() {
            self.count = batch.tables.take().unwrap_or(self.count);
            self.take(&batch)?;
            if batch.is_last {
                return self.finish().map(Some);
            }
            if let Some(only) = batch.only.take() {
                self.finish_all_but(only)?;
            }
            batch.bytes.clear();
            batch.parts.clear();
            // At the end nobody needs it.
            let _ = used.send(batch);
        }
        Ok(None)
    }

    fn take(&mut self, batch: &Batch) -> Result<(), WriteSiteError> {
        let mut rest = batch.bytes.as_slice();
        let mut next = |count: usize| {
            let (now, later) = rest.split_at(count);
            rest = later;
            now
        };
        for part in &batch.parts {
            match *part {
                Part::Pair { table, key_bytes, value_bytes } => {
                    let (key, value) = (next(key_bytes), next(value_bytes));
                    let Open { writer, tally } = self.open(table)?;
                    writer.put(key, value)?;
                    let mut pair = PairHasher::new(key);
                    pair.update(value);
                    tally.add(pair);
                }
                Part::Key { table, key_bytes, value_bytes } => {
                    let key = next(key_bytes);
                    let value = self.open(table)?.writer.put_big(key, value_bytes)?;
                    self.value = Some((table, value, PairHasher::new(key), value_bytes));
                }
                Part::Piece { bytes } => self.piece(next(bytes))?,
            }
        }
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<(), WriteSiteError> {
        let Some((table, mut value, mut pair, left)) = self.value.take() else { return Ok(()) };
        let Open { writer, tally } = self.open(table)?;
        value.write(writer, bytes)?;
        pair.update(bytes);
        // More than was announced has been refused by the writer.
        let left = left.saturating_sub(bytes.len() as u32);
        if left > 0 {
            self.value = Some((table, value, pair, left));
            return Ok(());
        }
        value.finish(writer)?;
        tally.add(pair);
        Ok(())
    }

    fn open(&mut self, table: u8) -> Result<&mut Open, WriteSiteError> {
        let Plan { data, scratch, order, .. } = &self.plan;
        match self.open.entry(table) {
            std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let memory = if table == table::MESSAGES { MESSAGES_SORT_BYTES } else { SORT_BYTES };
                let path = data.join(file_name(table));
                let writer = TableWriter::create_for(&path, scratch, memory, DEFAULT_PAGE_SIZE, *order)?;
                Ok(entry.insert(Open { writer, tally: Tally::default() }))
            }
        }
    }

    /// Ends the tables that are complete on another thread: their trees are built, and go to the disk, while other tables are being filled.
    fn finish_all_but(&mut self, only: &'static [u8]) -> Result<(), WriteSiteError> {
        let complete = ALL.iter().filter(|number| self.only.contains(number) && !only.contains(number));
        let complete = complete.filter(|number| **number < self.count).collect::<Vec<_>>();
        for number in complete {
            self.open(*number)?;
        }
        self.only = only;
        let (later, now) = std::mem::take(&mut self.open).into_iter().partition(|(number, _)| only.contains(number));
        self.open = later;
        let (plan, path) = (self.plan.clone(), self.plan.data.clone());
        let thread = std::thread::Builder::new()
            .name("finish".into())
            .spawn(move || {
                let (tallies, files) = finish(now, &plan)?;
                for file in &files {
                    // A system tells of what went wrong once, and before Linux 5.8 not when the whole is synced.
                    sync(file).map_err(|source| WriteSiteError::Io { path: plan.data.clone(), source })?;
                }
                Ok(tallies)
            })
            .map_err(|error| WriteSiteError::Io { path, source: no_thread(error) })?;
        self.finishing.push(thread);
        Ok(())
    }

    /// Ends the tables that are open, and makes those that no record came for: a server has all of them.
    fn finish(mut self) -> Result<Tallies, WriteSiteError> {
        let (only, count) = (self.only, self.count);
        for number in only.iter().filter(|number| **number < count) {
            self.open(*number)?;
        }
        let (mut tallies, _) = finish(std::mem::take(&mut self.open), &self.plan)?;
        for thread in std::mem::take(&mut self.finishing) {
            let finished = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            tallies.append(&mut finished?);
        }
        Ok(tallies)
    }
}

impl Drop for Builder {
    /// Nothing writes to the site any more when this is gone.
    fn drop(&mut self) {
        for thread in self.finishing.drain(..) {
            // The error that has ended the work early is the one to tell.
            let _ = thread.join();
        }
    }
}

/// Builds the trees of tables.
fn finish(tables: BTreeMap<u8, Open>, plan: &Plan) -> Result<(Tallies, Vec<File>), WriteSiteError> {
    let (mut tallies, mut files) = (Tallies::new(), Vec::new());
    for (number, Open { writer, tally }) in tables {
        let path = plan.data.join(file_name(number));
        let file = writer.finish()?;
        if let Some((uid, gid)) = plan.owner {
            std::os::unix::fs::fchown(&file, Some(uid), Some(gid))
                .map_err(|source| WriteSiteError::Io { path, source })?;
        }
        tallies.insert(number, tally);
        files.push(file);
    }
    Ok((tallies, files))
}

/// Has a table on the disk. Some file systems have nothing to sync, and say so by EINVAL (fsync(2)).
fn sync(table: &File) -> std::io::Result<()> {
    match rustix::fs::fdatasync(table) {
        Err(Errno::INVAL) => Ok(()),
        result => Ok(result?),
    }
}

pub(super) fn file_name(table: u8) -> String {
    format!("cdb.{table:02x}")
}
