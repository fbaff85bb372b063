//! A server that goes away in the middle of a pull, and comes back.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use super::export;
use crate::processes::EndedAtLast;
use crate::support::{program, unpack_site};

/// Serves an archive over this connection, and cuts it when so much was said.
fn answer(stream: &UnixStream, archive: &Path, most_bytes: u64) {
    let mut server = program();
    server.args(["serve", "--stdio"]).arg(archive).stdin(OwnedFd::from(stream.try_clone().unwrap()));
    let mut server = EndedAtLast(server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut said = server.0.stdout.take().unwrap().take(most_bytes);
    // A client that has all that it wants doesn't wait for the last words.
    let _ = io::copy(&mut said, &mut &*stream);
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_socket_at_which_nobody_listens_for_a_while_is_tried_again() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (archive, pulled, socket) = (work.path().join("a.ctz"), work.path().join("b.ctz"), work.path().join("wire"));
    export(site.path(), &archive);
    let listener = UnixListener::bind(&socket).unwrap();
    let mut pull = program();
    pull.arg("pull").arg(format!("unix:{}", socket.display())).arg("-o").arg(&pulled);
    let mut pull = EndedAtLast(pull.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let (stream, _) = listener.accept().unwrap();
    // The socket stays, as that of a killed server does.
    drop(listener);
    answer(&stream, &archive, 7_000_000);
    let mut lines = BufReader::new(pull.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let refused = lines.find(|line| line.contains("attempt 2 of ")).expect("a second attempt");
    assert!(refused.contains("refused"), "{refused}");
    std::fs::remove_file(&socket).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    answer(&listener.accept().unwrap().0, &archive, u64::MAX);
    let rest: Vec<String> = lines.collect();
    assert!(pull.0.wait().unwrap().success(), "{rest:#?}");
    assert!(std::fs::read(&archive).unwrap() == std::fs::read(&pulled).unwrap());
}
