//! `pull` from a server in another process.

mod away;
mod damaged;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::live::place::until;
use crate::processes::EndedAtLast;
use crate::support::{PROGRAM, program, unpack_site};

pub fn run(arguments: &[&dyn AsRef<OsStr>]) -> Output {
    let mut command = program();
    arguments.iter().for_each(|argument| {
        command.arg(argument);
    });
    command.stdin(Stdio::null()).output().unwrap()
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

pub fn same(first: &Path, second: &Path) {
    let compared = run(&[&"diff", &first, &second]);
    assert_eq!((compared.status.code(), compared.stdout.len()), (Some(0), 0), "{}", said(&compared));
}

pub fn export(site: &Path, archive: &Path) {
    assert_code(&run(&[&"export", &"--site", &site, &"-o", &archive]), 0);
}

/// A peer that is a script: it serves what `archive` holds, and only the first `limit` bytes of what it would say.
struct Script {
    work: TempDir,
}

impl Script {
    fn new(archive: &Path) -> Script {
        let script = Script { work: tempfile::tempdir().unwrap() };
        script.set("archive", archive.to_str().unwrap());
        script.set("limit", "999999999");
        let text = format!(
            "cd '{}'\n'{PROGRAM}' serve --stdio \"$(cat archive)\" | stdbuf -o0 head -c \"$(cat limit)\"\n",
            script.work.path().display()
        );
        script.set("script", &text);
        script
    }

    fn set(&self, name: &str, value: &str) {
        std::fs::write(self.work.path().join(name), value).unwrap();
    }

    fn peer(&self) -> String {
        format!("cmd:sh '{}'", self.work.path().join("script").display())
    }
}

/// `serve --socket`, until it is dropped.
struct Listening(EndedAtLast);

impl Listening {
    fn to(socket: &Path, archive: &Path) -> Listening {
        let mut command = program();
        command.args(["serve", "--socket"]).args([socket, archive]);
        // Whatever fails here, no server stays behind that holds what the tests' output goes to.
        let mut listening = Listening(EndedAtLast(command.stderr(Stdio::piped()).spawn().unwrap()));
        let mut line = String::new();
        BufReader::new(listening.0.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening at "), "{line}");
        listening
    }
}

#[test]
fn a_pull_equals_the_export_that_is_served() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (exported, pulled) = (work.path().join("a.ctz"), work.path().join("b.ctz"));
    export(site.path(), &exported);
    let output = run(&[&"pull", &Script::new(&exported).peer(), &"-o", &pulled, &"--json"]);
    assert_code(&output, 0);
    // The same records, written the same way.
    assert!(std::fs::read(&exported).unwrap() == std::fs::read(&pulled).unwrap());
    assert_eq!(pulled.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(line["wire_bytes"].as_u64() > line["body_bytes"].as_u64(), "{line}");
    let names: Vec<_> = work.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_pull_over_a_socket_equals_its_archive() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (archive, socket, pulled) = (work.path().join("a.ctz"), work.path().join("s"), work.path().join("b.ctz"));
    export(site.path(), &archive);
    let listening = Listening::to(&socket, &archive);
    assert_code(&run(&[&"pull", &format!("unix:{}", socket.display()), &"-o", &pulled]), 0);
    same(&archive, &pulled);
    drop(listening);
}

#[test]
fn a_pull_that_was_cut_goes_on_when_it_is_run_again() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (exported, pulled) = (work.path().join("a.ctz"), work.path().join("b.ctz"));
    let mut large = vec![0; 24 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut large);
    std::fs::write(site.path().join("files/library/larger.dat"), large).unwrap();
    export(site.path(), &exported);
    let script = Script::new(&exported);
    let attempt = |limit: &str| {
        script.set("limit", limit);
        run(&[&"pull", &script.peer(), &"-o", &pulled, &"--retries", &"0", &"--json", &"--threads", &"1"])
    };
    for limit in ["20000000", "5000000"] {
        let cut = attempt(limit);
        assert_code(&cut, 6);
        assert!(said(&cut).contains("the same command goes on with it"), "{}", said(&cut));
        assert!(!pulled.exists());
    }
    // Somebody else's beginning is left alone.
    let other = run(&[&"pull", &"cmd:true", &"-o", &pulled]);
    assert_code(&other, 1);
    assert!(said(&other).contains("was left by a pull from"), "{}", said(&other));
    let whole = attempt("999999999");
    assert_code(&whole, 0);
    assert!(std::fs::read(&exported).unwrap() == std::fs::read(&pulled).unwrap());
    let line: serde_json::Value = serde_json::from_slice(&whole.stdout).unwrap();
    let (came, all) = (line["wire_bytes"].as_u64().unwrap(), line["body_bytes"].as_u64().unwrap());
    assert!(came < all / 2, "{came} of {all} bytes came over the wire");
    let names: Vec<_> = work.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn connections_that_are_cut_are_made_again_by_themselves() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (exported, pulled) = (work.path().join("a.ctz"), work.path().join("b.ctz"));
    export(site.path(), &exported);
    let script = Script::new(&exported);
    script.set("limit", "7000000");
    let output = run(&[&"pull", &script.peer(), &"-o", &pulled]);
    assert_code(&output, 0);
    assert!(said(&output).contains("attempt 1 of "), "{}", said(&output));
    assert!(std::fs::read(&exported).unwrap() == std::fs::read(&pulled).unwrap());
}

#[test]
fn only_the_difference_comes_if_something_is_here() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (monday, tuesday, pulled) = (work.path().join("a.ctz"), work.path().join("b.ctz"), work.path().join("c.ctz"));
    export(site.path(), &monday);
    std::fs::write(site.path().join("messages/hello"), "another hello").unwrap();
    export(site.path(), &tuesday);
    let script = Script::new(&tuesday);
    let output = run(&[&"pull", &script.peer(), &"-o", &pulled, &"--have", &monday, &"--json"]);
    assert_code(&output, 0);
    same(&tuesday, &pulled);
    assert!(said(&output).contains(", 1 came from the peer"), "{}", said(&output));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(line["wire_bytes"].as_u64().unwrap() < 40_000, "{line}");

    // The snapshot of the first attempt is gone at the second one: what had come serves as what is here.
    let other = work.path().join("d.ctz");
    script.set("archive", monday.to_str().unwrap());
    script.set("limit", "7000000");
    let arguments: [&dyn AsRef<OsStr>; 6] = [&"pull", &script.peer(), &"-o", &other, &"--retries", &"0"];
    assert_code(&run(&arguments), 6);
    script.set("archive", tuesday.to_str().unwrap());
    script.set("limit", "999999999");
    let output = run(&arguments);
    assert_code(&output, 0);
    assert!(said(&output).contains("another snapshot by now"), "{}", said(&output));
    assert!(said(&output).contains(" came from the peer"), "{}", said(&output));
    same(&tuesday, &other);
}

#[test]
fn a_difference_that_was_cut_goes_on_where_it_was() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (monday, tuesday, wednesday) =
        (work.path().join("a.ctz"), work.path().join("b.ctz"), work.path().join("c.ctz"));
    export(unpack_site("fresh").path(), &monday);
    export(site.path(), &tuesday);
    std::fs::write(site.path().join("messages/hello"), "another hello").unwrap();
    export(site.path(), &wednesday);
    let (script, pulled) = (Script::new(&tuesday), work.path().join("d.ctz"));
    let arguments: [&dyn AsRef<OsStr>; 10] =
        [&"pull", &script.peer(), &"-o", &pulled, &"--have", &monday, &"--json", &"--retries", &"0", &"--force"];
    let wire_bytes = |output: &std::process::Output| {
        assert_code(output, 0);
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        line["wire_bytes"].as_u64().unwrap()
    };
    let whole = wire_bytes(&run(&arguments));
    for next in [&tuesday, &wednesday] {
        script.set("archive", tuesday.to_str().unwrap());
        script.set("limit", "7000000");
        assert_code(&run(&arguments), 6);
        script.set("archive", next.to_str().unwrap());
        script.set("limit", "999999999");
        let rest = wire_bytes(&run(&arguments));
        assert!(rest + 5_000_000 < whole, "{rest} of {whole}");
        same(next, &pulled);
    }
    for left in ["partial", "partial.from", "partial.before"] {
        assert!(!work.path().join(format!("d.ctz.{left}")).exists(), "{left}");
    }
}

#[test]
fn a_peer_that_was_started_may_clean_up_before_the_pull_ends() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (archive, script) = (work.path().join("a.ctz"), work.path().join("script"));
    export(site.path(), &archive);
    let text = format!(
        "'{PROGRAM}' serve --stdio '{}'\nsleep 0.5\necho >'{}/cleaned up'\n",
        archive.display(),
        work.path().display()
    );
    std::fs::write(&script, text).unwrap();
    let peer = format!("cmd:sh '{}'", script.display());
    assert_code(&run(&[&"pull", &peer, &"-o", &work.path().join("b.ctz")]), 0);
    assert!(work.path().join("cleaned up").exists());
}

#[test]
fn a_command_that_ends_neither_by_itself_nor_by_a_signal_does_not_outlive_the_pull() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (archive, pid) = (work.path().join("a.ctz"), work.path().join("pid"));
    export(site.path(), &archive);
    let peer = format!(
        "cmd:trap '' TERM; '{PROGRAM}' serve --stdio '{}'; sh -c 'echo $$ >{}; sleep 1000; true'; sleep 1000; true",
        archive.display(),
        pid.display()
    );
    assert_code(&run(&[&"pull", &peer, &"-o", &work.path().join("b.ctz")]), 0);
    let process = Path::new("/proc").join(std::fs::read_to_string(pid).unwrap().trim());
    assert!(until(|| !process.exists()), "what the shell had started is there");
}

#[test]
fn what_a_shell_has_left_that_has_ended_is_neither_waited_for_nor_left() {
    let work = tempfile::tempdir().unwrap();
    let pid = work.path().join("pid");
    let peer = format!("cmd:sleep 1000 >/dev/null & echo $! >'{}'; exit 3", pid.display());
    let output = run(&[&"pull", &peer, &"-o", &work.path().join("a.ctz")]);
    assert_code(&output, 6);
    assert!(said(&output).contains("exit status: 3"), "{}", said(&output));
    let process = Path::new("/proc").join(std::fs::read_to_string(pid).unwrap().trim());
    assert!(until(|| !process.exists()), "what the shell had started is there");
}

#[test]
fn what_is_no_peer_or_no_server_is_said_with_the_right_exit_code() {
    let work = tempfile::tempdir().unwrap();
    let output = work.path().join("a.ctz");
    assert_code(&run(&[&"pull", &"old.example.org", &"-o", &output]), 2);
    for (peer, problem) in [
        ("cmd:echo Welcome to Debian", "there is no ctdl-dump at the other end"),
        ("cmd:true", "closed the connection"),
        ("cmd:printf '200 ctdl-dump wire 1||x\\n200 1|\\n200 what\\n'; cat >/dev/null", "where"),
        ("unix:/nonexistent/socket", "No such file"),
    ] {
        let failed = run(&[&"pull", &peer, &"-o", &output]);
        assert_code(&failed, 6);
        assert!(said(&failed).contains(problem) && said(&failed).contains(peer), "{}", said(&failed));
    }
    assert_eq!(work.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_pulled_site_is_the_same_and_the_next_pull_brings_only_what_has_changed() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (monday, tuesday) = (work.path().join("monday.ctz"), work.path().join("tuesday.ctz"));
    export(site.path(), &monday);
    std::fs::write(site.path().join("messages/hello"), "Good morning\n").unwrap();
    export(site.path(), &tuesday);
    let (script, new) = (Script::new(&monday), work.path().join("new"));
    let wire_bytes = |arguments: &[&dyn AsRef<OsStr>]| {
        let pulled = run(arguments);
        assert_code(&pulled, 0);
        let said = said(&pulled);
        let line = said.lines().find(|line| line.contains("came over the wire")).expect("what came").to_owned();
        assert!(said.contains("is complete, read back and in place"), "{said}");
        line
    };
    let first = wire_bytes(&[&"pull", &script.peer(), &"--site", &new]);
    assert!(first.contains("MiB came"), "{first}");
    same(&monday, &new);
    let kept = work.path().join("new.ctdl-dump-pulled.ctz");
    let identity = || std::os::unix::fs::MetadataExt::ino(&kept.metadata().unwrap());
    let before = identity();
    wire_bytes(&[&"pull", &script.peer(), &"--site", &new, &"--replace"]);
    assert_eq!(identity(), before, "an archive that is right stays");
    same(&monday, &new);
    script.set("archive", tuesday.to_str().unwrap());
    let refused = run(&[&"pull", &script.peer(), &"--site", &new]);
    assert_code(&refused, 1);
    assert!(said(&refused).contains("--replace"), "{}", said(&refused));
    let second = wire_bytes(&[&"pull", &script.peer(), &"--site", &new, &"--replace"]);
    assert!(second.contains("KiB came"), "{second}");
    assert_ne!(identity(), before);
    same(&tuesday, &new);
    // One that is the same by its manifest and damaged in a body is found out by the import.
    let mut damaged = std::fs::read(&kept).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&kept, damaged).unwrap();
    let refused = run(&[&"pull", &script.peer(), &"--site", &new, &"--replace"]);
    assert_code(&refused, 3);
    assert!(said(&refused).contains("remove it, and everything comes over the wire"), "{}", said(&refused));
    same(&tuesday, &new);
}

#[test]
fn a_pull_that_fails_leaves_the_site_alone() {
    let (fresh, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    export(unpack_site("small").path(), &archive);
    let script = Script::new(&archive);
    script.set("limit", "100000");
    let before = crate::support::listing(fresh.path());
    let pulled = run(&[&"pull", &script.peer(), &"--site", &fresh.path(), &"--retries", &"0"]);
    assert_code(&pulled, 6);
    assert_eq!(before, crate::support::listing(fresh.path()));
    for left in ["partial", "partial.from"] {
        let left = format!("{}.ctdl-dump-pulled.ctz.{left}", fresh.path().display());
        assert!(Path::new(&left).exists(), "{left}");
        std::fs::remove_file(left).unwrap();
    }
}
