//! How often a pull waits for an answer: on a link with a delay each wait costs the delay, so it must be few, and the same for few records and for many.

use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex};

use ctdl_dump::archive::Options;
use ctdl_dump::monitor::Silent;
use ctdl_dump::transfer::pull::{Comparison, Merged};
use ctdl_dump::transfer::{ArchiveView, Discard, ServedArchive, copy};
use ctdl_dump::wire::{Ahead, Client, Connector, Login, Receiver, Scope, Steady, WireError};

use super::{login, server, view};
use crate::archive::records::{Record, body, many};
use crate::archive::write;

/// A link on which nothing that the client sends arrives before it waits with nothing left to read: a delay that is as long as can be.
#[derive(Default)]
struct Link {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Sent by the client, and not on its way yet.
    sent: Vec<u8>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    server_waits: bool,
    has_ended: bool,
    turns: u32,
}

struct ClientHalf(Arc<Link>);
struct ServerHalf(Arc<Link>);

/// Takes what fits from the front of what has arrived.
fn take(arrived: &mut Vec<u8>, buffer: &mut [u8]) -> usize {
    let count = arrived.len().min(buffer.len());
    buffer[..count].copy_from_slice(&arrived[..count]);
    arrived.drain(..count);
    count
}

impl Read for ClientHalf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock().unwrap();
        // What a server says before it waits again is one answer.
        let rests = |state: &State| state.has_ended || (state.server_waits && state.to_server.is_empty());
        state = self.0.changed.wait_while(state, |state| !rests(state)).unwrap();
        if state.to_client.is_empty() && !state.sent.is_empty() {
            state.turns += 1;
            state.to_server = std::mem::take(&mut state.sent);
            state.server_waits = false;
            self.0.changed.notify_all();
            state = self.0.changed.wait_while(state, |state| !rests(state)).unwrap();
        }
        Ok(take(&mut state.to_client, buffer))
    }
}

impl Write for ClientHalf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.state.lock().unwrap().sent.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ClientHalf {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().has_ended = true;
        self.0.changed.notify_all();
    }
}

impl Read for ServerHalf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock().unwrap();
        if state.to_server.is_empty() {
            state.server_waits = true;
            self.0.changed.notify_all();
            state = self.0.changed.wait_while(state, |state| state.to_server.is_empty() && !state.has_ended).unwrap();
            state.server_waits = false;
        }
        Ok(take(&mut state.to_server, buffer))
    }
}

impl Write for ServerHalf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.state.lock().unwrap().to_client.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Connections over such a link, to a server that wants a token and packs.
struct Slow<'a> {
    view: &'a Arc<ArchiveView>,
    link: Arc<Link>,
}

impl Connector for Slow<'_> {
    type Input = ClientHalf;
    type Output = ClientHalf;

    fn connect(&mut self) -> Result<Client<ClientHalf, ClientHalf>, WireError> {
        let (link, view) = (Arc::clone(&self.link), Arc::clone(self.view));
        let server = ctdl_dump::wire::Server { token: Some("open sesame".to_owned()), ..server() };
        std::thread::spawn(move || {
            let (input, output) = (ServerHalf(Arc::clone(&link)), ServerHalf(Arc::clone(&link)));
            // How it ended shows in what the client got.
            let _ = server.serve(&mut ServedArchive::new(view), input, output, &mut |_| (), &Silent);
            link.state.lock().unwrap().has_ended = true;
            link.changed.notify_all();
        });
        let (input, output) = (ClientHalf(Arc::clone(&self.link)), ClientHalf(Arc::clone(&self.link)));
        Client::begin(input, output, &Login { token: Some("open sesame"), level: Some(1), ..login() })
    }

    fn tries_again(&mut self, _error: &WireError, _progressed: bool) -> bool {
        false
    }
}

/// How often the pull of `new` waits by somebody who has `old`, if anything.
fn turns(old: Option<&[Record]>, new: &[Record]) -> u32 {
    let old = old.map(|old| view(&write(old, Options { level: 1, threads: 2 }).0));
    let new = view(&write(new, Options { level: 1, threads: 2 }).0);
    let link = Arc::new(Link::default());
    let mut steady = Steady::new(Slow { view: &new, link: Arc::clone(&link) }, None);
    let summary = match &old {
        None => {
            let info = steady.info(Some(Ahead::All)).unwrap();
            copy(&mut steady.records(Scope::All, Receiver::all(Scope::All), info.site), &mut Discard, &Silent).unwrap()
        }
        Some(old) => {
            let held = [old.archive()];
            let comparison = Comparison::with(&held).unwrap();
            let info = steady.info(comparison.question()).unwrap();
            let plan = comparison.plan(&mut steady, &std::env::temp_dir()).unwrap();
            copy(&mut Merged::new(&mut steady, &held, plan, info), &mut Discard, &Silent).unwrap()
        }
    };
    assert_eq!(summary.site_digest, new.archive().root().site_digest);
    steady.leave();
    link.state.lock().unwrap().turns
}

#[test]
fn a_first_pull_waits_once_however_many_records_there_are() {
    assert_eq!(turns(None, &[Record::config("a", b"1")]), 1);
    assert_eq!(turns(None, &many()), 1);
}

#[test]
fn a_second_pull_waits_once_if_nothing_has_changed() {
    let few: Vec<Record> = (1..900).map(|number| Record::message(number, body(500, number as u64))).collect();
    assert_eq!(turns(Some(&few), &few), 1);
    assert_eq!(turns(Some(&many()), &many()), 1);
}

#[test]
fn a_second_pull_waits_once_more_for_each_level_that_is_compared_and_for_the_records() {
    let changed = |mut records: Vec<Record>, number: usize| {
        records[number] = Record::message(number as i64 + 1, b"changed".to_vec());
        records
    };
    let few: Vec<Record> = (1..900).map(|number| Record::message(number, body(500, number as u64))).collect();
    assert_eq!(turns(Some(&few), &changed(few.clone(), 500)), 2);
    let most = turns(Some(&many()), &changed(many(), 17_000));
    assert!(most <= 3, "{most} waits");
}
