//! Exports of killed sites whose log is not all there.

use std::fs;
use std::os::unix::fs::FileExt;

use super::{Work, run, said};
use crate::support::unpack_site;

#[test]
fn a_log_that_is_missing_is_named_and_a_salvage_without_it_is_not_complete() {
    for missing in [1, 2] {
        let (site, work) = (unpack_site("crashed-long"), Work::new());
        fs::remove_file(site.path().join(format!("data/log.{missing:010}"))).unwrap();
        let archive = work.0.path().join("a.ctz");
        let refused = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
        assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
        assert!(said(&refused).contains("put "), "{}", said(&refused));
        assert!(work.left().is_empty());
        let salvaged = run(&[&"export", &"--site", &site.path(), &"--salvage", &"-o", &archive]);
        assert_eq!(salvaged.status.code(), Some(5), "{}", said(&salvaged));
        assert!(said(&salvaged).contains("lost: changes that only the log has"), "{}", said(&salvaged));
    }
}

#[test]
fn a_log_damaged_in_front_of_whole_transactions_is_a_loss() {
    let (site, work) = (unpack_site("crashed"), Work::new());
    let log = fs::OpenOptions::new().write(true).open(site.path().join("data/log.0000000001")).unwrap();
    log.write_all_at(&[0; 4096], 400_000).unwrap();
    drop(log);
    let archive = work.0.path().join("a.ctz");
    let exported = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
    assert_eq!(exported.status.code(), Some(5), "{}", said(&exported));
    assert!(said(&exported).contains("lost: changes behind the damage in the log"), "{}", said(&exported));
    assert!(!said(&exported).contains("scratch"), "{}", said(&exported));
}

#[test]
fn an_archive_does_not_lie_beside_tables_that_are_behind_a_link() {
    let (site, work) = (unpack_site("crashed"), Work::new());
    let tables = work.0.path().join("tables");
    fs::rename(site.path().join("data"), &tables).unwrap();
    std::os::unix::fs::symlink(&tables, site.path().join("data")).unwrap();
    let refused = run(&[&"export", &"--site", &site.path(), &"-o", &tables.join("a.ctz")]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(!tables.join("a.ctz").exists());
}

#[test]
fn tables_of_a_killed_site_that_have_each_others_names_are_told_apart() {
    let (site, work) = (unpack_site("crashed"), Work::new());
    let [one, other, aside] = ["cdb.06", "cdb.0c", "aside"].map(|name| site.path().join("data").join(name));
    for (from, to) in [(&one, &aside), (&other, &one), (&aside, &other)] {
        fs::rename(from, to).unwrap();
    }
    let archive = work.0.path().join("a.ctz");
    let refused = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("cdb.06 is the one that the server opened as cdb.0c"), "{}", said(&refused));
    let salvaged = run(&[&"export", &"--site", &site.path(), &"--salvage", &"-o", &archive]);
    assert_eq!(salvaged.status.code(), Some(5), "{}", said(&salvaged));
    assert!(said(&salvaged).contains("tables were exchanged"), "{}", said(&salvaged));
}
