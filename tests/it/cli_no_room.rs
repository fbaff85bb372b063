//! The commands when there is no room: on the disk, in memory, on standard output.

use std::process::{Command, Output, Stdio};

use crate::cli_trouble::{archive, names, program, said, unread};
use crate::support::{PROGRAM, isolated, unpack_site};

/// Runs the program under a limit of the shell: `-f 500` fails like a full disk, at a place that is the same on every machine.
fn limited(limit: &str, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let script = format!("ulimit {limit}; exec \"$@\"");
    let mut command = isolated(Command::new("bash"));
    command.arg("-c").arg(script).arg("bash").arg(PROGRAM);
    command.args(arguments.iter().map(AsRef::as_ref));
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn what_finds_no_memory_says_so_and_the_same_command_works_when_there_is_some() {
    use std::os::unix::process::ExitStatusExt;
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (archive, target) = (work.path().join("a.ctz"), work.path().join("site"));
    let export: [&dyn AsRef<std::ffi::OsStr>; 6] = [&"export", &"--site", &site.path(), &"-o", &archive, &"--force"];
    let import: [&dyn AsRef<std::ffi::OsStr>; 5] = [&"import", &archive, &"--site", &target, &"--replace"];
    for arguments in [export.as_slice(), &import] {
        for mebibytes in [35, 50, 70, 100, 150] {
            let output = limited(&format!("-v {}", mebibytes << 10), arguments);
            let told = said(&output).contains("memory");
            let is_known = output.status.success() || (told && output.status.code().unwrap_or(1) == 1);
            assert!(is_known, "{mebibytes} MiB: {}: {}", output.status, said(&output));
            assert!(matches!(output.status.signal(), None | Some(6)), "{}", output.status);
        }
        let output = program().args(arguments.iter().map(AsRef::as_ref)).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let left: Vec<_> = names(work.path()).into_iter().filter(|name| !name.contains("-before-")).collect();
        assert!(left.iter().all(|name| name == "a.ctz" || name == "site"), "{left:?}");
    }
}

#[test]
fn an_export_that_finds_no_space_leaves_nothing() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let output = limited("-f 500", &[&"export", &"--site", &site.path(), &"-o", &work.path().join("a.ctz")]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("writing the archive failed after"), "{}", said(&output));
    assert_eq!(names(work.path()), [""; 0]);
}

#[test]
fn an_import_that_finds_no_space_leaves_the_target_as_it_was() {
    let (work, archive) = archive();
    let output = limited("-f 500", &[&"import", &archive, &"--site", &work.path().join("site")]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("cdb."), "{}", said(&output));
    assert_eq!(names(work.path()), ["a.ctz"]);
}

#[test]
fn a_full_standard_output_is_an_error_and_no_panic() {
    let (_work, archive) = archive();
    for arguments in [vec!["info"], vec!["list"], vec!["list", "--json"], vec!["extract"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = program();
        command.args(&arguments).arg(&archive).stdout(full);
        if arguments == ["extract"] {
            command.args(["file", "messages/hello"]);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains("standard output"), "{arguments:?}: {}", said(&output));
        assert!(!said(&output).contains("a.ctz"), "the archive is not to blame: {}", said(&output));
    }
}

#[test]
fn work_whose_result_can_not_be_printed_is_done_and_says_so() {
    let ((work, archive), site) = (archive(), unpack_site("fresh"));
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let end = |command: &mut Command| {
        let output = command.output().unwrap();
        let told = said(&output);
        assert_eq!(told.contains("all is done, but its result"), output.status.code() != Some(0), "{told}");
        output.status.code()
    };
    let verify = || {
        let mut command = program();
        command.arg("verify").arg(&archive);
        command
    };
    assert_eq!(end(verify().stdout(full())), Some(8));
    assert_eq!(end(verify().arg("--json").stdout(full())), Some(8));
    assert_eq!(end(verify().arg("-q").stdout(full())), Some(0));
    let target = work.path().join("site");
    let mut import = program();
    assert_eq!(
        end(import.arg("import").arg(&archive).arg("--json").arg("--site").arg(&target).stdout(full())),
        Some(8)
    );
    let compared = program().arg("diff").arg(&archive).arg(&target).output().unwrap();
    assert_eq!(compared.status.code(), Some(0), "{}", said(&compared));
    let mut export = program();
    export.args(["export", "--json", "--force", "--site"]).arg(site.path()).arg("-o").arg(&archive);
    assert_eq!(end(export.stdout(full())), Some(8));
    assert_eq!(end(&mut verify()), Some(0));
    // What was left out matters more, and is not forgotten because nobody reads the result.
    std::fs::write(site.path().join("huge"), vec![b'x'; 2 << 20]).unwrap();
    assert_eq!(end(export.stdout(full())), Some(5));
    assert_eq!(unread(&mut export).status.code(), Some(5));
}
