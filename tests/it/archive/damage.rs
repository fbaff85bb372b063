//! An archive that is cut, changed or extended anywhere is refused.

use std::io::Write as _;

use ctdl_dump::archive::{Options, RandomReader};
use ctdl_dump::endpoint::{Class, Failure};
use proptest::prelude::*;

use super::forge::{Frame, seal, unpack};
use super::records::{Record, attachment, body, many, rising};
use super::{verify, write, write_folded};

/// An archive with a bit of everything, of a few thousand bytes.
fn small() -> Vec<u8> {
    let records = [
        Record::config("c_fqdn", b"uncensored.example.org"),
        Record::config("c_nodename", b"uncensored"),
        Record::fulltext(1, &rising(20, 1)),
        Record::fulltext(2, &(0..10_000).collect::<Vec<_>>()),
        Record::message(1, body(300, 1)),
        Record::message(2, vec![b'-'; 70_000]),
        Record::message(3, body(50, 3)),
        Record::message(4, attachment(&b"xyz".repeat(1_100), "\r\n")),
    ];
    write_folded(&records, Options::default()).0
}

fn refused(archive: &[u8], what: impl Fn() -> String) -> Failure {
    match verify(archive, 0) {
        Ok(_) => panic!("{} is taken for a whole archive", what()),
        Err(failure) if failure.class != Class::Damaged => panic!("{}: class {:?}: {failure}", what(), failure.class),
        Err(failure) => failure,
    }
}

#[test]
fn an_archive_cut_at_any_byte_is_refused_and_the_message_says_where() {
    let archive = small();
    verify(archive.as_slice(), 0).unwrap();
    for end in 0..archive.len() {
        let message = refused(&archive[..end], || format!("the first {end} bytes")).to_string();
        match end {
            0 => assert!(message.contains("empty (0 bytes)"), "{message}"),
            _ => assert!(message.contains(&format!("cut short after {end} bytes")), "{end}: {message}"),
        }
    }
}

#[test]
fn any_one_changed_byte_is_found() {
    let archive = small();
    let mut changed = archive.clone();
    for at in 0..archive.len() {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            changed[at] ^= flip;
            refused(&changed, || format!("the archive with byte {at} changed by {flip:02x}"));
            changed[at] = archive[at];
        }
    }
}

#[test]
fn anything_appended_is_found() {
    let archive = small();
    let end = archive.len();
    for more in [b"\0".as_slice(), b"x", &[0; 1000], &archive, &archive[..1], &archive[end - 40..]] {
        let message = refused(&[&archive, more].concat(), || format!("{} bytes appended", more.len())).to_string();
        assert!(message.contains("bytes follow the end") && message.contains(&format!("byte {end}")), "{message}");
    }
}

#[test]
fn a_large_archive_with_a_byte_missing_changed_or_doubled_is_refused_for_any_number_of_threads() {
    let (archive, _) = write(&many(), Options { level: 1, threads: 2 });
    for (number, at) in (0..archive.len()).step_by(archive.len() / 40).enumerate() {
        let (before, after) = archive.split_at(at);
        let damaged = match number % 4 {
            0 => before.to_vec(),
            1 => [before, &[after[0] ^ 4], &after[1..]].concat(),
            2 => [before, &after[1..]].concat(),
            _ => [before, &after[..1], after].concat(),
        };
        let messages: Vec<String> =
            (0..3).map(|threads| verify(damaged.as_slice(), threads).unwrap_err().to_string()).collect();
        assert!(messages.iter().all(|message| *message == messages[0]), "byte {at}: {messages:?}");
    }
}

/// The small archive with something changed inside of one frame, whose checksum, digest and place in the seek table are made right again.
pub fn changed_inside(frame: prop::sample::Index, at: prop::sample::Index, with: &[u8], instead_of: usize) -> Vec<u8> {
    let mut contents = unpack(&small());
    let content = frame.get_mut(&mut contents);
    let start = at.index(content.len());
    let end = content.len().min(start + instead_of);
    content.splice(start..end, with.iter().copied());
    seal(&contents.iter().filter(|content| !content.is_empty()).map(|content| Frame::of(content)).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn bytes_changed_inside_of_frames_are_found_by_those_who_read_all_and_harm_none(
        frame: prop::sample::Index, at: prop::sample::Index, with in prop::collection::vec(any::<u8>(), 0..9), instead_of in 0usize..9,
    ) {
        let changed = changed_inside(frame, at, &with, instead_of);
        if changed != changed_inside(frame, at, &[], 0) {
            match verify(changed.as_slice(), 0) {
                Err(failure) => prop_assert_eq!(failure.class, Class::Damaged),
                // What the second look at the source found stands nowhere else, so nothing can contradict it.
                Ok(summary) => prop_assert_ne!(summary.end.state_after, "unchanged"),
            }
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&changed).unwrap();
        if let Ok(archive) = RandomReader::open(file) {
            let keys: Vec<_> = archive.records(None).unwrap().map_while(Result::ok).map(|record| (record.kind, record.key)).collect();
            for (kind, key) in keys {
                if let Ok(Some((_, mut body))) = archive.open_record(kind, &key) {
                    while let Ok(true) = body.segment(&mut Vec::new()) {}
                }
            }
            if let Ok(headers) = archive.headers(None) {
                headers.for_each(drop);
            }
        }
    }
}

#[test]
fn what_is_no_archive_is_said_to_be_what_it_is() {
    let tar = {
        let mut header = vec![0; 1024];
        header[257..262].copy_from_slice(b"ustar");
        header
    };
    let other_zstd = zstd::bulk::compress(b"something else", 3).unwrap();
    let streamed_zstd = zstd::stream::encode_all(b"something else".as_slice(), 3).unwrap();
    for (bytes, word) in [
        (b"\x1f\x8b\x08\0\0\0".as_slice(), "gzip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"<?xml version=\"1.0\"?>", "Citadel's own exports"),
        (b"PK\x03\x04", "zip"),
        (b"hello", "doesn't begin with a frame of zstd"),
        (&tar, "a tar that is not compressed"),
        (&other_zstd, "compressed by zstd"),
        (&streamed_zstd, "compressed by zstd"),
    ] {
        let message = refused(bytes, || word.to_owned()).to_string();
        assert!(message.contains("no ctdl-dump archive") && message.contains(word), "{word}: {message}");
    }
}
