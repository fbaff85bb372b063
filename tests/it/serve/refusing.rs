//! A site that is pushed to a server whose disk is full: the pusher hears that, whatever is between the two.

use std::path::Path;
use std::process::{Output, Stdio};

use rustix::process::Signal;

use super::server::{Serving, limited, program};
use crate::support::unpack_site;

/// So many kibibytes go into a file. There is a file of more in the site.
const FULL: &str = "-f 4000";

fn push(work: &Path, arguments: &[&str]) -> Output {
    let mut push = program(&work.join("other"));
    push.args(["push", work.join("site.ctz").to_str().unwrap()]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn assert_told_and_goes_on(work: &Path, arguments: &[&str], refused: &Output) {
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(6), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains("the peer says: ") && last.contains("File too large"), "{said}");
    let whole = push(work, arguments);
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));
    let mut compare = program(&work.join("other"));
    let compared = compare.arg("diff").arg(work.join("site.ctz")).arg(work.join("new")).output().unwrap();
    assert_eq!(compared.status.code(), Some(0));
}

/// An archive whose records are more than the limit, packed or not.
fn large(work: &Path) {
    let site = unpack_site("small");
    let mut large = vec![0; 24 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut large);
    std::fs::write(site.path().join("files/library/larger.dat"), large).unwrap();
    let mut export = program(&work.join("state"));
    let output = export.arg("export").arg("--site").arg(site.path()).arg("-o").arg(work.join("site.ctz")).output();
    assert!(output.unwrap().status.success());
}

#[test]
fn over_a_pipe() {
    let work = tempfile::tempdir().unwrap();
    large(work.path());
    let serve = |limit: &str| {
        let (program, new) = (crate::support::PROGRAM, work.path().join("new"));
        format!("cmd:ulimit {limit}; exec '{program}' serve --stdio --receive --site '{}'", new.display())
    };
    let refused = push(work.path(), &[&serve(FULL), "--retries", "0"]);
    assert_told_and_goes_on(work.path(), &[&serve("-f unlimited")], &refused);
}

#[test]
fn over_a_socket() {
    let (work, scene) = (tempfile::tempdir().unwrap(), || tempfile::tempdir().unwrap());
    large(work.path());
    let (new, socket) = (work.path().join("new"), work.path().join("socket"));
    let peer = format!("unix:{}", socket.display());
    let arguments = ["--receive", "--site", new.to_str().unwrap(), "--socket", socket.to_str().unwrap()];
    let mut full = Serving::start_with(scene(), &arguments, |command| limited(command, FULL));
    full.logged("listening at ");
    let refused = push(work.path(), &[&peer, "--retries", "0"]);
    full.end(Signal::TERM);
    let roomy = Serving::start(scene(), &arguments);
    roomy.logged("listening at ");
    assert_told_and_goes_on(work.path(), &[&peer], &refused);
}

#[test]
fn over_tls_packed_and_not() {
    for option in ["--retries=0", "--no-compress"] {
        let (work, scene) = (tempfile::tempdir().unwrap(), || tempfile::tempdir().unwrap());
        large(work.path());
        let (new, token) = (work.path().join("new"), work.path().join("token"));
        let mut make = program(&work.path().join("state"));
        assert!(make.args(["serve", "--make-token"]).arg(&token).output().unwrap().status.success());
        let token = token.to_str().unwrap();
        let site = ["--receive", "--site", new.to_str().unwrap()];
        let arguments = [&site[..], &["--listen", "127.0.0.1:0", "--token-file", token]].concat();
        let address = |serving: &Serving| {
            let line = serving.logged("listening at tls://");
            line.split_once(';').unwrap().0.rsplit_once(' ').unwrap().1.to_owned()
        };
        let mut full = Serving::start_with(scene(), &arguments, |command| limited(command, FULL));
        let login = ["--token-file", token, "--accept-new", option];
        let refused = push(work.path(), &[&[address(&full).as_str()][..], &login].concat());
        full.end(Signal::TERM);
        let roomy = Serving::start(scene(), &arguments);
        assert_told_and_goes_on(work.path(), &[&[address(&roomy).as_str()][..], &login].concat(), &refused);
    }
}
