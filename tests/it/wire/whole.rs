//! Whole conversations over an archive of a real site.

use std::io::{Read as _, Write as _};

use ctdl_dump::archive::Options;
use ctdl_dump::codec::Digest;
use ctdl_dump::codec::manifest::{Group, GroupCutter, Identity};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::{Key, Kind};
use ctdl_dump::transfer::{Discard, Summary, copy};
use ctdl_dump::wire::{Code, Frames, Info, Level, Listed, Login, Receiver, Scope, View as _, WireError};

use super::{Streams, client, login, server, small, view};
use crate::archive::Kept;
use crate::archive::records::{Record, many};
use crate::archive::write;

fn pull(client: &mut Streams, scope: Scope) -> (Kept, Summary) {
    let info = client.info().unwrap();
    client.get_all(scope, None).unwrap();
    let mut kept = Kept::default();
    let mut frames = Frames::new(client.input(), Receiver::all(scope), info.site);
    let summary = copy(&mut frames, &mut kept, &Silent).unwrap();
    (kept, summary)
}

/// All that is listed: the numbers of what is kept, and the records of the segments that came.
fn listed(client: &mut Streams, known: &[Digest]) -> (Vec<usize>, Vec<Identity>) {
    let mut listing = client.since(Scope::All, Level::Segments, known).unwrap();
    let (mut kept, mut records) = (Vec::new(), Vec::new());
    while let Some(listed) = listing.next_node().unwrap() {
        match listed {
            Listed::Keep(range) => kept.extend(range),
            Listed::Segment(_, identities) => records.extend(identities),
            Listed::Group(_) => panic!("a group among segments"),
        }
    }
    (kept, records)
}

fn groups(segments: &[Digest]) -> Vec<Group> {
    let mut cutter = GroupCutter::default();
    let mut groups: Vec<Group> = segments.iter().filter_map(|segment| cutter.push(*segment)).collect();
    groups.extend(cutter.finish());
    groups
}

fn segments(archive: &ctdl_dump::transfer::ArchiveView) -> Vec<Digest> {
    archive.segments(Scope::All).unwrap().map(|segment| segment.unwrap().digest).collect()
}

#[test]
fn getall_gives_the_same_site_plain_and_packed() {
    let small = small();
    for level in [None, Some(1)] {
        let mut client = client(&small, &Login { level, ..login() });
        let (_, summary) = pull(&mut client, Scope::All);
        let root = small.archive().root();
        assert_eq!(summary.site_digest, root.site_digest);
        assert_eq!(summary.kinds, root.kinds);
        assert_eq!(summary.end.state_after, root.state_after);
        let (received, _) = client.bytes();
        assert_eq!(received < summary.body_bytes() / 2, level.is_some(), "{received} bytes came");
        client.quit().unwrap();
    }
}

#[test]
fn every_kind_can_be_asked_for_alone() {
    let mut client = client(&small(), &login());
    let Info { kinds, total, .. } = client.info().unwrap();
    let mut records = 0;
    for kind in Kind::ALL {
        let totals = client.info_of(kind).unwrap();
        let told = kinds.iter().find(|(other, _)| *other == kind);
        assert_eq!(told.map_or(0, |(_, totals)| totals.records), totals.records, "{kind}");
        let (kept, _) = pull(&mut client, Scope::Kind(kind));
        assert_eq!(kept.records.len() as u64, totals.records, "{kind}");
        assert!(kept.records.iter().all(|(record, _)| record.header.kind == kind));
        records += totals.records;
    }
    assert_eq!(records, total.records);
}

#[test]
fn chosen_records_come_in_the_order_in_which_they_were_asked_for() {
    let small = small();
    let mut client = client(&small, &login());
    let messages: Vec<Key> = listed(&mut client, &[])
        .1
        .into_iter()
        .filter(|record| record.kind == Kind::Message)
        .map(|record| record.key)
        .collect();
    let (whole, _) = pull(&mut client, Scope::Kind(Kind::Message));
    let picked: Vec<&[Key]> = messages.chunks(7).collect();
    let (mut asked, mut got) = (0, Vec::new());
    for answered in 0..picked.len() {
        while asked < picked.len() && client.may_ask(64) {
            client.ask(Kind::Message, picked[asked], 0).unwrap();
            asked += 1;
        }
        assert!(asked > answered + 1 || asked == picked.len(), "nothing was asked ahead");
        client.begin_answer().unwrap();
        let mut receiver = Receiver::chosen(Kind::Message, picked[answered].to_vec());
        let mut segment = Vec::new();
        while let Some(header) = receiver.next(client.input()).unwrap() {
            while receiver.segment(client.input(), &mut segment).unwrap() {}
            got.push((header, receiver.digest()));
        }
    }
    let expected: Vec<_> = whole.records.into_iter().map(|(record, digest)| (record.header, digest)).collect();
    assert!(got == expected);
    client.ask(Kind::Message, &[Key::number(999_999_999)], 0).unwrap();
    let error = client.begin_answer().unwrap_err();
    assert!(matches!(error, WireError::Refused { code: Code::NO_RECORD, .. }), "{error}");
    client.noop().unwrap();
}

#[test]
fn a_peer_that_has_everything_gets_nothing() {
    let small = small();
    let own = segments(&small);
    assert!(own.len() > 5);
    let mut client = client(&small, &login());
    let (kept, records) = listed(&mut client, &own);
    assert_eq!((kept, records.len()), ((0..own.len()).collect(), 0));
    let groups: Vec<Digest> = groups(&own).iter().map(Group::digest).collect();
    let mut listing = client.since(Scope::All, Level::Groups, &groups).unwrap();
    assert_eq!(listing.next_node().unwrap(), Some(Listed::Keep(0..groups.len())));
    assert_eq!(listing.next_node().unwrap(), None);
}

#[test]
fn one_changed_record_is_found_by_its_segment_in_a_few_kilobytes() {
    let mut records = many();
    let (old, _) = write(&records, Options { level: 1, threads: 2 });
    records[17_000] = Record::message(17_001, b"changed".to_vec());
    let (new, _) = write(&records, Options { level: 1, threads: 2 });
    let (old, new) = (view(&old), view(&new));
    let own = segments(&old);
    let mut client = client(&new, &login());
    client.take_snapshot(None, &mut |_| ()).unwrap();
    let before = client.bytes();

    let own_groups: Vec<Digest> = groups(&own).iter().map(Group::digest).collect();
    let mut listing = client.since(Scope::All, Level::Groups, &own_groups).unwrap();
    let mut unknown = Vec::new();
    while let Some(listed) = listing.next_node().unwrap() {
        if let Listed::Group(group) = listed {
            unknown.extend(group.0.into_iter().filter(|segment| !own.contains(segment)));
        }
    }
    assert_eq!(unknown.len(), 1);
    let mut listing = client.segments(Scope::All, &unknown).unwrap();
    let Some(Listed::Segment(digest, identities)) = listing.next_node().unwrap() else { panic!("no segment came") };
    assert_eq!(listing.next_node().unwrap(), None);
    assert_eq!(digest, unknown[0]);
    let differing: Vec<&Key> = identities
        .iter()
        .filter(|record| {
            let own = old.archive().open_record(record.kind, &record.key).unwrap();
            own.is_none_or(|(_, body)| body.digest() != record.digest)
        })
        .map(|record| &record.key)
        .collect();
    assert_eq!(differing, [&Key::number(17_001)]);
    let after = client.bytes();
    let (came, went) = (after.0 - before.0, after.1 - before.1);
    assert!(came < 30_000 && went < 1_000, "{came} bytes came and {went} went");

    let (kept, records) = listed(&mut client, &own);
    assert_eq!(kept.len(), own.len() - 1);
    assert!(records == identities);
    let mut listing = client.segments(Scope::All, &[[7; 32]]).unwrap();
    assert!(matches!(listing.next_node(), Err(WireError::Refused { code: Code::NO_RECORD, .. })));
}

#[test]
fn the_right_token_is_wanted_and_nothing_is_told_before() {
    let small = small();
    let with_token = ctdl_dump::wire::Server { token: Some("open sesame".to_owned()), ..server() };
    let attempt = |token| {
        let stream = super::connect(&small, &with_token);
        ctdl_dump::wire::Client::connect(stream.try_clone().unwrap(), stream, &Login { token, ..login() })
    };
    for token in [None, Some("open"), Some("open sesame ")] {
        let Err(WireError::Refused { code, .. }) = attempt(token) else { panic!("{token:?} was accepted") };
        assert!([Code::WRONG_TOKEN, Code::LOGIN_FIRST].contains(&code), "{code}");
    }
    let mut client = attempt(Some("open sesame")).unwrap();
    assert_eq!(copy_all(&mut client).site_digest, small.archive().root().site_digest);
}

#[test]
fn nothing_but_lines_is_read_of_who_has_not_logged_in() {
    let with_token = ctdl_dump::wire::Server { token: Some("open sesame".to_owned()), ..server() };
    let said = |lines: &str| {
        let mut stream = super::connect(&small(), &with_token);
        stream.write_all(lines.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said.lines().skip(1).map(|line| line[..3].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(said("HELO you\nSYNC users|info\nSYNC all|info\nNOOP\nQUIT\n"), ["520", "520", "520", "200", "200"]);
    // What would follow is not waited for, whether the command is one or not.
    for line in ["SYNC message|get|0|5\n", "SYNC messages|get|0|5\n", "SYNC all|list|16777216\n", "SYNC all|list|x\n"] {
        assert_eq!(said(line), ["520"], "{line}");
    }
}

fn copy_all(client: &mut Streams) -> Summary {
    let info = client.info().unwrap();
    client.get_all(Scope::All, None).unwrap();
    let mut frames = Frames::new(client.input(), Receiver::all(Scope::All), info.site);
    copy(&mut frames, &mut Discard, &Silent).unwrap()
}
