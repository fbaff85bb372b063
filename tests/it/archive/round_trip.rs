//! What the writer writes, the reader reads.

use ctdl_dump::archive::{Options, Reader, Writer};
use ctdl_dump::codec::cbor::{Decoder, Encoder};
use ctdl_dump::codec::{RecordHasher, header};
use ctdl_dump::endpoint::{Sink, Source};
use ctdl_dump::record::{Body, End, Kind};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::records::{Record, any_record, any_record_of, any_records, body, many, site, sorted};
use super::{Kept, read, verify, write};

fn records_of(kept: &Kept) -> Vec<Record> {
    kept.records.iter().map(|(record, _)| record.clone()).collect()
}

proptest! {
    #[test]
    fn any_header_of_any_kind_survives_its_encoding(mut record in any_record(70_000), folded in any::<bool>()) {
        if let (true, Some(Body::Segments(length))) = (folded && !record.header.kind.has_numbers(), &record.header.body) {
            record.header.body = Some(Body::Folded(*length));
        }
        let mut encoder = Encoder::new();
        header::encode(&record.header, &mut encoder);
        let mut decoder = Decoder::new(encoder.as_bytes(), "header");
        let stored = header::decode_stored(&mut decoder).unwrap();
        prop_assert_eq!(&stored.header, &record.header);
        prop_assert!(decoder.is_at_end());
        let (mut anew, mut as_stored) = (RecordHasher::default(), RecordHasher::default());
        anew.begin(&record.header);
        as_stored.begin_stored(&stored, encoder.as_bytes());
        prop_assert_eq!(anew.digest(), as_stored.digest());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_records_survive_writer_and_reader(records in any_records(60, 3 << 20), threads in 0usize..3) {
        let (archive, written) = write(&records, Options { level: 1, threads });
        let kept = read(archive.as_slice(), threads).unwrap();
        prop_assert_eq!(kept.site.as_ref(), Some(&site()));
        prop_assert_eq!(&kept.end.as_ref().unwrap().state_after, "unchanged");
        prop_assert!(records_of(&kept) == records);
        let again = verify(archive.as_slice(), threads).unwrap();
        prop_assert_eq!(again.site_digest, written.site_digest);
    }
}

#[test]
fn every_kind_has_records_that_survive() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for kind in Kind::ALL {
        let records = proptest::collection::vec(any_record_of(kind, 70_000), 40).prop_map(sorted);
        let records = records.new_tree(&mut runner).unwrap().current();
        let (archive, _) = write(&records, Options::default());
        assert!(records_of(&read(archive.as_slice(), 1).unwrap()) == records, "{kind}");
    }
}

#[test]
fn the_bytes_are_the_same_for_every_number_of_threads() {
    let records = many();
    let (one, _) = write(&records, Options { level: 1, threads: 0 });
    for threads in [1, 2, 4] {
        let (other, _) = write(&records, Options { level: 1, threads });
        assert!(other == one, "{threads} threads write other bytes");
        verify(one.as_slice(), threads).unwrap();
    }
}

#[test]
fn the_site_digest_is_the_same_for_every_level() {
    let records = many();
    let (quick, quick_summary) = write(&records, Options { level: 1, threads: 2 });
    let (thorough, thorough_summary) = write(&records, Options { level: 9, threads: 2 });
    assert!(thorough.len() < quick.len());
    assert_eq!(quick_summary.site_digest, thorough_summary.site_digest);
}

#[test]
fn a_site_without_records_is_an_archive() {
    let (archive, _) = write(&[], Options::default());
    assert_eq!(read(archive.as_slice(), 1).unwrap().records.len(), 0);
}

#[test]
fn the_end_can_be_asked_for_more_than_once() {
    let (archive, _) = write(&[Record::config("a", b"b")], Options::default());
    let mut reader = Reader::new(archive.as_slice(), 1).unwrap();
    reader.set_file_bytes(archive.len() as u64);
    assert!(reader.next().unwrap().is_some());
    assert!(reader.position().unwrap().0 > 0);
    assert!(reader.next().unwrap().is_none());
    assert!(reader.next().unwrap().is_none());
    reader.finish().unwrap();
}

#[test]
fn a_reader_is_not_finished_before_the_last_record() {
    let (archive, _) = write(&[Record::config("a", b"b")], Options::default());
    let mut reader = Reader::new(archive.as_slice(), 1).unwrap();
    assert!(reader.finish().is_err());
    assert!(reader.next().is_err());
}

#[test]
fn a_writer_refuses_records_out_of_order_and_writes_no_end_after_an_error() {
    let (a, b) = (Record::config("a", b"1"), Record::config("b", b"2"));
    for records in [[&b, &a], [&a, &a]] {
        let mut writer = Writer::new(Vec::new(), Options::default());
        writer.begin(&site()).unwrap();
        writer.record(&records[0].header).unwrap();
        writer.end_record(&[0; 32]).unwrap();
        let error = writer.record(&records[1].header).unwrap_err().to_string();
        assert!(error.contains("canonical order"), "{error}");
        assert!(writer.finish(&End::default()).is_err());
        assert!(verify(writer.into_output().as_slice(), 0).is_err());
    }
}

#[test]
fn a_writer_refuses_a_body_that_is_not_as_long_as_its_header_says() {
    let record = Record::config("a", &body(70_000, 1));
    let mut writer = Writer::new(Vec::new(), Options::default());
    writer.begin(&site()).unwrap();
    writer.record(&record.header).unwrap();
    writer.segment(&record.body[..65_536]).unwrap();
    let error = writer.end_record(&[0; 32]).unwrap_err().to_string();
    assert!(error.contains("65536") && error.contains("70000"), "{error}");
    let mut writer = Writer::new(Vec::new(), Options::default());
    writer.begin(&site()).unwrap();
    writer.record(&record.header).unwrap();
    assert!(writer.segment(&record.body[..65_535]).is_err());
}
