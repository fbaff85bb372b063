//! `push` to a server in another process.

use std::ffi::OsStr;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::fs::inotify;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::cli_pull::{assert_code, export, run, said, same};
use crate::live::place::{kill, until};
use crate::serve::server::Serving;
use crate::support::{PROGRAM, listing, unpack_site};

/// A peer that is a script: it takes a site, and only the first `limit` bytes of what it is told get there, and the first `said` of what it says come back;
/// then it is ended.
struct Script {
    work: TempDir,
    site: PathBuf,
}

impl Script {
    fn new() -> Script {
        let work = tempfile::tempdir().unwrap();
        let site = work.path().join("new");
        fs::rename(unpack_site("fresh").keep(), &site).unwrap();
        let script = Script { work, site };
        for (name, value) in [("limit", "999999999"), ("said", "999999999"), ("options", "")] {
            script.set(name, value);
        }
        let text = format!(
            "cd '{}'\n(echo $BASHPID >giver; exec stdbuf -o0 head -c \"$(cat limit)\") |\n\
             (echo $BASHPID >taker; exec '{PROGRAM}' serve --stdio --receive --site '{}' $(cat options)) |\n\
             {{ stdbuf -o0 head -c \"$(cat said)\"; kill $(cat giver taker) 2>/dev/null || true; }}\n",
            script.work.path().display(),
            script.site.display()
        );
        script.set("script", &text);
        script
    }

    fn set(&self, name: &str, value: &str) {
        fs::write(self.work.path().join(name), value).unwrap();
    }

    fn push(&self, place: &Path, arguments: &[&str]) -> Output {
        let peer = format!("cmd:bash -o pipefail '{}'", self.work.path().join("script").display());
        let mut all: Vec<&dyn AsRef<OsStr>> = vec![&"push", &place, &peer];
        all.extend(arguments.iter().map(|argument| argument as &dyn AsRef<OsStr>));
        run(&all)
    }

    /// What lies beside the site, but for the files of the script.
    fn beside(&self) -> Vec<String> {
        let names = self.work.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("new") || name.starts_with('.')).collect();
        names.sort();
        names
    }
}

/// A site in which there is a file of 24 MiB that can't be packed.
fn large_site() -> TempDir {
    let site = unpack_site("small");
    let mut large = vec![0; 24 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut large);
    fs::write(site.path().join("files/library/larger.dat"), large).unwrap();
    site
}

fn wire_bytes(output: &Output) -> u64 {
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    line["wire_bytes"].as_u64().unwrap()
}

#[test]
fn a_pushed_archive_is_the_site_there_and_what_became_of_it_is_told_here() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    export(site.path(), &archive);
    let script = Script::new();
    let pushed = script.push(&archive, &["--json"]);
    assert_code(&pushed, 0);
    same(&archive, &script.site);
    let told = said(&pushed);
    assert!(told.contains("new is complete, read back and in place"), "{told}");
    assert!(told.contains("the previous site is kept in") && told.contains("site digest"), "{told}");
    assert!(wire_bytes(&pushed) > 1 << 20);
    let beside = script.beside();
    assert!(matches!(&beside[..], [new, before] if new == "new" && before.starts_with("new.ctdl-dump-before-")));
    // Now it has been used.
    let refused = script.push(&archive, &[]);
    assert_code(&refused, 6);
    assert!(said(&refused).contains("is not empty and not fresh") && said(&refused).contains("(574)"));
    script.set("options", "--replace");
    assert_code(&script.push(&archive, &[]), 0);
    assert_eq!(script.beside().len(), 3);
}

#[test]
fn a_site_is_pushed_over_a_socket_and_one_peer_after_the_other_is_logged() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (socket, new) = (work.path().join("socket"), work.path().join("new"));
    let arguments =
        ["--receive", "--site", new.to_str().unwrap(), "--socket", socket.to_str().unwrap()].map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut serving = Serving::start(work, &arguments);
    serving.logged("listening at unix:");
    let peer = format!("unix:{}", socket.display());
    let before = listing(site.path());
    assert_code(&run(&[&"push", &site.path(), &peer]), 0);
    assert_eq!(before, listing(site.path()));
    same(site.path(), &new);
    serving.logged("peer 1: connected");
    serving.logged("is complete, read back and in place");
    serving.logged("peer 1: gone");
    // Whoever wants to have something is at the wrong door.
    let pulled = run(&[&"pull", &peer, &"-o", &new.with_extension("ctz")]);
    assert_code(&pulled, 6);
    assert!(said(&pulled).contains("takes a site and gives none"), "{}", said(&pulled));
    assert_eq!(serving.end(Signal::TERM).code(), Some(0));
}

#[test]
fn a_push_that_was_cut_changes_nothing_and_goes_on_when_it_is_run_again() {
    let (site, work) = (large_site(), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    export(site.path(), &archive);
    let script = Script::new();
    let before = listing(&script.site);
    for (limit, place) in [("5000000", site.path()), ("9000000", &archive), ("16000000", site.path())] {
        script.set("limit", limit);
        let cut = script.push(place, &["--retries", "0"]);
        assert_code(&cut, 6);
        assert_eq!(before, listing(&script.site));
        assert_eq!(script.beside().len(), 3, "{:?}", script.beside());
    }
    script.set("limit", "999999999");
    // A snapshot of the site, and an archive of it, are one push: they hold the same.
    let whole = script.push(site.path(), &["--json"]);
    assert_code(&whole, 0);
    assert!(wire_bytes(&whole) < 16 << 20, "{} bytes", wire_bytes(&whole));
    same(site.path(), &script.site);
    assert_eq!(script.beside().len(), 2, "{:?}", script.beside());
}

#[test]
fn another_push_does_not_go_on_with_what_is_there() {
    let (site, other) = (large_site(), unpack_site("small"));
    let script = Script::new();
    script.set("limit", "9000000");
    assert_code(&script.push(site.path(), &["--retries", "0"]), 6);
    script.set("limit", "999999999");
    let pushed = script.push(other.path(), &[]);
    assert_code(&pushed, 0);
    assert!(said(&pushed).contains("an earlier push of something else"), "{}", said(&pushed));
    same(other.path(), &script.site);
    assert_eq!(script.beside().len(), 2, "{:?}", script.beside());
}

#[test]
fn a_push_that_is_cut_again_and_again_goes_on_by_itself() {
    let (site, script) = (large_site(), Script::new());
    script.set("limit", "20000000");
    let pushed = script.push(site.path(), &[]);
    assert_code(&pushed, 0);
    assert!(said(&pushed).contains("attempt 1 of "), "{}", said(&pushed));
    same(site.path(), &script.site);
}

#[test]
fn a_push_of_which_only_the_last_answer_was_lost_is_done() {
    let (site, script) = (unpack_site("small"), Script::new());
    // The greeting and the next two replies come back.
    script.set("said", "100");
    let lost = script.push(site.path(), &["--retries", "0"]);
    assert_code(&lost, 6);
    same(site.path(), &script.site);
    script.set("said", "999999999");
    let told = script.push(site.path(), &["--json"]);
    assert_code(&told, 0);
    assert!(wire_bytes(&told) < 4_096, "{} bytes", wire_bytes(&told));
    assert_eq!(script.beside().len(), 2, "{:?}", script.beside());
    // It was told, so from now on this is a site like any other.
    assert_code(&script.push(site.path(), &[]), 6);
}

/// What comes into a directory, however soon it goes again.
struct Arrivals(OwnedFd);

impl Arrivals {
    fn at(directory: &Path) -> Arrivals {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, directory, inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO).unwrap();
        Arrivals(watch)
    }

    fn have_brought(&self, name: &str) -> bool {
        let mut memory = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.0, &mut memory);
        while let Ok(event) = events.next() {
            if event.file_name().is_some_and(|found| found.to_bytes() == name.as_bytes()) {
                return true;
            }
        }
        false
    }
}

#[test]
fn a_receiver_that_is_killed_while_it_builds_or_at_the_exchange_has_the_old_site_or_the_new_one() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (archive, fresh) = (work.path().join("a.ctz"), work.path().join("fresh.ctz"));
    export(site.path(), &archive);
    export(unpack_site("fresh").path(), &fresh);
    let is = |archive: &Path, site: &Path| run(&[&"diff", &archive, &site]).status.code() == Some(0);
    let (building, receipt) = (".ctdl-dump-new.staging", "new.ctdl-dump-received.ctz.done");
    let cases = [(building, 0), (building, 200_000), (receipt, 0), (receipt, 200), (receipt, 1_000), (receipt, 5_000)];
    let mut olds = 0;
    for (seen, microseconds) in cases {
        let script = Script::new();
        let arrivals = Arrivals::at(script.work.path());
        let first = std::thread::scope(|scope| {
            let first = scope.spawn(|| script.push(&archive, &["--retries", "0"]));
            assert!(until(|| arrivals.have_brought(seen)), "{seen}");
            // A little later each time: before, in and behind the exchange.
            std::thread::sleep(std::time::Duration::from_micros(microseconds));
            let taker = fs::read_to_string(script.work.path().join("taker")).unwrap();
            kill(taker.trim().parse().unwrap(), Signal::KILL);
            first.join().unwrap()
        });
        let is_old = is(&fresh, &script.site);
        assert!(
            is_old || is(&archive, &script.site),
            "{seen}, {microseconds} us later: neither the old site nor the new one"
        );
        olds += u32::from(is_old);
        // Who knows that it is done would be refused as anybody else, once the receiver knows that he does.
        if first.status.code() != Some(0) || script.work.path().join(receipt).exists() {
            assert_code(&script.push(&archive, &["--retries", "0"]), 0);
        }
        same(&archive, &script.site);
        assert_eq!(script.beside().len(), 2, "{seen}, {microseconds} us later: {:?}", script.beside());
    }
    assert!(olds >= 1, "none was killed in its import");
}

#[test]
fn what_can_not_be_pushed_is_said_with_the_right_exit_code() {
    let site = unpack_site("small");
    let code = |arguments: &[&dyn AsRef<OsStr>]| {
        let output = run(arguments);
        (output.status.code(), said(&output))
    };
    let giving = format!("cmd:'{PROGRAM}' serve --stdio '{}'", site.path().display());
    let (ended, told) = code(&[&"push", &site.path(), &giving]);
    assert!(ended == Some(6) && told.contains("gives records and takes none"), "{told}");
    let (ended, told) = code(&[&"push", &site.path(), &"cmd:true", &"--replace"]);
    assert!(ended == Some(2) && told.contains("--replace is for ssh://"), "{told}");
    assert_eq!(code(&[&"push", &"/nonexistent", &"cmd:true"]).0, Some(2));
    assert_eq!(code(&[&"serve", &site.path(), &"--stdio", &"--receive"]).0, Some(2));
    assert_eq!(code(&[&"serve", &"--stdio", &"--replace"]).0, Some(2));
}
