//! Conversations word by word, and what the program makes of answers that make no sense.

use std::time::Duration;

use ctdl_dump::live::{Lease, LiveError, Original};
use ctdl_dump::monitor::{Collecting, Silent};
use tempfile::TempDir;

use super::conversation::serve;
use super::place::Place;
use crate::support::project;

const WAIT: Duration = Duration::from_secs(15);

#[test]
fn a_lease_says_what_is_written_and_nothing_else() {
    let place = Place::new();
    let server = serve(&place.socket(), &["admin-worker", "admin-guardian"]);
    let monitor = Collecting::default();
    let lease = Lease::single_user(&place.server(None), WAIT, WAIT, &place.means(), &monitor).unwrap();
    assert_eq!(lease.original(), Some(&Original::Absent));
    assert_eq!(place.records().len(), 1);
    lease.release().unwrap();
    assert_eq!(server.join().unwrap(), Vec::<String>::new());
    assert!(place.records().is_empty());
    let warnings = monitor.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("CONF PUTVAL|c_maxsessions|0"), "{warnings:?}");
}

/// The error that a lease ends with, when the server talks like this.
fn error(conversation: &str) -> LiveError {
    let place = Place::new();
    let server = serve(&place.socket(), &[conversation]);
    let error = Lease::single_user(&place.server(None), WAIT, WAIT, &place.means(), &Silent).map(drop).unwrap_err();
    assert_eq!(server.join().unwrap(), Vec::<String>::new(), "{conversation}");
    assert!(place.records().is_empty(), "{conversation}");
    error
}

#[test]
fn answers_that_make_no_sense_are_told_and_nothing_is_changed() {
    for (conversation, told) in [
        ("admin-old-release", "release 772 can't be taken single-user (902 and 980 can)"),
        ("admin-user-socket", "instead of a greeting with \"ADMIN CONNECTION ready\""),
        ("admin-other-program", "does not begin with three digits"),
        ("admin-long-line", "a line of more than 1023 bytes"),
        ("admin-cut-listing", "closed the connection instead of an answer to INFO"),
        ("admin-short-time", "the answer to TIME makes no sense"),
        ("admin-strange-limit", "the server's c_maxsessions is \"5|6\""),
        ("admin-no-access", "refuses CONF GETVAL|c_maxsessions: 550 Higher access"),
    ] {
        let error = error(conversation).to_string();
        assert!(error.contains(told), "{conversation}: {error}");
    }
}

#[test]
fn every_conversation_is_played_by_a_test() {
    let tests = include_str!("words.rs");
    for entry in std::fs::read_dir(project("fixtures/wire")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".txt").filter(|name| name.starts_with("admin-")) {
            assert!(tests.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}

#[test]
fn a_socket_is_found_however_long_its_path_is() {
    let root = TempDir::new().unwrap();
    let deep = root.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let place = Place::at(TempDir::new_in(&deep).unwrap());
    std::fs::create_dir_all(place.site().join("data")).unwrap();
    // It is bound under a short path, as a server that has it as its working directory does.
    let short = root.path().join("s");
    std::os::unix::fs::symlink(place.site(), &short).unwrap();
    let server = serve(&short.join("citadel-admin.socket"), &["admin-old-release"]);
    let error = Lease::single_user(&place.server(None), WAIT, WAIT, &place.means(), &Silent).map(drop).unwrap_err();
    assert!(matches!(error, LiveError::Release { .. }), "{error}");
    drop(server.join().unwrap());
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let place = Place::new();
    let lease = || Lease::single_user(&place.server(None), WAIT, WAIT, &place.means(), &Silent).map(drop).unwrap_err();
    assert!(matches!(lease(), LiveError::Io { .. }), "no socket");
    std::fs::write(place.socket(), "").unwrap();
    assert!(matches!(lease(), LiveError::NoServer { .. }), "a file that is no socket");
    std::fs::remove_file(place.socket()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(place.socket()).unwrap());
    assert!(matches!(lease(), LiveError::NoServer { .. }), "the socket of a server that was killed");
}

#[test]
fn the_server_s_own_command_for_moving_sites_is_nowhere_in_the_program() {
    for entry in walkdir::WalkDir::new(project("src")) {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|end| end == "rs") {
            assert!(!std::fs::read_to_string(&path).unwrap().contains("MIGR"), "{}", path.display());
        }
    }
}
