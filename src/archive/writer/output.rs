//! From contents of frames to the bytes of the file: compressed by several threads, written in order.

use std::io::{self, Write};

use super::super::FRAME_BYTES;
use super::super::effort::Content;
use super::super::error::WriteError;
use super::super::frame;
use super::super::pool::Pool;
use super::super::tail::{self, Sizes};

/// The content of a frame, memory for the frame, the level, and what the content is.
type Job = (Vec<u8>, Vec<u8>, i32, Content);
type Done = io::Result<Packed>;

/// A frame, and the memory of its content.
struct Packed {
    bytes: Vec<u8>,
    content: Vec<u8>,
    sizes: Sizes,
}

/// The file as it grows.
#[derive(Debug)]
pub struct Output<W> {
    writer: W,
    level: i32,
    pool: Pool<Job, Done>,
    most_under_way: usize,
    hasher: blake3::Hasher,
    bytes: u64,
    sizes: Vec<Sizes>,
    /// Memory of contents and frames that are written.
    spare_contents: Vec<Vec<u8>>,
    spare_frames: Vec<Vec<u8>>,
}

impl<W: Write> Output<W> {
    pub fn new(writer: W, level: i32, threads: usize) -> Self {
        Output {
            writer,
            level,
            pool: Pool::new(threads, compress),
            most_under_way: threads + 2,
            hasher: blake3::Hasher::new(),
            bytes: 0,
            sizes: Vec::new(),
            spare_contents: Vec::new(),
            spare_frames: Vec::new(),
        }
    }

    /// An empty buffer for the content of a whole frame.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare_contents.pop().unwrap_or_else(|| Vec::with_capacity(FRAME_BYTES))
    }

    /// Takes the content of the next frame.
    pub fn frame(&mut self, content: Vec<u8>, sort: Content) -> Result<(), WriteError> {
        while self.pool.len() >= self.most_under_way {
            self.write_oldest()?;
        }
        let memory = self.spare_frames.pop().unwrap_or_default();
        self.pool.push((content, memory, self.level, sort));
        // Where frames come slowly, whoever is killed leaves all but the last.
        while self.pool.is_ready() {
            self.write_oldest()?;
        }
        Ok(())
    }

    /// Writes everything that is under way.
    pub fn drain(&mut self) -> Result<(), WriteError> {
        while self.pool.len() > 0 {
            self.write_oldest()?;
        }
        self.writer.flush().map_err(|source| WriteError::Io { bytes: self.bytes, source })
    }

    /// Writes everything that is under way, the digest and the seek table.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        self.drain()?;
        let digest = self.hasher.finalize().into();
        self.sizes.push(tail::digest_sizes());
        self.write(&tail::digest_frame(&digest))?;
        let table = tail::seek_table(&self.sizes).ok_or_else(|| WriteError::Io {
            bytes: self.bytes,
            source: io::Error::new(io::ErrorKind::FileTooLarge, "more frames than a seek table can list"),
        })?;
        self.write(&table)?;
        self.writer.flush().map_err(|source| WriteError::Io { bytes: self.bytes, source })
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn into_writer(self) -> W {
        self.writer
    }

    fn write_oldest(&mut self) -> Result<(), WriteError> {
        let Some(done) = self.pool.pop() else { return Ok(()) };
        let Packed { bytes, mut content, sizes } = done?.map_err(|source| WriteError::Compress { source })?;
        self.hasher.update(&bytes);
        self.sizes.push(sizes);
        self.write(&bytes)?;
        self.spare_frames.push(bytes);
        if content.capacity() >= FRAME_BYTES {
            content.clear();
            self.spare_contents.push(content);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.writer.write_all(bytes).map_err(|source| WriteError::Io { bytes: self.bytes, source })?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn compress((content, mut bytes, level, sort): Job) -> Done {
    frame::compress(&content, level, sort, &mut bytes)?;
    // Neither is longer than a frame of 2 MiB can be.
    let sizes = Sizes { compressed: bytes.len() as u32, unpacked: content.len() as u32 };
    Ok(Packed { bytes, content, sizes })
}
