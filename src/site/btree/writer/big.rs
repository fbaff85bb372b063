//! A value that comes in pieces.

use super::chain::Chain;
use super::{TableWriteError, TableWriter};
use crate::site::btree::error::readable;
use crate::site::btree::layout::longest_inline;
use crate::site::btree::place::Half;

/// A value being written into a [`TableWriter`]. Dropped before [`BigValue::finish`], it spoils the table, and the next call of the
/// writer says so.
pub struct BigValue {
    key: Vec<u8>,
    /// The first overflow page of the key, 0 when it stands on its leaf.
    key_page: u32,
    length: u32,
    left: u32,
    state: State,
}

enum State {
    Inline(Vec<u8>),
    Overflow(Chain),
}

impl BigValue {
    pub(super) fn begin(writer: &mut TableWriter, key: &[u8], length: u32) -> Result<BigValue, TableWriteError> {
        let key_page = writer.key_page(key)?;
        let state = if length as usize <= longest_inline(writer.output.page_bytes()) {
            State::Inline(Vec::with_capacity(length as usize))
        } else {
            State::Overflow(Chain::begin(&mut writer.output, length)?)
        };
        writer.unfinished = Some(key.to_vec());
        Ok(BigValue { key: key.to_vec(), key_page, length, left: length, state })
    }

    /// Adds the next bytes, to the writer that the value was begun with.
    ///
    /// # Errors
    /// When more bytes come than were announced, or the file cannot be written.
    pub fn write(&mut self, writer: &mut TableWriter, bytes: &[u8]) -> Result<(), TableWriteError> {
        let left = u32::try_from(bytes.len()).ok();
        let Some(left) = left.and_then(|count| self.left.checked_sub(count)) else {
            let came = u64::from(self.length - self.left) + bytes.len() as u64;
            return Err(self.wrong_length(writer, came));
        };
        match &mut self.state {
            State::Inline(value) => value.extend_from_slice(bytes),
            State::Overflow(chain) => chain.write(&mut writer.output, bytes)?,
        }
        self.left = left;
        Ok(())
    }

    /// The value is complete; `writer` is the one it was begun with.
    ///
    /// # Errors
    /// When fewer bytes came than were announced, or file or scratch directory cannot be written.
    pub fn finish(self, writer: &mut TableWriter) -> Result<(), TableWriteError> {
        if self.left > 0 {
            return Err(self.wrong_length(writer, u64::from(self.length - self.left)));
        }
        let value = match &self.state {
            State::Inline(value) => Half::Inline(value),
            State::Overflow(chain) => chain.item(),
        };
        writer.add(&self.key, self.key_page, value)?;
        writer.unfinished = None;
        Ok(())
    }

    fn wrong_length(&self, writer: &TableWriter, came: u64) -> TableWriteError {
        TableWriteError::Length {
            path: writer.output.path().to_path_buf(),
            key: readable(&self.key),
            announced: self.length,
            came,
        }
    }
}
