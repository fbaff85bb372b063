//! The compression of visits (table 05): a header of the machine's own numbers, then a zlib stream.

use std::borrow::Cow;
use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::bytes;
use crate::record::Layout;

/// First four bytes of a compressed value, as an `int`.
const MAGIC: u64 = 0xc0ff_eeee;

/// A visit has 8,232 bytes. A header that claims more than this much lies, or is none of ours.
const MAX_UNCOMPRESSED_BYTES: u64 = 65_536;

thread_local! {
    /// Its memory is hundreds of times as large as a compressed visit: to make it anew took longer than all else that is done for one.
    static ZLIB: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), true));
    static UNZLIB: RefCell<Decompress> = RefCell::new(Decompress::new(true));
}

/// Whether the server would take a value for a compressed one, in any table.
pub(super) fn is_compressed(layout: Layout, value: &[u8]) -> bool {
    value.get(..4).is_some_and(|magic| bytes::read_unsigned(magic, layout.order) == MAGIC)
}

/// How many bytes a visit has uncompressed, as its value says, which need not be true.
pub fn visit_bytes(layout: Layout, value: &[u8]) -> u64 {
    let word = layout.word_bytes();
    match value.get(word..2 * word) {
        Some(length) if is_compressed(layout, value) => bytes::read_unsigned(length, layout.order),
        _ => value.len() as u64,
    }
}

/// The struct as it is uncompressed; `None` if the header and what follows it don't fit together.
pub(super) fn open(layout: Layout, value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !is_compressed(layout, value) {
        return Some(Cow::Borrowed(value));
    }
    let word = layout.word_bytes();
    let (header, stream) = value.split_at_checked(3 * word)?;
    let uncompressed = bytes::read_unsigned(&header[word..2 * word], layout.order);
    let compressed = bytes::read_unsigned(&header[2 * word..], layout.order);
    if uncompressed > MAX_UNCOMPRESSED_BYTES || compressed != stream.len() as u64 {
        return None;
    }
    // One byte more than there should be: so a stream that gives more is seen, and one that ends exactly is seen to end.
    let mut plain = Vec::with_capacity(uncompressed as usize + 1);
    UNZLIB.with_borrow_mut(|zlib| {
        zlib.reset(true);
        let status = zlib.decompress_vec(stream, &mut plain, FlushDecompress::Finish).ok()?;
        let whole = status == Status::StreamEnd && zlib.total_in() == compressed && plain.len() as u64 == uncompressed;
        whole.then_some(Cow::Owned(plain))
    })
}

/// The struct as the server keeps it. The padding of the header is zero.
pub(super) fn close(layout: Layout, plain: &[u8]) -> Vec<u8> {
    let word = layout.word_bytes();
    let mut value = vec![0; 3 * word];
    bytes::write(MAGIC as i64, layout.order, &mut value[..4]);
    bytes::write(plain.len() as i64, layout.order, &mut value[word..2 * word]);
    ZLIB.with_borrow_mut(|zlib| {
        zlib.reset();
        loop {
            let done = zlib.total_in() as usize;
            value.reserve(plain.len() + 64);
            #[expect(clippy::expect_used, reason = "the only error is that of a dictionary, and there is none")]
            let status = zlib.compress_vec(&plain[done..], &mut value, FlushCompress::Finish).expect("no dictionary");
            if status == Status::StreamEnd {
                break;
            }
        }
    });
    let compressed = value.len() - 3 * word;
    bytes::write(compressed as i64, layout.order, &mut value[2 * word..3 * word]);
    value
}
