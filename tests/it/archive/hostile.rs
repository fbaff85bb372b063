//! Archives with one fault each, everything else being right: every one is refused, for that fault.

use ctdl_dump::endpoint::Class;
use ctdl_dump::record::{Body, Fields, Header, Key, Kind, Value};

use super::forge::{Forge, Frame, Member, encode, headers, seal, seek_table, skippable};
use super::records::{Record, body};
use super::verify;

const SITE: usize = 0;
const DATA: usize = 1;

/// Members of the forged archive's block, in their order.
const CONFIGS: usize = 0;
const MESSAGES: usize = 1;
const SEGMENT_0: usize = 2;
const SEGMENT_1: usize = 3;
const LAST_MESSAGE: usize = 4;

fn records() -> Vec<Record> {
    vec![
        Record::config("a", b"1"),
        Record::config("b", b"2"),
        Record::message(1, body(100, 1)),
        Record::message(2, body(70_000, 2)),
        Record::message(3, body(5_000, 3)),
    ]
}

fn forge() -> Forge {
    Forge::new(&records())
}

/// A fault in the block: in its members, and so in everything that the manifest says of them.
fn with_members(change: impl FnOnce(&mut Vec<Member>)) -> Vec<u8> {
    let mut forge = forge();
    change(&mut forge.only_block().members);
    forge.seal()
}

/// A fault in the headers of a member.
fn with_headers(number: usize, change: impl FnOnce(&mut Vec<Header>)) -> Vec<u8> {
    let mut forge = forge();
    forge.change_headers(number, change);
    forge.seal()
}

/// A fault in the header of a floor.
fn with_floor(change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut fields = Fields::new();
    for name in ["flags", "ref_count", "ep_mode", "ep_value"] {
        fields.set_int(name, 0);
    }
    fields.set_string("name", "Main Floor");
    let floor = Record::new(Kind::Floor, Key::number(0), fields, None);
    let mut forge = Forge::new(std::slice::from_ref(&floor));
    let mut header = floor.header;
    change(&mut header);
    forge.only_block().members[0].refill(&encode(&[header]));
    forge.seal()
}

/// A fault in the row of frames.
fn with_frames(change: impl FnOnce(&mut Vec<Frame>)) -> Vec<u8> {
    let mut frames = forge().frames();
    change(&mut frames);
    seal(&frames)
}

/// Every faulty archive: what is wrong with it, words that the message has, its bytes.
pub fn all() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut all = in_frames();
    all.extend(in_the_tail());
    all.extend(in_tar_headers());
    all.extend(in_records());
    all.extend(in_the_manifest());
    all
}

fn in_frames() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let raw_frame = |descriptor: u8, rest: &[u8]| Frame {
        bytes: [&[0x28, 0xb5, 0x2f, 0xfd, descriptor], rest].concat(),
        unpacked: 1,
    };
    vec![
        (
            "bomb",
            "would unpack to 18446744073709551615 bytes",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0xe4, &[0xff; 8]));
            }),
        ),
        (
            "frame-longer-than-2-mib",
            "would unpack to 2097153 bytes",
            with_frames(|frames| {
                frames.insert(DATA, Frame::of(&vec![0; (2 << 20) + 1]));
            }),
        ),
        (
            "frame-that-unpacks-to-less",
            "zstd says",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x24, &[100, 0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
            }),
        ),
        (
            "frame-without-checksum",
            "no checksum",
            with_frames(|frames| {
                frames.insert(DATA, Frame { bytes: zstd::bulk::compress(b"data", 3).unwrap(), unpacked: 4 });
            }),
        ),
        (
            "frame-without-size",
            "no size of its content",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x04, &[0x58, 0x01, 0, 0, 0, 0, 0, 0]));
            }),
        ),
        (
            "frame-with-dictionary",
            "a dictionary",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x25, &[1, 1, 0x09, 0, 0, b'x', 0, 0, 0, 0]));
            }),
        ),
        (
            "frame-with-large-window",
            "too large a window",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x84, &[0xa0, 1, 0, 0, 0, 0x09, 0, 0, b'x', 0, 0, 0, 0]));
            }),
        ),
        ("empty-frame", "would unpack to 0 bytes", with_frames(|frames| frames.insert(DATA, Frame::of(b"")))),
        (
            "skippable-frame-in-the-middle",
            "skippable frame where the format has none",
            with_frames(|frames| {
                frames.insert(DATA, Frame { bytes: skippable(0x184D_2A53, b"hidden"), unpacked: 0 });
            }),
        ),
        (
            "digest-in-the-middle",
            "the digest of the",
            with_frames(|frames| {
                frames.insert(DATA, Frame { bytes: skippable(0x184D_2A50, &[7; 32]), unpacked: 0 });
            }),
        ),
        ("data-cut-elsewhere", "shorter than 2097152 bytes", {
            let mut forge = forge();
            forge.frame_bytes = 1 << 16;
            forge.seal()
        }),
        ("manifest-segment-not-alone", "must have a frame of its own", {
            let mut forge = forge();
            let data: Vec<u8> = forge.only_block().members.iter().flat_map(Member::bytes).collect();
            let mut frames = forge.frames();
            let segment = zstd::bulk::decompress(&frames[DATA + 1].bytes, 1 << 20).unwrap();
            frames.splice(DATA..DATA + 2, [Frame::of(&[data, segment].concat())]);
            seal(&frames)
        }),
        (
            "site-not-alone",
            "more or less than this one member",
            with_frames(|frames| {
                let mut content = zstd::bulk::decompress(&frames[SITE].bytes, 1 << 20).unwrap();
                content.extend_from_slice(&[0; 512]);
                frames[SITE] = Frame::of(&content);
            }),
        ),
        (
            "frame-after-the-final-manifest",
            "follows the final manifest",
            with_frames(|frames| {
                frames.push(Frame::of(b"more"));
            }),
        ),
        (
            "final-manifest-twice",
            "follows the final manifest",
            with_frames(|frames| {
                frames.push(frames.last().unwrap().clone());
            }),
        ),
        ("no-final-manifest", "without its final manifest", with_frames(|frames| drop(frames.pop()))),
        (
            "no-end-of-the-tar",
            "more or less than this one member",
            with_frames(|frames| {
                let last = frames.last_mut().unwrap();
                let content = zstd::bulk::decompress(&last.bytes, 1 << 20).unwrap();
                *last = Frame::of(&content[..content.len() - 512]);
            }),
        ),
    ]
}

fn in_the_tail() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let frames = forge().frames();
    let body: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.clone()).collect();
    let digest = skippable(0x184D_2A50, blake3::hash(&body).as_bytes());
    let table = seek_table(&frames, 0);
    let mut other_sizes = frames.clone();
    other_sizes[DATA].unpacked -= 1;
    let mut fewer = frames.clone();
    fewer.pop();
    vec![
        ("wrong-digest-of-the-file", "digest of the", [&body, &skippable(0x184D_2A50, &[0; 32])[..], &table].concat()),
        (
            "short-digest-of-the-file",
            "wrong length",
            [&body, &skippable(0x184D_2A50, &digest[8..24])[..], &table].concat(),
        ),
        ("no-digest-of-the-file", "skippable frame where the format has none", [&body[..], &table].concat()),
        ("wrong-seek-table", "in its seek table", [&body[..], &digest, &seek_table(&other_sizes, 0)].concat()),
        ("seek-table-that-lacks-a-frame", "in its seek table", [&body[..], &digest, &seek_table(&fewer, 0)].concat()),
        ("seek-table-with-checksums", "in its seek table", [&body[..], &digest, &seek_table(&frames, 0x80)].concat()),
        ("no-seek-table", "cut short", [&body[..], &digest].concat()),
        ("seek-table-twice", "bytes follow the end", [&body[..], &digest, &table, &table].concat()),
    ]
}

fn in_tar_headers() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let field = |change: fn(&mut tar::Header)| with_members(|members| members[CONFIGS].change_header(change));
    vec![
        (
            "member-with-another-name",
            "its name is config/zzz.cbor",
            with_members(|members| {
                members[CONFIGS].rename("config/zzz.cbor");
            }),
        ),
        (
            "member-of-another-kind",
            "its name is floor/",
            with_members(|members| {
                let name = members[CONFIGS].name().replace("config", "floor");
                members[CONFIGS].rename(&name);
            }),
        ),
        (
            "member-that-climbs",
            "its name is config/../../a.cbor",
            with_members(|members| {
                members[CONFIGS].rename("config/../../a.cbor");
            }),
        ),
        (
            "member-with-absolute-name",
            "its name is /etc/passwd",
            with_members(|members| {
                members[CONFIGS].rename("/etc/passwd");
            }),
        ),
        (
            "segment-with-another-name",
            "its name is message/00000000000000000001.000002",
            with_members(|members| {
                members[SEGMENT_1].rename("message/00000000000000000001.000002");
            }),
        ),
        (
            "segments-swapped",
            "its name is message/00000000000000000001.000001",
            with_members(|members| {
                members.swap(SEGMENT_0, SEGMENT_1);
            }),
        ),
        (
            "link",
            "field \"type\"",
            field(|header| {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name("/etc/passwd").unwrap();
            }),
        ),
        ("hard-link", "field \"type\"", field(|header| header.set_entry_type(tar::EntryType::Link))),
        ("directory", "field \"type\"", field(|header| header.set_entry_type(tar::EntryType::Directory))),
        ("link-target", "field \"link target\"", field(|header| header.set_link_name("x").unwrap())),
        ("mode", "field \"mode\"", field(|header| header.set_mode(0o4755))),
        ("owner", "field \"owner\"", field(|header| header.set_uid(1000))),
        ("group", "field \"group\"", field(|header| header.set_gid(1000))),
        ("time", "field \"time\"", field(|header| header.set_mtime(1))),
        ("checksum", "field \"checksum\"", with_members(|members| members[CONFIGS].header[150] ^= 1)),
        (
            "owner-name",
            "field \"owner's name\"",
            field(|header| {
                header.as_ustar_mut().unwrap().set_username("root").unwrap();
            }),
        ),
        ("prefix", "field \"prefix\"", field(|header| header.as_ustar_mut().unwrap().prefix[0] = b'x')),
        ("gnu-magic", "field \"magic\"", field(|header| header.as_ustar_mut().unwrap().magic = *b"ustar ")),
        (
            "size-in-base-256",
            "field \"size\"",
            with_members(|members| {
                members[CONFIGS]
                    .change_header(|header| header.as_old_mut().size = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
            }),
        ),
        (
            "member-of-a-gigabyte",
            "1073741824 bytes; no member has more than 65,536",
            with_members(|members| {
                members[CONFIGS].change_header(|header| header.set_size(1 << 30));
            }),
        ),
        (
            "padding-of-headers",
            "padding behind it is not zero",
            with_members(|members| {
                *members[CONFIGS].padding.last_mut().unwrap() = 1;
            }),
        ),
        (
            "padding-of-a-segment",
            "padding behind it is not zero",
            with_members(|members| {
                *members[SEGMENT_1].padding.last_mut().unwrap() = 1;
            }),
        ),
        (
            "foreign-member",
            "its name is hello, but by its content",
            with_members(|members| {
                let content = members[CONFIGS].content.clone();
                members[CONFIGS] = Member::new("hello", &content);
            }),
        ),
        (
            "empty-member",
            "ends early",
            with_members(|members| {
                let name = members[CONFIGS].name();
                members.insert(CONFIGS, Member::new(&name, b""));
            }),
        ),
    ]
}

fn in_records() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        (
            "body-shorter-than-its-header-says",
            "it has 4464 bytes, but by its record's header it must have 65536",
            with_headers(MESSAGES, |headers| {
                headers[1].body = Some(Body::Segments(140_000));
                headers[1].fields.set_int("entry", 140_000);
            }),
        ),
        (
            "body-longer-than-its-header-says",
            "it has 4464 bytes, but by its record's header it must have 4463",
            with_headers(MESSAGES, |headers| {
                headers[1].body = Some(Body::Segments(69_999));
                headers[1].fields.set_int("entry", 69_999);
            }),
        ),
        ("body-of-petabytes", "it has 5000 bytes, but by its record's header it must have 65536", {
            let mut forge = Forge::new(&[Record::config("a", &body(5_000, 1))]);
            forge.change_headers(CONFIGS, |headers| headers[0].body = Some(Body::Segments(i64::MAX as u64)));
            forge.seal()
        }),
        (
            "body-cut-at-another-size",
            "it has 65024 bytes, but by its record's header it must have 65536",
            with_members(|members| {
                let all = [members[SEGMENT_0].content.clone(), members[SEGMENT_1].content.clone()].concat();
                members[SEGMENT_0].refill(&all[..65_024]);
                members[SEGMENT_1].refill(&all[65_024..]);
            }),
        ),
        ("records-out-of-order", "config record a comes after config record b", {
            let mut forge = forge();
            let members = &mut forge.only_block().members;
            let mut both = headers(&members[CONFIGS].content);
            both.swap(0, 1);
            members[CONFIGS].refill(&encode(&both));
            members[CONFIGS].rename(&config_name(&both[0].key));
            forge.describe();
            forge.seal()
        }),
        (
            "record-twice",
            "config record a comes after config record a",
            with_headers(CONFIGS, |headers| {
                headers[1] = headers[0].clone();
            }),
        ),
        ("members-out-of-order", "config record a comes after message record 1", {
            let mut forge = Forge::new(&records()[..3]);
            forge.only_block().members.swap(0, 1);
            forge.describe();
            forge.seal()
        }),
        ("kinds-in-one-member", "stands in a member of another kind", {
            let mut forge = Forge::new(&records()[..3]);
            let members = &mut forge.only_block().members;
            let content = [members[0].content.clone(), members[1].content.clone()].concat();
            members.truncate(1);
            members[0].refill(&content);
            forge.describe();
            forge.seal()
        }),
        ("member-that-ends-early", "has room in the one before it", {
            let mut forge = forge();
            let members = &mut forge.only_block().members;
            let both = headers(&members[CONFIGS].content);
            members[CONFIGS].refill(&encode(&both[..1]));
            members.insert(CONFIGS + 1, Member::new("config/b-0c3da65a11a2ab2d.cbor", &encode(&both[1..])));
            let name = config_name(&both[1].key);
            members[CONFIGS + 1].rename(&name);
            forge.describe();
            forge.seal()
        }),
        ("record-behind-a-long-body", "other records follow it in its member", {
            let mut forge = forge();
            let members = &mut forge.only_block().members;
            let content = [members[MESSAGES].content.clone(), members[LAST_MESSAGE].content.clone()].concat();
            members[MESSAGES].refill(&content);
            members.remove(LAST_MESSAGE);
            forge.seal()
        }),
        (
            "header-not-deterministic",
            "longer than necessary",
            with_members(|members| {
                let mut content = members[CONFIGS].content.clone();
                content.splice(0..1, [0xb8, content[0] & 0x1f]);
                members[CONFIGS].refill(&content);
            }),
        ),
        (
            "header-with-unknown-entry",
            "byte",
            with_members(|members| {
                let content = String::from_utf8(members[CONFIGS].content.clone());
                let content = content.unwrap_or_default().replace("fields", "fieldz");
                members[CONFIGS].refill(content.as_bytes());
            }),
        ),
        (
            "header-of-unknown-kind",
            "a kind that this version doesn't know",
            with_members(|members| {
                let at = members[CONFIGS].content.windows(6).position(|bytes| bytes == b"config").unwrap();
                let mut content = members[CONFIGS].content.clone();
                content[at..at + 6].copy_from_slice(b"konfig");
                members[CONFIGS].refill(&content);
            }),
        ),
        (
            "header-cut-short",
            "byte",
            with_members(|members| {
                let content = members[CONFIGS].content.clone();
                members[CONFIGS].refill(&content[..content.len() - 1]);
            }),
        ),
        (
            "message-zero",
            "the number is not above 0",
            with_members(|members| {
                let mut zero = headers(&members[LAST_MESSAGE].content);
                zero[0].key = Key::number(0);
                members[LAST_MESSAGE].refill(&encode(&zero));
            }),
        ),
        (
            "field-out-of-its-range",
            "field \"ref_count\"",
            with_floor(|floor| floor.fields.set_int("ref_count", 1 << 40)),
        ),
        ("field-missing", "field \"ref_count\" is missing", with_floor(|floor| floor.fields.remove("ref_count"))),
        ("field-too-long", "field \"name\"", with_floor(|floor| floor.fields.set_string("name", vec![b'x'; 257]))),
        (
            "field-of-another-kind",
            "a field that its kind doesn't have",
            with_floor(|floor| floor.fields.set_int("gen", 1)),
        ),
        ("body-where-none-is", "has a body", with_floor(|floor| floor.body = Some(Body::Inline(vec![1])))),
        ("raw-beside-fields", "beside \"raw\"", with_floor(|floor| floor.fields.set("raw", Value::Binary(vec![1])))),
        ("block-not-ended", "must begin a new block", {
            let mut forge = many_blocks();
            merge_blocks(&mut forge);
            forge.describe();
            forge.seal()
        }),
        ("block-ended-early", "has room in the one before it", {
            let mut forge = forge();
            split_block(&mut forge);
            forge.describe();
            forge.seal()
        }),
    ]
}

fn in_the_manifest() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let segment = |change: fn(&mut ctdl_dump::codec::manifest::Segment)| seal(&forge().frames_with(change, |_| {}));
    let root = |change: fn(&mut ctdl_dump::codec::manifest::Root)| seal(&forge().frames_with(|_| {}, change));
    vec![
        (
            "wrong-digest-of-a-record",
            "message record 2 has the digest",
            segment(|segment| {
                segment.identities[3].digest = [7; 32];
            }),
        ),
        (
            "wrong-length-of-a-record",
            "another length than the record has",
            segment(|segment| {
                segment.identities[3].length = Some(1);
            }),
        ),
        (
            "record-missing-in-the-manifest",
            "it has 4 records, its block 5",
            segment(|segment| {
                segment.identities.pop();
                segment.storages.pop();
            }),
        ),
        (
            "record-of-another-name-in-the-manifest",
            "where its block has config record b",
            segment(|segment| {
                segment.identities[1].key = Key::name("c");
            }),
        ),
        ("wrong-place-of-a-record", "elsewhere than it stands", segment(|segment| segment.storages[2].offset += 1)),
        ("wrong-length-of-a-block", "by it its block has 1 bytes", segment(|segment| segment.block_bytes = 1)),
        (
            "wrong-digest-of-a-block",
            "by it its block has the digest",
            segment(|segment| segment.block_digest = [7; 32]),
        ),
        ("wrong-site-digest", "by it the site digest is", root(|root| root.site_digest = [7; 32])),
        ("wrong-digest-of-site-cbor", "manifest of another site.cbor", root(|root| root.site_info_digest = [7; 32])),
        ("wrong-count", "it counts 4 records of kind message", root(|root| root.kinds[1].1.records += 1)),
        ("wrong-sum-of-bodies", "with 1 bytes of bodies", root(|root| root.kinds[0].1.body_bytes = 1)),
        (
            "kind-too-many",
            "a kind that the archive doesn't have",
            root(|root| {
                root.kinds.push((Kind::Omitted, Default::default()));
            }),
        ),
        ("wrong-place-of-the-index", "doesn't list the index segments", root(|root| root.index[0].position += 512)),
        ("index-missing-in-the-root", "doesn't list the index segments", root(|root| root.index.clear())),
        (
            "wrong-index",
            "not the index of the blocks",
            with_frames(|frames| {
                let number = frames.len() - 2;
                let content = zstd::bulk::decompress(&frames[number].bytes, 1 << 20).unwrap();
                let mut changed = content.clone();
                let size = usize::from_str_radix(std::str::from_utf8(&content[124..135]).unwrap(), 8).unwrap();
                changed[512 + size - 1] ^= 1;
                frames[number] = Frame::of(&changed);
            }),
        ),
        ("group-early", "no group of manifest segments was due", {
            let mut forge = many_blocks();
            let rest = forge.groups[0].split_off(1);
            forge.groups.insert(1, rest);
            forge.seal()
        }),
        ("group-late", "manifest segments are missing", {
            let mut forge = many_blocks();
            let rest = forge.groups.remove(1);
            forge.groups[0].extend(rest);
            forge.seal()
        }),
        (
            "no-manifest-segments",
            "its name is manifest/index-00000000.cbor",
            with_frames(|frames| drop(frames.remove(DATA + 1))),
        ),
        ("site-of-another-format-version", "format version that this program doesn't know", {
            let mut forge = forge();
            let at = forge.site.windows(6).position(|bytes| bytes == b"format").unwrap() + 6;
            assert_eq!(forge.site[at], 1);
            forge.site[at] = 2;
            forge.seal()
        }),
    ]
}

/// An archive of more blocks than a group has.
fn many_blocks() -> Forge {
    let records: Vec<Record> = (1..5000).map(|number| Record::message(number, body(10, number as u64))).collect();
    let forge = Forge::new(&records);
    assert!(forge.groups.len() >= 2 && forge.groups[0].len() == 16);
    forge
}

/// Makes one member of the last member of the first block and the first of the second, if they fit.
fn merge_blocks(forge: &mut Forge) {
    let second = forge.groups[0].remove(1);
    let first = &mut forge.groups[0][0];
    let all: Vec<_> =
        first.members.iter().chain(&second.members).flat_map(|member| headers(&member.content)).take(600).collect();
    let name = first.members[0].name();
    first.members.truncate(1);
    first.members[0] = Member::new(&name, &encode(&all));
}

/// Makes a block of the second record of the only block and all that follow.
fn split_block(forge: &mut Forge) {
    let block = forge.only_block();
    let mut second = block.clone();
    let both = headers(&block.members[CONFIGS].content);
    block.members.truncate(1);
    block.members[CONFIGS].refill(&encode(&both[..1]));
    second.members[CONFIGS].refill(&encode(&both[1..]));
    second.members[CONFIGS].rename(&config_name(&both[1].key));
    forge.groups[0].push(second);
}

/// The name of the member that begins with a setting.
fn config_name(key: &Key) -> String {
    let mut encoder = ctdl_dump::codec::cbor::Encoder::new();
    ctdl_dump::codec::header::encode_key(key, &mut encoder);
    let hash = blake3::hash(encoder.as_bytes()).to_hex();
    format!("config/{key}-{}.cbor", &hash[..16])
}

#[test]
fn a_forged_archive_without_a_fault_is_right() {
    for mut forge in [forge(), many_blocks(), Forge::new(&[])] {
        verify(forge.seal().as_slice(), 1).unwrap();
        forge.describe();
        verify(forge.seal().as_slice(), 1).unwrap();
    }
}

#[test]
fn every_fault_is_found_and_named() {
    let mut wrong = Vec::new();
    for (fault, words, archive) in all() {
        for threads in [0, 1] {
            match verify(archive.as_slice(), threads) {
                Ok(_) => wrong.push(format!("{fault}: is taken for a whole archive")),
                Err(failure) if failure.class == Class::Damaged && failure.to_string().contains(words) => {}
                Err(failure) => wrong.push(format!("{fault}: {:?} {failure}\n   wanted: {words}", failure.class)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
