//! The frames of a regular file, found by its seek table and read where they lie.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::super::error::{FrameProblem, ReadError};
use super::super::frame::{self, Input, MAX_COMPRESSED_BYTES, ZSTD_MAGIC};
use super::super::tail::{self, DIGEST_FRAME_BYTES, ENTRY_BYTES, FOOTER_BYTES, Sizes};
use super::super::{FRAME_BYTES, reader};

/// So much of the seek table is read at once.
const TABLE_CHUNK_BYTES: usize = 8192 * ENTRY_BYTES;

/// Where a frame stands.
#[derive(Clone, Copy, Debug)]
pub struct FrameAt {
    /// Where it begins in the file.
    pub offset: u64,
    /// Where its content begins in the unpacked tar.
    pub tar_offset: u64,
    sizes: Sizes,
}

/// A file and what its seek table says of it.
#[derive(Debug)]
pub struct FrameFile {
    file: File,
    frames: Vec<FrameAt>,
    bytes_read: AtomicU64,
    /// The frame that was unpacked last, with its number.
    last: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
}

impl FrameFile {
    /// Reads the seek table at the end of the file.
    pub fn open(file: File) -> Result<Self, ReadError> {
        let file_bytes = file.metadata().map_err(|source| ReadError::Io { offset: 0, source })?.len();
        let mut this = FrameFile { file, frames: Vec::new(), bytes_read: AtomicU64::new(0), last: Mutex::default() };
        this.check_beginning(file_bytes)?;
        this.read_table(file_bytes)?;
        Ok(this)
    }

    /// How many bytes were read from the file.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// How many frames there are, without those of digest and seek table; at least two.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// The frame that holds a byte of the unpacked tar.
    pub fn holding(&self, tar_offset: u64) -> Option<usize> {
        let number = self.frames.partition_point(|frame| frame.tar_offset <= tar_offset).checked_sub(1)?;
        let frame = self.frames.get(number)?;
        (tar_offset < frame.tar_offset + u64::from(frame.sizes.unpacked)).then_some(number)
    }

    /// Where a frame stands; the last one, for numbers behind it.
    pub fn at(&self, number: usize) -> FrameAt {
        let none = FrameAt { offset: 0, tar_offset: 0, sizes: Sizes { compressed: 0, unpacked: 0 } };
        self.frames.get(number).or(self.frames.last()).copied().unwrap_or(none)
    }

    /// What a frame holds. The last one asked for is kept.
    pub fn content(&self, number: usize) -> Result<Arc<Vec<u8>>, ReadError> {
        let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((kept, content)) = last.as_ref()
            && *kept == number
        {
            return Ok(Arc::clone(content));
        }
        let content = Arc::new(self.unpack(number)?);
        *last = Some((number, Arc::clone(&content)));
        Ok(content)
    }

    /// What a frame holds, without keeping it.
    pub fn unpack(&self, number: usize) -> Result<Vec<u8>, ReadError> {
        let FrameAt { offset, sizes, .. } = self.at(number);
        let mut bytes = Vec::new();
        self.read(offset, sizes.compressed as usize, &mut bytes)?;
        let wrong = |problem| ReadError::Frame { offset, problem };
        let mut input = Input::new(bytes.as_slice(), offset);
        let magic = u32::from_le_bytes(input.array(&mut Vec::new())?);
        if magic != ZSTD_MAGIC {
            return Err(wrong(FrameProblem::Magic { magic }));
        }
        let frame = frame::read_frame(&mut input, Vec::new())?;
        if frame.bytes.len() != bytes.len() || frame.content_bytes != sizes.unpacked as usize {
            let problem = "it has other lengths than the seek table says".to_owned();
            return Err(wrong(FrameProblem::Cut { problem }));
        }
        let mut content = Vec::new();
        frame::decompress(&frame, &mut content).map_err(wrong)?;
        Ok(content)
    }

    fn read(&self, offset: u64, count: usize, out: &mut Vec<u8>) -> Result<(), ReadError> {
        Input::new(Positional { file: self, offset }, offset).read(count, out)
    }

    fn check_beginning(&self, file_bytes: u64) -> Result<(), ReadError> {
        if file_bytes == 0 {
            return Err(ReadError::Empty);
        }
        let mut beginning = Vec::new();
        Input::new(Positional { file: self, offset: 0 }, 0).read_up_to(512, &mut beginning)?;
        if !beginning.starts_with(&ZSTD_MAGIC.to_le_bytes()) {
            let found = reader::describe(&beginning).to_owned();
            return Err(ReadError::NotAnArchive { found });
        }
        Ok(())
    }

    /// Reads the table and demands that its lines fill the file exactly, so that it takes no more memory than the file justifies.
    fn read_table(&mut self, file_bytes: u64) -> Result<(), ReadError> {
        let none = ReadError::SeekTable {
            offset: file_bytes,
            problem: "there is none at the end of the file, which was cut short or something was appended to it"
                .to_owned(),
        };
        let mut footer = Vec::new();
        let Some(footer_at) = file_bytes.checked_sub(FOOTER_BYTES as u64) else { return Err(none) };
        self.read(footer_at, FOOTER_BYTES, &mut footer)?;
        let Some(lines) = footer.first_chunk().and_then(tail::footer_lines) else { return Err(none) };
        let lines = lines as usize;
        let Some(table_at) = tail::seek_table_bytes(lines).and_then(|bytes| file_bytes.checked_sub(bytes as u64))
        else {
            return Err(none);
        };
        let wrong = |offset: u64, problem: &str| ReadError::SeekTable { offset, problem: problem.to_owned() };
        let mut head = Vec::new();
        self.read(table_at, 8, &mut head)?;
        if Some(head.as_slice()) != tail::seek_table_head(lines).as_ref().map(<[u8; 8]>::as_slice) {
            return Err(wrong(table_at, "it doesn't begin where its end says"));
        }

        let (mut at, mut frame_at, mut tar_at, mut left) = (table_at + 8, 0u64, 0u64, lines);
        let mut chunk = Vec::new();
        while left > 0 {
            chunk.clear();
            self.read(at, TABLE_CHUNK_BYTES.min(left * ENTRY_BYTES), &mut chunk)?;
            for sizes in tail::lines(&chunk) {
                left -= 1;
                let is_digest = sizes == tail::digest_sizes();
                let is_frame = (1..=MAX_COMPRESSED_BYTES).contains(&(sizes.compressed as usize))
                    && (1..=FRAME_BYTES).contains(&(sizes.unpacked as usize));
                if is_digest != (left == 0) || !(is_digest || is_frame) {
                    return Err(wrong(at, "it lists a frame that no archive has"));
                }
                if is_frame {
                    self.frames.push(FrameAt { offset: frame_at, tar_offset: tar_at, sizes });
                }
                frame_at += u64::from(sizes.compressed);
                tar_at += u64::from(sizes.unpacked);
                if frame_at > table_at {
                    return Err(wrong(at, "it lists more than the file holds"));
                }
            }
            at += chunk.len() as u64;
        }
        if frame_at != table_at || self.frames.len() < 2 {
            return Err(wrong(table_at, "it doesn't list what the file holds"));
        }
        let mut digest = Vec::new();
        self.read(frame_at - DIGEST_FRAME_BYTES as u64, 8, &mut digest)?;
        if digest != tail::digest_frame(&[0; 32])[..8] {
            return Err(wrong(table_at, "the digest of the file doesn't stand before it"));
        }
        Ok(())
    }
}

struct Positional<'a> {
    file: &'a FrameFile,
    offset: u64,
}

impl Read for Positional<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        self.file.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
