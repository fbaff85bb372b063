//! A value that comes in pieces.

use super::chain::Chain;
use super::{TableWriteError, TableWriter};
use crate::site::btree::error::readable;
use crate::site::btree::layout::longest_inline;
use crate::site::btree::place::Half;

/// A value being written into a [`TableWriter`]. Dropped before [`BigValue::finish`], it spoils the table, and the next call of the
/// writer says so.
pub struct BigValue<'w> {
    writer: &'w mut TableWriter,
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

impl<'w> BigValue<'w> {
    pub(super) fn begin(writer: &'w mut TableWriter, key: &[u8], length: u32) -> Result<BigValue<'w>, TableWriteError> {
        let key_page = writer.key_page(key)?;
        let state = if length as usize <= longest_inline(writer.output.page_bytes()) {
            State::Inline(Vec::with_capacity(length as usize))
        } else {
            State::Overflow(Chain::begin(&mut writer.output, length)?)
        };
        writer.unfinished = Some(key.to_vec());
        Ok(BigValue { writer, key: key.to_vec(), key_page, length, left: length, state })
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// When more bytes come than were announced, or the file cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), TableWriteError> {
        let left = u32::try_from(bytes.len()).ok();
        let Some(left) = left.and_then(|count| self.left.checked_sub(count)) else {
            let came = u64::from(self.length - self.left) + bytes.len() as u64;
            return Err(self.wrong_length(came));
        };
        match &mut self.state {
            State::Inline(value) => value.extend_from_slice(bytes),
            State::Overflow(chain) => chain.write(&mut self.writer.output, bytes)?,
        }
        self.left = left;
        Ok(())
    }

    /// The value is complete.
    ///
    /// # Errors
    /// When fewer bytes came than were announced, or file or scratch directory cannot be written.
    pub fn finish(self) -> Result<(), TableWriteError> {
        if self.left > 0 {
            return Err(self.wrong_length(u64::from(self.length - self.left)));
        }
        let value = match &self.state {
            State::Inline(value) => Half::Inline(value),
            State::Overflow(chain) => chain.item(),
        };
        self.writer.add(&self.key, self.key_page, value)?;
        self.writer.unfinished = None;
        Ok(())
    }

    fn wrong_length(&self, came: u64) -> TableWriteError {
        TableWriteError::Length {
            path: self.writer.output.path().to_path_buf(),
            key: readable(&self.key),
            announced: self.length,
            came,
        }
    }
}
