//! Faults in message numbers.

use super::super::records::rising;
use super::*;

/// The member of headers with a list of three numbers and the header of one of 10,000, and the two segments of that.
const HEADERS: usize = 0;
const FIRST: usize = 1;
const LAST: usize = 2;

/// An archive with a short list and a long one.
pub fn forge() -> Forge {
    let mut forge = Forge::new(&[Record::fulltext(1, &[5, 6, 8]), Record::fulltext(2, &rising(10_000, 1))]);
    assert_eq!(forge.only_block().members.len(), 3);
    forge
}

/// Another list in the header of the first record, as it is stored.
fn with_short(stored: &[u8]) -> Vec<u8> {
    let mut forge = forge();
    let header = &mut forge.only_block().members[HEADERS];
    let mut content = header.content.clone();
    let at = content.windows(4).position(|bytes| bytes == b"body").unwrap() + 4;
    assert_eq!(content[at..at + 4], [0x43, 10, 2, 4]);
    let mut encoder = ctdl_dump::codec::cbor::Encoder::new();
    encoder.binary(stored);
    content.splice(at..at + 4, encoder.into_bytes());
    header.refill(&content);
    forge.seal()
}

/// Another stored segment, and everything else as that demands.
fn with_segment(number: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut forge = forge();
    let member = &mut forge.only_block().members[number];
    let mut stored = member.content.clone();
    change(&mut stored);
    member.refill(&stored);
    forge.describe();
    forge.seal()
}

/// The second header with another entry "body".
fn with_long_entry(entry: &[u8]) -> Vec<u8> {
    let mut forge = forge();
    let header = &mut forge.only_block().members[HEADERS];
    let mut content = header.content.clone();
    let at = content.windows(8).rposition(|bytes| bytes.starts_with(b"body\x1a")).unwrap() + 4;
    content.splice(at..at + 5, entry.iter().copied());
    header.refill(&content);
    forge.seal()
}

pub fn in_numbers() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("numbers-in-more-bytes-than-necessary", "in more bytes than necessary", with_short(&[0x8a, 0x00])),
        ("numbers-of-more-than-64-bits", "of more than 64 bits", with_short(&[[0xff; 9].as_slice(), &[2]].concat())),
        ("numbers-of-eleven-bytes", "of more than 64 bits", with_short(&[0xff; 11])),
        ("numbers-cut-short", "a difference that is not complete", with_short(&[10, 0x80])),
        ("numbers-too-many-for-a-header", "more numbers than there must be", with_short(&[2; 4_097])),
        ("numbers-of-another-list", "has the digest", with_short(&[10, 2, 6])),
        (
            "numbers-of-a-short-list-in-segments",
            "whose length doesn't fit segments",
            with_long_entry(&[0x19, 0x80, 0x00]),
        ),
        (
            "numbers-folded",
            "message numbers that are folded",
            with_long_entry(&[b"\x82\x66folded".as_slice(), &[0x1a, 0, 1, 0x38, 0x80]].concat()),
        ),
        ("numbers-of-another-length", "is no list of 64-bit numbers", with_long_entry(&[0x1a, 0, 1, 0x38, 0x81])),
        (
            "numbers-missing-in-a-segment",
            "fewer numbers than there must be",
            with_segment(FIRST, |stored| stored.truncate(stored.len() - 1)),
        ),
        (
            "numbers-too-many-in-a-segment",
            "more numbers than there must be",
            with_segment(LAST, |stored| stored.push(2)),
        ),
        ("numbers-of-an-empty-segment", "fewer numbers than there must be", with_segment(LAST, Vec::clear)),
        (
            "numbers-of-a-segment-in-more-bytes-than-necessary",
            "a difference in more bytes than necessary, at byte 0",
            with_segment(LAST, |stored| drop(stored.splice(..1, [stored[0] | 0x80, 0]))),
        ),
        (
            "numbers-stored-as-they-are",
            "though its differences are fewer bytes",
            with_segment(LAST, |stored| {
                *stored = (0..10_000i64 - 8_192).flat_map(i64::to_be_bytes).collect();
            }),
        ),
        ("numbers-of-a-segment-changed", "has the digest", {
            let mut forge = forge();
            let member = &mut forge.only_block().members[LAST];
            let mut stored = member.content.clone();
            stored[100] ^= 2;
            member.refill(&stored);
            forge.seal()
        }),
        ("numbers-elsewhere-by-the-manifest", "elsewhere than it stands", {
            let frames = forge().frames_with(|segment| segment.storages[1].body_bytes += 1, |_| {});
            seal(&frames)
        }),
    ]
}
