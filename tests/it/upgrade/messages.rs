//! Messages: those that there were, and those that were files.

use std::collections::{BTreeMap, BTreeSet};

use super::moved::{Held, Moved, OF_2010, OF_2016, both, numbers};

/// The numbers of messages that have an entry.
fn entries(held: &Held) -> BTreeSet<i64> {
    held.tables[0].keys().map(|key| numbers(key)[0]).filter(|number| *number > 0).collect()
}

/// How often each message is counted to be referred to.
fn counts(held: &Held) -> BTreeMap<i64, i64> {
    let metadata = held.tables[0].iter().filter(|(key, _)| numbers(key)[0] < 0);
    metadata
        .map(|(key, value)| (-numbers(key)[0], i32::from_le_bytes(value[8..12].try_into().unwrap()).into()))
        .collect()
}

/// How often each message stands in a room.
fn listed(held: &Held) -> BTreeMap<i64, i64> {
    let mut listed = BTreeMap::new();
    for number in held.tables[4].values().flat_map(|list| numbers(list)).filter(|number| *number > 0) {
        *listed.entry(number).or_default() += 1;
    }
    listed
}

#[test]
fn every_message_that_stands_in_a_room_is_byte_for_byte_what_it_was() {
    for (name, moved) in both() {
        let (old, new) = (entries(&moved.old), entries(&moved.new));
        let removed: BTreeSet<i64> = old.difference(&new).copied().collect();
        let in_rooms = listed(&moved.old);
        assert!(removed.iter().all(|number| !in_rooms.contains_key(number)), "{name}");
        assert!(moved.told.contains(&format!("{} were removed", removed.len())), "{name}: {}", moved.told);
        for number in old.difference(&removed) {
            assert_eq!(moved.old.message(*number), moved.new.message(*number), "{name}: message {number}");
        }
        let bodies = |held: &Held| held.tables[8].keys().map(|key| numbers(key)[0]).collect::<BTreeSet<_>>();
        let gone: BTreeSet<i64> = bodies(&moved.old).difference(&bodies(&moved.new)).copied().collect();
        assert!(gone.is_subset(&removed), "{name}: {gone:?}");
    }
}

#[test]
fn each_message_is_counted_as_often_as_rooms_have_it() {
    for (name, moved) in both() {
        assert_ne!(counts(&moved.old), listed(&moved.old), "{name}: the old server had not done it");
        assert_eq!(counts(&moved.new), listed(&moved.new), "{name}");
    }
}

#[test]
fn ids_and_words_lead_to_the_messages_that_they_led_to() {
    for (name, moved) in both() {
        assert!(moved.old.tables[10] == moved.new.tables[10], "{name}: exclusive ids");
        assert!(moved.old.tables[9] == moved.new.tables[9], "{name}: full text");
    }
    assert_eq!(OF_2016.new.setting("MMfulltext"), OF_2016.old.setting("MMfulltext"));
}

/// The content of a message that a file was put into.
fn content(moved: &Moved, number: i64) -> Vec<u8> {
    let message = moved.new.message(number).unwrap();
    let start = message.windows(2).position(|two| two == b"\n\n").unwrap() + 2;
    let digits: Vec<u8> = message[start..].iter().copied().filter(|byte| !b"\r\n\0".contains(byte)).collect();
    base64_simd::STANDARD.decode_to_vec(digits).unwrap()
}

/// The files of a directory that are called after a number.
fn numbered<'m>(moved: &'m Moved, directory: &'m str) -> impl Iterator<Item = (i64, &'m [u8])> {
    let files = moved.old.files.iter().filter_map(move |(path, content)| {
        let name = path.strip_prefix(directory)?.strip_prefix('/')?;
        Some((name.strip_suffix(".gif").unwrap_or(name).parse().ok()?, content.as_deref()?))
    });
    files.into_iter()
}

#[test]
fn profiles_pictures_and_banners_are_the_files_that_they_were() {
    for (directory, kind, own_number, field, how_many) in [
        ("bio", "user", "usernum", "msgnum_bio", 6),
        ("userpics", "user", "usernum", "msgnum_pic", 6),
        ("info", "room", "number", "msgnum_info", 5),
        ("images", "room", "number", "msgnum_pic", 5),
    ] {
        let mut checked = 0;
        for (number, file) in numbered(&OF_2010, directory) {
            let (key, owner) = OF_2010
                .new
                .of_kind(kind)
                .find(|(_, record)| record["fields"][own_number] == number)
                .unwrap_or_else(|| panic!("{kind} {number}"));
            let message = owner["fields"][field].as_i64().unwrap();
            assert_eq!(content(&OF_2010, message), file, "{field} of {key}");
            checked += 1;
        }
        assert_eq!(checked, how_many, "{directory}");
    }
}

#[test]
fn a_room_or_user_without_a_file_refers_to_no_message() {
    let banners: BTreeSet<i64> = numbered(&OF_2010, "info").map(|(number, _)| number).collect();
    for (key, room) in OF_2010.new.of_kind("room") {
        let number = room["fields"]["number"].as_i64().unwrap();
        assert_eq!(room["fields"]["msgnum_info"] != 0, banners.contains(&number), "{key}");
    }
}

#[test]
fn aliases_of_mail_are_those_of_the_file() {
    let number = OF_2010.new.setting("global_alias_table").unwrap().parse().unwrap();
    let message = OF_2010.new.message(number).unwrap();
    let start = message.windows(2).position(|two| two == b"\n\n").unwrap() + 2;
    let table = String::from_utf8(message[start..].to_vec()).unwrap();
    assert_eq!(
        table.trim_end_matches('\0'),
        "postmaster|admin\nteam|alice\nvoid|nobody@undeliverable.invalid\n",
        "{:?}",
        OF_2010.old.files.get("network/mail.aliases")
    );
}
