//! A whole site.

use super::*;

/// How often the site is torn anew; a thousand times were tried.
const ROUNDS: usize = 12;

#[test]
fn a_whole_site_needs_no_salvage() {
    let torn = Torn::small();
    let salvaged = torn.salvage();
    assert!(salvaged.losses.is_empty() && salvaged.salvaged_tables.is_empty());
    assert_eq!(salvaged.whole_tables.len(), 14);
}

#[test]
fn whole_tables_come_through_a_salvage_pair_by_pair() {
    let torn = Torn::small();
    for number in 0..14 {
        let into = torn.into.path().join(format!("{number}"));
        let salvaged = salvage_table(&torn.table(number), &into, torn.scratch.path(), &Silent).unwrap();
        assert!(salvaged.losses.is_empty(), "{:?}", salvaged.losses);
        assert!(read(&into) == read(&torn.table(number)), "table {number}");
        let verified = Command::new("db5.3_verify").arg("-q").arg(&into).status().expect("db5.3_verify is installed");
        assert!(verified.success());
    }
}

#[test]
fn lost_users_rooms_and_messages_are_named() {
    let torn = Torn::small();
    let before: Vec<Pairs> = (0..14).map(|number| read(&torn.table(number))).collect();
    for number in [0, 1, 2, 4, 8] {
        torn.tear(number, |bytes| {
            let leaves = pages_of_type(bytes, LEAF);
            page(bytes, leaves[leaves.len() / 2]).fill(0);
        });
    }
    let salvaged = torn.salvage();
    assert_eq!(salvaged.salvaged_tables.len(), 5);
    let named: Vec<&Subject> = salvaged.losses.iter().map(|loss| &loss.what).collect();
    let after: Vec<Pairs> =
        [0, 1, 2, 4, 8].map(|number| read(&torn.into.path().join(format!("cdb.{number:02x}")))).into();
    let lost = |number: usize, at: usize| -> Vec<Vec<u8>> {
        assert!(after[at].iter().all(|(key, value)| before[number].get(key) == Some(value)));
        before[number].keys().filter(|key| !after[at].contains_key(*key)).cloned().collect()
    };
    let long = |key: &[u8]| i64::from_le_bytes(key.try_into().unwrap());
    let (messages, users, rooms, lists, bodies) = (lost(0, 0), lost(1, 1), lost(2, 2), lost(4, 3), lost(8, 4));
    assert!([&messages, &users, &rooms, &lists, &bodies].iter().all(|lost| !lost.is_empty()));
    for key in messages.iter().chain(&bodies) {
        assert!(named.contains(&&Subject::Message(long(key).abs())), "message {}", long(key).abs());
    }
    for key in users {
        assert!(named.contains(&&Subject::User(key.clone())), "{}", String::from_utf8_lossy(&key));
    }
    for key in rooms {
        // Only the number of a lost room is known, by what it leaves behind.
        let number = long(&before[2][&key][224..232]);
        let leaves_something =
            before[4].contains_key(&number.to_le_bytes()[..]) && !lists.contains(&number.to_le_bytes().to_vec());
        assert!(!leaves_something || named.contains(&&Subject::RoomNumber(number)), "room number {number}");
    }
    assert_eq!(salvaged, torn.salvage(), "the same each time");
    let mut texts: Vec<String> = named.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), named.len(), "each thing once");
    assert!(salvaged.losses.iter().all(|loss| loss.why.len() <= 4096 && !loss.why.is_empty()));
}

#[test]
fn what_is_salvaged_was_there_before_whatever_is_zeroed_cut_or_changed() {
    let torn = Torn::small();
    let whole: Vec<Vec<u8>> = (0..14).map(|number| std::fs::read(torn.table(number)).unwrap()).collect();
    let before: Vec<Pairs> = (0..14).map(|number| read(&torn.table(number))).collect();
    let mut below = numbers(3);
    for round in 0..ROUNDS {
        for number in 0..14 {
            torn.tear(number, |bytes| {
                bytes.clone_from(&whole[usize::from(number)]);
                let at = below(bytes.len());
                match (round + usize::from(number)) % 4 {
                    0 => page(bytes, at / PAGE_BYTES).fill(0),
                    1 => bytes[at] ^= 1 << below(8),
                    2 => bytes.truncate(at.max(2 * PAGE_BYTES)),
                    _ => {}
                }
            });
        }
        let salvaged = torn.salvage();
        assert!(salvaged.salvaged_tables.is_empty() || !salvaged.losses.is_empty(), "round {round}: nothing told");
        assert_eq!(salvaged.salvaged_tables.len() + salvaged.whole_tables.len(), 14);
        for path in &salvaged.salvaged_tables {
            let name = path.file_name().unwrap().to_str().unwrap();
            let number = u8::from_str_radix(&name[4..], 16).unwrap();
            let true_pairs = &before[usize::from(number)];
            // Of a list a part may be taken, if it breaks off.
            let is_true = |key: &Vec<u8>, value: &Vec<u8>| match true_pairs.get(key) {
                Some(known) if matches!(number, 4 | 9) => known.starts_with(value),
                known => known == Some(value),
            };
            let others = read(path).iter().filter(|(key, value)| !is_true(key, value)).count();
            // One changed bit changes one pair at most, and nothing tells it from a true one.
            let most = usize::from((round + usize::from(number)) % 4 == 1);
            assert!(others <= most, "round {round}, {name}: {others} pairs that were not there before");
        }
    }
}

#[test]
fn a_table_of_which_nothing_is_left_becomes_an_empty_one_and_is_named() {
    let torn = Torn::small();
    torn.tear(7, Vec::clear);
    torn.tear(6, |bytes| bytes.fill(0));
    torn.tear(1, |bytes| bytes[..PAGE_BYTES].fill(0));
    let salvaged = torn.salvage();
    let losses = texts(&salvaged.losses);
    // Losses become records of an archive: no paths of the machine or of a scratch directory.
    assert!(losses.iter().all(|loss| !loss.contains(torn.data().to_str().unwrap())), "{losses:?}");
    for table in ["06", "07"] {
        let line = format!("table cdb.{table}: nothing can be had of it: ");
        assert!(losses.iter().any(|loss| loss.starts_with(&line)), "{losses:?}");
        assert!(read(&torn.into.path().join(format!("cdb.{table}"))).is_empty());
    }
}

#[test]
fn much_is_lost_and_the_rest_is_counted() {
    let mut losses = super::super::loss::Losses::default();
    for message in 0..10_005 {
        losses.add(0, Subject::Message(message), "gone");
    }
    losses.add(4, Subject::Message(1), "its list, too");
    losses.add_unless_known(4, Subject::Message(1), "told before");
    let losses = losses.finish();
    assert_eq!(losses.len(), 10_001);
    assert_eq!(losses[1].to_string(), "message 1: gone; its list, too");
    assert_eq!(losses[10_000].what, Subject::Rest(5));
}

#[test]
fn an_interrupt_ends_it() {
    let torn = Torn::small();
    let interrupted = Collecting::default();
    interrupted.interrupt();
    let ended = salvage_site(&torn.data(), None, torn.into.path(), torn.scratch.path(), &interrupted);
    assert!(matches!(ended, Err(SalvageError::Interrupted)));
    let into = torn.into.path().join("table");
    let ended = salvage_table(&torn.table(0), &into, torn.scratch.path(), &interrupted);
    assert!(matches!(ended, Err(SalvageError::Interrupted)));
}

#[test]
fn a_table_that_was_torn_is_called_whole_only_if_its_leaves_prove_it() {
    let torn = Torn::small();
    // Settings: more than one leaf. Without the page above them all leaves are there, and each names the next.
    torn.tear(13, |bytes| page(bytes, 1).fill(0));
    let salvaged = torn.salvage();
    assert!(texts(&salvaged.losses).is_empty(), "{:?}", texts(&salvaged.losses));
    // A leaf that says that it is the only one.
    let torn = Torn::small();
    torn.tear(13, |bytes| {
        let leaf = pages_of_type(bytes, LEAF)[0];
        page(bytes, leaf)[12..20].fill(0);
    });
    let texts = texts(&torn.salvage().losses);
    assert!(
        texts[0].starts_with("table cdb.0d: whatever could be had was taken, and nothing shows whether"),
        "{texts:?}"
    );
}
