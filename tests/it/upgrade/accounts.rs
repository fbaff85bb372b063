//! Accounts: everybody is there, with password, level and numbers, and found by the new keys.

use std::collections::BTreeMap;

use serde_json::Value;

use super::moved::{Held, both};

/// The fields of all accounts that somebody can use, by number and name.
fn accounts(held: &Held) -> BTreeMap<(i64, String), (String, &Value)> {
    let accounts = held.of_kind("user").map(|(key, record)| (key.to_owned(), &record["fields"]));
    let named = accounts.filter(|(_, fields)| fields["fullname"] != "");
    let by_number = named.map(|(key, fields)| {
        let number = fields["usernum"].as_i64().unwrap();
        ((number, fields["fullname"].to_string()), (key, fields))
    });
    by_number.collect()
}

/// Whether an account is of a thread of the old server. Nobody could log in under such a name there.
fn is_of_a_thread(fullname: &str) -> bool {
    fullname.trim_matches('"').starts_with("SYS_") && !fullname.contains("SYS_Citadel")
}

#[test]
fn accounts_of_threads_are_left_out_and_named() {
    for (name, moved) in both() {
        let threads: Vec<String> =
            accounts(&moved.old).into_keys().map(|key| key.1).filter(|n| is_of_a_thread(n)).collect();
        assert!(threads.len() >= 6, "{name}: {threads:?}");
        assert!(!accounts(&moved.new).keys().any(|(_, fullname)| is_of_a_thread(fullname)), "{name}");
        assert!(threads.iter().all(|thread| moved.told.contains(thread.trim_matches('"'))), "{name}: {}", moved.told);
    }
}

#[test]
fn every_account_keeps_all_that_it_has() {
    for (name, moved) in both() {
        let (mut old, new) = (accounts(&moved.old), accounts(&moved.new));
        old.retain(|(_, fullname), _| !is_of_a_thread(fullname));
        assert_eq!(old.keys().collect::<Vec<_>>(), new.keys().collect::<Vec<_>>(), "{name}");
        for ((number, fullname), (_, was)) in &old {
            let (_, is) = &new[&(*number, fullname.clone())];
            for (field, value) in was.as_object().unwrap() {
                let is_new = match field.as_str() {
                    "version" => is[field] == 980,
                    "screenwidth" | "screenheight" => is.get(field).is_none(),
                    // What was a file, or stood in a card or in a room, is known by the account from now on.
                    "emailaddrs" => true,
                    "msgnum_bio" | "msgnum_pic" | "msgnum_inboxrules" => value == 0,
                    _ => false,
                };
                assert!(is_new || is[field] == *value, "{name}: {field} of {fullname}: {value} became {}", is[field]);
            }
        }
        let passwords = [("alice", "alice-pass-1"), ("bobbuilder", "bob pass 2"), ("admin", "citadel")];
        for (key, password) in passwords {
            assert_eq!(moved.new.records[&("user".into(), key.into())]["fields"]["password"], password, "{name}");
        }
    }
}

#[test]
fn every_account_is_found_by_the_letters_and_digits_of_its_name() {
    for (name, moved) in both() {
        for (key, fields) in accounts(&moved.new).into_values() {
            let fullname = fields["fullname"].as_str().unwrap_or("Jrg Latin1");
            let letters = fullname.bytes().take(63).filter(u8::is_ascii_alphanumeric);
            let expected: Vec<u8> = letters.map(|byte| byte.to_ascii_lowercase()).collect();
            assert_eq!(key.as_bytes(), expected, "{name}: {fullname}");
        }
    }
}

#[test]
fn mail_finds_every_account_by_the_addresses_of_its_card() {
    for (name, moved) in both() {
        let mut addresses = BTreeMap::new();
        for (_, fields) in accounts(&moved.new).values() {
            for address in fields["emailaddrs"].as_str().unwrap().split('|').filter(|address| !address.is_empty()) {
                addresses.insert(address.to_lowercase(), &fields["fullname"]);
            }
        }
        let directory: BTreeMap<String, &Value> = moved
            .new
            .of_kind("directory")
            .map(|(address, record)| (address.to_owned(), &record["fields"]["user"]))
            .collect();
        assert_eq!(directory, addresses, "{name}");
        assert_eq!(*directory["reg2@example.org"], "Bob Builder");
        // An address that the old directory had and the new one has not belongs to nobody's card, and is told.
        let gone: Vec<&str> = moved
            .old
            .of_kind("directory")
            .map(|(address, _)| address)
            .filter(|address| !directory.contains_key(*address))
            .collect();
        assert!(gone.iter().all(|address| moved.told.contains(address)), "{name}: {gone:?} in {}", moved.told);
    }
}

#[test]
fn numbers_lead_to_the_accounts_that_they_led_to() {
    for (name, moved) in both() {
        let users = |held: &Held| -> BTreeMap<String, Value> {
            let numbers = held.of_kind("usernumber");
            numbers.map(|(number, record)| (number.to_owned(), record["fields"]["user"].clone())).collect()
        };
        let mut old = users(&moved.old);
        old.retain(|_, user| !is_of_a_thread(&user.to_string()));
        assert_eq!(old, users(&moved.new), "{name}");
    }
}
