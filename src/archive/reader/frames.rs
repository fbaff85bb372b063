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
}

/// The frames of a file in their order.
#[derive(Debug)]
pub struct Frames<R> {
    scanner: Scanner<R>,
    pool: Pool<(u64, Compressed), Result<Frame, ReadError>>,
    most_ahead: usize,
    /// Grows to `most_ahead`, so that the first frame of a slow pipe is looked at before the next ones arrive.
    ahead: usize,
    ended: bool,
}

impl<R: Read> Frames<R> {
    pub fn new(reader: R, threads: usize) -> Self {
        Frames {
            scanner: Scanner::new(reader),
            pool: Pool::new(threads, unpack),
            most_ahead: threads + 2,
            ahead: 1,
            ended: false,
        }
    }

    /// The next frame; `None` when the whole file was found to be in order.
    pub fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        while !self.ended && self.pool.len() < self.ahead {
            match self.scanner.next() {
                Ok(Some(frame)) => self.pool.push(frame),
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

fn unpack((offset, compressed): (u64, Compressed)) -> Result<Frame, ReadError> {
    match frame::decompress(&compressed) {
        Ok(content) => Ok(Frame { offset, content }),
        Err(problem) => Err(ReadError::Frame { offset, problem }),
    }
}
