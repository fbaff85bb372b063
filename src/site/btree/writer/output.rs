//! The file of a new table: pages appended in order, a few of them corrected later.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::TableWriteError;
use crate::site::btree::layout::ByteOrder;

/// Bytes that one write puts into the file.
const WRITE_BYTES: usize = 256 << 10;

pub(super) struct Output {
    path: PathBuf,
    file: File,
    order: ByteOrder,
    page_bytes: usize,
    /// The number of the next new page.
    next_page: u32,
    /// What is not yet in the file, and where it begins.
    buffer: Vec<u8>,
    flushed: u64,
}

impl Output {
    /// Makes the file, readable by its owner alone: a site holds every password in clear.
    pub(super) fn create(path: &Path, page_bytes: usize, order: ByteOrder) -> Result<Output, TableWriteError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| TableWriteError::Create { path: path.to_path_buf(), source })?;
        Ok(Output { path: path.to_path_buf(), file, order, page_bytes, next_page: 0, buffer: Vec::new(), flushed: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn order(&self) -> ByteOrder {
        self.order
    }

    pub(super) fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    pub(super) fn next_page(&self) -> u32 {
        self.next_page
    }

    /// Takes the next `pages` page numbers, whose bytes must be appended next; the first of them.
    pub(super) fn take_pages(&mut self, pages: u32) -> Result<u32, TableWriteError> {
        let first = self.next_page;
        self.next_page = first.checked_add(pages).ok_or_else(|| TableWriteError::TooManyPages {
            path: self.path.clone(),
            page_size: self.page_bytes as u32,
        })?;
        Ok(first)
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), TableWriteError> {
        if self.buffer.len() + bytes.len() > WRITE_BYTES {
            self.flush()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn append_zeros(&mut self, count: usize) -> Result<(), TableWriteError> {
        if self.buffer.len() + count > WRITE_BYTES {
            self.flush()?;
        }
        self.buffer.resize(self.buffer.len() + count, 0);
        Ok(())
    }

    /// Replaces bytes of a page that was appended.
    pub(super) fn patch(&mut self, page: u32, at: usize, bytes: &[u8]) -> Result<(), TableWriteError> {
        let offset = u64::from(page) * self.page_bytes as u64 + at as u64;
        match offset.checked_sub(self.flushed) {
            None => self.write(offset, bytes),
            Some(start) => {
                let start = start as usize;
                let room = self.buffer.get_mut(start..start + bytes.len());
                if let Some(room) = room {
                    room.copy_from_slice(bytes);
                }
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), TableWriteError> {
        self.write(self.flushed, &self.buffer)?;
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), TableWriteError> {
        self.file.write_all_at(bytes, offset).map_err(|source| TableWriteError::Write {
            path: self.path.clone(),
            offset,
            bytes: bytes.len() as u64,
            source,
        })
    }

    /// Everything is in the file, though not yet on the disk.
    pub(super) fn finish(mut self) -> Result<File, TableWriteError> {
        self.flush()?;
        Ok(self.file)
    }
}
