//! The commands when something goes wrong on the way: signals, pipes that nobody reads, files that are in the way.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::live::place::until;
use crate::support::{self, PROGRAM, isolated, unpack_site};

pub fn program() -> Command {
    let mut command = support::program();
    command.stdin(Stdio::null());
    command
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The archive of the small site, in a folder with nothing else.
pub fn archive() -> (TempDir, std::path::PathBuf) {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    let output = program().arg("export").arg("--site").arg(site.path()).arg("-o").arg(&archive).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    (work, archive)
}

/// SIGTERM means what Ctrl-C means; a test that runs in the background may have SIGINT ignored.
fn terminate(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn an_export_into_a_pipe_that_stands_still_can_be_interrupted() {
    let (site, scratch) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let mut child = program()
        .args(["export", "--site"])
        .arg(site.path())
        .env("TMPDIR", scratch.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once the first bytes are there it has begun, and it can't end: a pipe holds less than the rest.
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut [0; 4096]).unwrap();
    terminate(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("interrupted"), "{}", said(&output));
    assert_eq!(names(scratch.path()), [""; 0]);
}

#[test]
fn an_import_from_a_pipe_that_stands_still_can_be_interrupted_and_leaves_nothing() {
    let (work, archive) = archive();
    let bytes = std::fs::read(archive).unwrap();
    let target = work.path().join("site");
    let mut child = program()
        .args(["import", "-", "--site"])
        .arg(&target)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds: when all of it is written, most of it was read.
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&bytes[..bytes.len() / 2]).unwrap();
    // As `timeout` does it: the program, and then its process group.
    terminate(&child);
    terminate(&child);
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(text.contains("interrupted"), "{text}");
    assert_eq!(names(work.path()), ["a.ctz"]);
}

#[test]
fn what_a_killed_import_left_is_told_by_those_that_read_and_removed_by_the_next_import() {
    let ((work, archive), fresh) = (archive(), unpack_site("fresh"));
    let target = work.path().join("site");
    assert!(Command::new("cp").arg("-a").arg(fresh.path()).arg(&target).status().unwrap().success());
    let mut child = program().args(["import", "-", "--site"]).arg(&target).stdin(Stdio::piped()).spawn().unwrap();
    let bytes = std::fs::read(&archive).unwrap();
    child.stdin.take().unwrap().write_all(&bytes[..bytes.len() / 2]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let compared = program().arg("diff").arg(fresh.path()).arg(&target).output().unwrap();
    assert_eq!(compared.status.code(), Some(0), "{}", said(&compared));
    assert!(said(&compared).contains("was interrupted and has left"), "{}", said(&compared));
    let imported = program().arg("import").arg(&archive).arg("--site").arg(&target).output().unwrap();
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    assert!(said(&imported).contains("is removed"), "{}", said(&imported));
    let mut left = names(work.path());
    left.sort();
    assert_eq!((left.len(), left[0].as_str(), left[1].as_str()), (3, "a.ctz", "site"), "{left:?}");
    assert!(left[2].starts_with("site.ctdl-dump-before-"), "{left:?}");
}

#[test]
fn whoever_reads_a_site_waits_while_an_import_puts_another_in_its_place() {
    let (work, fresh) = (tempfile::tempdir().unwrap(), unpack_site("fresh"));
    let (target, workshop) = (work.path().join("site"), work.path().join(".ctdl-dump-site.staging"));
    // The site is away, and an import is at work that is about to put one there.
    std::fs::create_dir(&workshop).unwrap();
    std::fs::write(workshop.join("journal"), "").unwrap();
    std::fs::write(workshop.join("state"), "ctdl-dump-staging 1\npid 1\n").unwrap();
    let living = std::fs::File::open(workshop.join("state")).unwrap();
    rustix::fs::flock(&living, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut export = program();
    export.args(["export", "--site"]).arg(&target).arg("-o").arg(work.path().join("a.ctz"));
    let mut child = export.stderr(Stdio::piped()).spawn().unwrap();
    let mut report = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    report.read_line(&mut line).unwrap();
    assert!(line.contains("is putting another site into") && line.contains("waiting"), "{line}");
    assert!(Command::new("cp").arg("-a").arg(fresh.path()).arg(&target).status().unwrap().success());
    std::fs::remove_dir_all(&workshop).unwrap();
    drop(living);
    let mut text = String::new();
    report.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
}

#[test]
fn an_interrupted_export_leaves_a_whole_archive_or_nothing() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    let mut child = program()
        .args(["export", "--progress", "json", "-o"])
        .arg(&archive)
        .arg("--site")
        .arg(site.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut report = BufReader::new(child.stderr.take().unwrap());
    report.read_line(&mut String::new()).unwrap();
    terminate(&child);
    let mut text = String::new();
    report.read_to_string(&mut text).unwrap();
    match child.wait().unwrap().code() {
        Some(130) => assert_eq!(names(work.path()), [""; 0], "{text}"),
        // It was faster than the signal.
        Some(0) => assert_eq!(program().arg("verify").arg(&archive).output().unwrap().status.code(), Some(0)),
        code => panic!("ended with {code:?}: {text}"),
    }
}

#[test]
fn a_program_that_can_not_hear_a_signal_is_ended_by_a_later_one() {
    use std::os::unix::process::ExitStatusExt;
    let work = tempfile::tempdir().unwrap();
    let pipe = work.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    // It waits for somebody who writes, inside of the system.
    let mut child = program().arg("verify").arg(&pipe).stderr(Stdio::null()).spawn().unwrap();
    let waits = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        let catches_sigterm = u64::from_str_radix(field("SigCgt:"), 16).unwrap() & 1 << (15 - 1) != 0;
        catches_sigterm && field("State:").starts_with('S')
    };
    assert!(until(waits));
    let first = std::time::Instant::now();
    assert!(until(|| {
        terminate(&child);
        child.try_wait().unwrap().is_some()
    }));
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert!(first.elapsed().as_millis() >= 500, "what comes at once is the same signal once more");
}

/// Runs a command whose standard output nobody reads.
pub fn unread(command: &mut Command) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer).output().unwrap()
}

#[test]
fn a_list_that_nobody_reads_to_its_end_ends_quietly() {
    let (_work, archive) = archive();
    let output = unread(program().arg("list").arg(&archive));
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
}

#[test]
fn a_difference_that_nobody_reads_is_still_one() {
    let (_work, archive) = archive();
    let fresh = unpack_site("fresh");
    let output = unread(program().arg("diff").arg(&archive).arg(fresh.path()));
    assert_eq!((output.status.code(), said(&output)), (Some(7), String::new()));
}

#[test]
fn an_export_that_nobody_reads_fails_aloud() {
    let site = unpack_site("fresh");
    let output = unread(program().args(["export", "--site"]).arg(site.path()));
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("Broken pipe"), "{}", said(&output));
}

#[test]
fn a_closed_standard_error_is_no_reason_to_stop() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let archive = work.path().join("a.ctz");
    let mut command = program();
    command.args(["export", "--progress", "bar", "--site"]).arg(site.path()).arg("-o").arg(&archive).stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert!(archive.exists());
}

#[test]
fn an_archive_is_only_for_its_owner_and_never_replaced_unasked() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    let export = |extra: &[&str]| {
        let mut command = program();
        command.args(["export", "--site"]).arg(site.path()).arg("-o").arg(&archive).args(extra).output().unwrap()
    };
    std::fs::write(&archive, "mine").unwrap();
    assert_eq!(export(&[]).status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&archive).unwrap(), "mine");
    assert_eq!(export(&["--force"]).status.code(), Some(0));
    assert_eq!(std::fs::metadata(&archive).unwrap().permissions().mode() & 0o7777, 0o600);
    std::fs::remove_file(&archive).unwrap();
    std::os::unix::fs::symlink("/dev/null", &archive).unwrap();
    assert_eq!(export(&["--force"]).status.code(), Some(1));
    assert!(archive.is_symlink());
}

#[test]
fn a_partial_file_of_a_killed_export_is_replaced_but_no_other() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (archive, partial) = (work.path().join("a.ctz"), work.path().join("a.ctz.partial"));
    let export = || program().args(["export", "--site"]).arg(site.path()).arg("-o").arg(&archive).output().unwrap();
    std::fs::write(&partial, "notes of mine").unwrap();
    assert_eq!(export().status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&partial).unwrap(), "notes of mine");
    std::fs::write(&partial, b"\x28\xb5\x2f\xfd and so on").unwrap();
    let living = std::fs::File::open(&partial).unwrap();
    rustix::fs::flock(&living, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let output = export();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("another export"), "{}", said(&output));
    drop(living);
    assert_eq!(export().status.code(), Some(0));
    assert_eq!(names(work.path()), ["a.ctz"]);
}

#[test]
fn nothing_is_written_into_the_site_that_is_exported() {
    let site = unpack_site("fresh");
    let inside = site.path().join("files/a.ctz");
    let export = || {
        let mut command = program();
        command.args(["export", "--site"]).arg(site.path());
        command
    };
    let by_option = export().arg("-o").arg(&inside).output().unwrap();
    assert_eq!(by_option.status.code(), Some(2), "{}", said(&by_option));
    assert!(!inside.exists());
    let work = tempfile::tempdir().unwrap();
    let outside = work.path().join("a.ctz");
    let scratch = export().arg("--scratch").arg(site.path().join("files")).arg("-o").arg(outside).output().unwrap();
    assert_eq!(scratch.status.code(), Some(2), "{}", said(&scratch));
    let by_shell = export().stdout(std::fs::File::create(&inside).unwrap()).output().unwrap();
    assert_eq!(by_shell.status.code(), Some(2), "{}", said(&by_shell));
}

#[test]
fn an_archive_that_could_not_be_kept_is_refused_before_anything_is_read() {
    let (work, archive) = archive();
    let nowhere = work.path().join("nowhere/a.ctz");
    let no_site = work.path().join("no-site");
    let too_long = work.path().join(format!("{}.ctz", "n".repeat(250)));
    for (output, words) in [(&archive, "--force"), (&nowhere, "is no directory"), (&too_long, "name too long")] {
        let output = program().arg("export").arg("--site").arg(&no_site).arg("-o").arg(output).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    let site = unpack_site("small");
    let script = "exec \"$0\" export --site \"$1\" >&-";
    let output = isolated(Command::new("sh")).args(["-c", script, PROGRAM]).arg(site.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("standard output is closed"), "{}", said(&output));
}

#[test]
fn what_is_no_site_is_told_what_it_is() {
    let site = unpack_site("fresh");
    let data = site.path().join("data");
    for (place, words) in [(data.join("cdb.00"), "it is no directory"), (data, "it is the directory data of one")] {
        for command in ["export", "reopen"] {
            let output = program().args([command, "--site"]).arg(&place).output().unwrap();
            assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{}", said(&output));
            assert!(said(&output).contains(words), "{}", said(&output));
        }
    }
}

#[test]
fn a_directory_for_scratch_files_that_is_not_there_is_told_by_its_variable() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let info = |named: &Path| program().arg("info").arg(site.path()).env("TMPDIR", named).output().unwrap();
    let output = info(&work.path().join("none"));
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("$TMPDIR"), "{}", said(&output));
    assert_eq!(info(Path::new("")).status.code(), Some(0));
}

#[test]
fn extract_wants_an_archive_and_says_so_of_a_site() {
    let site = unpack_site("fresh");
    let output = program().arg("extract").arg(site.path()).args(["message", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("is a directory"), "{}", said(&output));
}
