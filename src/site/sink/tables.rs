//! The tables of a site that is being written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::WriteSiteError;
use crate::record::ByteOrder;
use crate::site::btree::{BigValue, DEFAULT_PAGE_SIZE, TableWriter};
use crate::site::layout::{Pair, table};

/// A value up to so many bytes is put together in memory; a longer one goes to its pages as it comes.
const MEMORY_BYTES: u64 = 64 << 10;
/// Memory for the sort of the table of messages, and of every other table, in bytes.
const MESSAGES_SORT_BYTES: usize = 48 << 20;
const SORT_BYTES: usize = 3 << 20;

/// All tables, made when their first pair comes.
pub(super) struct TableSet {
    data: PathBuf,
    scratch: PathBuf,
    order: ByteOrder,
    writers: BTreeMap<u8, TableWriter>,
    is_stopped: bool,
}

/// A value on its way into a table.
pub(super) struct ValueStream {
    table: u8,
    left: u64,
    state: State,
}

enum State {
    Memory { key: Vec<u8>, value: Vec<u8> },
    Pages(BigValue),
    Nowhere,
}

impl ValueStream {
    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl TableSet {
    /// Tables in the directory `data`, with pages and numbers in that byte order.
    pub fn new(data: PathBuf, scratch: PathBuf, order: ByteOrder) -> Self {
        TableSet { data, scratch, order, writers: BTreeMap::new(), is_stopped: false }
    }

    /// Writes nothing from now on: the tables will not be used.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.writers.clear();
    }

    /// Writes a pair.
    pub fn put(&mut self, pair: &Pair) -> Result<(), WriteSiteError> {
        if self.is_stopped {
            return Ok(());
        }
        Ok(self.writer(pair.table)?.put(&pair.key, &pair.value)?)
    }

    /// Begins a value of so many bytes.
    pub fn begin(&mut self, table: u8, key: Vec<u8>, length: u64) -> Result<ValueStream, WriteSiteError> {
        if self.is_stopped {
            return Ok(ValueStream { table, left: length, state: State::Nowhere });
        }
        let writer = self.writer(table)?;
        let state = if length <= MEMORY_BYTES {
            State::Memory { key, value: Vec::with_capacity(length as usize) }
        } else {
            let length =
                u32::try_from(length).map_err(|_| WriteSiteError::ValueTooLong { limit: u32::MAX as usize })?;
            State::Pages(writer.put_big(&key, length)?)
        };
        Ok(ValueStream { table, left: length, state })
    }

    /// Adds bytes to a value; not more than are left.
    pub fn write(&mut self, stream: &mut ValueStream, bytes: &[u8]) -> Result<(), WriteSiteError> {
        stream.left = stream.left.saturating_sub(bytes.len() as u64);
        match &mut stream.state {
            State::Memory { value, .. } => value.extend_from_slice(bytes),
            State::Pages(big) => big.write(self.writer(stream.table)?, bytes)?,
            State::Nowhere => {}
        }
        Ok(())
    }

    /// Ends a value.
    pub fn end(&mut self, stream: ValueStream) -> Result<(), WriteSiteError> {
        match stream.state {
            State::Memory { key, value } => self.writer(stream.table)?.put(&key, &value)?,
            State::Pages(big) => big.finish(self.writer(stream.table)?)?,
            State::Nowhere => {}
        }
        Ok(())
    }

    /// Writes the trees of all tables, and makes those that no record came for: a server has all of them.
    pub fn finish(&mut self, owner: Option<(u32, u32)>) -> Result<(), WriteSiteError> {
        for number in 0..table::COUNT {
            self.writer(number)?;
        }
        for (number, writer) in std::mem::take(&mut self.writers) {
            let path = self.data.join(file_name(number));
            let file = writer.finish()?;
            if let Some((uid, gid)) = owner {
                std::os::unix::fs::fchown(&file, Some(uid), Some(gid))
                    .map_err(|source| WriteSiteError::Io { path, source })?;
            }
        }
        Ok(())
    }

    fn writer(&mut self, table: u8) -> Result<&mut TableWriter, WriteSiteError> {
        match self.writers.entry(table) {
            std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let memory = if table == table::MESSAGES { MESSAGES_SORT_BYTES } else { SORT_BYTES };
                let path = self.data.join(file_name(table));
                let writer = TableWriter::create_for(&path, &self.scratch, memory, DEFAULT_PAGE_SIZE, self.order)?;
                Ok(entry.insert(writer))
            }
        }
    }
}

fn file_name(table: u8) -> String {
    format!("cdb.{table:02x}")
}
