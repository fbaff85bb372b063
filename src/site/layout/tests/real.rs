//! A few pairs of real 980 servers, typed in.

use super::*;
use crate::record::{Header, Key, Residue};

const LP64: Layout = LAYOUTS[0];
const S390X: Layout = LAYOUTS[1];
const I386: Layout = LAYOUTS[2];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap()).collect()
}

/// A value of zeros but for some places.
fn value(length: usize, places: &[(usize, &str)]) -> Vec<u8> {
    let mut value = vec![0; length];
    for (offset, hex) in places {
        let part = bytes(hex);
        value[*offset..offset + part.len()].copy_from_slice(&part);
    }
    value
}

fn decoded(table: u8, layout: Layout, key: &[u8], value: &[u8]) -> Header {
    assert_same_bytes(table, layout, key, value);
    decode_pair(table, layout, key, value).header
}

#[test]
fn alice_is_the_same_on_three_machines() {
    let addresses = "616c696365406578616d706c652e6f72677c612e6c696464656c6c406d61696c2e6578616d706c652e6e65747c\
                     616c696365406c697374732e6578616d706c652e6f7267";
    let little = value(
        704,
        &[
            (0, "d4030000ffffffff616c6963652d706173732d31"),
            (40, "112e"),
            (64, "04000000000000000200000000000000f222056b"),
            (92, "616c696365"),
            (160, "42000000000000004300000000000000"),
            (176, addresses),
            (688, "45000000000000005702"),
        ],
    );
    let big = value(
        704,
        &[
            (2, "03d4ffffffff616c6963652d706173732d31"),
            (42, "2e11"),
            (64, "04"),
            (79, "02000000006b0533c500000000616c696365"),
            (167, "420000000000000043"),
            (176, addresses),
            (695, "450000000000000265"),
        ],
    );
    let narrow = value(
        660,
        &[
            (0, "d4030000ffffffff616c6963652d706173732d31"),
            (40, "112e"),
            (52, "0400000002000000822e056b00000000616c696365"),
            (132, "4200000043000000"),
            (140, addresses),
            (652, "450000005f02"),
        ],
    );
    for (layout, value, lastcall, inboxrules) in
        [(LP64, little, 0x6b05_22f2, 0x257), (S390X, big, 0x6b05_33c5, 0x265), (I386, narrow, 0x6b05_2e82, 0x25f)]
    {
        let Header { key, fields, residue, .. } = decoded(table::USERS, layout, b"alice", &value);
        assert_eq!((key, residue), (Key::name("alice"), None));
        assert_eq!(fields.bytes("password"), Some(&b"alice-pass-1"[..]));
        assert_eq!(fields.bytes("fullname"), Some(&b"alice"[..]));
        assert_eq!(fields.bytes("emailaddrs"), Some(bytes(addresses).as_slice()));
        for (name, number) in [
            ("version", 980),
            ("uid", 0xffff_ffff),
            ("flags", 0x2e11),
            ("axlevel", 4),
            ("usernum", 2),
            ("lastcall", lastcall),
            ("msgnum_bio", 0x42),
            ("msgnum_pic", 0x43),
            ("msgnum_inboxrules", 0x45),
            ("lastproc_inboxrules", inboxrules),
        ] {
            assert_eq!(fields.int(name), Some(number), "{name} in {layout}");
        }
    }
}

#[test]
fn the_aide_room_is_the_same_on_two_machines() {
    let big = value(
        256,
        &[
            (0, "41696465"),
            (144, "ffffffffffffffff0000000000000249000000006b05335500000006"),
            (212, "6b053390"),
            (231, "020000000000000010"),
        ],
    );
    let narrow = value(
        212,
        &[(0, "41696465"), (140, "ffffffff4b020000ff24056b06"), (180, "3825056b"), (192, "020000000000000010")],
    );
    for (layout, value, highest, mtime) in [(S390X, big, 0x249, 0x6b05_3390), (I386, narrow, 0x24b, 0x6b05_2538)] {
        let Header { fields, residue, .. } = decoded(table::ROOMS, layout, b"aide", &value);
        assert_eq!(residue, None);
        assert_eq!(fields.bytes("name"), Some(&b"Aide"[..]));
        for (name, number) in
            [("roomaide", -1), ("highest", highest), ("flags", 6), ("mtime", mtime), ("number", 2), ("flags2", 16)]
        {
            assert_eq!(fields.int(name), Some(number), "{name} in {layout}");
        }
    }
}

#[test]
fn garbage_in_padding_is_residue_and_no_part_of_the_record() {
    let header = decoded(table::USES, LP64, &bytes("0efe4b03"), &bytes("0efe4b032a7f00001c2a056b00000000"));
    assert_eq!(header.residue, Some(Residue { patches: vec![(4, vec![0x2a, 0x7f])], ..Residue::default() }));
    assert_eq!((header.key, header.fields.int("time")), (Key::number(0x034b_fe0e), Some(0x6b05_2a1c)));
    let header = decoded(table::USES, I386, &bytes("0efe4b03"), &bytes("0efe4b03652c056b"));
    assert_eq!((header.key, header.residue), (Key::number(0x034b_fe0e), None));
}

#[test]
fn a_visit_with_stale_bytes_behind_its_seen_messages_keeps_them() {
    let key = bytes("2a000000000000007f22056b000000000200000000000000");
    let value = bytes(
        "eeeeffc0b87f00002820000000000000da000000000000007801edd7b16d04310c04c0876137e2f0c18022b9278905b81917e1d6bd7a7f07\
         1f38590102499c4e77986cefb7bff5f3f9f17dbab7e7fcf56cde39df1b2b6ecb02deb1cbd247a7b38e6119e84cb7ccb4acb377273823582f\
         cbcb3b2f584ed6c9e793e717dfddecf7ec72588db20ae7be0cb11a09434ed665286f142b460365e05d98cecdb373dbf9332d094840021290\
         800424200109484002129080045e1708e6f02830ff07b33fb3fbc9fbcce4ccf6ccf3f3e4f8477e7fe4f6aad73fa81b242001094840021290\
         80042420010948400212f817815f06ca2a5c",
    );
    let Header { key, fields, residue, .. } = decoded(table::VISITS, LP64, &key, &value);
    assert_eq!(key, Key::numbers([42, 0x6b05_227f, 2]));
    assert_eq!((fields.int("lastseen"), fields.int("flags"), fields.int("view")), (Some(0x246), Some(4), Some(0)));
    assert_eq!(fields.bytes("seen"), Some(&b"*:582"[..]));
    assert_eq!(fields.bytes("answered"), Some(&b"238,245,252,304,330,348,360,377,397,420,535,544"[..]));
    let residue = residue.unwrap();
    assert!(!residue.uncompressed && residue.length.is_none());
    assert_eq!(residue.patches[0].0, 42);
    assert!(residue.patches[0].1.starts_with(b"8,250:294,301:304"));
}

#[test]
fn metadata_and_exclusive_ids_are_read_by_their_keys() {
    let key = bytes("00feffff");
    assert_eq!(parse_message_key(I386, &key), Some(MessageKey::Metadata(512)));
    let stored = value(76, &[(1, "020000010000006d756c7469706172742f6d69786564"), (72, "d725")]);
    let Metadata { fields, residue } = decode_metadata(I386, 512, &stored).unwrap();
    assert_eq!(residue, None);
    assert_eq!((fields.int("refcount"), fields.int("rfc822_length")), (Some(1), Some(0x25d7)));
    assert_eq!(fields.bytes("content_type"), Some(&b"multipart/mixed"[..]));

    let euid = b"Citadel vCard: personal card for Aide Anna at bigend\0";
    let key = [&[0, 0, 0, 0, 0, 0, 0, 8], &euid[..]].concat();
    let header = decoded(table::EUIDS, S390X, &key, &[&[0, 0, 0, 0, 0, 0, 0, 17], &key[..]].concat());
    assert_eq!(header.key.parts()[0], KeyPart::Number(8));
    assert_eq!(header.key.last_name(), euid.strip_suffix(b"\0"));
    assert_eq!((header.fields.int("msgnum"), header.residue), (Some(17), None));
}
