//! `--layout`: which machine's tables are read, or written.

use std::path::Path;
use std::process::{Output, Stdio};

use crate::support::{PROGRAM, program, unpack_site};

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn info(arguments: &[&str]) -> serde_json::Value {
    let output = run(&[&["info", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn exported(name: &str, archive: &str) {
    let site = unpack_site(name);
    let output = run(&["export", "--site", text(site.path()), "-o", archive]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_site_is_read_by_the_layout_that_was_told() {
    let site = unpack_site("small-i386");
    let (shown, told) = (info(&[text(site.path())]), info(&["--layout", "i386", text(site.path())]));
    assert_eq!(told["layout"], "32-bit little-endian");
    assert_eq!(told["layout_by"], "as told");
    assert_eq!(told["site_digest"], shown["site_digest"]);
    let other = info(&["--layout", "ilp32-time64-little", text(site.path())]);
    assert_eq!(other["layout"], "32-bit little-endian with 64-bit times");
    assert_ne!(other["site_digest"], shown["site_digest"], "structs with longer times are other structs");
}

#[test]
fn the_layouts_are_named_in_the_help_and_when_there_is_no_such_one() {
    for command in ["export", "info", "list", "diff", "serve", "push", "import", "pull"] {
        let help = String::from_utf8(run(&[command, "--help"]).stdout).unwrap();
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("ilp32-big (powerpc, mips)"), "{help}");
    }
    let refused = run(&["export", "--layout", "vax"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("lp64-big (s390x)"), "{}", said(&refused));
}

#[test]
fn that_a_place_is_not_there_is_told_before_how_it_would_be_read() {
    for options in [["--layout", "i386"], ["--arrangement", "debian"]] {
        let output = run(&[&["info", "/nonexistent/site"], &options[..]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("No such file or directory"), "{}", said(&output));
    }
}

#[test]
fn an_archive_has_no_layout_to_be_read_by() {
    let work = tempfile::tempdir().unwrap();
    let archive = work.path().join("a.ctz");
    let archive = text(&archive);
    exported("fresh", archive);
    for arguments in [
        &["info", archive] as &[_],
        &["list", archive],
        &["diff", archive, archive],
        &["serve", "--stdio", archive],
        &["push", archive, "unix:/nowhere"],
    ] {
        let refused = run(&[arguments, &["--layout", "i386"]].concat());
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("leave it out"), "{}", said(&refused));
    }
}

#[test]
fn an_import_writes_for_the_layout_that_was_told() {
    let work = tempfile::tempdir().unwrap();
    let (archive, new) = (work.path().join("a.ctz"), work.path().join("new"));
    let (archive, new) = (text(&archive), text(&new));
    exported("small", archive);
    for name in ["s390x", "arm", "powerpc-time64"] {
        let imported = run(&["import", archive, "--site", new, "--replace", "--layout", name]);
        assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
        let layout: ctdl_dump::record::Layout = name.parse().unwrap();
        assert_eq!(info(&[new])["layout"], layout.to_string(), "and the tables show it");
        assert_eq!(run(&["diff", archive, new, "--layout", name]).status.code(), Some(0), "{name}");
    }
}

#[test]
fn a_pull_writes_for_the_layout_that_was_told() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let new = work.path().join("new");
    let peer = format!("cmd:{PROGRAM} serve --stdio {}", text(site.path()));
    let pulled = run(&["pull", &peer, "--site", text(&new), "--layout", "powerpc"]);
    assert_eq!(pulled.status.code(), Some(0), "{}", said(&pulled));
    let (old, new) = (info(&[text(site.path())]), info(&[text(&new)]));
    assert_eq!(new["layout"], "32-bit big-endian");
    assert_eq!(new["site_digest"], old["site_digest"]);
    let archive = work.path().join("a.ctz");
    let nowhere = run(&["pull", &peer, "-o", text(&archive), "--layout", "powerpc"]);
    assert_eq!(nowhere.status.code(), Some(2), "an archive has no layout: {}", said(&nowhere));
}

#[test]
fn an_import_does_not_contradict_the_server_that_has_been_there() {
    let (target, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    let archive = text(&archive);
    exported("small", archive);
    let refused = run(&["import", archive, "--site", text(target.path()), "--layout", "i386"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("64-bit little-endian server"), "{}", said(&refused));
    let same = run(&["import", archive, "--site", text(target.path()), "--layout", "x86-64"]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    let replaced = run(&["import", archive, "--site", text(target.path()), "--replace", "--layout", "i386"]);
    assert_eq!(replaced.status.code(), Some(0), "{}", said(&replaced));
    assert_eq!(info(&[text(target.path())])["layout"], "32-bit little-endian");
}
