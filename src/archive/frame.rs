//! One zstd frame (`format-spec/archive.md`, section 2), and how its end is found without trusting any length.

use std::cell::RefCell;
use std::io::{self, Read};

use zstd::bulk::Decompressor;
use zstd::zstd_safe::compress_bound;

use super::FRAME_BYTES;
use super::effort::{self, Content};
use super::error::{FrameProblem, ReadError};

/// Magic number of a zstd frame.
pub const ZSTD_MAGIC: u32 = 0xFD2F_B528;
/// No compressed frame is longer: zstd's own bound for `FRAME_BYTES`, and some room for other encoders.
pub const MAX_COMPRESSED_BYTES: usize = FRAME_BYTES + 65_536;
/// What a frame ends with.
const CHECKSUM_BYTES: usize = 4;
/// The largest block of zstd.
const MAX_ZSTD_BLOCK_BYTES: usize = 128 << 10;

/// A frame as it stands in the file.
#[derive(Debug)]
pub struct Compressed {
    /// The whole frame.
    pub bytes: Vec<u8>,
    /// What its header says it unpacks to, 1 to `FRAME_BYTES`.
    pub content_bytes: usize,
}

/// Compresses one frame into `bytes`, whatever was there. A context of its own makes the result depend on nothing but content, its sort and level.
pub fn compress(content: &[u8], level: i32, sort: Content, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut compressor = effort::compressor(content, level, sort)?;
    compressor.include_checksum(true)?;
    compressor.include_contentsize(true)?;
    bytes.clear();
    bytes.reserve(compress_bound(content.len()));
    compressor.compress_to_buffer(content, bytes).map(|_| ())
}

/// Unpacks one frame into `content`, whatever was there, and checks its checksum.
pub fn decompress(frame: &Compressed, content: &mut Vec<u8>) -> Result<(), FrameProblem> {
    content.clear();
    content.reserve(frame.content_bytes);
    let unpacked = with_decompressor(|zstd| zstd.decompress_to_buffer(&frame.bytes, content));
    match unpacked {
        Ok(_) if content.len() == frame.content_bytes => Ok(()),
        Ok(_) => Err(FrameProblem::Zstd { message: "the frame unpacks to less than its header says".to_owned() }),
        Err(error) => Err(FrameProblem::Zstd { message: error.to_string() }),
    }
}

thread_local! {
    /// What this thread unpacks with. Every frame begins it anew; but to get memory for a new one would take longer than a small frame takes.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn with_decompressor<T>(work: impl FnOnce(&mut Decompressor<'static>) -> io::Result<T>) -> io::Result<T> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let zstd = match kept {
            Some(zstd) => zstd,
            None => kept.insert(Decompressor::new()?),
        };
        work(zstd)
    })
}

/// Reads the rest of a frame, whose magic number has been read, up to its end and not a byte further. The memory of `bytes` is used for it.
pub fn read_frame<R: Read>(input: &mut Input<R>, mut bytes: Vec<u8>) -> Result<Compressed, ReadError> {
    let offset = input.offset() - 4;
    let wrong = |problem| ReadError::Frame { offset, problem };
    bytes.clear();
    bytes.extend_from_slice(&ZSTD_MAGIC.to_le_bytes());
    let [descriptor] = input.array(&mut bytes)?;
    let content_bytes = read_content_size(input, descriptor, &mut bytes)?;
    let has_checksum = descriptor & 4 != 0;
    let what = match descriptor {
        _ if !has_checksum => "no checksum",
        _ if descriptor & 3 != 0 => "a dictionary",
        _ if descriptor & 8 != 0 => "a reserved bit",
        _ => "",
    };
    if !what.is_empty() {
        return Err(wrong(FrameProblem::Header { what }));
    }
    let content_bytes = match content_bytes {
        None => return Err(wrong(FrameProblem::Header { what: "no size of its content" })),
        Some(bytes) => usize::try_from(bytes)
            .ok()
            .filter(|bytes| (1..=FRAME_BYTES).contains(bytes))
            .ok_or_else(|| wrong(FrameProblem::ContentSize { bytes, limit: FRAME_BYTES }))?,
    };
    loop {
        let [a, b, c] = input.array(&mut bytes)?;
        let head = u32::from_le_bytes([a, b, c, 0]);
        let size = (head >> 3) as usize;
        let stored = match head >> 1 & 3 {
            0 | 2 => size,
            1 => 1,
            _ => return Err(wrong(FrameProblem::Block)),
        };
        if size > MAX_ZSTD_BLOCK_BYTES {
            return Err(wrong(FrameProblem::Block));
        }
        if bytes.len() + stored + CHECKSUM_BYTES > MAX_COMPRESSED_BYTES {
            return Err(wrong(FrameProblem::TooLong { limit: MAX_COMPRESSED_BYTES }));
        }
        input.read(stored, &mut bytes)?;
        if head & 1 != 0 {
            break;
        }
    }
    input.read(CHECKSUM_BYTES, &mut bytes)?;
    Ok(Compressed { bytes, content_bytes })
}

/// Reads what a frame's header says of its content's size, and looks at its window, whose size bounds the memory that unpacking takes.
fn read_content_size<R: Read>(
    input: &mut Input<R>,
    descriptor: u8,
    bytes: &mut Vec<u8>,
) -> Result<Option<u64>, ReadError> {
    let offset = input.offset() - 5;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let [window] = input.array(bytes)?;
        let base = 1u64 << (10 + (window >> 3));
        if base + base / 8 * u64::from(window & 7) > FRAME_BYTES as u64 {
            return Err(ReadError::Frame { offset, problem: FrameProblem::Header { what: "too large a window" } });
        }
    }
    Ok(match descriptor >> 6 {
        0 if is_single_segment => Some(u64::from(input.array::<1>(bytes)?[0])),
        0 => None,
        1 => Some(u64::from(u16::from_le_bytes(input.array(bytes)?)) + 256),
        2 => Some(u64::from(u32::from_le_bytes(input.array(bytes)?))),
        _ => Some(u64::from_le_bytes(input.array(bytes)?)),
    })
}

/// Bytes of a file in their order, and how many were read.
#[derive(Debug)]
pub struct Input<R> {
    reader: R,
    offset: u64,
}

impl<R: Read> Input<R> {
    /// Begins at an offset of the file, which is where the reader stands.
    pub fn new(reader: R, offset: u64) -> Self {
        Input { reader, offset }
    }

    /// Offset in the file of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends exactly so many bytes; fails where the input ends earlier.
    pub fn read(&mut self, count: usize, out: &mut Vec<u8>) -> Result<(), ReadError> {
        if self.read_up_to(count, out)? == count { Ok(()) } else { Err(ReadError::CutShort { bytes: self.offset }) }
    }

    /// Appends so many bytes, or all that are left if that is less, and tells how many.
    pub fn read_up_to(&mut self, count: usize, out: &mut Vec<u8>) -> Result<usize, ReadError> {
        let result = self.reader.by_ref().take(count as u64).read_to_end(out);
        match result {
            Ok(read) => {
                self.offset += read as u64;
                Ok(read)
            }
            Err(source) => Err(ReadError::Io { offset: self.offset, source }),
        }
    }

    /// Exactly `N` bytes, which are appended too.
    pub fn array<const N: usize>(&mut self, out: &mut Vec<u8>) -> Result<[u8; N], ReadError> {
        let start = out.len();
        self.read(N, out)?;
        out[start..].try_into().map_err(|_| ReadError::CutShort { bytes: self.offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Compressed, ReadError> {
        let mut input = Input::new(bytes, 0);
        input.read(4, &mut Vec::new())?;
        read_frame(&mut input, Vec::new())
    }

    fn packed(content: &[u8], level: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        compress(content, level, Content::Any, &mut bytes).unwrap();
        bytes
    }

    fn problem(bytes: &[u8]) -> FrameProblem {
        match read(bytes) {
            Err(ReadError::Frame { offset: 0, problem }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_frame_ends_where_its_last_block_ends_for_every_sort_of_content() {
        let noise: Vec<u8> = (0u32..70_000)
            .flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[..30].to_vec())
            .take(FRAME_BYTES)
            .collect();
        let text = b"the same again and again. ".repeat(80_000);
        for content in [b"x".as_slice(), &[0; 300], &[7; FRAME_BYTES], &noise, &text[..FRAME_BYTES / 2]] {
            for level in [1, 3, 9] {
                let bytes = packed(content, level);
                assert!(bytes.len() <= MAX_COMPRESSED_BYTES);
                let with_more = [bytes.as_slice(), b"more"].concat();
                let frame = read(&with_more).unwrap();
                assert_eq!(frame.bytes, bytes);
                let mut unpacked = b"something else".to_vec();
                decompress(&frame, &mut unpacked).unwrap();
                assert_eq!(unpacked, content);
            }
        }
    }

    #[test]
    fn a_frame_is_refused_that_is_cut_claims_too_much_or_lacks_what_the_format_demands() {
        let bytes = packed(&[7; 100_000], 3);
        for end in 4..bytes.len() {
            assert!(matches!(read(&bytes[..end]), Err(ReadError::CutShort { bytes }) if bytes == end as u64));
        }
        assert!(matches!(problem(&zstd::bulk::compress(&[7; 100], 3).unwrap()), FrameProblem::Header { .. }));
        assert!(matches!(problem(&packed(&[], 3)), FrameProblem::ContentSize { bytes: 0, .. }));
        assert!(matches!(problem(&packed(&vec![7; FRAME_BYTES + 1], 3)), FrameProblem::ContentSize { .. }));
        let mut huge = ZSTD_MAGIC.to_le_bytes().to_vec();
        huge.push(0xe4);
        huge.extend_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(problem(&huge), FrameProblem::ContentSize { bytes: u64::MAX, .. }));
        let mut wide = ZSTD_MAGIC.to_le_bytes().to_vec();
        wide.extend_from_slice(&[0x84, 0xff, 0, 0, 0, 0]);
        assert!(matches!(problem(&wide), FrameProblem::Header { what: "too large a window" }));
    }

    #[test]
    fn a_frame_is_as_long_as_the_format_allows_and_no_longer() {
        // A content of 7 bytes behind as many empty blocks as there is room for, of 3 bytes each.
        let of_length = |bytes: usize| {
            let mut frame = ZSTD_MAGIC.to_le_bytes().to_vec();
            frame.extend_from_slice(&[0x24, 7]);
            frame.resize(bytes - CHECKSUM_BYTES - 10, 0);
            frame.extend_from_slice(&[7 << 3 | 1, 0, 0]);
            frame.resize(bytes, 7);
            frame
        };
        let longest = (0..3).map(|less| MAX_COMPRESSED_BYTES - less).find(|bytes| (bytes - 20) % 3 == 0).unwrap();
        assert_eq!(read(&of_length(longest)).unwrap().bytes.len(), longest);
        assert!(matches!(problem(&of_length(longest + 3)), FrameProblem::TooLong { .. }));
    }

    #[test]
    fn a_frame_of_endless_empty_blocks_is_refused() {
        let mut bytes = ZSTD_MAGIC.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0x24, 100]);
        bytes.resize(4 << 20, 0);
        assert!(matches!(problem(&bytes), FrameProblem::TooLong { .. }));
    }
}
