//! Peers from other machines: by TLS, with a token and a certificate that is known.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, Signal, kill_process};

use super::server::{LIMIT, Serving, archive, program};
use crate::live::place::until;
use crate::processes::EndedAtLast;

/// An archive that is served at a port of this machine.
struct Scene {
    serving: Serving,
    work: PathBuf,
    address: String,
    fingerprint: String,
}

impl Scene {
    fn new() -> Self {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().to_owned();
        let (site, token) = (archive(&path, "small"), path.join("token"));
        let made = program(&path.join("state")).args(["serve", "--make-token"]).arg(&token).output().unwrap();
        assert!(made.status.success(), "{}", said(&made));
        assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
        let (site, token) = (site.to_str().unwrap(), token.to_str().unwrap());
        let serving = Serving::start(work, &["--listen", "127.0.0.1:0", "--token-file", token, site]);
        let line = serving.logged("listening at tls://");
        let (address, fingerprint) = line.rsplit_once("; certificate ").unwrap();
        let address = address.rsplit_once(' ').unwrap().1.to_owned();
        Scene { fingerprint: fingerprint.to_owned(), address, work: path, serving }
    }

    /// Pulls with these arguments; the state directory is that of another machine.
    fn pull(&self, token: &Path, arguments: &[&str]) -> Output {
        let mut pull = program(&self.work.join("other"));
        pull.args(["pull", &self.address, "--force", "-o"]).arg(self.pulled()).arg("--token-file").arg(token);
        pull.args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn pulled(&self) -> PathBuf {
        self.work.join("pulled.ctz")
    }

    fn token(&self) -> PathBuf {
        self.work.join("token")
    }

    fn assert_refused(&self, output: &Output, why: &str) {
        assert_eq!(output.status.code(), Some(6), "{}", said(output));
        assert!(said(output).contains(why), "{}", said(output));
        assert!(!self.pulled().exists());
    }

    fn assert_pulls(&self, arguments: &[&str]) {
        let output = self.pull(&self.token(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let compared = program(&self.work.join("other"));
        let compared = { compared }.arg("diff").arg(self.work.join("site.ctz")).arg(self.pulled()).output().unwrap();
        assert_eq!(compared.status.code(), Some(0), "{}", said(&compared));
    }

    fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address.strip_prefix("tls://").unwrap()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_that_was_accepted_once_is_known_and_an_unknown_one_is_asked_about() {
    let mut scene = Scene::new();
    let unknown = scene.pull(&scene.token(), &[]);
    scene.assert_refused(&unknown, &format!("say --fingerprint {}", scene.fingerprint));
    scene.assert_pulls(&["--fingerprint", &scene.fingerprint]);
    scene.assert_pulls(&["--accept-new"]);
    scene.assert_pulls(&[]);
    scene.serving.logged("logged in");
    assert_eq!(scene.serving.end(Signal::TERM).code(), Some(0));
}

#[test]
fn a_certificate_that_is_not_the_expected_one_ends_it_before_anything_is_said() {
    let scene = Scene::new();
    let other = format!("sha256:{}", "00".repeat(32));
    let refused = scene.pull(&scene.token(), &["--fingerprint", &other]);
    scene.assert_refused(&refused, &format!("expected {other}, found {}", scene.fingerprint));
    let known = scene.work.join("other/known-peers");
    fs::create_dir_all(known.parent().unwrap()).unwrap();
    fs::write(&known, format!("{} {other}\n", scene.address.strip_prefix("tls://").unwrap())).unwrap();
    let refused = scene.pull(&scene.token(), &["--accept-new"]);
    scene.assert_refused(&refused, "has changed since it was seen first");
}

#[test]
fn a_wrong_token_is_refused_and_whoever_guesses_on_is_not_listened_to() {
    let scene = Scene::new();
    let wrong = scene.work.join("wrong");
    fs::write(&wrong, "x".repeat(32)).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["--fingerprint", &scene.fingerprint, "--retries", "0"];
    for _ in 0..6 {
        let refused = scene.pull(&wrong, &arguments);
        assert_eq!(refused.status.code(), Some(6), "{}", said(&refused));
        assert!(!said(&refused).contains("Lobby") && !scene.pulled().exists());
    }
    scene.serving.logged("gave a wrong token");
    scene.serving.logged("too many wrong tokens from your address");
}

#[test]
fn a_token_that_others_may_read_or_guess_is_none() {
    let work = tempfile::tempdir().unwrap();
    let (path, token) = (archive(work.path(), "small"), work.path().join("token"));
    for (text, mode, why) in [("x".repeat(64), 0o644, "may be read by others"), ("x".repeat(31), 0o600, "less than 32")]
    {
        fs::write(&token, text).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
        let mut serve = program(&work.path().join("state"));
        serve.args(["serve", "--listen", "127.0.0.1:0", "--token-file"]).arg(&token).arg(&path);
        let output = serve.output().unwrap();
        assert!(!output.status.success() && said(&output).contains(why), "{}", said(&output));
    }
}

#[test]
fn a_hundred_silent_or_babbling_connections_do_not_keep_the_good_one_out() {
    let scene = Scene::new();
    let silent: Vec<TcpStream> = (0..60).map(|_| scene.send(b"")).collect();
    let slow: Vec<TcpStream> = (0..40).map(|_| scene.send(&[0x16, 3])).collect();
    for text in [&b"IDEN 1||me\n"[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 10_000]] {
        let mut stream = scene.send(text);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        // Closing before all was read is a reset.
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("ctdl-dump"), "plain text on a port of TLS");
    }
    scene.assert_pulls(&["--fingerprint", &scene.fingerprint]);
    drop((silent, slow));
}

#[test]
fn a_machine_that_does_not_answer_is_not_waited_for_after_ctrl_c() {
    // A queue of one that is full: whoever comes gets no answer.
    let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let _first = TcpStream::connect(address).unwrap();
    let work = tempfile::tempdir().unwrap();
    let mut pull = program(&work.path().join("state"));
    pull.args(["pull", &format!("tls://{address}"), "-o"]).arg(work.path().join("a.ctz"));
    let mut pull = EndedAtLast(pull.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    // Of a connection that was not answered yet the system says 02.
    let waits = format!(":{:04X} 02 ", address.port());
    assert!(until(|| fs::read_to_string("/proc/net/tcp").unwrap().contains(&waits)));
    kill_process(Pid::from_child(&pull.0), Signal::INT).unwrap();
    let (begun, code) = (Instant::now(), pull.0.wait().unwrap().code());
    assert_eq!(code, Some(130));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let mut said = String::new();
    pull.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("interrupted") && !said.contains("firewall"), "{said}");
}
