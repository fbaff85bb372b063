//! Nothing of an old site vanishes without a word.

use super::moved::{OF_2016, both};

/// Directories whose files became something else, and the structs.
const BECAME_RECORDS: [&str; 9] = [
    "bio",
    "userpics",
    "netconfigs",
    "info",
    "images",
    "network/mail.aliases",
    "citadel.config",
    "citadel.control",
    "refcount_adjustments.dat",
];

#[test]
fn every_file_is_where_it_was_or_became_a_message_or_a_setting() {
    for (name, moved) in both() {
        for (path, content) in &moved.old.files {
            let became = BECAME_RECORDS
                .iter()
                .any(|became| path == became || path.strip_prefix(became).is_some_and(|rest| rest.starts_with('/')));
            match moved.new.files.get(path) {
                Some(found) => assert!(found == content && !(became && content.is_some()), "{name}: {path}"),
                None => assert!(became, "{name}: {path} is not there"),
            }
        }
        let more = moved.new.files.keys().find(|path| !moved.old.files.contains_key(*path));
        assert_eq!(more, None, "{name}");
    }
}

#[test]
fn files_that_no_server_of_today_reads_are_told_by_name() {
    for (name, moved) in both() {
        for path in moved.new.files.keys().filter(|path| path.starts_with("help/") || path.starts_with("network/s")) {
            let is_directory = moved.new.files[path].is_none();
            assert!(is_directory || moved.told.contains(path.as_str()), "{name}: {path} in {}", moved.told);
        }
    }
}

#[test]
fn of_what_was_fetched_before_it_is_said_what_is_remembered() {
    let ids: Vec<&str> = OF_2016.old.of_kind("useid").map(|(id, _)| id).collect();
    let remembered = OF_2016.new.of_kind("use").count();
    assert_eq!(ids.iter().filter(|id| id.starts_with("rss/")).count(), remembered);
    let expected = format!("of {} things that were fetched or seen before {remembered} are remembered", ids.len());
    assert!(OF_2016.told.contains(&expected), "{}", OF_2016.told);
}

#[test]
fn no_record_of_another_kind_is_missing() {
    for (name, moved) in both() {
        // These are read by other tests, or by none: they are what an import works off or makes anew.
        let looked_at =
            ["user", "usernumber", "directory", "useid", "refcount", "control", "message", "config", "file", "euid"];
        for (kind, key) in moved.old.records.keys().filter(|(kind, _)| !looked_at.contains(&kind.as_str())) {
            assert!(moved.new.records.contains_key(&(kind.clone(), key.clone())), "{name}: {kind} {key}");
        }
    }
}
