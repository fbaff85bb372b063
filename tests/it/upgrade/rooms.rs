//! Floors, rooms, what is in them, and what everybody has seen of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::moved::{Moved, both};

fn number(record: &Value) -> i64 {
    record["fields"]["number"].as_i64().unwrap()
}

/// The rooms with what the import has put into them.
fn rooms(moved: &Moved) -> impl Iterator<Item = (&str, &Value, &Value)> {
    let both = moved.old.of_kind("room").map(|(key, was)| (key, was, &moved.new.records[&("room".into(), key.into())]));
    both.into_iter()
}

#[test]
fn every_room_is_as_it_was_with_its_messages_in_their_order() {
    for (name, moved) in both() {
        let highest_before: i64 = moved.old.of_kind("message").map(|(key, _)| key.parse().unwrap()).max().unwrap();
        for (key, was, is) in rooms(moved) {
            let (list, new_list) = (moved.old.list(number(was)), moved.new.list(number(was)));
            let added = new_list.strip_prefix(list.as_slice());
            let added = added.unwrap_or_else(|| panic!("{name}: the messages of {key} changed"));
            assert!(added.iter().all(|message| *message > highest_before), "{name}: {key}");
            for (field, value) in was["fields"].as_object().unwrap() {
                let is_new = match field.as_str() {
                    "msgnum_info" | "msgnum_pic" => name == "small-7xx",
                    // How a queue of mail is shown.
                    "defaultview" => key == "__citadelsmtpspoolout__" && is["fields"][field] == 11,
                    "highest" => is["fields"][field].as_i64() == added.last().copied(),
                    _ => false,
                };
                let found = &is["fields"][field];
                assert!(is_new || found == value, "{name}: {field} of {key}: {value} became {found}");
            }
        }
        assert_eq!(moved.new.of_kind("room").count(), moved.old.of_kind("room").count(), "{name}: a room was made");
        let lists = |moved: &Moved| moved.old.tables[4].keys().cloned().collect::<Vec<_>>();
        assert_eq!(lists(moved), moved.new.tables[4].keys().cloned().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn floors_are_byte_for_byte_what_they_were() {
    for (name, moved) in both() {
        assert_eq!(moved.old.tables[3], moved.new.tables[3], "{name}");
        assert_eq!(moved.new.tables[3].len(), 16);
    }
}

#[test]
fn what_everybody_has_seen_of_each_room_is_what_it_was() {
    for (name, moved) in both() {
        let visits = |held: &super::moved::Held| -> BTreeMap<String, Value> {
            held.of_kind("visit").map(|(key, record)| (key.to_owned(), record["fields"].clone())).collect()
        };
        let found = visits(&moved.new);
        assert_eq!(visits(&moved.old), found, "{name}");
        assert!(found.values().filter(|visit| visit["seen"] != "").count() > 100, "{name}");
    }
}
