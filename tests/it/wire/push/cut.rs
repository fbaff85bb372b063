//! Connections that are cut, at every place, on either side: a push goes on, and puts one site in place.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use ctdl_dump::archive::Options;
use ctdl_dump::wire::WireError;

use super::super::view;
use super::{Line, SharedShelf, few, placed, plain, records};
use crate::archive::records::{Record, packed};
use crate::archive::write_folded;

/// A connection of which so many bytes are said, and so many heard. Then it is cut in both directions.
struct Cut {
    stream: UnixStream,
    left: u64,
}

impl Cut {
    fn end(&mut self) {
        // The server may have been faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            self.end();
            return Ok(0);
        }
        let count = (&self.stream).take(self.left).read(buffer)?;
        self.left -= count as u64;
        Ok(count)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 && !bytes.is_empty() {
            self.end();
            return Err(ErrorKind::BrokenPipe.into());
        }
        let now = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.stream.write(&bytes[..now])?;
        self.left -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn halves(stream: UnixStream, said: u64, heard: u64) -> (Box<dyn Read>, Box<dyn Write>) {
    let input = Cut { stream: stream.try_clone().unwrap(), left: heard };
    (Box::new(input), Box::new(Cut { stream, left: said }))
}

/// The first connection is cut after so many bytes, no other one is.
fn cut_once(shelf: &SharedShelf, said: u64, heard: u64) -> Line<impl super::Weaver + use<>> {
    Line::new(shelf, 2, move |number, stream| match number {
        1 => halves(stream, said, heard),
        _ => plain(stream),
    })
}

/// What a push says in all, and what it hears.
fn lengths(records: &[Record], is_packed: bool) -> (u64, u64) {
    let view = view(&write_folded(records, Options::default()).0);
    let shelf = SharedShelf::default();
    let line = cut_once(&shelf, u64::MAX, u64::MAX);
    let mut line = if is_packed { line.packed() } else { line };
    let said = line.push(&view).unwrap().wire_bytes;
    assert_eq!(line.connections, 1);
    // The greeting, four replies and a line that it is at work: more than the test needs to know.
    (said, 600)
}

fn cut_everywhere(records: &[Record], is_packed: bool, places: impl Iterator<Item = (u64, u64)>) {
    let view = view(&write_folded(records, Options::default()).0);
    for (said, heard) in places {
        let shelf = SharedShelf::default();
        let line = cut_once(&shelf, said, heard);
        let mut line = if is_packed { line.packed() } else { line };
        let pushed = line.push(&view).unwrap_or_else(|error| panic!("{said} bytes said, {heard} heard: {error}"));
        assert!(line.connections <= 2);
        assert!(placed(&shelf) == records, "{said} bytes said, {heard} heard");
        assert_eq!(pushed.site_digest, view.archive().root().site_digest);
        assert!(shelf.lock().unwrap().begun.is_none());
    }
}

#[test]
fn a_push_that_is_cut_anywhere_once_goes_on_and_puts_one_site_in_place() {
    let few = few();
    let (said, heard) = lengths(&few, false);
    let everywhere = (0..=said).map(|said| (said, u64::MAX)).chain((0..heard).map(|heard| (u64::MAX, heard)));
    cut_everywhere(&few, false, everywhere);
    let records = records();
    let (said, heard) = lengths(&records, false);
    let places = (0..said).step_by(2_003).map(|said| (said, u64::MAX));
    cut_everywhere(&records, false, places.chain((0..heard).step_by(7).map(|heard| (u64::MAX, heard))));
}

#[test]
fn a_packed_push_that_is_cut_anywhere_once_goes_on_and_puts_one_site_in_place() {
    let few = few();
    let (said, heard) = lengths(&few, true);
    let everywhere = (0..=said).map(|said| (said, u64::MAX)).chain((0..heard).map(|heard| (u64::MAX, heard)));
    cut_everywhere(&few, true, everywhere.step_by(3));
}

#[test]
fn connections_that_all_are_cut_get_on_segment_by_segment() {
    let records = records();
    let view = view(&write_folded(&records, Options::default()).0);
    let shelf = SharedShelf::default();
    // Long enough for one segment and what comes before it.
    let mut line = Line::new(&shelf, 3, |_, stream| halves(stream, 68_000, u64::MAX));
    line.push(&view).unwrap();
    assert!(placed(&shelf) == records);
    assert!((5..11).contains(&line.connections), "{} connections", line.connections);
}

#[test]
fn a_server_that_never_gets_anywhere_is_given_up() {
    let view = view(&write_folded(&few(), Options::default()).0);
    for (said, heard) in [(40, u64::MAX), (u64::MAX, 60)] {
        let shelf = SharedShelf::default();
        let mut line = Line::new(&shelf, 3, |_, stream| halves(stream, said, heard));
        let failure = line.push(&view).unwrap_err();
        assert!(failure.cause::<WireError>().is_some_and(WireError::is_of_the_connection), "{failure}");
        assert_eq!(line.connections, 3);
        assert!(shelf.lock().unwrap().placed.is_empty());
    }
}

#[test]
fn what_was_kept_of_one_push_is_not_gone_on_with_by_another() {
    let shelf = SharedShelf::default();
    let (first, second) = (records(), vec![Record::message(1, packed(70_000, 9))]);
    let old = view(&write_folded(&first, Options::default()).0);
    Line::new(&shelf, 0, |_, stream| halves(stream, 120_000, u64::MAX)).push(&old).unwrap_err();
    assert!(shelf.lock().unwrap().begun.is_some());
    let new = view(&write_folded(&second, Options::default()).0);
    Line::new(&shelf, 1, |_, stream| plain(stream)).push(&new).unwrap();
    assert!(placed(&shelf) == second);
}
