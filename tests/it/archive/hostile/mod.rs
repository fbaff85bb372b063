//! Archives with one fault each, everything else being right: every one is refused, for that fault.

use ctdl_dump::endpoint::Class;
use ctdl_dump::record::{Body, Fields, Header, Key, Kind, Residue, Value};

use super::forge::{Forge, Frame, Member, encode, headers, seal, seek_table, skippable};
use super::records::{Record, body};
use super::verify;

mod folded;
mod manifest;
mod members;
mod numbers;
mod records;
mod stream;

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

fn floor() -> Record {
    let mut fields = Fields::new();
    for name in ["flags", "ref_count", "ep_mode", "ep_value"] {
        fields.set_int(name, 0);
    }
    fields.set_string("name", "Main Floor");
    Record::new(Kind::Floor, Key::number(0), fields, None)
}

/// A fault in the header of a floor.
fn with_floor(change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let floor = floor();
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
    let mut all = stream::in_frames();
    all.extend(stream::in_the_tail());
    all.extend(members::in_tar_headers());
    all.extend(records::in_records());
    all.extend(folded::in_folded_bodies());
    all.extend(numbers::in_numbers());
    all.extend(manifest::in_the_manifest());
    all
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
    for mut forge in [forge(), folded::forge(), numbers::forge(), many_blocks(), Forge::new(&[])] {
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
