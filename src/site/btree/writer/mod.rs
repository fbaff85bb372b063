//! Writes a table: values that are long go to overflow pages as they come, everything else through an external sort into the tree.
//!
//! The file is: the meta page, the root, all overflow pages of values and keys, then leaves and internal pages in key order, full.
//! (A separator of internal pages that is itself too long for a page has its overflow pages among those.) Every page has the
//! LSN {0,1}, "not logged", so that a server opens the table beside a log that knows nothing of it.

mod big;
mod chain;
mod error;
mod meta;
mod output;
mod page;
mod pair;
mod tree;

use std::fs::File;
use std::path::Path;

pub use big::BigValue;
use chain::Chain;
pub use error::TableWriteError;
use output::Output;
use tree::Tree;

use super::MAX_KEY_BYTES;
use super::error::readable;
use super::layout::{ByteOrder, MAX_PAGE_BYTES, MIN_PAGE_BYTES, longest_inline};
use super::place::Half;
use crate::site::sort::Sorter;

/// The page size of nearly all tables, in bytes: the block size of most file systems.
pub const DEFAULT_PAGE_SIZE: u32 = 4096;

/// A new table, written in one go. Dropped before [`TableWriter::finish`], it leaves a file that no reader takes.
pub struct TableWriter {
    output: Output,
    sorter: Sorter,
    /// The key whose value was begun with [`TableWriter::put_big`] and is not complete.
    unfinished: Option<Vec<u8>>,
    payload: Vec<u8>,
}

impl TableWriter {
    /// Makes the file, which must not exist, with mode 0600 and pages of `page_size` bytes ([`DEFAULT_PAGE_SIZE`] unless there is a
    /// reason), little-endian. What doesn't fit into `memory_bytes` is sorted in the directory `scratch`.
    ///
    /// # Errors
    /// When the file cannot be made, or the page size is impossible.
    pub fn create(
        path: &Path,
        scratch: &Path,
        memory_bytes: usize,
        page_size: u32,
    ) -> Result<TableWriter, TableWriteError> {
        TableWriter::create_for(path, scratch, memory_bytes, page_size, ByteOrder::Little)
    }

    /// The same for a machine of the other byte order.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn create_for(
        path: &Path,
        scratch: &Path,
        memory_bytes: usize,
        page_size: u32,
        order: ByteOrder,
    ) -> Result<TableWriter, TableWriteError> {
        if !page_size.is_power_of_two() || !(MIN_PAGE_BYTES..=MAX_PAGE_BYTES).contains(&page_size) {
            return Err(TableWriteError::PageSize { path: path.to_path_buf(), page_size });
        }
        let mut output = Output::create(path, page_size as usize, order)?;
        // The meta page and the root are written last, but libdb wants them first.
        let first = output.take_pages(1 + tree::ROOT)?;
        for _ in first..=tree::ROOT {
            output.append_zeros(page_size as usize)?;
        }
        Ok(TableWriter { output, sorter: Sorter::new(scratch, memory_bytes), unfinished: None, payload: Vec::new() })
    }

    /// Adds a pair, in any order of keys.
    ///
    /// # Errors
    /// When the key is longer than [`MAX_KEY_BYTES`], the value longer than 4 GiB - 1, or file or scratch directory cannot be written.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), TableWriteError> {
        self.check_finished()?;
        if u32::try_from(value.len()).is_err() {
            return Err(TableWriteError::ValueTooLong {
                path: self.output.path().to_path_buf(),
                key: readable(key),
                bytes: value.len() as u64,
            });
        }
        let key_page = self.key_page(key)?;
        if value.len() <= longest_inline(self.output.page_bytes()) {
            return self.add(key, key_page, Half::Inline(value));
        }
        let chain = Chain::write_all(&mut self.output, value)?;
        self.add(key, key_page, chain.item())
    }

    /// Adds a pair whose value comes in pieces, `length` bytes together. Small values are fine, too.
    ///
    /// # Errors
    /// As [`TableWriter::put`].
    pub fn put_big(&mut self, key: &[u8], length: u32) -> Result<BigValue, TableWriteError> {
        self.check_finished()?;
        BigValue::begin(self, key, length)
    }

    /// Writes a key that is too long for a leaf to overflow pages; the first of them, or 0 for a short key.
    fn key_page(&mut self, key: &[u8]) -> Result<u32, TableWriteError> {
        if key.len() > MAX_KEY_BYTES as usize {
            return Err(TableWriteError::KeyTooLong {
                path: self.output.path().to_path_buf(),
                key: readable(key),
                bytes: key.len(),
                limit: MAX_KEY_BYTES,
            });
        }
        if key.len() <= longest_inline(self.output.page_bytes()) {
            return Ok(0);
        }
        Ok(Chain::write_all(&mut self.output, key)?.first_page())
    }

    fn add(&mut self, key: &[u8], key_page: u32, value: Half<'_>) -> Result<(), TableWriteError> {
        pair::encode(&mut self.payload, key_page, value);
        self.sorter.push(key, &self.payload)?;
        Ok(())
    }

    /// Builds the tree and gives the file, complete but not synced: the caller decides when it must be on the disk.
    ///
    /// # Errors
    /// When a key came twice, a value was not finished, or file or scratch directory cannot be written.
    pub fn finish(self) -> Result<File, TableWriteError> {
        self.check_finished()?;
        let TableWriter { mut output, sorter, .. } = self;
        let mut sorted = sorter.finish()?;
        let mut tree = Tree::new(&output);
        let (mut key, mut payload) = (Vec::new(), Vec::new());
        while sorted.next(&mut key, &mut payload)? {
            let (key_item, value_item) = pair::decode(&key, &payload)
                .ok_or_else(|| TableWriteError::ScratchChanged { path: output.path().to_path_buf() })?;
            tree.add(&mut output, &key, key_item, value_item)?;
        }
        tree.finish(&mut output)?;
        let meta = meta::meta_page(&output);
        output.patch(0, 0, &meta)?;
        output.finish()
    }

    fn check_finished(&self) -> Result<(), TableWriteError> {
        match &self.unfinished {
            None => Ok(()),
            Some(key) => {
                Err(TableWriteError::Unfinished { path: self.output.path().to_path_buf(), key: readable(key) })
            }
        }
    }
}
