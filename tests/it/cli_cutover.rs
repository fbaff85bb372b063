//! `pull --cutover`: a site moves, and its old server, a stand-in, is closed.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::live::place::until;
use crate::live::stand_in::Citadel;
use crate::snapshot::StandIn;
use crate::support::{PROGRAM, program, unpack_site};

/// What the site's own table of settings says.
const OWN_LIMIT: &str = "0";

/// An old site with a server, and a place for the new one.
struct Move {
    work: TempDir,
    old: TempDir,
    citadel: Citadel,
    holder: Arc<Mutex<Option<StandIn>>>,
}

impl Move {
    fn new(limit: &str) -> Move {
        let (work, old) = (tempfile::tempdir().unwrap(), unpack_site("small"));
        let holder = Arc::new(Mutex::new(Some(StandIn::start(old.path()))));
        let admin_socket = old.path().join("citadel-admin.socket");
        let citadel = Citadel::start(&admin_socket, Some(limit));
        let held = Arc::clone(&holder);
        citadel.state().on_down = Some(Box::new(move || {
            fs::remove_file(admin_socket).unwrap();
            drop(held.lock().unwrap().take());
        }));
        let moving = Move { work, old, citadel, holder };
        moving.set("count", "0");
        moving.set("cut", "");
        moving.set("away", "");
        // Says only so much over a connection that is to be cut, and notes how much it was over the last one.
        let script = format!(
            "#!/bin/sh\ncd '{}'\nn=$(($(cat count) + 1)); echo $n >count\n\
             case \" $(cat away) \" in *\" $n \"*) exit;; esac\n\
             serve() {{ '{PROGRAM}' serve --stdio --scratch . '{}'; }}\n\
             if [ -s cut ] && [ $n = \"$(cat which)\" ]; then exec 3<&0; serve <&3 | stdbuf -o0 head -c \"$(cat cut)\" & exec >&- 3<&-; wait; \
             elif [ -s measures ]; then serve | stdbuf -o0 tee said; \
             else exec '{PROGRAM}' serve --stdio --scratch . '{}'; fi\n",
            moving.work.path().display(),
            moving.old.path().display(),
            moving.old.path().display()
        );
        moving.set("peer", &script);
        fs::set_permissions(moving.path("peer"), fs::Permissions::from_mode(0o755)).unwrap();
        moving
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn set(&self, name: &str, value: &str) {
        fs::write(self.path(name), value).unwrap();
    }

    fn new_site(&self) -> PathBuf {
        self.path("new")
    }

    fn note(&self) -> PathBuf {
        self.path("new.ctdl-dump-cutover.txt")
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = program();
        command.env("CTDL_DUMP_STATE", self.path("state"));
        command.args(["pull", &format!("cmd:exec {}", self.path("peer").display()), "--cutover", "--site"]);
        command.arg(self.new_site()).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Without users there is nobody to be waited for.
    fn run(&self, options: &[&str]) -> Output {
        self.command(options).output().unwrap()
    }

    fn limit(&self) -> String {
        self.citadel.limit().unwrap()
    }

    /// The new site is the old one as the last round had it, which was its last state, too.
    fn assert_moved(&self) {
        let compared = program()
            .args(["diff".as_ref(), self.path("new").as_os_str(), self.path("new.ctdl-dump-pulled.ctz").as_os_str()])
            .output()
            .unwrap();
        assert_eq!(compared.status.code(), Some(0), "{compared:?}");
    }

    fn left(&self) -> usize {
        let found = fs::read_dir(self.path("state")).unwrap().map(|entry| entry.unwrap().path());
        found.filter(|path| path.extension().is_some_and(|end| end == "left")).count()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

fn assert_in_order(said: &str, expected: &[&str]) {
    let mut rest = said;
    for expected in expected {
        rest = rest.split_once(expected).unwrap_or_else(|| panic!("no {expected:?} at its place in\n{said}")).1;
    }
}

#[test]
fn a_site_moves_and_its_old_server_stays_closed() {
    let moving = Move::new("25");
    let moved = moving.run(&["--json"]);
    assert_code(&moved, 0);
    assert_in_order(
        &said(&moved),
        &[
            "round 1: 6651 records",
            "round 2: 0 records have changed",
            "rehearsal: 0 records have changed",
            "expected outage: about ",
            "the last difference: 1 records have changed",
            "Should this be the last line that you read",
            "is complete, read back and in place",
            "the old server says: to let users in again: ctdl-dump reopen --site",
            "start the new server now",
            "what that took: ",
            "stop it before you start the new one",
        ],
    );
    assert!(!said(&moved).contains("the connection broke"), "{}", said(&moved));
    assert!(said(&moved).contains(", 0.0 s to close the old server"), "it runs on: {}", said(&moved));
    let line: serde_json::Value = serde_json::from_slice(&moved.stdout).unwrap();
    assert!(line["outage_seconds"].as_f64().unwrap() > 5.0, "{line}");
    assert_eq!((moving.limit().as_str(), moving.left()), ("1", 1));
    assert!(!moving.note().exists());
    let listed = program().arg("list").arg(moving.new_site()).arg("config").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.lines().any(|line| line.contains("c_maxsessions") && line.contains("25")),
        "its own limit: {listed}"
    );
}

#[test]
fn a_site_without_a_last_difference_is_not_built_once_more_and_its_server_is_stopped_if_wanted() {
    let moving = Move::new(OWN_LIMIT);
    let moved = moving.run(&["--stop-old"]);
    assert_code(&moved, 0);
    let text = said(&moved);
    assert!(!text.contains("the last difference: "), "{text}");
    assert!(text.contains(", 1.0 s to close the old server"), "{text}");
    assert!(text.contains("the old server says: the server is stopped"), "{text}");
    assert!(moving.holder.lock().unwrap().is_none(), "it was told");
    moving.assert_moved();
}

#[test]
fn a_line_that_is_cut_in_single_user_mode_changes_nothing() {
    let moving = Move::new("25");
    // Connections: what the peer can, two rounds, the rehearsal, the lease.
    moving.set("which", "5");
    moving.set("cut", "1500");
    let cut = moving.run(&["--retries", "0"]);
    assert_code(&cut, 6);
    assert!(said(&cut).contains("takes logins again"), "{}", said(&cut));
    assert!(until(|| moving.limit() == "25"));
    assert!(!moving.new_site().exists() && !moving.note().exists());
    assert_eq!(moving.left(), 0);
}

#[test]
fn a_peer_that_is_away_for_a_while_is_waited_for_also_when_single_user_mode_is_wanted() {
    let moving = Move::new(OWN_LIMIT);
    // The second round, and what would be as many leases as there may be.
    moving.set("away", "3 6 7 8");
    let moved = moving.run(&[]);
    assert_code(&moved, 0);
    assert!(said(&moved).contains("attempt 3 of "), "{}", said(&moved));
    assert_eq!((moving.limit().as_str(), moving.left()), ("1", 1));
}

#[test]
fn an_answer_that_is_lost_when_the_old_server_was_closed_is_asked_for_again() {
    let moving = Move::new(OWN_LIMIT);
    moving.set("which", "5");
    // All but the end of the last reply, whose length the test can't know: the words of ESNG are longer.
    let dry = Move::new(OWN_LIMIT);
    dry.set("measures", "yes");
    assert_code(&dry.run(&[]), 0);
    let all = fs::metadata(dry.path("said")).unwrap().len();
    moving.set("cut", &(all - 60).to_string());
    let unsure = moving.run(&["--retries", "0"]);
    assert_code(&unsure, 6);
    assert!(said(&unsure).contains("may refuse all logins, or take them again"), "{}", said(&unsure));
    assert_eq!((moving.limit().as_str(), moving.left()), ("1", 1), "it is closed");
    assert!(!moving.new_site().exists());
    let note = fs::read_to_string(moving.note()).unwrap();
    assert!(note.contains("Run the same command again") && note.contains("ctdl-dump reopen"), "{note}");

    // There is one round less, as the archive of the first run is here. The answer is lost once more, and then asked for again.
    moving.set("count", "0");
    moving.set("which", "4");
    let moved = moving.run(&[]);
    assert_code(&moved, 0);
    assert!(said(&moved).contains("an earlier cutover to this place was interrupted"), "{}", said(&moved));
    assert!(said(&moved).contains("attempt 1 of "), "{}", said(&moved));
    assert_eq!((moving.limit().as_str(), moving.left()), ("1", 1));
    assert!(!moving.note().exists());
    moving.assert_moved();
}

#[test]
fn a_cutover_that_was_killed_when_the_new_site_was_in_place_is_called_done() {
    let moving = Move::new(OWN_LIMIT);
    assert_code(&moving.run(&[]), 0);
    let data = fs::metadata(moving.new_site().join("data")).unwrap();
    let line = format!(
        "(the tables of the new site lie in the directory with device {} and inode {}, made at {})",
        data.dev(),
        data.ino(),
        data.created().map_or(0, |born| born.duration_since(UNIX_EPOCH).unwrap().as_nanos())
    );
    fs::write(moving.note(), line).unwrap();
    let again = moving.run(&[]);
    assert_code(&again, 0);
    assert!(said(&again).contains("interrupted when all was done"), "{}", said(&again));
    assert!(!moving.note().exists());
    // A note of another site changes nothing.
    fs::write(moving.note(), "(the tables of the new site lie in the directory with device 1 and inode 2, made at 3)")
        .unwrap();
    let refused = moving.run(&[]);
    assert_code(&refused, 1);
    assert!(said(&refused).contains("--replace"), "{}", said(&refused));
}

#[test]
fn a_cutover_that_is_interrupted_or_killed_gives_the_old_server_back() {
    for (signal, code) in [(Signal::TERM, Some(130)), (Signal::KILL, None)] {
        let moving = Move::new("25");
        moving.citadel.state().users.insert(3, ("alice", true));
        let child = moving.command(&["--wait", "60"]).spawn().unwrap();
        assert!(until(|| moving.limit() == "1"), "it waits for alice");
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), code, "{}", said(&ended));
        assert!(until(|| moving.limit() == "25"), "{}", said(&ended));
        assert!(moving.citadel.is_on(3), "nobody was cut off");
        assert!(!moving.new_site().exists() && !moving.note().exists());
    }
}

#[test]
fn a_peer_without_a_server_that_could_be_closed_is_refused() {
    let moving = Move::new("25");
    let archive = moving.path("a.ctz");
    let exported = program().args(["export", "--site"]).arg(moving.old.path()).arg("-o").arg(&archive).output();
    assert_code(&exported.unwrap(), 0);
    let refused = run_from(&archive, &moving);
    assert_code(&refused, 2);
    assert!(said(&refused).contains("it serves an archive"), "{}", said(&refused));

    moving.citadel.stop();
    drop(moving.holder.lock().unwrap().take());
    let refused = run_from(moving.old.path(), &moving);
    assert_code(&refused, 6);
    assert!(said(&refused).contains("pull it without --cutover"), "{}", said(&refused));
    assert!(!said(&refused).contains("round 1"), "{}", said(&refused));
    assert!(!moving.new_site().exists());
}

#[test]
fn a_site_of_an_older_release_is_refused_before_anything_is_transferred() {
    let (moving, older) = (Move::new("25"), unpack_site("small-2016"));
    let _holder = StandIn::start(older.path());
    let refused = run_from(older.path(), &moving);
    assert_code(&refused, 1);
    let said = said(&refused);
    assert!(said.contains("--cutover moves sites of release 980, and this one is of release 902"), "{said}");
    assert!(!said.contains("round 1"), "{said}");
    let names =
        fs::read_dir(moving.work.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("new")).collect::<Vec<_>>(), Vec::<String>::new());
}

fn run_from(place: &Path, moving: &Move) -> Output {
    let peer = format!("cmd:'{PROGRAM}' serve --stdio '{}'", place.display());
    let mut command = program();
    command.args(["pull", &peer, "--cutover", "--site"]).arg(moving.new_site());
    command.env("CTDL_DUMP_STATE", moving.path("state")).stdin(Stdio::null()).output().unwrap()
}
