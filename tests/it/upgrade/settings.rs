//! Settings and counters, which were structs in files before release 902.

use super::moved::{OF_2010, both};

/// What release 980 has not, and what an import brings up to date.
const LEFT_BEHIND: [&str; 5] = ["c_phonenum", "c_ctdluid", "c_setup_level", "c_ipgm_secret", "c_instant_expunge"];
const BROUGHT_UP_TO_DATE: [&str; 5] =
    ["MM_hosted_upgrade_level", "MMhighest", "MMnextuser", "MMnextroom", "c_config_created_or_migrated"];

#[test]
fn every_setting_has_the_value_that_it_had() {
    for (name, moved) in both() {
        let mut settings = 0;
        for (key, record) in moved.old.of_kind("config") {
            if LEFT_BEHIND.contains(&key) {
                let value = record["value"].as_str().unwrap();
                assert!(value.is_empty() || value == "0" || moved.told.contains(key), "{name}: {key}: {}", moved.told);
                assert_eq!(moved.new.setting(key), None);
            } else if !BROUGHT_UP_TO_DATE.contains(&key) {
                assert_eq!(moved.new.setting(key), record["value"].as_str(), "{name}: {key}");
                settings += 1;
            }
        }
        assert!(settings >= 70, "{name}: {settings}");
        assert_eq!(moved.new.setting("MM_hosted_upgrade_level"), Some("980"), "{name}");
    }
}

#[test]
fn counters_are_not_behind_what_there_is() {
    for (name, moved) in both() {
        let highest =
            |kind, field| moved.new.of_kind(kind).filter_map(|(_, record)| record["fields"][field].as_i64()).max();
        let counter = |name| moved.new.setting(name).and_then(|value| value.parse::<i64>().ok());
        let messages = moved.new.of_kind("message").map(|(key, _)| key.parse().unwrap()).max();
        assert!(counter("MMhighest") >= messages, "{name}");
        assert!(counter("MMnextroom") >= highest("room", "number"), "{name}");
        assert!(counter("MMnextuser") >= highest("user", "usernum"), "{name}");
    }
    let control = &OF_2010.old.records[&("control".into(), "citadel.control".into())]["fields"];
    assert_eq!(OF_2010.new.setting("MMflags"), Some(control["flags"].to_string().as_str()));
    assert_eq!(OF_2010.new.setting("MMnextuser"), Some(control["nextuser"].to_string().as_str()));
}

#[test]
fn network_configurations_of_rooms_are_the_files_that_they_were() {
    let mut rooms = 0;
    for (path, file) in &OF_2010.old.files {
        let Some(room) = path.strip_prefix("netconfigs/") else { continue };
        let name = format!("c_netconfig_{:010}", room.parse::<i64>().unwrap());
        let digits = OF_2010.new.setting(&name).unwrap();
        assert_eq!(Some(base64_simd::STANDARD.decode_to_vec(digits).unwrap()), *file, "{path}");
        rooms += 1;
    }
    assert_eq!(rooms, 4);
}
