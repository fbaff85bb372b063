//! Exports of sites of releases before 980, whose servers lock another file or none, and recover their tables when they start.

use std::fs;
use std::path::Path;

use super::{StandIn, Work, run, said};
use crate::processes::holding;
use crate::support::{listing, unpack_site};

const LOG: &str = "data/log.0000000001";

/// Where the records of a log begin, and where the last one ends.
fn records(log: &[u8]) -> Vec<usize> {
    let mut places = vec![0];
    while let Some(length) = log.get(places[places.len() - 1] + 4..).and_then(|rest| rest.first_chunk()) {
        match u32::from_le_bytes(*length) as usize {
            0 => break,
            length => places.push(places[places.len() - 1] + length),
        }
    }
    places
}

/// Takes away the last records of a site's log, as if its server had been killed before it wrote them.
fn kill(site: &Path, records_lost: usize) {
    let mut log = fs::read(site.join(LOG)).unwrap();
    let places = records(&log);
    log[places[places.len() - 1 - records_lost]..].fill(0);
    fs::write(site.join(LOG), log).unwrap();
}

/// Makes the log one of another version, with the check sum of its header.
fn set_version(site: &Path, version: u32) {
    let mut log = fs::read(site.join(LOG)).unwrap();
    log[16..20].copy_from_slice(&version.to_le_bytes());
    let number = |at: usize| u32::from_le_bytes(*log[at..].first_chunk().unwrap());
    let sum = log[12..28].iter().fold(0_u32, |sum, byte| sum.wrapping_mul(33).wrapping_add((*byte).into()));
    let sum = sum ^ number(0) ^ number(4);
    log[8..12].copy_from_slice(&sum.to_le_bytes());
    fs::write(site.join(LOG), log).unwrap();
}

fn digest(archive: &Path) -> String {
    let output = run(&[&"info", &"--json", &archive]);
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    line["site_digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_killed_server_of_an_old_release_is_recovered_in_a_copy() {
    for name in ["small-7xx", "small-2016"] {
        let (site, work) = (unpack_site(name), Work::new());
        let (stopped, killed) = (work.0.path().join("stopped.ctz"), work.0.path().join("killed.ctz"));
        let exported = run(&[&"export", &"--site", &site.path(), &"-o", &stopped]);
        assert!(said(&exported).contains("snapshot: stopped and settled"), "{}", said(&exported));
        // While it closed its tables, which can't be told from a table that belongs to another site.
        kill(site.path(), 3);
        let refused = run(&[&"export", &"--site", &site.path(), &"-o", &killed]);
        assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
        // Before its last checkpoint, and among the records that belong to it.
        for records_lost in [12, 5] {
            kill(site.path(), records_lost);
            let before = listing(site.path());
            let exported = run(&[&"export", &"--site", &site.path(), &"--force", &"-o", &killed]);
            assert!(said(&exported).contains("snapshot: crashed, recovered (normal)"), "{name}: {}", said(&exported));
            assert_eq!(digest(&killed), digest(&stopped), "{name}");
            assert_eq!(before, listing(site.path()), "the source is as it was");
        }
    }
}

#[test]
fn a_server_of_an_old_release_at_work_is_seen_by_its_lock_or_by_its_open_tables() {
    let lock = r#"exec 8>>"$0" && flock -x 8"#;
    let open = r#"exec 8>>"$0""#;
    for (name, script, file) in [("small-7xx", lock, "citadel.control"), ("small-2016", open, "data/cdb.00")] {
        let (site, work) = (unpack_site(name), Work::new());
        let before = listing(site.path());
        let server = StandIn(holding(script, &[&site.path().join(file)]));
        let exported = run(&[&"export", &"--site", &site.path(), &"-o", &work.0.path().join("a.ctz")]);
        assert!(said(&exported).contains("snapshot: running"), "{name}: {}", said(&exported));
        drop(server);
        assert_eq!(before, listing(site.path()), "the source is as it was");
    }
}

#[test]
fn a_log_of_a_libdb_before_5_that_is_needed_is_refused_with_a_way_out() {
    let (site, work) = (unpack_site("small-7xx"), Work::new());
    set_version(site.path(), 16);
    let archive = work.0.path().join("a.ctz");
    let exported = run(&[&"export", &"--site", &site.path(), &"--force", &"-o", &archive]);
    assert!(said(&exported).contains("snapshot: stopped and settled"), "{}", said(&exported));
    kill(site.path(), 20);
    let refused = run(&[&"export", &"--site", &site.path(), &"--force", &"-o", &archive]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("let the old server run once and stop it in order"), "{}", said(&refused));
    let salvaged = run(&[&"export", &"--site", &site.path(), &"--salvage", &"--force", &"-o", &archive]);
    assert_eq!(salvaged.status.code(), Some(5), "{}", said(&salvaged));
}
