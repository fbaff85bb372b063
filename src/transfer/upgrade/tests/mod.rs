//! A made-up site of release 772, from its archive to the records of release 980.

mod old_site;

use std::io::{Seek as _, SeekFrom};

use super::{Plan, Upgraded};
use crate::archive::{RandomReader, Reader};
use crate::monitor::Silent;
use crate::record::{Fields, Header, Kind, Value};

use old_site::{Taken, archive_of, file, old_site, old_site_with_filters, room};

fn upgraded(rows: Vec<(Header, Vec<u8>)>) -> (Taken, String) {
    let file = archive_of(rows);
    let archive = RandomReader::open(file.try_clone().unwrap()).unwrap();
    let plan = Plan::survey(&archive, &std::env::temp_dir(), &Silent).unwrap();
    let mut input = file;
    input.seek(SeekFrom::Start(0)).unwrap();
    let mut reader = Reader::new(input, 0).unwrap();
    let mut source = Upgraded::new(&mut reader, &archive, plan);
    let mut taken = Taken::default();
    crate::transfer::copy(&mut source, &mut taken, &Silent).unwrap();
    (taken, source.into_notices().join("\n"))
}

#[test]
fn structs_and_files_become_settings() {
    let (taken, notices) = upgraded(old_site());
    assert_eq!(taken.setting("MM_hosted_upgrade_level"), "980");
    assert_eq!(taken.setting("MMflags"), "4");
    assert_eq!(taken.setting("c_config_created_or_migrated"), "1795500000");
    assert_eq!(taken.setting("c_ep_mode"), "1");
    assert_eq!(taken.setting("c_fqdn"), "old.example.org");
    assert!(taken.get(Kind::Config, "c_fqdn").0.fields.get("origin").is_none());
    assert_eq!(taken.setting("c_netconfig_0000000001"), "bGFzdHNlbnR8NQppZ25ldF9wdXNoX3NoYXJlfG5vZGV8cm9vbQo=");
    assert!(!taken.has(Kind::Config, "c_phonenum") && notices.contains("US 555") && !notices.contains("12345"));
    assert!(taken.records.keys().all(|(kind, _)| ![Kind::Control, Kind::Refcount, Kind::Useid].contains(kind)));
}

#[test]
fn files_become_messages_that_users_and_rooms_refer_to() {
    let (taken, notices) = upgraded(old_site());
    // Numbers go on behind the highest one that there is: 501, of a message that no counter knows.
    assert_eq!(taken.int(Kind::User, "bobbuilder", "msgnum_bio"), Some(502));
    assert_eq!(taken.int(Kind::User, "bobbuilder", "msgnum_pic"), Some(503));
    assert_eq!(taken.int(Kind::Room, "lobby", "msgnum_info"), Some(504));
    assert_eq!(taken.int(Kind::Room, "lobby", "msgnum_pic"), Some(505));
    assert_eq!(taken.setting("global_alias_table"), "506");
    assert_eq!(taken.setting("MMhighest"), "506");
    assert_eq!(taken.list("0000000003.my citadel config"), [12, 502, 503]);
    assert_eq!(taken.list("local system configuration"), [504, 505, 506]);
    assert_eq!(taken.int(Kind::Room, "local system configuration", "msgnum_info"), Some(0));
    let (profile, body) = taken.get(Kind::Message, "502");
    let expected = "\u{0}UProfile imported from bio\0MContent-type: text/plain; charset=UTF-8\nContent-transfer-encoding: base64\n\nSSBhbSBCb2I=\r\n\0";
    assert!(body.ends_with(expected.as_bytes()), "{}", String::from_utf8_lossy(body));
    assert_eq!(profile.fields.bytes("content_type"), Some(&b"text/plain"[..]));
    let (photo, body) = taken.get(Kind::Message, "503");
    let big = photo.fields.int("big").unwrap() as usize;
    let lines = String::from_utf8(body[body.len() - big..body.len() - 1].to_vec()).unwrap();
    let base64 = lines.split_once("\n\n").unwrap().1.replace("\r\n", "");
    let decoded = base64_simd::STANDARD.decode_to_vec(base64).unwrap();
    assert!(decoded.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8) && decoded.len() == 100_000);
    assert_eq!(taken.get(Kind::Message, "505").0.fields.bytes("content_type"), Some(&b"image/png"[..]));
    let aliases = &taken.get(Kind::Message, "506").1;
    assert!(aliases.ends_with(b"\n\nteam|alice,Bob Builder\n\0\0"), "{}", String::from_utf8_lossy(aliases));
    assert!(notices.contains("1 profiles, 1 pictures of users, 1 room banners and 1 room pictures"), "{notices}");
}

#[test]
fn accounts_are_found_by_their_new_keys() {
    let (taken, notices) = upgraded(old_site());
    assert!(taken.has(Kind::User, "bobbuilder2") && taken.has(Kind::User, "user5"));
    let bob = &taken.get(Kind::User, "bobbuilder").0.fields;
    assert_eq!((bob.int("version"), bob.get("screenwidth")), (Some(980), None));
    assert_eq!(bob.bytes("emailaddrs"), Some(&b"bob@old.example.org"[..]));
    assert_eq!(taken.get(Kind::Directory, "bob@old.example.org").0.fields.bytes("user"), Some(&b"Bob Builder"[..]));
    assert!(!taken.has(Kind::Directory, "x@old.example.org"));
    assert_eq!(taken.get(Kind::Usernumber, "5").0.fields.bytes("user"), Some("日本 user5".as_bytes()));
    assert!(notices.contains("Bob-Builder (number 4) is now named Bob-Builder 2"), "{notices}");
}

#[test]
fn filters_that_a_new_server_does_not_run_as_before_are_named() {
    let (taken, notices) = upgraded(old_site_with_filters());
    assert_eq!(taken.int(Kind::User, "a", "msgnum_inboxrules"), Some(13));
    assert_eq!(taken.int(Kind::User, "b", "msgnum_inboxrules"), Some(0));
    assert!(taken.has(Kind::Message, "13") && taken.has(Kind::Message, "14"));
    assert!(notices.contains("1 accounts know the message with their mail filter"), "{notices}");
    for (words, name) in
        [("which release 980 does not run", "日本 a"), ("have switched off their filter rules", "日本 b")]
    {
        let line = notices.lines().find(|line| line.contains(words)).unwrap_or_default();
        assert!(line.ends_with(&format!(": {name}")), "{line:?} in {notices}");
    }
}

#[test]
fn waiting_counts_are_worked_off() {
    let (taken, _) = upgraded(old_site());
    assert!(!taken.has(Kind::Message, "10"));
    assert_eq!(taken.int(Kind::Message, "11", "refcount"), Some(2));
    assert!(taken.get(Kind::Message, "11").0.fields.get("mimetype").is_none());
    assert!(taken.has(Kind::Fulltext, "1"));
}

#[test]
fn what_was_seen_before_is_remembered_where_its_id_is_still_the_same() {
    let (taken, notices) = upgraded(old_site());
    let key = (0xdd24_bed2_u32.cast_signed()).to_string();
    assert_eq!(taken.int(Kind::Use, &key, "time"), Some(7));
    assert!(notices.contains("of 2 things that were fetched or seen before 1 are remembered"), "{notices}");
}

#[test]
fn what_a_new_server_would_swallow_is_not_written_and_is_named() {
    let (taken, notices) = upgraded(old_site());
    let files: Vec<&String> =
        taken.records.keys().filter(|(kind, _)| *kind == Kind::File).map(|(_, key)| key).collect();
    assert_eq!(files, ["images/floor.1.gif", "info/99"]);
    for named in ["bio/5", "netconfigs/x", "userpics/77.gif", "info/99", "images/floor.1.gif"] {
        assert!(notices.contains(named), "{named} in {notices}");
    }
}

#[test]
fn a_room_that_nobody_understands_is_not_replaced_without_a_word() {
    let mut rows = old_site();
    let config = "0000000003.my citadel config";
    let (header, _) = rows.iter_mut().find(|(header, _)| header.key.to_string() == config).unwrap();
    (header.fields, header.body) = (Fields::new(), None);
    header.fields.set("raw", Value::Binary(vec![1, 2, 3]));
    let (taken, notices) = upgraded(rows);
    assert_eq!(taken.list(config), [502, 503]);
    assert!(notices.contains("left out: 1 records that can't be understood"), "{notices}");
}

#[test]
fn lists_of_any_length_get_longer_and_new_ones_are_made() {
    let is_of = |header: &Header, key: &str| header.kind == Kind::Room && header.key.to_string() == key;
    // Where a list stands in a header, and where it doesn't any more.
    for length in [511, 512, 600, 4_093, 4_094, 20_000] {
        let mut rows = old_site();
        rows.retain(|(header, _)| !is_of(header, "local system configuration"));
        let list: Vec<i64> = (10_000..10_000 + length).collect();
        rows.push(room("Local System Configuration", 4, &list));
        let (taken, _) = upgraded(rows);
        let after = taken.list("local system configuration");
        assert_eq!((&after[..list.len()], after.len()), (&list[..], list.len() + 3));
    }
    let mut rows = old_site();
    rows.retain(|(header, _)| !is_of(header, "local system configuration"));
    for number in 100..700 {
        rows.push(room(&format!("Room {number}"), number, &[]));
        rows.push(file(&format!("info/{number}"), b"Welcome"));
    }
    rows.retain(|(header, _)| header.key.to_string() != "info/99");
    assert_eq!(upgraded(rows).0.list("local system configuration").len(), 603);
}

#[test]
fn the_same_archive_gives_the_same_records() {
    let (first, second) = (upgraded(old_site()).0, upgraded(old_site()).0);
    assert!(first.records == second.records);
}

#[test]
fn another_word_breaker_s_full_text_is_left_to_the_server() {
    let mut rows = old_site();
    rows[5].0.fields.set_int("fulltext_wordbreaker", 16);
    let (taken, notices) = upgraded(rows);
    assert!(!taken.has(Kind::Fulltext, "1") && notices.contains("26 messages a minute"));
    assert_eq!((taken.setting("MM_fulltext_wordbreaker"), taken.setting("MMfulltext")), ("0", "0"));
}
