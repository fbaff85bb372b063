//! A table file, open for reading.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::Damage;
use super::layout::{ByteOrder, FILE_ID_BYTES, header, meta, page_type};
use super::meta::Meta;
use super::{Items, Place, TableError, ValueReader};

/// A B-tree table. Opened read-only and read by position: nothing is locked, mapped or written.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    file: File,
    file_bytes: u64,
    meta: Meta,
}

impl Table {
    /// Opens a table and checks its meta page.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, is no B-tree of version 9, has a feature that is not read, or is shorter than it says.
    pub fn open(path: &Path) -> Result<Table, TableError> {
        let open_error = |source| TableError::Open { path: path.to_path_buf(), source };
        // Looked at before it is opened, because opening a named pipe would wait for ever.
        if !path.metadata().map_err(open_error)?.is_file() {
            return Err(TableError::NotAFile { path: path.to_path_buf() });
        }
        let file = File::open(path).map_err(open_error)?;
        let file_bytes = file.metadata().map_err(open_error)?.len();
        if file_bytes == 0 {
            return Err(TableError::ZeroLength { path: path.to_path_buf() });
        }
        let mut start = [0; meta::BYTES];
        let start = &mut start[..file_bytes.min(meta::BYTES as u64) as usize];
        read_at(&file, path, start, 0)?;
        let meta = Meta::parse(path, start, file_bytes)?;
        Ok(Table { path: path.to_path_buf(), file, file_bytes, meta })
    }

    /// A table of a file whose first page is not to be asked.
    pub(super) fn with_meta(path: &Path, file: File, file_bytes: u64, meta: Meta) -> Table {
        Table { path: path.to_path_buf(), file, file_bytes, meta }
    }

    /// Bytes of a page: a power of two from 512 to 65,536.
    pub fn page_size(&self) -> u32 {
        self.meta.page_bytes
    }

    /// The byte order of the machine that made the table.
    pub fn byte_order(&self) -> ByteOrder {
        self.meta.order
    }

    /// The file, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file when it was opened.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The file id: every table that is written gets another, and keeps it.
    pub fn file_id(&self) -> [u8; FILE_ID_BYTES] {
        self.meta.file_id
    }

    /// Puts the first page of a value's chain into `page`, with its header. For a value beside its key nothing is put there.
    ///
    /// # Errors
    /// When it is no page that a chain can begin with, or the file cannot be read.
    pub fn first_page_of(&self, place: &Place, page: &mut Vec<u8>) -> Result<(), TableError> {
        page.clear();
        let Some(number) = place.first_page() else { return Ok(()) };
        if let Some(damage) = self.no_such_page(number) {
            return Err(self.damaged(number, None, damage));
        }
        page.resize(self.page_bytes(), 0);
        self.read(number, page)?;
        self.check_page(number, page, page_type::OVERFLOW)
    }

    /// Walks over all pairs in the order of their keys.
    pub fn items(&self) -> Items<'_> {
        Items::new(self)
    }

    /// Reads a value in pieces.
    pub fn value(&self, place: &Place) -> ValueReader<'_> {
        ValueReader::new(self, place.clone())
    }

    /// The same for a place that is not needed any more: what stands in it is not copied.
    pub fn value_at(&self, place: Place) -> ValueReader<'_> {
        ValueReader::new(self, place)
    }

    /// Reads a value as a whole. Memory grows as bytes arrive, not as the item claims.
    ///
    /// # Errors
    /// When the value is longer than `limit` bytes, its pages are damaged, or the file cannot be read.
    pub fn read_all(&self, place: &Place, limit: u64) -> Result<Vec<u8>, TableError> {
        if u64::from(place.len()) > limit {
            return Err(TableError::ValueTooLong {
                path: self.path.clone(),
                page: place.first_page().unwrap_or_default(),
                bytes: place.len(),
                limit,
            });
        }
        let mut bytes = Vec::new();
        let mut reader = self.value(place);
        while let Some(piece) = reader.piece()? {
            bytes.extend_from_slice(piece);
        }
        Ok(bytes)
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn page_bytes(&self) -> usize {
        self.meta.page_bytes as usize
    }

    /// Where a page begins in the file.
    pub(super) fn offset(&self, page: u32) -> u64 {
        u64::from(page) * u64::from(self.meta.page_bytes)
    }

    /// Fills `buffer` with the bytes of the pages from `page` on.
    pub(super) fn read(&self, page: u32, buffer: &mut [u8]) -> Result<(), TableError> {
        read_at(&self.file, &self.path, buffer, self.offset(page))
    }

    /// An error about a page, or about the item of it that begins at byte `start` of the page.
    pub(super) fn damaged(&self, page: u32, item: Option<(u16, usize)>, damage: Damage) -> TableError {
        let start = item.map_or(0, |(_, start)| start as u64);
        TableError::Damaged {
            path: self.path.clone(),
            page,
            item: item.map(|(number, _)| number),
            offset: self.offset(page) + start,
            damage,
        }
    }

    /// What is wrong with a link to this page; the meta page is nobody's target.
    pub(super) fn no_such_page(&self, target: u32) -> Option<Damage> {
        let last = self.meta.last_page;
        (target == 0 || target > last).then_some(Damage::NoSuchPage { target, last })
    }

    /// Refuses a page that was never written, bears another number, or is of another type than the link to it asks for.
    pub(super) fn check_page(&self, page: u32, bytes: &[u8], wanted: u8) -> Result<(), TableError> {
        let number = self.meta.order.u32(bytes, header::PAGE);
        if number != page {
            let damage = if bytes.iter().all(|byte| *byte == 0) {
                Damage::NeverWritten
            } else {
                Damage::WrongNumber { found: number }
            };
            return Err(self.damaged(page, None, damage));
        }
        let found = bytes[header::TYPE];
        if found != wanted {
            return Err(self.damaged(page, None, Damage::WrongType { found, wanted }));
        }
        Ok(())
    }
}

fn read_at(file: &File, path: &Path, buffer: &mut [u8], offset: u64) -> Result<(), TableError> {
    let bytes = buffer.len() as u64;
    file.read_exact_at(buffer, offset).map_err(|source: io::Error| TableError::Read {
        path: path.to_path_buf(),
        offset,
        bytes,
        source,
    })
}
