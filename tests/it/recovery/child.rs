//! The process in which libdb recovers: it may crash, hang, say too much or be interrupted.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ctdl_dump::monitor::{Collecting, Monitor, Silent};
use ctdl_dump::site::recovery::{Kind, RecoveryError, recover};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags};
use tempfile::TempDir;

use super::{LIMIT, contents, copy_of_crashed_site};
use crate::processes::EndedAtLast;
use crate::support::PROGRAM;

fn recover_by(program: &Path, limit: Duration, monitor: &dyn Monitor) -> Result<(), RecoveryError> {
    recover(Path::new("/nowhere"), Kind::Normal, program, limit, monitor)
}

/// A program that does what a line for the shell says. Another process writes it: a file that this one has open for writing might be
/// inherited by what another test starts in that instant, and could not be run.
fn program(folder: &TempDir, line: &str) -> PathBuf {
    let path = folder.path().join("program");
    let script = r#"printf '#!/bin/sh\n%s\n' "$1" >"$0" && chmod 755 "$0""#;
    assert!(Command::new("sh").args(["-c", script]).arg(&path).arg(line).status().unwrap().success());
    path
}

fn is_gone(pid: &str) -> bool {
    !Path::new("/proc").join(pid.trim()).exists()
}

#[test]
fn a_crash_is_an_error_that_says_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(&folder, "echo 'free(): invalid pointer' >&2; kill -SEGV $$");
    let error = recover_by(&program, LIMIT, &Silent).unwrap_err();
    assert!(matches!(error, RecoveryError::Crashed { signal: 11, .. }), "{error:?}");
    assert!(error.is_of_the_copy() && error.to_string().contains("invalid pointer"), "{error}");
}

#[test]
fn a_full_disk_is_not_blamed_on_the_logs() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(&folder, r#"echo '{"ended":"disk failed","code":28,"said":[]}'; exit 1"#);
    let error = recover_by(&program, LIMIT, &Silent).unwrap_err();
    assert!(matches!(error, RecoveryError::Disk { .. }) && !error.is_of_the_copy(), "{error:?}");
    assert!(error.to_string().contains("No space left on device"), "{error}");
}

#[test]
fn an_end_without_an_answer_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let recovered = r#"echo '{"ended":"recovered","said":[]}'"#;
    for line in
        ["true", "echo done", "exit 3", &format!("{recovered}; exit 1"), &format!("printf %s \"$({recovered})\"")]
    {
        let error = recover_by(&program(&folder, line), LIMIT, &Silent).unwrap_err();
        assert!(matches!(error, RecoveryError::NoAnswer { .. }), "{line}: {error:?}");
    }
    let error = recover_by(&folder.path().join("nothing"), LIMIT, &Silent).unwrap_err();
    assert!(matches!(error, RecoveryError::Start { .. }), "{error:?}");
}

#[test]
fn a_child_may_say_as_much_as_it_likes() {
    let folder = tempfile::tempdir().unwrap();
    let much = "head -c 5000000 /dev/zero | tr '\\0' x";
    let line =
        format!(r#"{much} >&2; {much}; echo; {much} >&2; echo '{{"ended":"recovered","said":["all the same"]}}'"#);
    let monitor = Collecting::default();
    recover_by(&program(&folder, &line), LIMIT, &monitor).unwrap();
    assert_eq!(monitor.warnings(), ["recovery of the copy: libdb says: all the same"]);
}

#[test]
fn a_recovery_that_takes_too_long_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let line = format!("sleep 1000 & echo $$ $! >{}; wait", pids.display());
    // Outputs that were closed must neither end the waiting nor make it busy.
    for line in [line.clone(), format!("exec >&- 2>&-; {line}")] {
        let error = recover_by(&program(&folder, &line), Duration::from_millis(300), &Silent).unwrap_err();
        assert!(matches!(error, RecoveryError::TimedOut { .. }), "{error:?}");
        let pids = fs::read_to_string(&pids).unwrap();
        let (child, started) = pids.split_once(' ').unwrap();
        assert!(is_gone(child), "the child was waited for");
        assert_ends(started);
    }
}

/// A process ends soon, if it has not ended yet. Whoever has to wait for it may not do so, and then it stays in the list.
fn assert_ends(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    if let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        assert_ended(&process);
    }
}

/// Waits a minute at most.
fn assert_ended(process: &OwnedFd) {
    let mut files = [PollFd::new(process, PollFlags::IN)];
    assert_eq!(poll(&mut files, Some(&Timespec { tv_sec: 60, tv_nsec: 0 })).unwrap(), 1, "it still lives");
}

/// Interrupts as soon as a file is there.
struct WhenThere(PathBuf);

impl Monitor for WhenThere {
    fn task(&self, _name: &str) {}
    fn progress(&self, _bytes: u64, _records: u64) {}
    fn position(&self, _done: u64, _total: u64) {}
    fn warning(&self, _text: &str) {}
    fn is_interrupted(&self) -> bool {
        self.0.exists()
    }
}

#[test]
fn an_interrupt_ends_the_child_and_leaves_no_zombie() {
    let folder = tempfile::tempdir().unwrap();
    let (half, pid) = (folder.path().join("half"), folder.path().join("pid"));
    let line = format!("echo $$ >{0}; mv {0} {1}; exec sleep 1000", half.display(), pid.display());
    let error = recover_by(&program(&folder, &line), LIMIT, &WhenThere(pid.clone())).unwrap_err();
    assert!(matches!(error, RecoveryError::Interrupted), "{error:?}");
    assert!(is_gone(&fs::read_to_string(pid).unwrap()));
}

/// A copy in which libdb waits for ever, for a table is a pipe; and the table.
fn endless_copy() -> (TempDir, PathBuf) {
    let scratch = copy_of_crashed_site();
    let table = scratch.path().join("data/cdb.0d");
    fs::remove_file(&table).unwrap();
    assert!(Command::new("mkfifo").arg(&table).status().unwrap().success());
    (scratch, table)
}

#[test]
fn libdb_is_ended_when_it_hangs() {
    let (scratch, _table) = endless_copy();
    let limit = Duration::from_millis(300);
    let error = recover(&scratch.path().join("data"), Kind::Normal, Path::new(PROGRAM), limit, &Silent).unwrap_err();
    assert!(matches!(error, RecoveryError::TimedOut { .. }), "{error:?}");
}

#[test]
fn recovery_dies_with_its_parent() {
    let (scratch, table) = endless_copy();
    let data = scratch.path().join("data");
    let script = "\"$0\" recover-copy --parent $$ normal \"$1\" >&2 & echo $!; wait";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, PROGRAM]).arg(&data).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut shell = EndedAtLast(shell.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(shell.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let pid = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
    let child = rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap();
    // Opens when libdb has opened the other end.
    let writer = fs::OpenOptions::new().write(true).open(&table).unwrap();
    drop(shell);
    assert_ended(&child);
    drop(writer);
}

#[test]
fn recovery_for_a_process_that_is_gone_does_nothing() {
    let scratch = copy_of_crashed_site();
    let data = scratch.path().join("data");
    let before = contents(&data);
    let output = Command::new(PROGRAM).args(["recover-copy", "--parent", "1", "normal"]).arg(&data).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("its parent has ended"));
    assert!(before == contents(&data));
}
