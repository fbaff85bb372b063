//! A server that says anything at all to whoever pushes, and whoever sends anything at all to a server that takes records.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use ctdl_dump::archive::Options;
use ctdl_dump::codec::identity::hex;
use ctdl_dump::codec::site_info;
use ctdl_dump::monitor::Silent;
use ctdl_dump::transfer::{ArchiveView, push};
use ctdl_dump::wire::{Client, Connector, WireError};
use proptest::prelude::*;

use super::super::{login, server, view};
use super::{Line, SharedShelf, Taker, few, placed, records};
use crate::archive::records::{Record, site};
use crate::archive::write_folded;

/// A server that says this over its only connection, whatever it is told.
struct Saying<R>(Option<R>);

impl<R: Read> Connector for Saying<R> {
    type Input = R;
    type Output = io::Sink;

    fn connect(&mut self) -> Result<Client<R, io::Sink>, WireError> {
        Client::connect(self.0.take().expect("one connection"), io::sink(), &login())
    }

    fn tries_again(&mut self, _error: &WireError, _progressed: bool) -> bool {
        false
    }
}

fn few_as_view() -> Arc<ArchiveView> {
    view(&write_folded(&few(), Options::default()).0)
}

/// Why a push to a server that says this fails.
fn refused(said: impl Read) -> String {
    push(&mut Saying(Some(said)), &*few_as_view(), &Silent, &mut |_, _| ()).unwrap_err().to_string()
}

const GREETING: &[u8] = b"200 ctdl-dump wire 1|receive|x\n200 1|\n";

#[test]
fn a_server_that_says_what_can_not_be_is_left_with_the_reason() {
    let sixes = "6".repeat(64);
    let cases: &[(&[u8], &str)] = &[
        (b"400 0|5\nhello", "position"),
        (b"400 0|65537\n", "65537 bytes of a position"),
        (b"400 0|9223372036854775807\n", "bytes of a position"),
        (b"400 99999999999999999999|0\n", "where to begin"),
        (b"400 -1|0\n", "where to begin"),
        (b"400 65536|0\n", "where to begin"),
        (b"400 0\n", "where to begin"),
        (b"400 0|0|0\n", "where to begin"),
        (b"400 0|12\nshort", "in the middle of a position"),
        // A setting and a message that aren't there, in and behind the body of one that is.
        (b"400 0|10\n\x82fconfigaz", "a position that can't be"),
        (b"400 7|10\n\x82gmessage\x02", "a position that can't be"),
        (b"400 65536|10\n\x82gmessage\x02", "a position that can't be"),
        (b"400 4100|10\n\x82gmessage\x09", "a position that can't be"),
        (b"400 0|9\n\x82fplanet\x02", "a kind that this version"),
        (b"200 all right\n", "the digest of what arrived"),
        (sixes.as_bytes(), "in the middle of a line"),
        (b"600 00000000000000000000000000000000|0\n", "where to begin"),
        (b"574 there is a site\n", "the peer says: there is a site (574)"),
        (b"999 what\n", "closed the connection"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"400 0|0\n574 no more\n", "the peer says: no more (574)"),
        (b"400 0|0\n400 0|0\n", "the digest of what arrived"),
        (b"400 0|0\n000\n", "where a reply must come"),
        (b"400 0|0\n", "closed the connection"),
    ];
    for (said, problem) in cases {
        let error = refused(GREETING.chain(*said));
        assert!(error.contains(problem), "{}: {error}", said.escape_ascii());
    }
    for another in [format!("200 {sixes}\n"), format!("400 0|0\n200 {sixes}\n")] {
        let error = refused(GREETING.chain(another.as_bytes()));
        assert!(error.contains("not the one that was sent"), "{error}");
    }
    let error = refused(b"200 ctdl-dump wire 1||x\n200 1|\n".as_slice());
    assert!(error.contains("gives records and takes none"), "{error}");
}

#[test]
fn a_server_that_talks_for_ever_is_left() {
    for (begins, line, problem) in [
        ("", "900 still at it\n", "silent for too long"),
        ("", "901 you must know\n", "silent for too long"),
        ("400 0|0\n", "900 still at it\n", "silent for too long"),
        ("400 0|0\n", "901 you must know\n", "silent for too long"),
        ("", "4", "longer than 1,024 bytes"),
        ("400 0|0\n", "2", "longer than 1,024 bytes"),
    ] {
        let mut at = 0;
        let ever = std::iter::repeat_with(|| {
            at += 1;
            line.as_bytes()[(at - 1) % line.len()]
        });
        let error = refused(GREETING.chain(begins.as_bytes()).chain(Ever(ever)));
        assert!(error.contains(problem), "{begins}{line}: {error}");
    }
}

struct Ever<I>(I);

impl<I: Iterator<Item = u8>> Read for Ever<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(buffer.iter_mut().zip(&mut self.0).map(|(place, byte)| *place = byte).count())
    }
}

#[test]
fn a_server_that_falls_back_again_and_again_is_given_up() {
    let view = view(&write_folded(&records(), Options::default()).0);
    // It has everything at one time and nothing at the other, and never takes anything.
    let has: [&[u8]; 2] = [b"400 0|0\n", b"400 0|10\n\x82gmessage\x05"];
    struct Wavering<'a>(u32, [&'a [u8]; 2]);
    impl<'a> Connector for Wavering<'a> {
        type Input = io::Chain<&'a [u8], &'a [u8]>;
        type Output = io::Sink;
        fn connect(&mut self) -> Result<Client<Self::Input, io::Sink>, WireError> {
            self.0 += 1;
            Client::connect(GREETING.chain(self.1[self.0 as usize % 2]), io::sink(), &login())
        }
        fn tries_again(&mut self, _error: &WireError, progressed: bool) -> bool {
            assert!(self.0 < 100, "it goes on for ever");
            progressed
        }
    }
    let mut wavering = Wavering(0, has);
    push(&mut wavering, &*view, &Silent, &mut |_, _| ()).unwrap_err();
    assert_eq!(wavering.0, 2);
}

/// A stream whose bytes are kept as well.
struct Tee(UnixStream, Arc<Mutex<Vec<u8>>>);

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.0.write(bytes)?;
        self.1.lock().unwrap().extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// All that a push of these records says.
fn said_by_a_push(records: &[Record]) -> Vec<u8> {
    let view = view(&write_folded(records, Options::default()).0);
    let said = Arc::new(Mutex::new(Vec::new()));
    let mut line = Line::new(&SharedShelf::default(), 1, |_, stream: UnixStream| {
        let input: Box<dyn Read> = Box::new(stream.try_clone().unwrap());
        (input, Box::new(Tee(stream, Arc::clone(&said))) as Box<dyn Write>)
    });
    line.push(&view).unwrap();
    std::mem::take(&mut *said.lock().unwrap())
}

/// What a server that takes records puts in place when this is said to it, and what it answers.
fn told(said: &[u8]) -> (SharedShelf, String) {
    let shelf = SharedShelf::default();
    let mut answers = Vec::new();
    // How it ends is in its answers.
    let _ = server().serve(&mut Taker::new(&shelf), said, &mut answers, &mut |_| (), &Silent);
    (shelf, String::from_utf8(answers).unwrap())
}

#[test]
fn any_byte_that_changes_on_its_way_is_found_or_changes_nothing() {
    let records = records();
    let said = said_by_a_push(&records);
    let interesting = (0..said.len()).filter(|at| *at < 1_500 || *at > said.len() - 500 || at % 1_009 == 0);
    for at in interesting {
        for change in [0x01, 0x20, 0x80] {
            let mut changed = said.clone();
            changed[at] ^= change;
            let (shelf, _) = told(&changed);
            let is_placed = !shelf.lock().unwrap().placed.is_empty();
            assert!(!is_placed || placed(&shelf) == records, "byte {at} changed by {change}, and nobody noticed");
        }
    }
}

fn put(site: &[u8]) -> String {
    format!("SYNC all|put|{}|{}|{}\n", "1".repeat(32), hex(&blake3::hash(site).into()), site.len())
}

#[test]
fn whoever_sends_what_can_not_be_is_told_and_nothing_is_put_in_place() {
    let site = site_info::encode(&site());
    let begun = [put(&site).into_bytes(), site.clone()].concat();
    let other = [b"\xa1".as_slice(), &site[1..]].concat();
    let other = [put(&other).into_bytes(), other].concat();
    let too_long = format!("SYNC all|put|{}|{}|65537\n", "1".repeat(32), "2".repeat(64));
    let cases: &[(&[u8], &[u8], &str)] = &[
        (b"", too_long.as_bytes(), "511 "),
        (b"", b"SYNC all|put|1|2|3\nabc", "512 "),
        (b"", b"SYNC message|put|1|2|3\nabc", "512 "),
        (b"", b"SYNC all|put|none\n", "512 "),
        (b"", &other, "512 "),
        (&begun, b"what\n", "must come"),
        (&begun, b"KIND planet\n", "planet"),
        (&begun, b"KIND message\nHEADERS 65537\n", "65537 bytes"),
        (&begun, b"KIND message\nHEADERS 9223372036854775807\n", "bytes of headers"),
        (&begun, b"KIND message\nHEADERS 0\nDIGEST 00\n", "holds no records"),
        (&begun, b"KIND message\nHEADERS 3\nabcDIGEST 00\n", "header"),
        (&begun, b"KIND message\nBODY 9223372036854775807|0\nHEADERS 3\nabc", "header"),
        (&begun, b"KIND message\nBODY 5000|0\nDATA CHUNK 5000\n", "no HEADERS follow BODY"),
        (&begun, b"DATA CHUNK 65536\n", "must come"),
        (&begun, b"TOTAL 1|0|00000000|00\n", "must come"),
        (&begun, b"000\n", "must come"),
        (&begun, b"512 I will not\n", "I will not (512)"),
        (&begun, b"\x07\n", "control characters"),
        (&begun, &[b'K'; 2_000], "longer than 1,024 bytes"),
    ];
    for (before, said, problem) in cases {
        let (shelf, answers) = told(&[*before, said].concat());
        let last = answers.lines().last().unwrap();
        assert!(last.starts_with('5') && last.contains(problem), "{}: {answers}", said.escape_ascii());
        assert!(shelf.lock().unwrap().placed.is_empty());
    }
    for what in [b"KIND mess".as_slice(), b"KIND message\nHEADERS 100\nabc", b""] {
        let (shelf, answers) = told(&[&begun, what].concat());
        assert!(answers.ends_with("400 0|0\n"), "whoever has gone is told nothing: {answers}");
        assert!(shelf.lock().unwrap().placed.is_empty());
    }
}

#[test]
fn a_server_that_can_take_no_more_says_why_in_the_middle_of_a_push() {
    let view = view(&write_folded(&records(), Options::default()).0);
    let shelf = SharedShelf::default();
    let words = "no space left; make room, and the same push goes on";
    shelf.lock().unwrap().is_full_after = Some((6, words));
    let error = Line::new(&shelf, 1, |_, stream| super::plain(stream)).push(&view).unwrap_err();
    assert_eq!(error.to_string(), format!("the peer says: {words} (510)"));
    // What it has taken is kept, and the same push goes on with it.
    shelf.lock().unwrap().is_full_after = None;
    let pushed = Line::new(&shelf, 1, |_, stream| super::plain(stream)).push(&view).unwrap();
    assert!(pushed.wire_bytes < 130_000, "{} bytes", pushed.wire_bytes);
    assert!(placed(&shelf) == records());
}

#[test]
fn a_server_that_has_put_something_else_in_place_is_told_nothing_more() {
    let shelf = SharedShelf::default();
    shelf.lock().unwrap().is_mistaken = true;
    // After the first push the server only says what is in place. As long as it knows that, nobody has told it that all is well.
    for _ in 0..2 {
        let error = Line::new(&shelf, 1, |_, stream| super::plain(stream)).push(&few_as_view()).unwrap_err();
        assert!(error.to_string().contains("not the one that was sent"), "{error}");
        assert!(shelf.lock().unwrap().untold.is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_that_go_lost_or_come_anew_are_found_or_change_nothing(
        at in 0usize..6_000, lost in 0usize..9, anew in prop::collection::vec(any::<u8>(), 0..9)
    ) {
        let mut said = said_by_a_push(&few());
        let at = at.min(said.len());
        let end = (at + lost).min(said.len());
        said.splice(at..end, anew);
        let (shelf, answers) = told(&said);
        prop_assert!(answers.starts_with("200 ctdl-dump wire 1|"));
        let is_placed = !shelf.lock().unwrap().placed.is_empty();
        prop_assert!(!is_placed || placed(&shelf) == few());
    }

    #[test]
    fn a_server_that_takes_records_answers_anything_in_good_order(
        lines in prop::collection::vec(
            "\\PC{0,30}|(SYNC|SNAP|KIND|HEADERS|BODY|DATA CHUNK|TOTAL) (all|message|[0-9]{1,20})?\\|?(put|getall|info)?(\\|[a-z0-9]{0,7}){0,3}",
            0..12,
        ),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        is_begun in any::<bool>(),
    ) {
        let site = site_info::encode(&site());
        let begun = if is_begun { [put(&site).into_bytes(), site].concat() } else { Vec::new() };
        let (shelf, answers) = told(&[begun, lines.join("\n").into_bytes(), bytes].concat());
        prop_assert!(answers.starts_with("200 ctdl-dump wire 1|"));
        prop_assert!(shelf.lock().unwrap().placed.is_empty());
    }
}
