//! What is read from them is the same site.

use std::os::unix::fs::symlink;

use super::*;
use crate::support::listing;

fn exported(name: &str, work: &Path) -> PathBuf {
    let (site, archive) = (unpack_site(name), work.join(format!("{name}.ctz")));
    done(&["export", "--site", text(site.path()), "-o", text(&archive)]);
    archive
}

#[test]
fn a_site_spread_as_in_debian_gives_the_digest_of_the_same_site_in_one_directory() {
    let work = tempfile::tempdir().unwrap();
    for name in ["small-2016", "small-7xx"] {
        let archive = exported(name, work.path());
        let machine = Machine::with(name);
        let before = listing(machine.0.path());
        let (site, again) = (machine.site(), work.path().join("again.ctz"));
        done(&["export", "--site", text(&site), "--arrangement", "debian", "-o", text(&again), "--force"]);
        done(&["verify", text(&again)]);
        assert_eq!(info(&[text(&again)])["site_digest"], info(&[text(&archive)])["site_digest"], "{name}");
        let compared = done(&["diff", "--arrangement", "debian", text(&site), text(&archive)]);
        assert!(said(&compared).contains("no difference"), "{}", said(&compared));
        assert_eq!(listing(machine.0.path()), before, "the source is never written");
    }
}

#[test]
fn single_options_name_directories_as_configure_does() {
    let work = tempfile::tempdir().unwrap();
    let archive = exported("small-7xx", work.path());
    let machine = Machine::with("small-7xx");
    let data = machine.site();
    let auto = data.join("data");
    let (etc, ssl) = (machine.at("etc/citadel"), machine.at("etc/ssl/citadel"));
    let (spool, help) = (machine.at("var/spool/citadel"), machine.at("usr/share/citadel-server"));
    let options = [
        ["--autosysconfdir", text(&auto)],
        ["--sysconfdir", text(&etc)],
        ["--staticdatadir", text(&etc)],
        ["--ssldir", text(&ssl)],
        ["--spooldir", text(&spool)],
        ["--helpdir", text(&help)],
    ]
    .concat();
    let found = info(&[&[text(&data)], &options[..]].concat());
    assert_eq!(found["site_digest"], info(&[text(&archive)])["site_digest"]);
    let arrangement = found["arrangement"].as_str().unwrap();
    assert!(arrangement.contains(&format!("sysconfdir {}", text(&etc))), "{arrangement}");
    // All but the tables in one directory.
    let site = unpack_site("small-7xx");
    let moved = tempfile::tempdir().unwrap();
    for name in ["data", "files", "bio", "images", "info", "userpics"] {
        rename(site.path().join(name), moved.path().join(name)).unwrap();
    }
    let found = info(&[text(site.path()), "--datadir", text(moved.path())]);
    assert_eq!(found["site_digest"], info(&[text(&archive)])["site_digest"]);
    let listed = done(&["list", "--arrangement", "debian", text(&machine.site()), "file"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("netconfigs/56"));
}

#[test]
fn a_spread_site_that_is_taken_for_a_whole_one_is_warned_of() {
    let machine = Machine::with("small-2016");
    let output = done(&["info", text(&machine.site())]);
    assert!(said(&output).contains("looks like a part of a site"), "{}", said(&output));
    let output = done(&["info", "--arrangement", "debian", text(&machine.site())]);
    assert!(!said(&output).contains("looks like"), "{}", said(&output));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("arrangement  tables in ") && shown.contains("etc/ssl/citadel"), "{shown}");
}

#[test]
fn files_of_others_in_the_directories_of_a_site_are_named_and_not_taken() {
    let machine = Machine::with("small-2016");
    let archive = machine.at("site.ctz");
    for name in ["etc/citadel/notes.txt", "etc/ssl/citadel/other.pem", "usr/share/citadel-server/setup.txt"] {
        create_dir_all(machine.at(name).parent().unwrap()).unwrap();
        std::fs::write(machine.at(name), "somebody else's").unwrap();
    }
    std::fs::write(machine.site().join("citadel.config"), "left behind").unwrap();
    // Left out here and there, for two reasons, under one name.
    std::fs::write(machine.site().join("citadel.rc"), "left behind").unwrap();
    std::fs::create_dir(machine.at("etc/citadel/citadel.rc")).unwrap();
    let (site, options) = (machine.site(), ["--arrangement", "debian", "-o"]);
    let output = run(&[&["export", "--site", text(&site)], &options[..], &[text(&archive)]].concat());
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    let listed = done(&["list", text(&archive)]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for named in ["etc/citadel/notes.txt", "etc/ssl/citadel/other.pem", " citadel.config", " citadel.rc"] {
        let line = listed.lines().find(|line| line.contains(named));
        assert!(line.is_some_and(|line| line.starts_with("omitted")), "{named}: {listed}");
    }
    assert!(!listed.contains("setup.txt"), "{listed}");
}

#[test]
fn a_key_that_is_a_link_to_another_file_of_its_directory_is_taken_with_its_content() {
    let machine = Machine::with("small-2016");
    let ssl = machine.at("etc/ssl/citadel");
    rename(ssl.join("citadel.key"), ssl.join("wildcard.pem")).unwrap();
    symlink("wildcard.pem", ssl.join("citadel.key")).unwrap();
    let archive = machine.at("site.ctz");
    run(&["export", "--site", text(&machine.site()), "--arrangement", "debian", "-o", text(&archive)]);
    let key = done(&["extract", text(&archive), "file", "keys/citadel.key"]);
    assert!(String::from_utf8_lossy(&key.stdout).contains("PRIVATE KEY"));
}

#[test]
fn arrangements_that_cant_be_meant_are_refused() {
    let machine = Machine::with("small-2016");
    let (site, archive) = (machine.site(), machine.at("site.ctz"));
    let elsewhere = machine.at("etc/citadel");
    let inside = elsewhere.join("site.ctz");
    done(&["export", "--arrangement", "debian", "--site", text(&site), "-o", text(&archive)]);
    let messages = site.join("files/x");
    for (arguments, advice) in [
        (vec!["info", text(&archive), "--arrangement", "debian"], "leave them out"),
        (vec!["export", "--site", text(&elsewhere), "--arrangement", "debian"], "--datadir"),
        (vec!["export", "--site", text(&site), "--spooldir", text(&messages)], "part of the site"),
        (
            vec!["serve", "--stdio", "--receive", "--site", text(&site), "--sysconfdir", text(&elsewhere)],
            "--keep-release",
        ),
        (
            vec!["import", text(&archive), "--replace", "--keep-release", "--site", text(&site)],
            "name another directory",
        ),
        (vec!["diff", text(&site), text(&site), "--arrangement", "debian"], "export one of them"),
        (vec!["export", "--site", text(&site), "--arrangement", "debian", "-o", text(&inside)], "inside the site"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(advice), "{}", said(&output));
    }
}
