//! Looking into an archive gives what reading it gives, and touches little of the file.

use std::fs::File;
use std::io::Write as _;

use ctdl_dump::archive::{Options, RandomReader};
use ctdl_dump::codec::manifest::Identity;
use ctdl_dump::record::{Body, Key, Kind};
use proptest::prelude::*;

use super::records::{Record, any_records, many, site};
use super::{read, write};

fn file(archive: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(archive).unwrap();
    file
}

/// A record with its body, looked up by its key.
fn look_up(archive: &RandomReader, kind: Kind, key: &Key) -> Option<Record> {
    let (header, mut reader) = archive.open_record(kind, key).unwrap()?;
    let (mut body, mut segment) = (Vec::new(), Vec::new());
    while reader.segment(&mut segment).unwrap() {
        body.extend_from_slice(&segment);
    }
    if let Some(Body::Inline(bytes)) = &header.body {
        body.clone_from(bytes);
    }
    Some(Record { header, body })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_record_is_found_by_its_key_and_listed_by_its_kind(records in any_records(60, 140_000)) {
        let (bytes, summary) = write(&records, Options { level: 1, threads: 1 });
        let archive = RandomReader::open(file(&bytes)).unwrap();
        prop_assert_eq!(archive.site(), &site());
        prop_assert_eq!(archive.root().site_digest, summary.site_digest);
        prop_assert_eq!(&archive.root().kinds, &summary.kinds);
        for record in &records {
            let found = look_up(&archive, record.header.kind, &record.header.key);
            prop_assert_eq!(found.as_ref(), Some(record));
        }
        for kind in Kind::ALL.map(Some).into_iter().chain([None]) {
            let expected: Vec<_> = records.iter().map(|record| &record.header)
                .filter(|header| kind.is_none_or(|kind| header.kind == kind)).collect();
            let headers: Vec<_> = archive.headers(kind).unwrap().map(|item| item.unwrap().0).collect();
            prop_assert_eq!(headers.iter().collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn the_manifest_lists_what_the_records_are() {
    let records = many();
    let (bytes, _) = write(&records, Options { level: 1, threads: 2 });
    let archive = RandomReader::open(file(&bytes)).unwrap();
    let expected: Vec<Identity> = read(bytes.as_slice(), 1)
        .unwrap()
        .records
        .into_iter()
        .map(|(record, digest)| Identity {
            kind: record.header.kind,
            length: record.header.body.as_ref().map(Body::length),
            key: record.header.key,
            digest,
        })
        .collect();
    let listed: Vec<Identity> = archive.records(None).unwrap().map(Result::unwrap).collect();
    assert!(listed == expected);
    assert!(archive.index().count() > 200);
}

#[test]
fn a_record_that_is_not_there_is_not_found() {
    let records = [Record::config("b", b"1"), Record::message(5, vec![1; 100]), Record::message(7, vec![2; 5000])];
    let (bytes, _) = write(&records, Options::default());
    let archive = RandomReader::open(file(&bytes)).unwrap();
    for (kind, key) in [
        (Kind::Config, Key::name("a")),
        (Kind::Config, Key::name("c")),
        (Kind::Message, Key::number(6)),
        (Kind::Message, Key::number(8)),
        (Kind::Omitted, Key::name("z")),
    ] {
        assert!(look_up(&archive, kind, &key).is_none(), "{kind} {key}");
    }
    assert_eq!(archive.records(Some(Kind::Floor)).unwrap().count(), 0);
}

#[test]
fn one_record_of_a_large_archive_costs_a_few_frames() {
    let records = many();
    let (bytes, _) = write(&records, Options { level: 1, threads: 2 });
    let archive = RandomReader::open(file(&bytes)).unwrap();
    let opened = archive.bytes_read();
    assert!(opened < 100_000, "{opened} bytes to open it");
    let record = &records[17_000];
    assert_eq!(look_up(&archive, Kind::Message, &record.header.key).as_ref(), Some(record));
    let read = archive.bytes_read() - opened;
    assert!(read < 1_500_000 && read < bytes.len() as u64 / 8, "{read} of {} bytes for one record", bytes.len());
}

#[test]
fn what_an_archive_is_shows_by_its_seek_table_and_a_few_frames_whatever_its_size() {
    let (bytes, _) = write(&many(), Options { level: 1, threads: 2 });
    let frames = bytes.last_chunk::<9>().map(|footer| u32::from_le_bytes([footer[0], footer[1], footer[2], footer[3]]));
    let archive = RandomReader::open(file(&bytes)).unwrap();
    for kind in [Kind::Loss, Kind::Omitted] {
        assert_eq!(archive.headers(Some(kind)).unwrap().count(), 0);
    }
    // Each frame has eight bytes in the seek table: the 10,000 or 20,000 frames of an archive of 10 GB have 160 KB.
    let read = archive.bytes_read() - 8 * u64::from(frames.unwrap());
    // The root and an index segment have at most 65,536 bytes each.
    assert!(read < 150_000, "{read} bytes besides the seek table");
}

#[test]
fn the_list_of_a_kind_costs_the_frames_that_hold_it() {
    let settings: Vec<Record> = (10..40).map(|number| Record::config(&format!("c_{number}"), b"1")).collect();
    let (bytes, _) = write(&[settings, many()].concat(), Options { level: 1, threads: 2 });
    let archive = RandomReader::open(file(&bytes)).unwrap();
    let opened = archive.bytes_read();
    assert_eq!(archive.records(Some(Kind::Config)).unwrap().count(), 30);
    // One manifest segment of at most 65,536 bytes says all that.
    let listed = archive.bytes_read() - opened;
    assert!(listed < 200_000, "{listed} bytes for the keys of 30 records");
    assert_eq!(archive.headers(Some(Kind::Config)).unwrap().count(), 30);
    let read = archive.bytes_read() - opened - listed;
    assert!(read < 2_500_000 && read < bytes.len() as u64 / 8, "{read} of {} bytes for 30 headers", bytes.len());
}

#[test]
fn a_changed_byte_is_found_where_it_is_touched() {
    let records: Vec<Record> = (1..2000).map(|number| Record::message(number, vec![number as u8; 5000])).collect();
    let (bytes, _) = write(&records, Options { level: 1, threads: 1 });
    for at in (0..bytes.len()).step_by(997) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        // Where nothing is found damaged, what was read must be right.
        let Ok(archive) = RandomReader::open(file(&damaged)) else { continue };
        let Ok(Some((header, mut body))) = archive.open_record(Kind::Message, &Key::number(1000)) else { continue };
        let mut segment = Vec::new();
        if body.segment(&mut segment).is_ok() {
            assert!(header == records[999].header && segment == records[999].body, "byte {at}");
        }
    }
}

#[test]
fn a_file_that_is_cut_short_or_no_archive_is_refused() {
    let (bytes, _) = write(&[Record::config("a", b"b")], Options::default());
    for end in 0..bytes.len() {
        RandomReader::open(file(&bytes[..end])).unwrap_err();
    }
    let error = RandomReader::open(file(&bytes[..bytes.len() - 1])).unwrap_err().to_string();
    assert!(error.contains("cut short"), "{error}");
    let error = RandomReader::open(file(b"\x1f\x8b\x08 and so on")).unwrap_err().to_string();
    assert!(error.contains("gzip"), "{error}");
    assert!(RandomReader::open(file(b"")).unwrap_err().to_string().contains("empty"));
}
