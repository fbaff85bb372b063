//! A socket that many come to at once, and a server that is told to end while they are there.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ctdl_dump::wire::{Code, Receiver, Scope, WireError};
use rustix::process::Signal;

use super::server::{LIMIT, Serving, archive, client, limited, program};
use crate::support::unpack_site;

/// An archive that is served at a socket with these options.
struct Scene {
    serving: Serving,
    socket: PathBuf,
    work: PathBuf,
}

impl Scene {
    fn new(options: &[&str]) -> Scene {
        Scene::with(options, |_| ())
    }

    fn with(options: &[&str], change: impl FnOnce(&mut Command)) -> Scene {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().to_owned();
        let (archive, socket) = (archive(&path, "small"), path.join("wire.socket"));
        let mut arguments = vec!["--socket", socket.to_str().unwrap(), archive.to_str().unwrap()];
        arguments.extend(options);
        let serving = Serving::start_with(work, &arguments, change);
        serving.logged("listening at unix:");
        Scene { serving, socket, work: path }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    fn assert_pulls(&self) {
        let (peer, pulled) = (format!("unix:{}", self.socket.display()), self.work.join("pulled.ctz"));
        let mut pull = program(&self.work.join("other"));
        let output = pull.args(["pull", &peer, "--force", "-o"]).arg(&pulled).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::metadata(&pulled).unwrap().len() > 0);
    }
}

fn first_line(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

#[test]
fn a_hundred_silent_slow_or_babbling_connections_do_not_keep_the_good_one_out() {
    let scene = Scene::new(&["--peers", "1"]);
    let silent: Vec<UnixStream> = (0..60).map(|_| scene.connect()).collect();
    let slow: Vec<UnixStream> = (0..30).map(|_| scene.connect()).collect();
    slow.iter().for_each(|mut stream| stream.write_all(b"SYNC all|in").unwrap());
    // Before anybody is inside: whoever comes while the place is taken is rightly told so.
    for stream in silent.iter().chain(&slow) {
        assert!(first_line(stream).starts_with("200 "));
    }
    let babbling: Vec<_> = (0..10)
        .map(|_| {
            let mut stream = scene.connect();
            // Until it is left.
            std::thread::spawn(move || while stream.write_all(b"la la la\n").is_ok() {})
        })
        .collect();
    for _ in 0..3 {
        scene.assert_pulls();
    }
    babbling.into_iter().for_each(|babbler| babbler.join().unwrap());
}

#[test]
fn no_more_peers_than_are_allowed_are_answered_at_once() {
    let scene = Scene::new(&["--peers", "2"]);
    let streams = [scene.connect(), scene.connect()];
    let mut clients = streams.map(|stream| client(stream.try_clone().unwrap(), stream));
    assert_eq!(first_line(&scene.connect()), "551 there are 2 peers already; try again later\n");
    clients.iter_mut().for_each(|client| client.noop().unwrap());
    let [first, _second] = clients;
    first.quit().unwrap();
    // The place is free when the server has seen that it has gone.
    let begun = Instant::now();
    while first_line(&scene.connect()).starts_with("551 ") {
        assert!(begun.elapsed() < LIMIT);
    }
    scene.assert_pulls();
}

#[test]
fn whoever_comes_when_files_have_run_out_is_not_forgotten() {
    let scene = Scene::with(&[], |command| limited(command, "-n 24"));
    let many: Vec<UnixStream> = (0..60).map(|_| scene.connect()).collect();
    scene.serving.logged("nobody can come in for now: ");
    let last = scene.connect();
    drop(many);
    let mut answer = first_line(&last);
    // Whoever comes while the others have not gone yet is told so, and comes again.
    let begun = Instant::now();
    while answer.starts_with("551 there are too many open files") && begun.elapsed() < LIMIT {
        answer = first_line(&scene.connect());
    }
    assert!(answer.starts_with("200 "), "{answer:?}");
    scene.assert_pulls();
}

#[test]
fn a_server_that_is_told_to_end_says_so_to_peers_that_wait_and_in_the_middle_of_an_answer() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    fs::write(site.path().join("files/large.dat"), vec![7; 8 << 20]).unwrap();
    let socket = work.path().join("wire.socket");
    let arguments = ["--socket".as_ref(), socket.as_os_str(), site.path().as_os_str()];
    let mut serving = Serving::start(work, &arguments.map(|argument| argument.to_str().unwrap()));
    serving.logged("listening at unix:");
    let connect = |socket: &Path| {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    };
    let (waiting, reading) = (connect(&socket), connect(&socket));
    let _client = client(waiting.try_clone().unwrap(), waiting.try_clone().unwrap());
    let mut client = client(reading.try_clone().unwrap(), reading);
    client.get_all(Scope::All, None).unwrap();
    // Nobody takes the answer, which doesn't fit into a socket.
    let ended = std::thread::spawn(move || serving.end(Signal::TERM));
    let mut rest = String::new();
    { &waiting }.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "531 this server is going down; try again later\n");
    let (mut receiver, mut segment) = (Receiver::all(Scope::All), Vec::new());
    let mut take_all = || {
        while receiver.next(client.input())?.is_some() {
            while receiver.segment(client.input(), &mut segment)? {}
        }
        Ok(())
    };
    let error = take_all().expect_err("the answer came to its end");
    assert!(matches!(error, WireError::Refused { code: Code::GOING_DOWN, .. }), "{error}");
    assert_eq!(ended.join().unwrap().code(), Some(0));
}
