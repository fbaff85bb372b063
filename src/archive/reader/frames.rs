//! Unpacks frames ahead of their use, by several threads, in a bounded number.

use std::io::Read;

use super::super::error::ReadError;
use super::super::frame::{self, Compressed};
use super::super::pool::Pool;
use super::scan::Scanner;

/// A frame, unpacked.
#[derive(Debug, Default)]
pub struct Frame {
    /// Where it begins in the file.
    pub offset: u64,
    /// What it holds.
    pub content: Vec<u8>,
    /// How it stood in the file; kept for its memory.
    packed: Vec<u8>,
}

/// Work for a thread: a frame, and memory for what it holds.
type Job = (u64, Compressed, Vec<u8>);

/// A frame of at most so many bytes, as those of the manifest are, is unpacked at once: that takes less time than to have another thread do it.
const SMALL_BYTES: usize = 32 << 10;

/// The frames of a file in their order.
#[derive(Debug)]
pub struct Frames<R> {
    scanner: Scanner<R>,
    pool: Pool<Job, Result<Frame, ReadError>>,
    most_ahead: usize,
    /// Grows to `most_ahead`, so that the first frame of a slow pipe is looked at before the next ones arrive.
    ahead: usize,
    ended: bool,
    /// Frames that were used. A fresh piece of memory for each one would cost the system more time than unpacking costs.
    spare: Vec<Frame>,
}

impl<R: Read> Frames<R> {
    pub fn new(reader: R, threads: usize) -> Self {
        Frames {
            scanner: Scanner::new(reader),
            pool: Pool::new(threads, unpack),
            most_ahead: threads + 2,
            ahead: 1,
            ended: false,
            spare: Vec::new(),
        }
    }

    /// The next frame; `None` when the whole file was found to be in order. `used` is the one before, or none.
    pub fn next(&mut self, used: Frame) -> Result<Option<Frame>, ReadError> {
        self.spare.push(used);
        while !self.ended && self.pool.len() < self.ahead {
            let spare = self.spare.pop().unwrap_or_default();
            match self.scanner.next(spare.packed) {
                Ok(Some((offset, frame))) if frame.content_bytes <= SMALL_BYTES => {
                    self.pool.push_result(unpack((offset, frame, spare.content)));
                }
                Ok(Some((offset, frame))) => self.pool.push((offset, frame, spare.content)),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.pool.push_result(Err(error));
                }
            }
        }
        self.ahead = (self.ahead + 1).min(self.most_ahead);
        self.pool.pop().transpose()?.transpose()
    }
}

fn unpack((offset, compressed, mut content): Job) -> Result<Frame, ReadError> {
    match frame::decompress(&compressed, &mut content) {
        Ok(()) => Ok(Frame { offset, content, packed: compressed.bytes }),
        Err(problem) => Err(ReadError::Frame { offset, problem }),
    }
}
