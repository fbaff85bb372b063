//! Plays the server's side of conversations in `fixtures/wire/`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;

use crate::support::project;

/// Serves connections at `socket` one beside the other, each by the next of these conversations.
pub fn serve(socket: &Path, names: &[&str]) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(socket).unwrap();
    let read = |name: &&str| std::fs::read_to_string(project("fixtures/wire").join(format!("{name}.txt"))).expect(name);
    let texts: Vec<String> = names.iter().map(read).collect();
    std::thread::spawn(move || {
        let plays: Vec<_> = texts
            .into_iter()
            .map(|text| {
                let stream = listener.accept().unwrap().0;
                std::thread::spawn(move || play(&text, stream))
            })
            .collect();
        plays.into_iter().flat_map(|play| play.join().unwrap()).collect()
    })
}

/// What went otherwise than written.
fn play(text: &str, mut stream: UnixStream) -> Vec<String> {
    let mut client = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("S: ") {
            // A client that has heard enough may have gone.
            let _ = stream.write_all(format!("{said}\n").as_bytes());
        } else if let Some(wanted) = line.strip_prefix("C: ") {
            match client.next() {
                Some(Ok(said)) if said == wanted => {}
                other => return vec![format!("{other:?} instead of {wanted:?}")],
            }
        } else if line == "-- close" {
            return Vec::new();
        } else {
            assert!(line.starts_with('#'), "{line:?} is no line of a conversation");
        }
    }
    client.map_while(Result::ok).map(|said| format!("{said:?} at the end")).collect()
}
