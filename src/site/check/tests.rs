//! Real sites as they are, and with single pairs taken out or changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::monitor::{Collecting, Silent};
use crate::site::btree::{Table, TableError, TableWriter};
use crate::site::source::Tables;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// A real site of `fixtures/site/`, to be spoilt.
struct Spoilt {
    site: TempDir,
    scratch: TempDir,
}

impl Spoilt {
    fn new(name: &str) -> Spoilt {
        let site = tempfile::tempdir().unwrap();
        let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/site/{name}.tar.zst"));
        let status = Command::new("tar").arg("--zstd").arg("-xf").arg(packed).arg("-C").arg(site.path()).status();
        assert!(status.expect("tar is installed").success());
        Spoilt { site, scratch: tempfile::tempdir().unwrap() }
    }

    fn table(&self, number: u8) -> PathBuf {
        self.site.path().join(format!("data/cdb.{number:02x}"))
    }

    /// Changes the pairs of a table.
    fn edit(&self, number: u8, edit: impl FnOnce(&mut Pairs)) {
        let path = self.table(number);
        let table = Table::open(&path).unwrap();
        let pairs = table.items().map(Result::unwrap);
        let mut pairs: Pairs = pairs.map(|item| (item.key, table.read_all(&item.value, 1 << 30).unwrap())).collect();
        edit(&mut pairs);
        std::fs::remove_file(&path).unwrap();
        let mut writer = TableWriter::create(&path, self.scratch.path(), 1 << 20, 4096).unwrap();
        for (key, value) in pairs {
            writer.put(&key, &value).unwrap();
        }
        writer.finish().unwrap();
    }

    fn remove(&self, table: u8, key: &[u8]) {
        self.edit(table, |pairs| assert!(pairs.remove(key).is_some()));
    }

    fn findings(&self) -> Findings {
        references(&self.site.path().join("data"), None, self.scratch.path(), &Silent).unwrap()
    }

    fn damage(&self) -> Vec<String> {
        self.findings().damage.iter().map(ToString::to_string).collect()
    }

    fn damage_when_torn(&self, torn: &[u8]) -> Vec<String> {
        let tables = Tables::open(&self.site.path().join("data"), None).unwrap();
        let findings = references_of(&tables, torn, self.scratch.path(), &Silent).unwrap();
        findings.damage.iter().map(ToString::to_string).collect()
    }
}

fn long(number: i64) -> [u8; 8] {
    number.to_le_bytes()
}

/// Numbers of the messages in the room Aide of `small`, number 2.
fn aide_room(spoilt: &Spoilt) -> Vec<i64> {
    let mut list = Vec::new();
    spoilt.edit(4, |pairs| list = pairs[&long(2)[..]].clone());
    list.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn clean_sites_are_whole_and_what_is_loose_in_them_is_normal() {
    for name in ["small", "fresh"] {
        let spoilt = Spoilt::new(name);
        let findings = spoilt.findings();
        assert!(findings.is_whole(), "{name}: {findings}");
        let torn_everywhere: Vec<u8> = (0..14).collect();
        if name == "fresh" {
            assert!(findings.normal.is_empty());
            assert_eq!(spoilt.damage_when_torn(&torn_everywhere), Vec::<String>::new());
        } else {
            let text = findings.to_string();
            assert!(text.contains("normal: mailbox rooms of deleted users, which wait for the nightly purge: 9\n"));
            assert!(
                text.contains(
                    "normal: visits to rooms that were made anew since, which wait for the nightly purge: 1\n"
                )
            );
        }
        for (table, walked) in walk_tables(&spoilt.site.path().join("data"), &Silent).unwrap() {
            let pairs = Table::open(&spoilt.site.path().join("data").join(&table)).unwrap().items().count();
            assert_eq!(walked.unwrap().pairs, pairs as u64, "{table}");
        }
    }
}

#[test]
fn a_listed_message_that_is_gone_is_named_with_its_rooms() {
    let spoilt = Spoilt::new("small");
    let message = aide_room(&spoilt)[0];
    spoilt.edit(0, |pairs| {
        pairs.remove(&long(message)[..]);
        pairs.remove(&long(-message)[..]);
    });
    let damage = spoilt.damage();
    assert_eq!(damage, [format!("message {message}: there is no such message (listed in room aide)")]);
}

#[test]
fn a_message_without_metadata_is_named() {
    let spoilt = Spoilt::new("small");
    let message = aide_room(&spoilt)[0];
    spoilt.remove(0, &long(-message));
    assert_eq!(spoilt.damage(), [format!("message {message}: its metadata is missing (listed in room aide)")]);
}

#[test]
fn big_bodies_and_the_entries_that_ask_for_them_belong_together() {
    let spoilt = Spoilt::new("small");
    let mut big = Vec::new();
    spoilt.edit(8, |pairs| big = pairs.keys().cloned().collect());
    spoilt.remove(8, &big[0]);
    spoilt.remove(0, &big[1]);
    spoilt.edit(8, |pairs| _ = pairs.insert(long(1).to_vec(), b"another body\0".to_vec()));
    let damage = spoilt.damage().join("\n");
    let number = |key: &Vec<u8>| i64::from_le_bytes(key.as_slice().try_into().unwrap());
    let expected = [
        format!("message {}: its big body is missing (listed in room ", number(&big[0])),
        format!(
            "message {}: there is no such message; its big body and its metadata are there (listed in ",
            number(&big[1])
        ),
        "message 1: it has a body in its entry and another one in table cdb.08 (listed in room ".to_owned(),
    ];
    for line in expected {
        assert!(damage.contains(&line), "{line} not in\n{damage}");
    }
}

#[test]
fn a_lost_user_is_named_by_the_index_of_numbers() {
    let spoilt = Spoilt::new("small");
    spoilt.remove(1, b"alice");
    let damage = spoilt.damage();
    assert_eq!(damage.len(), 1, "{damage:#?}");
    assert!(
        damage[0].starts_with("user alice: the index of users has number 2 for alice, but there is no such user; ")
    );
}

#[test]
fn rooms_need_a_floor_that_is_in_use_and_the_list_of_their_newest_message() {
    let spoilt = Spoilt::new("small");
    spoilt.remove(3, &1i32.to_le_bytes());
    spoilt.edit(3, |pairs| pairs.get_mut(&2i32.to_le_bytes()[..]).unwrap()[0] = 0);
    spoilt.remove(4, &long(2));
    let damage = spoilt.damage();
    for line in ["which does not exist", "which is not in use", "room aide: its newest message was "] {
        assert!(damage.iter().any(|found| found.contains(line)), "{line} not in\n{damage:#?}");
    }
    let when_torn = spoilt.damage_when_torn(&[3, 4]);
    assert!(when_torn.iter().any(|found| found.starts_with("floor 1: ")), "{when_torn:#?}");
    assert!(
        when_torn.iter().any(|found| found.ends_with("1 of 1 message lists that named it are lost")),
        "{when_torn:#?}"
    );
}

#[test]
fn what_points_to_a_deleted_message_is_normal_as_long_as_no_list_names_it() {
    let spoilt = Spoilt::new("small");
    let mut picture = 0;
    spoilt.edit(1, |pairs| picture = i64::from_le_bytes(pairs[&b"alice"[..]][168..176].try_into().unwrap()));
    assert!(picture > 0);
    spoilt.edit(0, |pairs| {
        pairs.remove(&long(picture)[..]);
        pairs.remove(&long(-picture)[..]);
    });
    let damage = spoilt.damage();
    assert!(
        damage.contains(&format!("user alice: the picture is message {picture}, which is not there")),
        "{damage:#?}"
    );
    spoilt.edit(8, |pairs| _ = pairs.remove(&long(picture)[..]));
    spoilt.edit(4, |pairs| {
        for list in pairs.values_mut() {
            let kept = list.chunks_exact(8).filter(|number| *number != long(picture));
            *list = kept.flatten().copied().collect();
        }
    });
    let findings = spoilt.findings();
    assert!(findings.is_whole(), "{findings}");
    assert!(findings.to_string().contains("whose message was deleted: 1\n"), "{findings}");
    assert!(spoilt.damage_when_torn(&[0]).iter().any(|line| line.starts_with("user alice: the picture ")));
}

#[test]
fn rests_of_cut_stores_and_deletions_are_normal() {
    let spoilt = Spoilt::new("small");
    let entry = b"\xffA\0Palice\0T1\0".to_vec();
    spoilt.edit(0, |pairs| {
        // An entry whose body had not come yet; metadata of a message that was being deleted.
        pairs.insert(long(9001).to_vec(), entry);
        let mut metadata = pairs[&long(-1)[..]].clone();
        metadata[..12].copy_from_slice(&[&long(9002)[..], &[0; 4]].concat());
        pairs.insert(long(-9002).to_vec(), metadata);
    });
    spoilt.edit(8, |pairs| _ = pairs.insert(long(9002).to_vec(), b"body\0".to_vec()));
    let findings = spoilt.findings();
    assert!(findings.is_whole(), "{findings}");
    let text = findings.to_string();
    assert!(text.contains("messages whose storing was cut short, and that no room lists: 1\n"), "{text}");
    assert!(text.contains("rests of deleted messages that nothing points to: 1\n"), "{text}");
}

#[test]
fn messages_that_no_room_lists_are_normal_unless_lists_hold_what_is_no_message() {
    let spoilt = Spoilt::new("small");
    let forgotten = aide_room(&spoilt)[0];
    spoilt.edit(4, |pairs| _ = pairs.get_mut(&long(2)[..]).unwrap().drain(..8));
    let findings = spoilt.findings();
    assert!(findings.is_whole(), "{findings}");
    assert!(findings.to_string().contains("normal: messages that no room lists: 1\n"), "{findings}");
    spoilt.edit(4, |pairs| pairs.get_mut(&long(2)[..]).unwrap().extend(long(1 << 40)));
    assert_eq!(
        spoilt.damage(),
        [
            format!("message {forgotten}: no room lists it any more, and 1 did; lists of messages are wrong"),
            format!("message {}: there is no such message (listed in room aide)", 1i64 << 40),
        ]
    );
}

#[test]
fn much_damage_is_counted_after_the_first_ten_thousand() {
    let spoilt = Spoilt::new("fresh");
    spoilt.edit(4, |pairs| {
        let list = pairs.values_mut().next().unwrap();
        list.extend((1000..12_500).flat_map(|message: i64| message.to_le_bytes()));
    });
    let findings = spoilt.findings();
    assert_eq!((findings.damage.len(), findings.more), (10_000, 1500));
    assert!(findings.to_string().ends_with("\ndamage: 1500 more\n"));
}

#[test]
fn a_torn_table_and_an_interrupt_end_the_walk() {
    let spoilt = Spoilt::new("small");
    let mut bytes = std::fs::read(spoilt.table(8)).unwrap();
    // An overflow page in the middle of a chain: only whoever reads the values sees it.
    let page = bytes.chunks(4096).position(|page| page[25] == 7 && page[12..16] != [0; 4]).unwrap();
    bytes[page * 4096 + 22] ^= 1;
    std::fs::write(spoilt.table(8), bytes).unwrap();
    let data = spoilt.site.path().join("data");
    let walked = walk_tables(&data, &Silent).unwrap();
    let torn: Vec<_> = walked.iter().filter(|(_, walked)| walked.is_err()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(torn, ["cdb.08"]);
    let interrupted = Collecting::default();
    interrupted.interrupt();
    assert!(matches!(walk_tables(&data, &interrupted), Err(CheckError::Interrupted)));
    let table = Table::open(&spoilt.table(0)).unwrap();
    assert!(matches!(walk_table(&table, &interrupted), Err(TableError::Interrupted)));
    assert!(matches!(references(&data, None, spoilt.scratch.path(), &interrupted), Err(CheckError::Interrupted)));
}
