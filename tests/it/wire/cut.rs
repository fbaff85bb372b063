//! Connections that are cut, at every place, and go on.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ctdl_dump::archive::Options;
use ctdl_dump::monitor::Silent;
use ctdl_dump::transfer::{ArchiveView, copy};
use ctdl_dump::wire::{Client, Connector, Receiver, Scope, Steady, WireError};

use super::{connect, login, server, view};
use crate::archive::records::{Record, attachment, body, packed};
use crate::archive::{Kept, write_folded};

/// A stream that ends after so many bytes.
struct Cut(io::Take<UnixStream>);

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// Connections of which each ends after so many bytes.
struct Cutting<'a> {
    view: &'a Arc<ArchiveView>,
    /// The first ends after `first` bytes, all others after `others`.
    first: Option<u64>,
    others: u64,
    connections: u32,
}

impl Connector for Cutting<'_> {
    type Input = Cut;
    type Output = UnixStream;

    fn connect(&mut self) -> Result<Client<Cut, UnixStream>, WireError> {
        self.connections += 1;
        let stream = connect(self.view, &server());
        let bytes = self.first.take().unwrap_or(self.others);
        Client::connect(Cut(stream.try_clone().unwrap().take(bytes)), stream, &login())
    }

    fn tries_again(&mut self, _error: &WireError, progressed: bool) -> bool {
        progressed || self.connections < 3
    }
}

/// What came, over how many connections, and how many bytes in all.
fn pull(connector: Cutting) -> (Kept, u32, u64) {
    let mut steady = Steady::new(connector, None);
    let info = steady.attempt(|client| client.info()).unwrap();
    let mut records = steady.records(Scope::All, Receiver::all(Scope::All), info.site);
    let mut kept = Kept::default();
    copy(&mut records, &mut kept, &Silent).unwrap();
    let bytes = steady.bytes().0;
    (kept, steady.into_connector().connections, bytes)
}

fn records() -> Vec<Record> {
    let mut records = vec![Record::config("a", b"1"), Record::config("b", b"2")];
    records.extend([
        Record::message(1, body(100, 1)),
        Record::message(2, body(5_000, 2)),
        Record::message(3, body(65_536, 3)),
        Record::message(4, body(140_000, 4)),
        Record::message(5, Vec::new()),
        // The server has it folded.
        Record::message(6, attachment(&packed(90_000, 6), "\r\n")),
    ]);
    records
}

#[test]
fn a_connection_that_is_cut_anywhere_once_gives_the_same_records() {
    let records = records();
    let view = view(&write_folded(&records, Options::default()).0);
    let (whole, _, total) = pull(Cutting { view: &view, first: None, others: u64::MAX, connections: 0 });
    let whole: Vec<Record> = whole.records.into_iter().map(|(record, _)| record).collect();
    assert!(whole == records);
    // Every byte of the lines at the beginning, then steps that fall everywhere in chunks and lines.
    for bytes in (0..1500).chain((1500..total).step_by(1009)) {
        let (kept, connections, _) =
            pull(Cutting { view: &view, first: Some(bytes), others: u64::MAX, connections: 0 });
        assert_eq!(connections, 2, "cut after {bytes} bytes");
        let came: Vec<Record> = kept.records.into_iter().map(|(record, _)| record).collect();
        assert!(came == records, "cut after {bytes} bytes");
    }
}

#[test]
fn chosen_records_come_once_each_wherever_their_connection_is_cut() {
    let records = [
        Record::config("a", b"1"),
        Record::config("b", b"2"),
        Record::message(1, body(100, 1)),
        Record::message(2, body(66_000, 2)),
    ];
    let view = view(&write_folded(&records, Options::default()).0);
    let pull = |first| {
        let mut steady = Steady::new(Cutting { view: &view, first, others: u64::MAX, connections: 0 }, None);
        steady.info(None).unwrap();
        let wanted = records.iter().map(|record| Ok((record.header.kind, record.header.key.clone())));
        let (mut came, mut segment) = (Vec::new(), Vec::new());
        let mut chosen = steady.chosen(wanted);
        while let Some(header) = chosen.next_record().unwrap_or_else(|error| panic!("cut at {first:?}: {error}")) {
            let mut bytes = 0;
            while chosen.segment(&mut segment).unwrap() {
                bytes += segment.len() as u64;
            }
            came.push((header, bytes));
        }
        drop(chosen);
        (came, steady.bytes().0)
    };
    let (whole, total) = pull(None);
    assert_eq!(whole.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>(), [0, 0, 0, 66_000]);
    for bytes in (0..2000).chain((2000..total - 500).step_by(1009)).chain(total - 500..total) {
        assert!(pull(Some(bytes)).0 == whole, "cut after {bytes} bytes");
    }
}

#[test]
fn connections_that_all_are_cut_get_on_segment_by_segment() {
    let records = records();
    let view = view(&write_folded(&records, Options::default()).0);
    // Long enough for one segment and what comes before it.
    let (kept, connections, _) = pull(Cutting { view: &view, first: None, others: 68_000, connections: 0 });
    let came: Vec<Record> = kept.records.into_iter().map(|(record, _)| record).collect();
    assert!(came == records);
    assert!((5..11).contains(&connections), "{connections} connections");
}

#[test]
fn a_server_that_never_gets_anywhere_is_given_up() {
    let view = view(&write_folded(&records(), Options::default()).0);
    let mut steady = Steady::new(Cutting { view: &view, first: None, others: 20, connections: 0 }, None);
    let error = steady.attempt(|client| client.info()).unwrap_err();
    assert!(error.is_of_the_connection(), "{error}");
    assert_eq!(steady.into_connector().connections, 3);
}
