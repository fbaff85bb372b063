//! A server that is told to end, by any of the signals that do, while somebody gives it a site or has a lease.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use rustix::process::Signal;

use super::scene::Scene;
use super::server::{Serving, program};
use crate::cli_pull::same;
use crate::live::place::until;
use crate::processes::EndedAtLast;
use crate::support::unpack_site;

const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::HUP, Signal::INT];

#[test]
fn a_push_goes_on_at_the_next_server() {
    let site = unpack_site("small");
    let mut large = vec![0; 24 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut large);
    fs::write(site.path().join("files/library/larger.dat"), large).unwrap();
    for signal in SIGNALS {
        let work = tempfile::tempdir().unwrap();
        let place = work.path().join("place");
        fs::create_dir(&place).unwrap();
        let (socket, new) = (work.path().join("socket"), place.join("new"));
        let receive = || {
            let arguments = ["--receive", "--site", new.to_str().unwrap(), "--socket", socket.to_str().unwrap()];
            let serving = Serving::start(tempfile::tempdir().unwrap(), &arguments);
            serving.logged("listening at unix:");
            serving
        };
        let mut first = receive();
        let mut push = program(&work.path().join("state"));
        push.arg("push").arg(site.path()).arg(format!("unix:{}", socket.display()));
        let mut push = EndedAtLast(push.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let partial = place.join("new.ctdl-dump-received.ctz.partial");
        assert!(until(|| partial.metadata().is_ok_and(|found| found.len() > 1 << 20)));
        assert_eq!(first.end(signal).code(), Some(0));
        assert!(!new.exists() && partial.exists(), "what has come is kept, and nothing else was done");
        let _second = receive();
        assert_eq!(push.0.wait().unwrap().code(), Some(0));
        let mut said = String::new();
        push.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("the peer says: this server is going down; try again later (531)"), "{said}");
        same(site.path(), &new);
        let beside = || place.read_dir().unwrap().count();
        assert!(until(|| beside() == 1), "the last answer was heard");
    }
}

#[test]
fn a_site_is_given_back_while_its_users_are_waited_for_and_when_they_have_gone() {
    for signal in SIGNALS {
        let mut scene = Scene::new();
        let (_stream, mut client) = scene.connect();
        client.single_user(0, 500, &mut |_| ()).unwrap();
        assert_eq!(scene.serving.end(signal).code(), Some(0));
        assert_eq!((scene.limit().as_str(), scene.records()), ("25", 0));

        let mut scene = Scene::new();
        scene.citadel.state().users.insert(3, ("alice", true));
        let mut pull = program(&scene.state.with_file_name("other"));
        pull.args(["pull", "--retries", "0", "--wait", "2m", "--cutover"])
            .arg(format!("unix:{}", scene.socket.display()));
        pull.arg("--site").arg(scene.state.with_file_name("new")).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut pull = EndedAtLast(pull.spawn().unwrap());
        scene.wait_for_limit("1");
        assert_eq!(scene.serving.end(signal).code(), Some(0));
        assert_eq!((scene.limit().as_str(), scene.records()), ("25", 0));
        assert!(scene.citadel.is_on(3), "nobody was cut off");
        assert_eq!(pull.0.wait().unwrap().code(), Some(6));
        let mut said = String::new();
        pull.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("takes logins again") && said.contains("this server is going down"), "{said}");
    }
}
