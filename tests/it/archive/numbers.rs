//! Message numbers are stored as differences, and come out as they went in.

use std::fs::File;
use std::io::Write as _;

use ctdl_dump::archive::{Options, RandomReader};
use ctdl_dump::record::{Body, Key, Kind};
use proptest::prelude::*;

use super::forge::{headers, members, unpack};
use super::records::{Record, body, packed, rising, sorted};
use super::{read, write, write_folded};

/// Lists around every edge: of the header, of a segment, and such as are stored as they are.
fn lists() -> Vec<Record> {
    let counts = [0, 1, 4_095, 4_096, 4_097, 8_192, 8_193, 20_000];
    let mut lists: Vec<Record> =
        counts.iter().map(|count| Record::fulltext(*count as i64, &rising(*count, 7))).collect();
    for count in [10i64, 4_096, 30_000] {
        let bytes = packed(count as usize * 8, 3);
        let numbers: Vec<i64> = bytes.as_chunks().0.iter().map(|bytes| i64::from_be_bytes(*bytes)).collect();
        // Its second segment is one that differences make shorter.
        let numbers = [&numbers[..8_192.min(numbers.len())], &rising(8_192, 1), &numbers].concat();
        lists.push(Record::fulltext(100_000 + count, &numbers));
    }
    lists
}

/// The sizes of all members of segments in an archive.
fn segments(archive: &[u8]) -> Vec<(String, usize)> {
    let data: Vec<u8> = unpack(archive).into_iter().filter(|frame| frame.starts_with(b"fulltext/")).flatten().collect();
    let all = members(&data).into_iter().filter(|member| !member.name().ends_with(".cbor"));
    all.map(|member| (member.name(), member.content.len())).collect()
}

#[test]
fn lists_come_out_as_they_went_in() {
    let lists = lists();
    let (archive, summary) = write(&lists, Options::default());
    assert_eq!(summary.body_bytes(), lists.iter().map(|list| list.body.len() as u64).sum::<u64>());
    let kept: Vec<Record> =
        read(archive.as_slice(), 1).unwrap().records.into_iter().map(|(record, _)| record).collect();
    assert!(kept == lists);
}

#[test]
fn a_list_of_a_million_messages_takes_a_fraction_of_its_length() {
    let list = Record::fulltext(7, &rising(1_000_000, 1));
    let stored: usize = segments(&write(&[list], Options::default()).0).iter().map(|(_, bytes)| bytes).sum();
    assert!((1_000_000..1_000_500).contains(&stored), "{stored}");
}

#[test]
fn each_segment_is_stored_in_the_shorter_way() {
    let sizes = segments(&write(&lists()[10..], Options::default()).0);
    let sizes: Vec<usize> = sizes.into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(sizes.len(), 6);
    assert_eq!((sizes[0], sizes[2]), (65_536, 65_536));
    assert!(sizes[1] < 8_200, "{sizes:?}");
}

#[test]
fn folding_has_nothing_to_do_with_it() {
    let options = Options { level: 1, threads: 1 };
    assert!(write(&lists(), options).0 == write_folded(&lists(), options).0);
}

#[test]
fn a_list_is_looked_up_from_its_beginning_and_from_any_segment() {
    let lists = lists();
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(&write(&lists, Options::default()).0).unwrap();
    let archive = RandomReader::open(file).unwrap();
    for list in &lists {
        for offset in [0, 65_536, 131_072].into_iter().filter(|offset| *offset <= list.body.len()) {
            let (header, mut reader) = archive.open_record(Kind::Fulltext, &list.header.key).unwrap().unwrap();
            assert_eq!(header, list.header);
            if let Some(Body::Inline(bytes)) = header.body {
                assert!(bytes == list.body);
                continue;
            }
            assert!(reader.skip_to(offset as u64).unwrap());
            let (mut rest, mut segment) = (Vec::new(), Vec::new());
            while reader.segment(&mut segment).unwrap() {
                rest.extend_from_slice(&segment);
            }
            assert!(rest == list.body[offset..]);
        }
    }
    let headers: Vec<_> = archive.headers(None).unwrap().map(|item| item.unwrap().0).collect();
    assert!(headers.iter().eq(lists.iter().map(|list| &list.header)));
    assert!(archive.open_record(Kind::Fulltext, &Key::number(5)).unwrap().is_none());
}

#[test]
fn a_header_holds_the_differences_of_up_to_4096_numbers() {
    let (archive, _) = write(&lists()[..5], Options::default());
    let contents = unpack(&archive);
    let all: Vec<_> = headers(&members(&contents[1])[0].content);
    let lengths: Vec<_> = all.iter().map(|header| header.body.as_ref().map(Body::length)).collect();
    assert_eq!(lengths, [0, 8, 4_095 * 8, 4_096 * 8, 4_097 * 8].map(Some));
    let is_inside = |body: &Option<Body>| matches!(body, Some(Body::Inline(_)));
    assert_eq!(all.iter().map(|header| is_inside(&header.body)).collect::<Vec<_>>(), [true, true, true, true, false]);
}

fn any_list() -> impl Strategy<Value = Record> {
    let numbers = prop_oneof![0usize..300, 4_090usize..4_100, 8_190usize..8_200, 16_380usize..25_000];
    (any::<i32>(), numbers, any::<u64>(), any::<bool>()).prop_map(|(bucket, count, seed, is_rising)| {
        let text = body(count * 8, seed);
        let words = text.as_chunks().0.iter().map(|bytes| i64::from_be_bytes(*bytes));
        Record::fulltext(bucket.into(), &if is_rising { rising(count, seed) } else { words.collect() })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_lists_survive(lists in prop::collection::vec(any_list(), 1..6).prop_map(sorted), threads in 0usize..3) {
        let (archive, _) = write(&lists, Options { level: 1, threads });
        let kept: Vec<Record> = read(archive.as_slice(), threads).unwrap().records.into_iter().map(|(record, _)| record).collect();
        prop_assert!(kept == lists);
    }
}
