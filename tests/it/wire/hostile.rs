//! Peers that send anything at all: the other side ends in good order, in bounded memory, and takes nothing wrong for right.

use std::io::{self, Read, Write};

use ctdl_dump::archive::Options;
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::SiteInfo;
use ctdl_dump::transfer::{ServedArchive, copy};
use ctdl_dump::wire::{Client, Frames, Input, Output, Receiver, Scope, Sender, WireError};
use proptest::prelude::*;

use super::script::{Script, scripts};
use super::{login, server, view};
use crate::archive::records::{Record, any_records};
use crate::archive::{Kept, Listed, write};

/// What a client makes of a server that says this, whatever it is asked.
fn pull(said: impl Read) -> Result<(SiteInfo, Vec<Record>), String> {
    let mut client = Client::connect(said, io::sink(), &login()).map_err(|error| error.to_string())?;
    let info = client.info().map_err(|error| error.to_string())?;
    client.get_all(Scope::All, None).map_err(|error| error.to_string())?;
    let mut kept = Kept::default();
    let mut frames = Frames::new(client.input(), Receiver::all(Scope::All), info.site.clone());
    copy(&mut frames, &mut kept, &Silent).map_err(|error| error.to_string())?;
    Ok((info.site, kept.records.into_iter().map(|(record, _)| record).collect()))
}

fn getall() -> Script {
    scripts("sync-getall.txt").remove(0)
}

/// What a server says to a client that says this.
fn answers(said: &[u8]) -> (Vec<u8>, Result<(), WireError>) {
    let view = view(&write(&[Record::config("a", b"1"), Record::message(1, vec![1; 70_000])], Options::default()).0);
    let mut output = Vec::new();
    let ended = server().serve(&mut ServedArchive::new(view), said, &mut output, &mut |_| (), &Silent);
    (output, ended)
}

#[test]
fn any_byte_that_changes_on_its_way_is_found_or_changes_nothing() {
    let said = getall().server;
    let right = pull(said.as_slice()).unwrap();
    assert_eq!(right.1.len(), 7);
    let interesting = (0..said.len()).filter(|at| *at < 2_200 || *at > said.len() - 900 || at % 499 == 0);
    for at in interesting {
        for change in [0x01, 0x20, 0x80] {
            let mut changed = said.clone();
            changed[at] ^= change;
            if let Ok(records) = pull(changed.as_slice()) {
                assert!(records == right, "byte {at} changed by {change}, and nobody noticed");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_come_through_as_they_went(records in any_records(40, 140_000)) {
        let mut sent = Vec::new();
        let mut output = Output::new(&mut sent);
        let summary = copy(&mut Listed::new(&records), &mut Sender::new(&mut output, Scope::All), &Silent).unwrap();
        drop(output);
        let mut input = Input::new(sent.as_slice());
        let mut frames = Frames::new(&mut input, Receiver::all(Scope::All), crate::archive::records::site());
        let mut kept = Kept::default();
        let came = copy(&mut frames, &mut kept, &Silent).unwrap();
        prop_assert_eq!(came.site_digest, summary.site_digest);
        prop_assert!(kept.records.into_iter().map(|(record, _)| record).eq(records));
    }

    #[test]
    fn bytes_that_go_lost_or_come_anew_are_found_or_change_nothing(
        at in 0usize..72_000, lost in 0usize..9, anew in prop::collection::vec(any::<u8>(), 0..9)
    ) {
        let mut said = getall().server;
        let right = pull(said.as_slice()).unwrap();
        let at = at.min(said.len());
        let end = (at + lost).min(said.len());
        said.splice(at..end, anew);
        if let Ok(records) = pull(said.as_slice()) {
            prop_assert!(records == right);
        }
    }

    #[test]
    fn a_server_answers_anything_in_good_order(
        lines in prop::collection::vec(
            "\\PC{0,30}|(SYNC|SNAP|SNGL|IDEN|PASS|NOOP|ESNG) (all|message|config|[a-z]{1,4})?\\|?(list|getall|get|since|info)?(\\|[a-z0-9]{0,7}){0,3}",
            0..12,
        ),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let said = [lines.join("\n").into_bytes(), bytes].concat();
        let (answers, _) = answers(&said);
        prop_assert!(answers.starts_with(b"200 ctdl-dump wire 1|"));
    }
}

#[test]
fn clients_that_break_the_rules_are_told_and_left() {
    for script in scripts("abuse-") {
        let server = ctdl_dump::wire::Server {
            program: "ctdl-dump 0.1.0".to_owned(),
            token: script.says("token").map(str::to_owned),
            level: Some(3),
        };
        let archive = std::fs::read(crate::support::project("fixtures/wire").join(script.says("serve").unwrap()));
        let mut said = Vec::new();
        let mut served = ServedArchive::new(view(&archive.unwrap()));
        let ended = server.serve(&mut served, script.client.as_slice(), &mut said, &mut |_| (), &Silent);
        assert_eq!(ended.is_err(), script.says("breaks").is_some(), "{}: {ended:?}", script.name);
        assert_eq!(said.escape_ascii().to_string(), script.server.escape_ascii().to_string(), "{}", script.name);
    }
}

#[test]
fn a_client_that_never_ends_its_line_is_left_after_a_kilobyte() {
    let mut output = Vec::new();
    let view = view(&write(&[Record::config("a", b"1")], Options::default()).0);
    let error =
        server().serve(&mut ServedArchive::new(view), io::repeat(b'a'), &mut output, &mut |_| (), &Silent).unwrap_err();
    assert!(matches!(error, WireError::Line { .. }), "{error}");
}

#[test]
fn digests_that_are_announced_and_never_come_take_no_memory() {
    let (_, ended) = answers(b"SYNC all|since|segments|16777216\nonly this");
    assert!(matches!(ended, Err(WireError::Cut { .. })), "{ended:?}");
}

#[test]
fn a_server_that_is_at_work_for_ever_is_left() {
    let greeting = b"200 ctdl-dump wire 1||x\n200 1|\n".as_slice();
    struct AtWork(usize);
    impl Read for AtWork {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let line = b"900 still at it\n";
            buffer.iter_mut().for_each(|byte| {
                *byte = line[self.0 % line.len()];
                self.0 += 1;
            });
            Ok(buffer.len())
        }
    }
    let error = pull(greeting.chain(AtWork(0))).unwrap_err();
    assert!(error.contains("silent for too long"), "{error}");
    let begun = b"200 ctdl-dump wire 1||x\n200 1|\n600 00000000000000000000000000000000|0\n".as_slice();
    let error = pull(begun.chain(AtWork(0))).unwrap_err();
    assert!(error.contains("silent for too long"), "{error}");
}

#[test]
fn a_packed_line_without_end_is_left_after_a_kilobyte() {
    let mut said = b"200 ctdl-dump wire 1|zstd|x\n200 1|zstd\n".to_vec();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    io::copy(&mut io::repeat(b'a').take(1 << 28), &mut encoder).unwrap();
    said.write_all(&encoder.finish().unwrap()).unwrap();
    let login = ctdl_dump::wire::Login { level: Some(1), ..login() };
    let mut client = Client::connect(said.as_slice(), io::sink(), &login).unwrap();
    assert!(matches!(client.info(), Err(WireError::Line { .. })));
}
