//! Faults in folded bodies.

use ctdl_dump::record::{Body, Header};

use super::super::records::{attachment, packed};
use super::*;

/// The member of headers with the record that has a folded body, and the two segments of it. Another record follows.
const HEADER: usize = 0;
const FIRST: usize = 1;
const LAST: usize = 2;

/// A literal of 37 bytes stands before the attachment, with its head of 3.
const BASE64_AT: usize = 40;

/// An archive with a folded body that has two segments.
pub fn forge() -> Forge {
    let mail = attachment(&packed(70_000, 1), "\r\n");
    let mut forge = Forge::new(&[Record::message(1, mail), Record::message(2, body(100, 2))]);
    let members = &forge.only_block().members;
    assert!(matches!(headers(&members[HEADER].content)[0].body, Some(Body::Folded(_))));
    assert_eq!((members.len(), members[FIRST].content[BASE64_AT]), (4, 2));
    forge
}

/// Everything stored of the body is changed, and cut into segments again; everything else stays right.
fn with_stored(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut forge = forge();
    let members = &mut forge.only_block().members;
    let mut stored: Vec<u8> = members[FIRST..=LAST].iter().flat_map(|member| member.content.clone()).collect();
    change(&mut stored);
    let name = |number: usize| format!("message/00000000000000000001.{number:06}");
    let segments = stored.chunks(65_536).enumerate().map(|(number, segment)| Member::new(&name(number), segment));
    members.splice(FIRST..=LAST, segments.collect::<Vec<_>>());
    forge.describe();
    forge.seal()
}

/// Another length in the header.
fn with_length(change: impl FnOnce(i64) -> i64) -> Vec<u8> {
    let mut forge = forge();
    forge.change_headers(HEADER, |headers: &mut Vec<Header>| {
        let length = change(headers[0].fields.int("entry").unwrap());
        headers[0].fields.set_int("entry", length);
        headers[0].body = Some(Body::Folded(length as u64));
    });
    forge.seal()
}

/// Another entry "body" in the header, in CBOR.
fn with_body_entry(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut forge = forge();
    let header = &mut forge.only_block().members[HEADER];
    let mut content = header.content.clone();
    let at = content.windows(7).position(|bytes| bytes == b"\x66folded").unwrap();
    let mut rest = content.split_off(at);
    change(&mut rest);
    content.extend_from_slice(&rest);
    header.refill(&content);
    forge.seal()
}

pub fn in_folded_bodies() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let changed = |at: usize, to: u8| with_stored(|stored| stored[at] = to);
    vec![
        ("fold-type-0", "a part of type 0 at byte 40 of its folded body", changed(BASE64_AT, 0)),
        ("fold-unknown-type", "a part of type 4 at byte 40 of its folded body", changed(BASE64_AT, 4)),
        ("fold-reference", "a reference to earlier content at byte 40", changed(BASE64_AT, 3)),
        ("fold-unknown-bit", "with a bit set that means nothing", changed(BASE64_AT + 1, 8 | 3)),
        ("fold-no-padding-where-none-is", "with a remark on = where there is none to be written", {
            // The first window's data is a multiple of 57 bytes.
            changed(BASE64_AT + 1, 4 | 3)
        }),
        ("fold-lines-of-nothing", "with lines of no characters", changed(BASE64_AT + 2, 0)),
        ("fold-longer-than-its-header", "gives", with_length(|length| length - 1)),
        ("fold-shorter-than-its-header", "1 before its length is reached", with_length(|length| length + 1)),
        ("fold-endless", "before its length is reached", with_length(|_| i64::from(u32::MAX))),
        (
            "fold-expansion",
            "gives 131076 bytes",
            with_stored(|stored| {
                // Lines of four characters, as many as a part can have.
                stored.truncate(BASE64_AT);
                stored.extend_from_slice(&[2, 3, 1, 0, 0xff, 0xff]);
                stored.resize(stored.len() + 65_536, 0);
            }),
        ),
        (
            "fold-many-expansions",
            "gives 4098 bytes",
            with_stored(|stored| {
                stored.truncate(BASE64_AT);
                for _ in 0..200 {
                    stored.extend_from_slice(&[2, 3, 1, 0, 0xff, 0x07]);
                    stored.resize(stored.len() + 2048, 0);
                }
            }),
        ),
        (
            "fold-goes-on",
            "though its length is reached",
            with_stored(|stored| stored.extend_from_slice(&[1, 0, 0, b'x'])),
        ),
        (
            "fold-ends-in-a-part",
            "before its length is reached",
            with_stored(|stored| stored.truncate(stored.len() - 1)),
        ),
        ("fold-ends-in-a-head", "before its length is reached", with_stored(|stored| stored.truncate(BASE64_AT + 3))),
        ("fold-without-a-part", "before its length is reached", {
            let mut forge = forge();
            forge.only_block().members.remove(LAST);
            forge.only_block().members[FIRST].refill(b"");
            forge.describe();
            forge.seal()
        }),
        ("fold-last-segment-missing", "its name is message/00000000000000000002.cbor, but by its content it is", {
            let mut forge = forge();
            forge.only_block().members.remove(LAST);
            forge.describe();
            forge.seal()
        }),
        ("fold-segment-too-many", "of the header: ", {
            let mut forge = forge();
            let mut last = forge.only_block().members[LAST].clone();
            last.rename("message/00000000000000000001.000002");
            forge.only_block().members.insert(LAST + 1, last);
            forge.describe();
            forge.seal()
        }),
        ("fold-segment-cut-elsewhere", "before its length is reached", {
            let mut forge = forge();
            let members = &mut forge.only_block().members;
            let (first, mut last) = (members[FIRST].content.clone(), members[LAST].content.clone());
            last.splice(0..0, first[65_000..].to_vec());
            members[FIRST].refill(&first[..65_000]);
            members[LAST].refill(&last);
            forge.describe();
            forge.seal()
        }),
        ("fold-of-another-text", "has the digest", {
            let mut forge = forge();
            let member = &mut forge.only_block().members[FIRST];
            let mut content = member.content.clone();
            content[1000] ^= 1;
            member.refill(&content);
            forge.seal()
        }),
        ("fold-elsewhere-by-the-manifest", "elsewhere than it stands", {
            let frames = forge().frames_with(|segment| segment.storages[0].body_bytes += 1, |_| {});
            seal(&frames)
        }),
        (
            "fold-of-another-sort",
            "stored in a way that this version doesn't know",
            with_body_entry(|entry| entry[1..7].copy_from_slice(b"zipped")),
        ),
        (
            "fold-of-a-short-body",
            "whose length doesn't fit segments",
            with_body_entry(|entry| drop(entry.splice(7..12, [0x19, 0x10, 0x00]))),
        ),
        ("fold-without-a-length", "no unsigned integer", with_body_entry(|entry| entry[7] = 0x3a)),
    ]
}
