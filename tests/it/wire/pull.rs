//! Pulls that have something already: an archive of an earlier time, or the beginning of one.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ctdl_dump::archive::{Options, Reader};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::Kind;
use ctdl_dump::transfer::pull::{Continued, Merged, Plan, complete_records};
use ctdl_dump::transfer::{ArchiveView, copy};
use ctdl_dump::wire::{Client, Connector, Receiver, Scope, Steady, WireError};

use super::{connect, login, server, view};
use crate::archive::records::{Record, attachment, body, many, packed};
use crate::archive::{Kept, write, write_folded};

/// Connections that all end after so many bytes.
struct Short<'a>(&'a Arc<ArchiveView>, u64);

impl Connector for Short<'_> {
    type Input = std::io::Take<UnixStream>;
    type Output = UnixStream;

    fn connect(&mut self) -> Result<Client<Self::Input, UnixStream>, WireError> {
        let stream = connect(self.0, &server());
        Client::connect(stream.try_clone().unwrap().take(self.1), stream, &login())
    }

    fn tries_again(&mut self, _error: &WireError, progressed: bool) -> bool {
        progressed
    }
}

pub fn plain(kept: Kept) -> Vec<Record> {
    kept.records.into_iter().map(|(record, _)| record).collect()
}

/// Pulls what `new` has and `old` has not. Gives what came out, and how many records and bytes came over the wire.
fn pull_difference(old: &[Record], new: &[Record], cut_after: u64) -> (Vec<Record>, u64, u64) {
    let old = view(&write_folded(old, Options { level: 1, threads: 2 }).0);
    let new = view(&write(new, Options { level: 1, threads: 2 }).0);
    let mut steady = Steady::new(Short(&new, cut_after), None);
    let info = steady.attempt(|client| client.info()).unwrap();
    let plan = Plan::make(&mut steady, &[old.archive()], &std::env::temp_dir()).unwrap();
    let mut kept = Kept::default();
    let mut merged = Merged::new(&mut steady, &[old.archive()], plan, info);
    let summary = copy(&mut merged, &mut kept, &Silent).unwrap();
    assert_eq!(summary.site_digest, new.archive().root().site_digest);
    let came = merged.taken().1;
    drop(merged);
    (plain(kept), came, steady.bytes().0)
}

pub fn records() -> Vec<Record> {
    let mut records: Vec<Record> =
        (0..200).map(|number| Record::config(&format!("c{number:03}"), &number.to_string().into_bytes())).collect();
    records.extend((1..900).map(|number| {
        let length = if number % 50 == 0 { 150_000 } else { 100 + number as usize * 7 % 5000 };
        Record::message(number, body(length, number as u64))
    }));
    records.push(Record::message(900, attachment(&packed(90_000, 6), "\n")));
    records
}

/// Some records changed, gone and come anew, short and long.
pub fn changed(mut records: Vec<Record>) -> Vec<Record> {
    let at = |records: &[Record], kind, number: usize| {
        records.iter().position(|record| record.header.kind == kind).unwrap() + number
    };
    records[7] = Record::config("c007", b"bond");
    let message = at(&records, Kind::Message, 99);
    records[message] = Record::message(100, body(150_001, 1));
    records.remove(at(&records, Kind::Message, 500));
    records.remove(0);
    records.push(Record::message(2000, body(70_000, 2)));
    records.push(Record::message(2001, body(10, 2)));
    records
}

#[test]
fn only_what_differs_comes_over_the_wire() {
    let old = records();
    let new = changed(old.clone());
    let (came_out, came, bytes) = pull_difference(&old, &new, u64::MAX);
    assert!(came_out == new);
    assert_eq!(came, 4);
    assert!((220_000..300_000).contains(&bytes), "{bytes} bytes");
}

#[test]
fn among_thousands_of_records_the_groups_are_compared_first() {
    let mut new = many();
    new[20_000] = Record::message(20_001, b"changed".to_vec());
    new.truncate(29_000);
    let (came_out, came, bytes) = pull_difference(&many(), &new, u64::MAX);
    assert!(came_out == new);
    assert_eq!(came, 1);
    assert!(bytes < 40_000, "{bytes} bytes");
}

#[test]
fn a_difference_comes_over_connections_that_are_cut() {
    let old = records();
    let new = changed(old.clone());
    for cut_after in [67_000, 80_000, 100_001, 200_000] {
        assert!(pull_difference(&old, &new, cut_after).0 == new, "cut after {cut_after} bytes each");
    }
}

#[test]
fn thousands_of_records_that_all_differ_come_over_connections_that_are_cut() {
    // More than the lists of them have in memory, and one record that is here.
    let new: Vec<Record> = many()
        .into_iter()
        .enumerate()
        .map(|(number, record)| match number {
            0 => record,
            _ => Record::message(number as i64 + 1, format!("{number:0400}").into_bytes()),
        })
        .collect();
    for cut_after in [u64::MAX, 2_000_000] {
        let (came_out, came, _) = pull_difference(&many(), &new, cut_after);
        assert!(came_out == new, "cut after {cut_after} bytes each");
        assert_eq!(came, new.len() as u64 - 1);
    }
}

#[test]
fn places_with_nothing_in_common_are_told_so() {
    let (old, new) = ([Record::config("a", b"1")], [Record::config("b", b"2"), Record::message(1, body(9000, 1))]);
    let (old, new) = (view(&write(&old, Options::default()).0), view(&write(&new, Options::default()).0));
    let plan =
        Plan::make(&mut Steady::new(Short(&new, u64::MAX), None), &[old.archive()], &std::env::temp_dir()).unwrap();
    assert!(plan.keeps_nothing());
    assert_eq!(plan.wanted().count(), 2);
    let same =
        Plan::make(&mut Steady::new(Short(&old, u64::MAX), None), &[old.archive()], &std::env::temp_dir()).unwrap();
    assert!(!same.keeps_nothing());
    assert_eq!(same.wanted().count(), 0);
}

/// Enough for several frames of an archive, which can be cut between them.
fn large() -> Vec<Record> {
    (1..60).map(|number| Record::message(number, packed(150_000 + number as usize, number as u64))).collect()
}

#[test]
fn a_pull_goes_on_behind_an_archive_that_was_cut_anywhere() {
    let records = large();
    let (archive, summary) = write_folded(&records, Options { level: 1, threads: 1 });
    let view = view(&archive);
    for end in (0..archive.len()).step_by(archive.len() / 60).chain([archive.len() - 1, archive.len()]) {
        // What is shorter than the description of the site is no beginning of an archive.
        let here = Reader::new(&archive[..end], 0).ok();
        let has_beginning = here.is_some();
        let mut steady = Steady::new(Short(&view, u64::MAX), None);
        let info = steady.attempt(|client| client.info()).unwrap();
        let before = steady.bytes().0;
        let peer = steady.records(Scope::All, Receiver::all(Scope::All), info.site);
        let mut kept = Kept::default();
        let mut continued = Continued::new(here.map(Box::new), peer);
        let came = copy(&mut continued, &mut kept, &Silent).unwrap();
        assert_eq!(came.site_digest, summary.site_digest, "cut after {end} bytes");
        assert!(plain(kept) == records, "cut after {end} bytes");
        drop(continued);
        let bytes = steady.bytes().0 - before;
        // Of the frame that was cut nothing is left.
        let most = archive.len() - end + (5 << 20);
        assert!(!has_beginning || bytes < most as u64, "{bytes} bytes came behind {end}");
        assert!(end < archive.len() || bytes < 1_000, "{bytes} bytes came though all was here");
    }
}

#[test]
fn an_archive_that_was_cut_becomes_one_that_ends_before_the_cut() {
    let records = large();
    let (archive, _) = write_folded(&records, Options { level: 1, threads: 1 });
    for end in [archive.len() / 3, archive.len() / 2, archive.len() - 100, archive.len()] {
        let mut kept = Kept::default();
        let open = || Ok(Reader::new(&archive[..end], 0)?);
        let count = complete_records(open, &mut kept, &Silent).unwrap() as usize;
        assert!(count >= records.len() / 6, "{count} records of {end} bytes");
        assert!(plain(kept) == records[..count]);
    }
}
