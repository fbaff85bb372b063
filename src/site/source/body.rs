//! The body of the present record, read where it lies and cut into segments.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::ReadSiteError;
use crate::codec::segment;
use crate::record::Layout;
use crate::site::btree::ValueReader;
use crate::site::layout::{ToBody, list_body_bytes};

/// Where the bytes of a body come from.
pub(super) enum Content<'s> {
    /// Nowhere: there is no body, or it stands in the header.
    Nothing,
    /// Memory.
    Bytes(Vec<u8>),
    /// One value of a table after the other.
    Values(Vec<ValueReader<'s>>),
    /// A value that is a list of numbers, which change from the machine's words to the format's.
    Numbers(ValueReader<'s>, Layout),
    /// A file, and its path for errors.
    File(File, PathBuf),
    /// A file that may grow meanwhile: what it had at the beginning is taken.
    GrowingFile(File, PathBuf),
}

/// A body on its way.
pub(in crate::site) struct BodyReader<'s> {
    content: Content<'s>,
    done_bytes: u64,
    length: u64,
    buffer: Vec<u8>,
}

impl<'s> BodyReader<'s> {
    /// No body.
    pub fn nothing() -> Self {
        BodyReader::new(Content::Nothing, 0)
    }

    /// A body of so many bytes.
    pub(super) fn new(content: Content<'s>, length: u64) -> Self {
        BodyReader { content, done_bytes: 0, length, buffer: Vec::new() }
    }

    /// A list of numbers from a value of so many bytes, which are whole numbers.
    pub fn numbers(value: ValueReader<'s>, value_bytes: u64, layout: Layout) -> Self {
        let length = list_body_bytes(layout, value_bytes).unwrap_or(0);
        BodyReader::new(Content::Numbers(value, layout), length)
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The whole body, which must be short enough to stand in a header.
    pub fn read_inline(mut self) -> Result<Vec<u8>, ReadSiteError> {
        let mut bytes = Vec::new();
        self.segment(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether the body is not complete yet.
    pub fn has_segment(&self) -> bool {
        segment::next_bytes(self.length, self.done_bytes) > 0
    }

    /// Puts the next segment into `out`, which is empty when the body is complete.
    pub fn segment(&mut self, out: &mut Vec<u8>) -> Result<(), ReadSiteError> {
        let wanted = segment::next_bytes(self.length, self.done_bytes);
        // What stood there is overwritten, so it need not be cleared.
        out.resize(wanted, 0);
        let mut filled = 0;
        while filled < wanted {
            let read = self.read_some(&mut out[filled..])?;
            if read == 0 {
                return Err(self.wrong_length("ended early"));
            }
            filled += read;
        }
        self.done_bytes += wanted as u64;
        if self.has_segment() { Ok(()) } else { self.check_end() }
    }

    /// Only a file can have more than was announced: values have checked their length themselves.
    fn check_end(&mut self) -> Result<(), ReadSiteError> {
        if matches!(self.content, Content::File(..)) && self.read_some(&mut [0])? > 0 {
            return Err(self.wrong_length("has grown"));
        }
        self.content = Content::Nothing;
        Ok(())
    }

    fn read_some(&mut self, out: &mut [u8]) -> Result<usize, ReadSiteError> {
        match &mut self.content {
            Content::Nothing => Ok(0),
            Content::Bytes(bytes) => {
                // The length is that of the bytes, and every read takes what is wanted, so the range is inside.
                let start = self.done_bytes as usize;
                let rest = bytes.get(start..).unwrap_or_default();
                let count = rest.len().min(out.len());
                out[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            Content::Values(values) => {
                while let Some(value) = values.first_mut() {
                    let read = value.read_some(out)?;
                    if read > 0 {
                        return Ok(read);
                    }
                    values.remove(0);
                }
                Ok(0)
            }
            Content::Numbers(value, layout) => {
                // A segment holds whole numbers: its size is a multiple of 8, as the length of the body is.
                let mut words = vec![0; out.len() / 8 * layout.word_bytes()];
                let read = value.read_some(&mut words)?;
                self.buffer.clear();
                ToBody::new(*layout).push(&words[..read], &mut self.buffer);
                out[..self.buffer.len()].copy_from_slice(&self.buffer);
                Ok(self.buffer.len())
            }
            Content::File(file, path) | Content::GrowingFile(file, path) => {
                file.read(out).map_err(|source| ReadSiteError::Io { path: path.clone(), source })
            }
        }
    }

    fn wrong_length(&self, what: &str) -> ReadSiteError {
        let path = match &self.content {
            Content::File(_, path) | Content::GrowingFile(_, path) => path.clone(),
            _ => PathBuf::from("a value of a table"),
        };
        ReadSiteError::Moved { path, what: format!("{what}: it had {} bytes when the copy began", self.length) }
    }
}
