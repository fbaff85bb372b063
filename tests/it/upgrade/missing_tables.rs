//! Tables that aren't there, or have nothing in them: those that a site's release doesn't have are no reason to refuse it, others are, except for a salvage.

use std::fs::{remove_file, write};
use std::path::Path;

use super::moved::{done, run, said, text};
use crate::support::unpack_site;

/// The code of an export after something was done to the site, what was said, and whether the archive is of the same site as before.
fn export(name: &str, change: impl Fn(&Path)) -> (i32, String, bool) {
    let (site, work) = (unpack_site(name), tempfile::tempdir().unwrap());
    let [before, after] = ["before.ctz", "after.ctz"].map(|name| work.path().join(name));
    done(&["export", "--site", text(site.path()), "-o", text(&before)]);
    change(site.path());
    let output = run(&["export", "--site", text(site.path()), "-o", text(&after)]);
    let is_same = run(&["diff", text(&before), text(&after)]).status.code() == Some(0);
    (output.status.code().unwrap(), said(&output), is_same)
}

#[test]
fn an_empty_file_in_place_of_a_table_that_the_release_does_not_have_is_no_table_and_named() {
    for (name, table) in
        [("small-7xx", "cdb.0d"), ("small-7xx", "cdb.0e"), ("small-2016", "cdb.0e"), ("small", "cdb.1f")]
    {
        let (code, said, is_same) = export(name, |site| write(site.join("data").join(table), "").unwrap());
        assert_eq!((code, is_same), (5, true), "{name}, {table}: {said}");
        assert!(
            said.contains(&format!("left out: data/{table}: a table that the site's release doesn't have")),
            "{said}"
        );
    }
}

#[test]
fn an_empty_file_in_place_of_a_table_that_the_site_has_is_damage() {
    for (name, table) in [("small-2016", "cdb.0d"), ("small-2016", "cdb.09"), ("small-7xx", "cdb.0c")] {
        let (code, said, _) = export(name, |site| write(site.join("data").join(table), "").unwrap());
        assert_eq!(code, 3, "{name}, {table}: {said}");
        assert!(said.contains(table) && said.contains("only 0 bytes") && said.contains("--salvage"), "{said}");
        let (code, said, _) = export(name, |site| remove_file(site.join("data").join(table)).unwrap());
        assert_eq!(code, 4, "{name}, {table}: {said}");
        assert!(said.contains(table) && said.contains("there is no such table"), "{said}");
    }
}

#[test]
fn a_site_that_has_lost_its_settings_is_salvaged_by_the_length_of_its_users() {
    for (name, release) in [("small-2016", 911), ("small", 980)] {
        let (site, work) = (unpack_site(name), tempfile::tempdir().unwrap());
        let [archive, target] = ["salvaged.ctz", "target"].map(|name| work.path().join(name));
        write(site.path().join("data/cdb.0d"), "").unwrap();
        let salvage = run(&["export", "--salvage", "--site", text(site.path()), "-o", text(&archive)]);
        assert_eq!(salvage.status.code(), Some(5), "{}", said(&salvage));
        assert!(said(&salvage).contains("lost: table cdb.0d"), "{}", said(&salvage));
        assert!(said(&salvage).contains(&format!("is taken for {release}")), "{}", said(&salvage));
        let info = done(&["info", "--json", text(&archive)]);
        let info: serde_json::Value = serde_json::from_slice(&info.stdout).unwrap();
        assert_eq!(info["release"], release, "{info}");
        done(&["extract", text(&archive), "message", "100"]);
        // Neither as it was nor brought up to date: a server would take the site for one of release 0, or make no settings.
        let import = ["import", text(&archive), "--site", text(&target), "--no-read-back", "--keep-release"];
        for import in [&import[..], &import[..5]] {
            let refused = run(import);
            assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
            assert!(
                said(&refused).contains("gives the user admin a password that everybody knows"),
                "{}",
                said(&refused)
            );
            assert!(!target.exists());
        }
    }
}
