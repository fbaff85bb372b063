//! Exports that are killed or interrupted while their copies exist.

use std::io::Read;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::{StandIn, Work, command, run, said};
use crate::support::{listing, unpack_site};

/// An export that has taken its copies and waits for somebody to read its archive; sends it a signal, and gives how it ended.
fn end_by(signal: Signal, site: &std::path::Path, work: &Work) -> std::process::ExitStatus {
    let mut export = command(&[&"export", &"--site", &site, &"--scratch", &work.0.path()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The first byte comes when the snapshot is taken; the rest of the archive doesn't fit into the pipe.
    let mut output = export.stdout.take().unwrap();
    output.read_exact(&mut [0]).unwrap();
    assert_eq!(work.left().len(), 1, "a scratch directory: {:?}", work.left());
    kill_process(Pid::from_child(&export), signal).unwrap();
    let status = export.wait().unwrap();
    drop(output);
    status
}

#[test]
fn an_interrupted_export_removes_its_copies() {
    let (site, work) = (unpack_site("small"), Work::new());
    let _server = StandIn::start(site.path());
    let before = listing(site.path());
    assert_eq!(end_by(Signal::INT, site.path(), &work).code(), Some(130));
    assert!(work.left().is_empty(), "{:?}", work.left());
    assert_eq!(before, listing(site.path()));
}

#[test]
fn what_a_killed_export_has_left_the_next_one_removes() {
    let (site, work) = (unpack_site("small"), Work::new());
    let _server = StandIn::start(site.path());
    assert_eq!(end_by(Signal::KILL, site.path(), &work).code(), None);
    assert_eq!(work.left().len(), 1);
    let archive = work.0.path().join("a.ctz");
    let exported = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
    assert_eq!(exported.status.code(), Some(0), "{}", said(&exported));
    assert!(said(&exported).contains("which an interrupted ctdl-dump has left"), "{}", said(&exported));
    assert_eq!(work.left(), ["a.ctz"]);
}
