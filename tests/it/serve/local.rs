//! Peers of this machine: over pipes, and over a socket.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use ctdl_dump::archive::RandomReader;
use rustix::process::Signal;

use super::server::{LIMIT, Serving, archive, client};

#[test]
fn an_archive_is_served_over_standard_input_and_output() {
    let work = tempfile::tempdir().unwrap();
    let path = archive(work.path(), "small");
    let mut server = Serving::start(work, &["--stdio", path.to_str().unwrap()]);
    let (input, output) = server.pipes();
    let mut client = client(input, output);
    let info = client.info().unwrap();
    let expected = RandomReader::open(fs::File::open(&path).unwrap()).unwrap();
    assert_eq!(info.total.digest, expected.root().site_digest);
    client.quit().unwrap();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    server.logged("SYNC all|info: 600");
}

#[test]
fn a_socket_is_for_its_owner_and_goes_with_the_server() {
    let work = tempfile::tempdir().unwrap();
    let (path, socket) = (archive(work.path(), "small"), work.path().join("wire.socket"));
    let mut server = Serving::start(work, &["--socket", socket.to_str().unwrap(), path.to_str().unwrap()]);
    server.logged("listening at unix:");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let streams: Vec<UnixStream> = (0..3).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let mut clients: Vec<_> = streams.iter().map(|stream| client(stream, stream)).collect();
    let totals: Vec<_> = clients.iter_mut().map(|client| client.info().unwrap().total).collect();
    assert!(totals.iter().all(|total| *total == totals[0]));
    assert_eq!(server.end(Signal::TERM).code(), Some(0));
    assert!(!socket.exists());
    assert!(clients[0].info().is_err());
}

#[test]
fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let work = tempfile::tempdir().unwrap();
    let (path, socket) = (archive(work.path(), "small"), work.path().join("wire.socket"));
    drop(UnixListener::bind(&socket).unwrap());
    let arguments = ["--socket", socket.to_str().unwrap(), path.to_str().unwrap()];
    let first = Serving::start(work, &arguments);
    first.logged("listening at unix:");
    let mut second = Serving::start(tempfile::tempdir().unwrap(), &arguments);
    second.logged("somebody listens at");
    assert_eq!(second.child.wait().unwrap().code(), Some(1));
    let stream = UnixStream::connect(&socket).unwrap();
    client(&stream, &stream);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let work = tempfile::tempdir().unwrap();
    let (path, file) = (archive(work.path(), "small"), work.path().join("precious"));
    fs::write(&file, "text").unwrap();
    let mut server = Serving::start(work, &["--socket", file.to_str().unwrap(), path.to_str().unwrap()]);
    server.logged("is there and is no socket");
    assert_eq!(server.child.wait().unwrap().code(), Some(1));
    assert_eq!(fs::read_to_string(&file).unwrap(), "text");
}

#[test]
fn a_peer_that_says_nothing_or_nonsense_disturbs_nobody() {
    let work = tempfile::tempdir().unwrap();
    let (path, socket) = (archive(work.path(), "small"), work.path().join("wire.socket"));
    let server = Serving::start(work, &["--socket", socket.to_str().unwrap(), path.to_str().unwrap()]);
    server.logged("listening at unix:");
    let silent: Vec<UnixStream> = (0..30).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 5000], b"SYNC all|since|groups|99999999999\n", b"SYNC"] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        // The server may have closed it before all is written.
        let _ = stream.write_all(nonsense).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.starts_with(b"200 ctdl-dump wire 1|"), "{}", String::from_utf8_lossy(&answer));
    }
    let stream = UnixStream::connect(&socket).unwrap();
    client(&stream, &stream).info().unwrap();
    for stream in silent {
        let mut greeting = String::new();
        BufReader::new(stream).read_line(&mut greeting).unwrap();
        assert!(greeting.starts_with("200 "), "{greeting}");
    }
}
