//! Tables that aren't there, or have nothing in them: those that a site's release doesn't have are no reason to refuse it, others are.

use std::fs::{remove_file, write};
use std::path::Path;

use super::moved::{done, run, said, text};
use crate::support::unpack_site;

fn digest(archive: &Path) -> String {
    let info = done(&["info", "--json", text(archive)]);
    serde_json::from_slice::<serde_json::Value>(&info.stdout).unwrap()["site_digest"].as_str().unwrap().to_owned()
}

/// The code of an export after something was done to the site, what was said, and whether the archive is of the same site as before.
fn export(name: &str, change: impl Fn(&Path)) -> (i32, String, bool) {
    let (site, work) = (unpack_site(name), tempfile::tempdir().unwrap());
    let [before, after] = ["before.ctz", "after.ctz"].map(|name| work.path().join(name));
    done(&["export", "--site", text(site.path()), "-o", text(&before)]);
    change(site.path());
    let output = run(&["export", "--site", text(site.path()), "-o", text(&after)]);
    let code = output.status.code().unwrap();
    (code, said(&output), code == 0 && digest(&before) == digest(&after))
}

#[test]
fn an_empty_file_in_place_of_a_table_that_the_release_does_not_have_is_no_table() {
    for (name, table) in
        [("small-7xx", "cdb.0d"), ("small-7xx", "cdb.0e"), ("small-2016", "cdb.0e"), ("small", "cdb.1f")]
    {
        let (code, said, is_same) = export(name, |site| write(site.join("data").join(table), "").unwrap());
        assert!(code == 0 && is_same, "{name}, {table}: {code}, {said}");
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
