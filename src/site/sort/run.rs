//! Sorted runs, in files without a name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::SortError;
use super::memory::prefix;

/// Bytes that go to a run in one write.
const WRITE_BYTES: usize = 256 << 10;
/// Bytes before an item: length of the key, length of the payload.
const HEADER_BYTES: usize = 8;

/// The scratch directory, and how much stands there.
#[derive(Clone)]
pub(super) struct Scratch {
    directory: PathBuf,
    bytes: Arc<AtomicU64>,
}

impl Scratch {
    pub(super) fn new(directory: &Path) -> Scratch {
        Scratch { directory: directory.to_path_buf(), bytes: Arc::default() }
    }

    /// A file for runs. It has no name, so the system removes it whatever becomes of this process.
    pub(super) fn file(&self) -> Result<Arc<RunFile>, SortError> {
        let file = tempfile::tempfile_in(&self.directory).map_err(|e| self.error("make a file", e))?;
        Ok(Arc::new(RunFile { file, bytes: AtomicU64::new(0), scratch: self.clone() }))
    }

    fn error(&self, action: &'static str, source: io::Error) -> SortError {
        SortError::Scratch {
            directory: self.directory.clone(),
            action,
            bytes_needed: self.bytes.load(Ordering::Relaxed),
            source,
        }
    }
}

/// A file that holds one run after the other. One for many runs, so that a large sort needs few file descriptors.
pub(super) struct RunFile {
    file: File,
    bytes: AtomicU64,
    scratch: Scratch,
}

impl Drop for RunFile {
    fn drop(&mut self) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        self.scratch.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Where a finished run stands.
pub(super) struct Run {
    file: Arc<RunFile>,
    start: u64,
    end: u64,
}

/// A run being written at the end of its file.
pub(super) struct RunWriter {
    file: Arc<RunFile>,
    start: u64,
    end: u64,
    buffer: Vec<u8>,
}

impl RunWriter {
    pub(super) fn new(file: &Arc<RunFile>) -> RunWriter {
        let end = file.bytes.load(Ordering::Relaxed);
        RunWriter { file: Arc::clone(file), start: end, end, buffer: Vec::with_capacity(WRITE_BYTES) }
    }

    /// Adds an item whose lengths fit 32 bits.
    pub(super) fn item(&mut self, key: &[u8], payload: &[u8]) -> Result<(), SortError> {
        let lengths = (key.len() as u64) | ((payload.len() as u64) << 32);
        self.bytes(&lengths.to_le_bytes())?;
        self.bytes(key)?;
        self.bytes(payload)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), SortError> {
        if self.buffer.len() + bytes.len() > WRITE_BYTES {
            self.flush()?;
        }
        if bytes.len() >= WRITE_BYTES {
            return self.write(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SortError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = self.write(&buffer);
        buffer.clear();
        self.buffer = buffer;
        written
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SortError> {
        let count = bytes.len() as u64;
        self.file.bytes.fetch_add(count, Ordering::Relaxed);
        let scratch = &self.file.scratch;
        scratch.bytes.fetch_add(count, Ordering::Relaxed);
        self.file.file.write_all_at(bytes, self.end).map_err(|e| scratch.error("write", e))?;
        self.end += count;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Run, SortError> {
        self.flush()?;
        Ok(Run { file: self.file, start: self.start, end: self.end })
    }
}

/// A run being read. It holds the key of its current item; the payload is still in the file, because many large ones at once
/// would break the memory bound.
pub(super) struct RunReader {
    run: Run,
    buffer: Vec<u8>,
    /// The bytes of `buffer` that were read and not yet used.
    used: usize,
    filled: usize,
    key: Vec<u8>,
    prefix: u64,
    payload_bytes: usize,
}

impl RunReader {
    /// Opens a run at its first item. `None` when it is empty.
    pub(super) fn open(run: Run, buffer_bytes: usize) -> Result<Option<RunReader>, SortError> {
        let mut reader = RunReader {
            run,
            buffer: vec![0; buffer_bytes],
            used: 0,
            filled: 0,
            key: Vec::new(),
            prefix: 0,
            payload_bytes: 0,
        };
        Ok(reader.advance()?.then_some(reader))
    }

    pub(super) fn prefix(&self) -> u64 {
        self.prefix
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Gives the payload of the current item and goes to the next; `false` when there is none.
    pub(super) fn take(&mut self, payload: &mut Vec<u8>) -> Result<bool, SortError> {
        let count = self.payload_bytes;
        self.bytes(payload, count)?;
        self.advance()
    }

    fn advance(&mut self) -> Result<bool, SortError> {
        if self.used == self.filled && self.run.start == self.run.end {
            return Ok(false);
        }
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        self.bytes(&mut key, HEADER_BYTES)?;
        let lengths = prefix(&key).swap_bytes();
        self.payload_bytes = (lengths >> 32) as usize;
        key.clear();
        self.bytes(&mut key, lengths as u32 as usize)?;
        self.prefix = prefix(&key);
        self.key = key;
        Ok(true)
    }

    /// Appends the next `count` bytes of the run to `to`.
    fn bytes(&mut self, to: &mut Vec<u8>, count: usize) -> Result<(), SortError> {
        let mut missing = count;
        while missing > 0 {
            if self.used == self.filled {
                self.fill()?;
            }
            let take = missing.min(self.filled - self.used);
            to.extend_from_slice(&self.buffer[self.used..self.used + take]);
            self.used += take;
            missing -= take;
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), SortError> {
        let scratch = &self.run.file.scratch;
        let left = self.run.end - self.run.start;
        let count = left.min(self.buffer.len() as u64) as usize;
        if count == 0 {
            let short = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(scratch.error("read back", short));
        }
        self.run
            .file
            .file
            .read_exact_at(&mut self.buffer[..count], self.run.start)
            .map_err(|e| scratch.error("read back", e))?;
        self.run.start += count as u64;
        (self.used, self.filled) = (0, count);
        Ok(())
    }
}
