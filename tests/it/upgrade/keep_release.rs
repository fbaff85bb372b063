//! Old sites that stay old, and servers that are older than a site.

use ctdl_dump::record::Layout;
use ctdl_dump::site::layout;

use super::moved::{done, run, said, text};
use crate::support::{pairs, project, python, unpack_site};

/// Visits as they are uncompressed.
fn visits(site: &std::path::Path) -> Vec<String> {
    let pairs = pairs(site, layout::table::VISITS);
    let plain = pairs.iter().map(|(key, value)| {
        let decoded = layout::decode_pair(layout::table::VISITS, Layout::LP64_LITTLE, key, value);
        format!("{key:?} {:?}", (decoded.header.fields, decoded.header.residue))
    });
    plain.collect()
}

#[test]
fn a_site_that_keeps_its_release_has_the_tables_and_files_that_it_had() {
    for name in ["small-7xx", "small-2016"] {
        let (old, work) = (unpack_site(name), tempfile::tempdir().unwrap());
        let (archive, new) = (work.path().join("a.ctz"), work.path().join("new"));
        done(&["export", "--site", text(old.path()), "-o", text(&archive)]);
        done(&["import", text(&archive), "--site", text(&new), "--keep-release"]);
        let facts = python().arg("-B").arg(project("fixtures/site/facts.py")).arg(&new).output().unwrap();
        let facts = String::from_utf8(facts.stdout).unwrap();
        let expected = std::fs::read_to_string(project("fixtures/site").join(format!("{name}.facts"))).unwrap();
        // Their compressed form is not kept.
        let others = |facts: &str| -> Vec<String> {
            facts.lines().filter(|line| !line.starts_with("table\t05")).map(str::to_owned).collect()
        };
        assert_eq!(others(&facts), others(&expected), "{name}");
        assert_eq!(visits(old.path()), visits(&new), "{name}");
        let again = work.path().join("b.ctz");
        done(&["export", "--site", text(&new), "-o", text(&again)]);
        done(&["diff", text(&archive), text(&again)]);
    }
}

#[test]
fn a_server_that_is_older_than_the_site_gets_nothing() {
    let work = tempfile::tempdir().unwrap();
    for (newer, older, how) in [
        ("small", "small-2016", &[][..]),
        ("fresh", "small-7xx", &[]),
        ("small-2016", "small-7xx", &["--keep-release"]),
        ("small-7xx", "small-2016", &[]),
    ] {
        let (source, target) = (unpack_site(newer), unpack_site(older));
        let archive = work.path().join(format!("{newer}.ctz"));
        let archive = text(&archive);
        if !std::path::Path::new(archive).exists() {
            done(&["export", "--site", text(source.path()), "-o", archive]);
        }
        let before = crate::support::listing(target.path());
        let arguments = [&["import", archive, "--replace", "--site", text(target.path())], how].concat();
        let refused = run(&arguments);
        assert_eq!(refused.status.code(), Some(1), "{newer} to {older}: {}", said(&refused));
        assert!(
            said(&refused).contains("an older server can't read what a newer one has written"),
            "{}",
            said(&refused)
        );
        assert_eq!(before, crate::support::listing(target.path()), "{newer} to {older}");
    }
}

#[test]
fn an_old_archive_from_standard_input_becomes_the_same_site() {
    let (old, work) = (unpack_site("small-7xx"), tempfile::tempdir().unwrap());
    let (archive, one, other) = (work.path().join("a.ctz"), work.path().join("one"), work.path().join("other"));
    done(&["export", "--site", text(old.path()), "-o", text(&archive)]);
    done(&["import", text(&archive), "--site", text(&one)]);
    let input = std::fs::File::open(&archive).unwrap();
    let imported =
        crate::support::program().args(["import", "-", "--site", text(&other)]).stdin(input).output().unwrap();
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    done(&["diff", text(&one), text(&other)]);
}
