//! The file as a row of zstd frames, and what must follow the last of them.

use std::io::{BufReader, Read};

use super::super::error::{FrameProblem, ReadError};
use super::super::frame::{self, Compressed, Input, ZSTD_MAGIC};
use super::super::tail::{self, DIGEST_MAGIC, Sizes};
use crate::codec::Digest;
use crate::codec::identity::hex;

/// Bytes that are read ahead. Frames are read block by block, each block behind three bytes that tell how long it is. Of a longer block only its beginning is
/// among them, and all the rest goes to its place at once.
const READ_BYTES: usize = 4 << 10;

/// Finds one frame after the other.
#[derive(Debug)]
pub struct Scanner<R> {
    input: Input<BufReader<R>>,
    hasher: blake3::Hasher,
    sizes: Vec<Sizes>,
}

impl<R: Read> Scanner<R> {
    pub fn new(reader: R) -> Self {
        let input = Input::new(BufReader::with_capacity(READ_BYTES, reader), 0);
        Scanner { input, hasher: blake3::Hasher::new(), sizes: Vec::new() }
    }

    /// The next frame and where it begins in the file. `None` after the last one, when digest and seek table are right and the input has ended.
    /// The memory of `spare` is used for it.
    pub fn next(&mut self, spare: Vec<u8>) -> Result<Option<(u64, Compressed)>, ReadError> {
        let offset = self.input.offset();
        let mut magic = Vec::new();
        self.input.read_up_to(4, &mut magic)?;
        if offset == 0 && !ZSTD_MAGIC.to_le_bytes().starts_with(&magic) {
            return Err(self.not_an_archive(magic));
        }
        let Ok(magic) = <[u8; 4]>::try_from(magic) else {
            let bytes = self.input.offset();
            return Err(if bytes == 0 { ReadError::Empty } else { ReadError::CutShort { bytes } });
        };
        let problem = match u32::from_le_bytes(magic) {
            ZSTD_MAGIC => {
                let frame = frame::read_frame(&mut self.input, spare)?;
                self.hasher.update(&frame.bytes);
                // Neither is longer than a frame of 2 MiB can be.
                let (compressed, unpacked) = (frame.bytes.len() as u32, frame.content_bytes as u32);
                self.sizes.push(Sizes { compressed, unpacked });
                return Ok(Some((offset, frame)));
            }
            DIGEST_MAGIC => return self.check_tail(offset).map(|()| None),
            0x184D_2A51..=0x184D_2A5F => FrameProblem::Skippable,
            magic => FrameProblem::Magic { magic },
        };
        Err(ReadError::Frame { offset, problem })
    }

    fn check_tail(&mut self, offset: u64) -> Result<(), ReadError> {
        let mut read = Vec::new();
        let size: [u8; 4] = self.input.array(&mut read)?;
        if u32::from_le_bytes(size) as usize != tail::DIGEST_FRAME_BYTES - 8 {
            return Err(ReadError::Frame { offset, problem: FrameProblem::Skippable });
        }
        let stored: Digest = self.input.array(&mut read)?;
        let computed: Digest = self.hasher.finalize().into();
        if stored != computed {
            return Err(ReadError::FileDigest { offset, computed: hex(&computed), stored: hex(&stored) });
        }
        self.sizes.push(tail::digest_sizes());
        self.check_seek_table()?;
        let end = self.input.offset();
        if self.input.read_up_to(1, &mut read)? > 0 {
            return Err(ReadError::Appended { offset: end });
        }
        Ok(())
    }

    fn check_seek_table(&mut self) -> Result<(), ReadError> {
        let start = self.input.offset();
        let expected = tail::seek_table(&self.sizes).ok_or_else(|| ReadError::SeekTable {
            offset: start,
            problem: "the archive has more frames than a seek table can list".to_owned(),
        })?;
        let mut found = Vec::new();
        self.input.read_up_to(expected.len(), &mut found)?;
        if let Some(byte) = found.iter().zip(&expected).position(|(found, expected)| found != expected) {
            return Err(ReadError::SeekTable {
                offset: start + byte as u64,
                problem: format!("it has {:02x} where the frames before it demand {:02x}", found[byte], expected[byte]),
            });
        }
        if found.len() < expected.len() {
            return Err(ReadError::CutShort { bytes: self.input.offset() });
        }
        Ok(())
    }

    /// Says what a file is that doesn't begin as an archive does.
    fn not_an_archive(&mut self, mut beginning: Vec<u8>) -> ReadError {
        if let Err(error) = self.input.read_up_to(512, &mut beginning) {
            return error;
        }
        ReadError::NotAnArchive { found: describe(&beginning).to_owned() }
    }
}

/// What a file is that begins with these bytes and not as an archive does.
pub fn describe(beginning: &[u8]) -> &'static str {
    match beginning {
        [0x1f, 0x8b, ..] => "it is compressed by gzip",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "it is compressed by xz",
        [b'P', b'K', 3, 4, ..] => "it is a zip file",
        [b'<', b'?', b'x', b'm', b'l', ..] => "it is XML, as Citadel's own exports are",
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => "it begins with a skippable frame of zstd",
        _ if beginning.get(257..262) == Some(b"ustar") => "it is a tar that is not compressed",
        _ if beginning.get(12..16) == Some(&[0x62, 0x31, 0x05, 0]) => "it is a table of Berkeley DB",
        _ => "it doesn't begin with a frame of zstd",
    }
}
