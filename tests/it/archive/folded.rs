//! Folded bodies say the same as plain ones, in fewer bytes.

use std::fs::File;
use std::io::Write as _;

use ctdl_dump::archive::{Options, RandomReader, Reader, Writer};
use ctdl_dump::endpoint::{Folding, Sink, Source};
use ctdl_dump::record::{Body, End, Key, Kind};
use ctdl_dump::transfer::Comparison;
use proptest::prelude::*;

use super::forge::{headers, unpack};
use super::records::{Record, attachment, body, many, packed, site, sorted};
use super::{Listed, read, verify, write, write_folded};

/// Whether the archive, of one frame of data, has folded bodies: by the headers of messages in it.
fn folded_messages(archive: &[u8]) -> Vec<bool> {
    let data = &unpack(archive)[1];
    let (mut folded, mut at) = (Vec::new(), 0);
    while at < data.len() {
        let size = usize::from_str_radix(str::from_utf8(&data[at + 124..at + 135]).unwrap(), 8).unwrap();
        if data[at..at + 100].windows(5).any(|name| name == b".cbor") {
            let all = headers(&data[at + 512..at + 512 + size]);
            folded.extend(all.iter().map(|header| matches!(header.body, Some(Body::Folded(_)))));
        }
        at += 512 + size.next_multiple_of(512);
    }
    folded
}

fn mails() -> Vec<Record> {
    let mut mails = vec![Record::config("c_nodename", b"uncensored")];
    for (number, bytes) in [3_000, 48_000, 49_152, 50_000, 100_000, 1_000_000].into_iter().enumerate() {
        let end = if number % 2 == 0 { "\n" } else { "\r\n" };
        mails.push(Record::message(number as i64 * 10 + 1, attachment(&packed(bytes, 7), end)));
        mails.push(Record::message(number as i64 * 10 + 2, attachment(&body(bytes, 7), end)));
        mails.push(Record::message(number as i64 * 10 + 3, body(bytes, 7)));
    }
    mails
}

#[test]
fn a_folded_archive_says_the_same_in_fewer_bytes() {
    let mails = mails();
    let (plain, plain_summary) = write(&mails, Options::default());
    let (folded, summary) = write_folded(&mails, Options::default());
    assert_eq!(summary.site_digest, plain_summary.site_digest);
    assert_eq!(summary.body_bytes(), plain_summary.body_bytes());
    assert!(folded.len() * 10 < plain.len() * 9, "{} folded, {} plain", folded.len(), plain.len());
    let records: Vec<Record> =
        read(folded.as_slice(), 1).unwrap().records.into_iter().map(|(record, _)| record).collect();
    assert!(records == mails);

    let mut first = Reader::new(plain.as_slice(), 1).unwrap();
    let mut second = Reader::new(folded.as_slice(), 1).unwrap();
    let mut comparison = Comparison::begin(&mut first, &mut second).unwrap();
    assert_eq!(comparison.next_difference().unwrap(), None);
}

#[test]
fn records_without_base64_give_the_same_bytes_folded_or_not() {
    let records = many();
    let options = Options { level: 1, threads: 2 };
    assert!(write(&records, options).0 == write_folded(&records, options).0);
}

#[test]
fn the_bytes_are_the_same_for_every_number_of_threads() {
    let mails = mails();
    let (one, _) = write_folded(&mails, Options { level: 1, threads: 0 });
    for threads in [1, 3] {
        assert!(write_folded(&mails, Options { level: 1, threads }).0 == one);
        verify(one.as_slice(), threads).unwrap();
    }
}

#[test]
fn base64_far_behind_the_beginning_is_not_looked_for() {
    let mail = attachment(&packed(5_000, 1), "\n");
    let behind = |bytes: usize| [vec![b'\n'; bytes], mail.clone()].concat();
    let messages = [
        Record::message(1, behind(0)),
        Record::message(2, behind(900_000)),
        Record::message(3, behind(1_100_000)),
        Record::message(4, body(5_000, 1)),
        Record::message(5, attachment(&packed(1_000, 1), "\n")),
    ];
    let (archive, _) = write_folded(&messages[..2], Options::default());
    assert_eq!(folded_messages(&archive), [true, true]);
    let (archive, _) = write_folded(&messages[2..], Options::default());
    assert_eq!(folded_messages(&archive), [false, false, false]);
}

#[test]
fn only_messages_are_folded() {
    let records = [Record::config("a", &attachment(&packed(5_000, 1), "\n"))];
    assert_eq!(folded_messages(&write_folded(&records, Options::default()).0), [false]);
}

#[test]
fn bodies_may_be_passed_over() {
    let mails = mails();
    let (archive, _) = write_folded(&mails, Options::default());
    let mut listed = Listed::new(&mails);
    let sources: [&mut dyn Source; 2] =
        [&mut Reader::new(archive.as_slice(), 1).unwrap(), &mut Folding::new(&mut listed)];
    for source in sources {
        let mut segment = Vec::new();
        for (number, mail) in mails.iter().enumerate() {
            assert_eq!(source.next().unwrap().unwrap().key, mail.header.key);
            for _ in 0..number % 3 {
                source.segment(&mut segment).unwrap();
            }
        }
        assert!(source.next().unwrap().is_none());
        source.finish().unwrap();
    }
}

#[test]
fn a_folded_record_is_looked_up_with_the_frames_that_it_stands_in() {
    let mails = mails();
    let (bytes, _) = write_folded(&mails, Options::default());
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let archive = RandomReader::open(file).unwrap();
    for mail in &mails[1..] {
        let (header, mut reader) = archive.open_record(Kind::Message, &mail.header.key).unwrap().unwrap();
        assert_eq!(header, mail.header);
        let (mut body, mut segment) = (Vec::new(), Vec::new());
        while reader.segment(&mut segment).unwrap() {
            body.extend_from_slice(&segment);
        }
        if let Some(Body::Inline(bytes)) = &header.body {
            body.clone_from(bytes);
        }
        assert!(body == mail.body);
    }
    let headers: Vec<_> = archive.headers(None).unwrap().map(|item| item.unwrap().0).collect();
    assert!(headers.iter().eq(mails.iter().map(|mail| &mail.header)));
    assert!(archive.open_record(Kind::Message, &Key::number(9)).unwrap().is_none());
}

#[test]
fn a_writer_refuses_a_folded_body_that_gives_another_length() {
    let mail = Record::message(1, attachment(&packed(100_000, 1), "\n"));
    let mut listed = Listed::new(std::slice::from_ref(&mail));
    let mut source = Folding::new(&mut listed);
    let header = source.next().unwrap().unwrap();
    let (mut segments, mut segment) = (Vec::new(), Vec::new());
    while source.segment(&mut segment).unwrap() {
        segments.push(segment.clone());
    }
    assert_eq!(segments.len(), 2);
    let write = |segments: &[&[u8]]| -> Result<(), String> {
        let mut writer = Writer::new(Vec::new(), Options::default());
        writer.begin(&site()).unwrap();
        writer.record(&header).unwrap();
        let mut result = segments.iter().try_for_each(|segment| writer.segment(segment));
        result = result.and_then(|()| writer.end_record(&[0; 32])).and_then(|()| writer.finish(&End::default()));
        result.map_err(|failure| failure.to_string())
    };
    let (first, last) = (segments[0].as_slice(), segments[1].as_slice());
    write(&[first, last]).unwrap();
    assert!(write(&[first]).unwrap_err().contains("before its length is reached"));
    assert!(write(&[&first[..65_535], last]).unwrap_err().contains("a segment of 65535 bytes"));
    assert!(write(&[first, last, b"x"]).unwrap_err().contains("though its length is reached"));
    assert!(write(&[first, last, b""]).unwrap_err().contains("a segment of 0 bytes"));
    assert!(write(&[&[first, last].concat()]).unwrap_err().contains("a segment of"));
}

/// Mails of base64 and text in any mixture.
fn any_mail() -> impl Strategy<Value = Record> {
    let piece = (0usize..3, prop_oneof![0usize..3_000, 45_000usize..100_000], any::<u64>(), any::<bool>()).prop_map(
        |(sort, length, seed, crlf)| {
            let end = if crlf { "\r\n" } else { "\n" };
            match sort {
                0 => body(length, seed),
                1 => attachment(&body(length, seed), end),
                _ => attachment(&packed(length, seed), end),
            }
        },
    );
    (1i64..1_000, prop::collection::vec(piece, 1..4))
        .prop_map(|(number, pieces)| Record::message(number, pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_mails_survive_folding(mails in prop::collection::vec(any_mail(), 1..8).prop_map(sorted), threads in 0usize..3) {
        let options = Options { level: 1, threads };
        let (archive, summary) = write_folded(&mails, options);
        prop_assert_eq!(summary.site_digest, write(&mails, options).1.site_digest);
        let read: Vec<Record> = read(archive.as_slice(), threads).unwrap().records.into_iter().map(|(record, _)| record).collect();
        prop_assert!(read == mails);
    }
}
