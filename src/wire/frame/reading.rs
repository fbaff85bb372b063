//! The parts of an answer, read one by one.

use std::io::Read;

use super::digest;
use crate::codec::{Digest, numbers};
use crate::record::{Header, printable};
use crate::wire::MAX_PIECE_BYTES;
use crate::wire::error::WireError;
use crate::wire::item::Item;
use crate::wire::line::Input;

/// How often in a row a peer may say that it is still at work: more than a day, at one line in 20 seconds.
pub(in crate::wire) const MOST_AT_WORK_LINES: u32 = 10_000;

/// Reads the next line inside of an answer, after all that say that the peer is at work. A failure becomes an error.
pub(in crate::wire) fn next_item<R: Read>(input: &mut Input<R>, expected: &'static str) -> Result<Item, WireError> {
    for _ in 0..MOST_AT_WORK_LINES {
        let line = input.line()?;
        match Item::parse(&line) {
            Some(Item::AtWork(_)) => {}
            Some(Item::Failed(reply)) => return Err(WireError::Refused { code: reply.code, text: reply.text }),
            Some(item) => return Ok(item),
            None => return Err(WireError::unexpected(&line, expected)),
        }
    }
    Err(WireError::Silent)
}

/// Reads a counted piece of at most the usual length.
pub(in crate::wire) fn piece<R: Read>(
    input: &mut Input<R>,
    bytes: u64,
    what: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    match usize::try_from(bytes) {
        Ok(count) if count <= MAX_PIECE_BYTES => input.counted(count, what, out),
        _ => Err(WireError::TooLong { what, bytes, limit: MAX_PIECE_BYTES }),
    }
}

/// Reads `SITE`, and the bytes of `site.cbor`.
pub(in crate::wire) fn site<R: Read>(input: &mut Input<R>) -> Result<Vec<u8>, WireError> {
    match next_item(input, "SITE")? {
        Item::Site(bytes) => checked_piece(input, bytes, "site.cbor"),
        item => Err(WireError::unexpected(&item.encode(), "SITE")),
    }
}

/// Reads `STATE`, and what it says.
pub(in crate::wire) fn state<R: Read>(input: &mut Input<R>) -> Result<String, WireError> {
    let text = match next_item(input, "STATE")? {
        Item::State(bytes) => checked_piece(input, bytes, "the state")?,
        item => return Err(WireError::unexpected(&item.encode(), "STATE")),
    };
    String::from_utf8(text).map_err(|error| WireError::unexpected(&printable(error.as_bytes()), "a state in UTF-8"))
}

/// Reads a counted piece and its digest.
fn checked_piece<R: Read>(input: &mut Input<R>, bytes: u64, what: &'static str) -> Result<Vec<u8>, WireError> {
    let mut content = Vec::new();
    piece(input, bytes, what, &mut content)?;
    expect_digest(input, blake3::hash(&content).into(), what)?;
    Ok(content)
}

/// Reads `DIGEST`, which must be that of these headers and records.
pub(super) fn check_digest<R: Read>(input: &mut Input<R>, headers: &[u8], records: &[Digest]) -> Result<(), WireError> {
    expect_digest(input, digest(headers, records), "a frame")
}

fn expect_digest<R: Read>(input: &mut Input<R>, expected: Digest, what: &'static str) -> Result<(), WireError> {
    match next_item(input, "DIGEST")? {
        Item::Digest(found) if found == expected => Ok(()),
        Item::Digest(_) => Err(WireError::Digest { what }),
        item => Err(WireError::unexpected(&item.encode(), "DIGEST")),
    }
}

/// Fails if it is another item.
pub(super) fn demand(found: Item, expected: &Item, what: &'static str) -> Result<(), WireError> {
    if found == *expected { Ok(()) } else { Err(WireError::unexpected(&found.encode(), what)) }
}

/// Reads the next segment of a record's body, which has so many bytes. Message numbers come as they are stored.
pub(super) fn segment<R: Read>(
    input: &mut Input<R>,
    is_first: bool,
    header: &Header,
    bytes: usize,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let what = if is_first { "DATA CHUNK with the first segment" } else { "CHUNK with the next segment" };
    let item = next_item(input, what)?;
    let count = match item {
        Item::DataChunk(count) if is_first => usize::try_from(count).ok(),
        Item::Chunk(count) if !is_first => usize::try_from(count).ok(),
        _ => None,
    };
    let has_numbers = header.kind.has_numbers();
    match count {
        Some(count) if has_numbers && (1..=bytes).contains(&count) => {
            let mut stored = Vec::new();
            input.counted(count, "a body", &mut stored)?;
            numbers::restore_segment(&stored, bytes, out).map_err(|source| WireError::Numbers {
                kind: header.kind,
                key: header.key.to_string(),
                source,
            })
        }
        Some(count) if !has_numbers && count == bytes => input.counted(count, "a body", out),
        _ => Err(WireError::unexpected(&item.encode(), what)),
    }
}
