//! The tables of a site that is being written: pairs on their way to the thread that writes them.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::WriteSiteError;
use super::builder::{Batch, Builder, Part, Plan, Tallies, WHOLE_BYTES};
use crate::endpoint::no_thread;
use crate::site::layout::Pair;

/// A batch is sent when it has so many bytes, or so many parts.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_PARTS: usize = 2048;
/// Batches that wait to be written.
const WAITING_BATCHES: usize = 2;

/// All tables.
pub(super) struct TableSet {
    thread: Option<Writing>,
    batch: Batch,
    /// The tables that may still get pairs, if not all.
    only: Option<&'static [u8]>,
}

/// The thread that writes.
struct Writing {
    batches: SyncSender<Batch>,
    used: Receiver<Batch>,
    thread: JoinHandle<Result<Option<Tallies>, WriteSiteError>>,
}

/// A value on its way into a table.
pub(super) struct ValueStream {
    table: u8,
    key: Vec<u8>,
    length: u32,
    left: u32,
    is_begun: bool,
}

impl ValueStream {
    /// A value of so many bytes. Nothing is written before its first byte comes, or its end.
    pub fn new(table: u8, key: Vec<u8>, length: u64) -> Result<Self, WriteSiteError> {
        let too_long = |_| WriteSiteError::ValueTooLong { limit: u32::MAX as usize };
        let length = u32::try_from(length).map_err(too_long)?;
        Ok(ValueStream { table, key, length, left: length, is_begun: false })
    }

    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        u64::from(self.left)
    }
}

impl TableSet {
    /// Tables that are made as the plan says.
    pub fn begin(plan: Plan) -> Result<Self, WriteSiteError> {
        let data = plan.data.clone();
        let (batches, receiver) = sync_channel(WAITING_BATCHES);
        let (sender, used) = channel();
        let thread = std::thread::Builder::new()
            .name("tables".into())
            .spawn(move || Builder::new(plan).run(&receiver, &sender))
            .map_err(|error| WriteSiteError::Io { path: data, source: no_thread(error) })?;
        Ok(TableSet { thread: Some(Writing { batches, used, thread }), batch: Batch::default(), only: None })
    }

    /// So many tables are made, also where no record comes for them.
    pub fn exist(&mut self, count: u8) {
        self.batch.tables = Some(count);
    }

    /// Writes nothing from now on: the tables will not be used.
    pub fn stop(&mut self) {
        self.batch = Batch::default();
        if let Some(Writing { batches, thread, .. }) = self.thread.take() {
            drop(batches);
            // What became of tables that nobody wants is of no interest.
            let _ = thread.join();
        }
    }

    /// Writes a pair.
    pub fn put(&mut self, pair: &Pair) -> Result<(), WriteSiteError> {
        let Pair { table, key, value } = pair;
        let (key_bytes, value_bytes) = (key.len(), value.len());
        self.part(Part::Pair { table: *table, key_bytes, value_bytes }, [key, value])
    }

    /// Adds bytes to a value; not more than are left. What is begun here must be ended before another one begins.
    pub fn write(&mut self, value: &mut ValueStream, bytes: &[u8]) -> Result<(), WriteSiteError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let is_first = !std::mem::replace(&mut value.is_begun, true);
        value.left = value.left.saturating_sub(bytes.len() as u32);
        let table = value.table;
        if is_first && value.left == 0 {
            let part = Part::Pair { table, key_bytes: value.key.len(), value_bytes: bytes.len() };
            return self.part(part, [&value.key, bytes]);
        }
        if is_first {
            let part = Part::Key { table, key_bytes: value.key.len(), value_bytes: value.length };
            self.part(part, [&value.key, &[]])?;
        }
        bytes.chunks(WHOLE_BYTES).try_for_each(|piece| self.part(Part::Piece { bytes: piece.len() }, [piece, &[]]))
    }

    /// Ends a value.
    pub fn end(&mut self, value: ValueStream) -> Result<(), WriteSiteError> {
        if value.left > 0 {
            return Err(WriteSiteError::ShortValue { announced: value.length, missing: value.left });
        }
        if value.is_begun {
            return Ok(());
        }
        self.part(Part::Pair { table: value.table, key_bytes: value.key.len(), value_bytes: 0 }, [&value.key, &[]])
    }

    /// No pair will come for a table but these; the others are ended meanwhile.
    pub fn only(&mut self, tables: &'static [u8]) -> Result<(), WriteSiteError> {
        if self.only == Some(tables) {
            return Ok(());
        }
        self.only = Some(tables);
        self.batch.only = Some(tables);
        self.send()
    }

    /// Ends all tables, and makes those that no record came for. What was written to each.
    pub fn finish(&mut self) -> Result<Tallies, WriteSiteError> {
        self.batch.is_last = true;
        self.send()?;
        match self.thread.take() {
            Some(writing) => writing.end().map(Option::unwrap_or_default),
            None => Ok(Tallies::new()),
        }
    }

    fn part(&mut self, part: Part, bytes: [&[u8]; 2]) -> Result<(), WriteSiteError> {
        if self.thread.is_none() {
            return Ok(());
        }
        self.batch.parts.push(part);
        bytes.iter().for_each(|bytes| self.batch.bytes.extend_from_slice(bytes));
        if self.batch.bytes.len() < BATCH_BYTES && self.batch.parts.len() < BATCH_PARTS {
            return Ok(());
        }
        self.send()
    }

    fn send(&mut self) -> Result<(), WriteSiteError> {
        let Some(writing) = &self.thread else { return Ok(()) };
        let next = writing.used.try_recv().unwrap_or_default();
        if writing.batches.send(std::mem::replace(&mut self.batch, next)).is_ok() {
            return Ok(());
        }
        match self.thread.take() {
            Some(writing) => writing.end().map(drop),
            None => Ok(()),
        }
    }
}

impl Writing {
    /// What the thread ended with.
    fn end(self) -> Result<Option<Tallies>, WriteSiteError> {
        drop(self.batches);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for TableSet {
    /// Nothing writes to the site any more when this is gone.
    fn drop(&mut self) {
        self.stop();
    }
}
