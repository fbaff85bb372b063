//! Exports at any moment: of a site that crashed, of one whose server runs, of one that is torn.

mod damaged_log;
mod interrupted;
mod old_release;
mod single_user;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::processes::{EndedAtLast, holding};
use crate::support::{listing, program, unpack_site};

fn run(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = program();
    for argument in arguments {
        command.arg(argument);
    }
    command.stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What holds a site as a server does: its lock, and a log that is open for writing. It writes nothing.
pub struct StandIn(EndedAtLast);

impl StandIn {
    pub fn start(site: &Path) -> StandIn {
        let log = fs::read_dir(site.join("data")).unwrap().map(|entry| entry.unwrap().path());
        let log = log.filter(|path| path.to_string_lossy().contains("log.")).max().unwrap();
        StandIn(holding(r#"exec 8>>"$0/citadel.lock" 9>>"$1" && flock -x 8"#, &[&site, &log]))
    }

    fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }
}

/// A directory for archives and copies, of which nothing but archives may be left.
struct Work(TempDir);

impl Work {
    fn new() -> Work {
        Work(tempfile::tempdir().unwrap())
    }

    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// The pairs of every table but that of the visits, which an import compresses anew.
fn pairs(data: &Path) -> Vec<(u8, Vec<u8>)> {
    let dump = |number: u8| {
        let output = Command::new("db5.3_dump").arg(data.join(format!("cdb.{number:02x}"))).output().unwrap();
        assert!(output.status.success(), "{number}: {}", String::from_utf8_lossy(&output.stderr));
        let start = output.stdout.windows(11).position(|window| window == b"HEADER=END\n").unwrap();
        (number, output.stdout[start..].to_vec())
    };
    (0..14).filter(|number| *number != 5).map(dump).collect()
}

#[test]
fn a_crashed_site_is_exported_with_all_that_recovery_shows() {
    let (site, recovered, work) = (unpack_site("crashed"), unpack_site("crashed"), Work::new());
    let before = listing(site.path());
    let (archive, new) = (work.0.path().join("a.ctz"), work.0.path().join("new"));
    let exported = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
    assert_eq!(exported.status.code(), Some(0), "{}", said(&exported));
    assert!(said(&exported).contains("snapshot: crashed, recovered (normal)"), "{}", said(&exported));
    assert_eq!(before, listing(site.path()), "the source is as it was");
    assert_eq!(work.left(), ["a.ctz"]);
    let imported = run(&[&"import", &archive, &"--site", &new]);
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    let data = recovered.path().join("data");
    assert!(Command::new("db5.3_recover").arg("-h").arg(&data).status().unwrap().success());
    assert!(pairs(&data) == pairs(&new.join("data")), "the import holds what db5.3_recover shows");
}

#[test]
fn a_running_site_is_exported_without_a_byte_or_a_time_of_it_changed() {
    for (name, method) in [("small", "running and settled"), ("crashed", "running, recovered (normal)")] {
        let (site, work) = (unpack_site(name), Work::new());
        let server = StandIn::start(site.path());
        let before = listing(site.path());
        let archive = work.0.path().join("a.ctz");
        let exported = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
        assert_eq!(exported.status.code(), Some(0), "{}", said(&exported));
        assert!(said(&exported).contains(&format!("snapshot: {method}")), "{}", said(&exported));
        assert_eq!(before, listing(site.path()));
        assert!(!server.is_stopped());
        assert_eq!(work.left(), ["a.ctz"]);
        drop(server);
        fs::remove_file(site.path().join("citadel.lock")).unwrap();
        if name == "small" {
            let compared = run(&[&"diff", &archive, &site.path()]);
            assert_eq!(compared.status.code(), Some(0), "{}", String::from_utf8_lossy(&compared.stdout));
        }
    }
}

#[test]
fn what_a_running_site_lacks_in_every_copy_is_told_and_the_rest_comes_along() {
    let (site, work) = (unpack_site("small"), Work::new());
    let table = site.path().join("data/cdb.01");
    let dump = Command::new("db5.3_dump").arg("-p").arg(&table).output().unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    let mut lines: Vec<&str> = dump.lines().collect();
    let alice = lines.iter().position(|line| *line == " alice").unwrap();
    lines.drain(alice..alice + 2);
    fs::remove_file(&table).unwrap();
    let mut load = Command::new("db5.3_load").arg(&table).stdin(Stdio::piped()).spawn().unwrap();
    load.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    assert!(load.wait().unwrap().success());
    for (freeze, method) in [(false, "running and settled"), (true, "frozen, recovered (normal)")] {
        let server = StandIn::start(site.path());
        let archive = work.0.path().join(format!("{freeze}.ctz"));
        let mut export = command(&[&"export", &"--site", &site.path(), &"-o", &archive]);
        let exported = export.args(freeze.then_some("--freeze")).output().unwrap();
        assert_eq!(exported.status.code(), Some(0), "{}", said(&exported));
        assert!(said(&exported).contains(&format!("snapshot: {method}")), "{}", said(&exported));
        assert_eq!(said(&exported).matches("there is no such user").count(), 1, "{}", said(&exported));
        let copies = said(&exported).matches("from now on the server stands still").count();
        assert_eq!(
            copies,
            if freeze { 2 } else { 0 },
            "a second copy tells that it is not passing: {}",
            said(&exported)
        );
        assert!(!server.is_stopped());
        let users = run(&[&"list", &archive, &"user"]);
        let users = String::from_utf8_lossy(&users.stdout).into_owned();
        assert!(users.contains("Bob Builder") && !users.contains("alice"), "{users}");
    }
    assert_eq!(work.left(), ["false.ctz", "true.ctz"]);
}

#[test]
fn a_frozen_server_goes_on_after_the_copy() {
    let (site, work) = (unpack_site("crashed"), Work::new());
    let server = StandIn::start(site.path());
    let archive = work.0.path().join("a.ctz");
    let exported = run(&[&"export", &"--site", &site.path(), &"--freeze", &"-o", &archive]);
    assert_eq!(exported.status.code(), Some(0), "{}", said(&exported));
    assert!(said(&exported).contains("snapshot: frozen, recovered (normal)"), "{}", said(&exported));
    assert!(!server.is_stopped());
    assert_eq!(work.left(), ["a.ctz"]);
}

#[test]
fn torn_tables_are_refused_and_salvaged_when_asked() {
    let (site, work) = (unpack_site("small"), Work::new());
    let table = site.path().join("data/cdb.00");
    let mut bytes = fs::read(&table).unwrap();
    let page = bytes.len() / 4096 / 2 * 4096;
    bytes[page..page + 4096].fill(0);
    fs::write(&table, bytes).unwrap();
    let archive = work.0.path().join("a.ctz");
    let refused = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("--salvage"), "{}", said(&refused));
    assert!(work.left().is_empty());
    let before = listing(site.path());
    let salvaged = run(&[&"export", &"--site", &site.path(), &"--salvage", &"-o", &archive]);
    assert_eq!(salvaged.status.code(), Some(5), "{}", said(&salvaged));
    assert!(said(&salvaged).contains("lost: message "), "{}", said(&salvaged));
    assert_eq!(before, listing(site.path()));
    assert_eq!(work.left(), ["a.ctz"]);
    let verified = run(&[&"verify", &archive]);
    assert_eq!(verified.status.code(), Some(5), "{}", said(&verified));
}

#[test]
fn a_key_that_no_archive_can_hold_is_named_and_left_out_when_asked() {
    let (site, work) = (unpack_site("small"), Work::new());
    // The id of an event, which may come from anywhere, becomes a key of table 0a.
    let key = format!("\\02{}{}\\00", "\\00".repeat(7), "x".repeat(5000));
    let mut load = Command::new("db5.3_load");
    load.args(["-T", "-n", "-t", "btree"]).arg(site.path().join("data/cdb.0a")).stdin(Stdio::piped());
    let mut load = load.spawn().unwrap();
    write!(load.stdin.take().unwrap(), "{key}\n\\05\\00\\00\\00\\00\\00\\00\\00\n").unwrap();
    assert!(load.wait().unwrap().success());
    let archive = work.0.path().join("a.ctz");
    let refused = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    for words in ["cdb.0a", "key 0x0200000000000000787878", "5009 bytes", "--salvage"] {
        assert!(said(&refused).contains(words), "{}", said(&refused));
    }
    assert!(work.left().is_empty());
    let salvaged = run(&[&"export", &"-q", &"--site", &site.path(), &"--salvage", &"-o", &archive]);
    assert_eq!(salvaged.status.code(), Some(5), "{}", said(&salvaged));
    assert!(said(&salvaged).starts_with("lost: table cdb.0a, key 0x02"), "{}", said(&salvaged));
    assert_eq!(said(&salvaged).lines().count(), 1, "{}", said(&salvaged));
    let verified = run(&[&"verify", &archive]);
    assert_eq!(verified.status.code(), Some(5), "{}", said(&verified));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("87 euid"));
}

#[test]
fn a_table_whose_beginning_is_lost_does_not_keep_the_others_from_being_salvaged() {
    for beginning in [None, Some(4096)] {
        let (site, work) = (unpack_site("small"), Work::new());
        let table = site.path().join("data/cdb.02");
        let mut bytes = fs::read(&table).unwrap();
        match beginning {
            None => bytes.clear(),
            Some(end) => bytes[..end].fill(0),
        }
        fs::write(&table, bytes).unwrap();
        let archive = work.0.path().join("a.ctz");
        let refused = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
        assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
        assert!(said(&refused).contains("cdb.02") && said(&refused).contains("--salvage"), "{}", said(&refused));
        let salvaged = run(&[&"export", &"--site", &site.path(), &"--salvage", &"-o", &archive]);
        assert_eq!(salvaged.status.code(), Some(5), "{}", said(&salvaged));
        assert!(said(&salvaged).contains("lost: table cdb.02"), "{}", said(&salvaged));
        let users = run(&[&"list", &archive, &"user"]);
        assert!(String::from_utf8_lossy(&users.stdout).contains("alice"), "{}", said(&users));
        assert_eq!(work.left(), ["a.ctz"]);
    }
}
