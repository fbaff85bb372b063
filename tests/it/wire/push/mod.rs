//! `push`: a client gives records to a server that keeps what has come when it was cut.

mod cut;
mod faults;
mod hostile;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use ctdl_dump::archive::{Options, Reader};
use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Failure, Source};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::SiteInfo;
use ctdl_dump::transfer::{ArchiveView, Intake, Pushed, push};
use ctdl_dump::wire::{
    Abilities, Client, Code, Connector, Login, Pulse, Reception, Refusal, Served, SnapshotId, View, WireError,
};

use super::{LIMIT, login, server};
use crate::archive::records::{Record, attachment, body, packed, site};
use crate::archive::{read, verify};

/// What a server has been given: the beginnings of what was cut, and what it has put in place.
#[derive(Default)]
pub struct Shelf {
    /// What is kept for this push, and no other.
    pub begun: Option<(SnapshotId, Vec<u8>)>,
    /// What was put in place, one after the other.
    pub placed: Vec<Vec<u8>>,
    /// The push that was put in place last, until its client has heard of it.
    untold: Option<(SnapshotId, Digest)>,
    /// Fails with these words when so many records have come.
    pub is_full_after: Option<(u64, &'static str)>,
    /// What it says that it has put in place is another site.
    pub is_mistaken: bool,
}

pub type SharedShelf = Arc<Mutex<Shelf>>;

/// A server that is given records, over one connection.
pub struct Taker {
    shelf: SharedShelf,
    open: Option<(SnapshotId, Intake<Vec<u8>>)>,
    is_untold: bool,
}

impl Taker {
    pub fn new(shelf: &SharedShelf) -> Taker {
        Taker { shelf: Arc::clone(shelf), open: None, is_untold: false }
    }
}

/// Records that no more can be taken of.
struct Full<'a> {
    source: &'a mut dyn Source,
    left: u64,
    words: &'static str,
}

impl Served for Taker {
    fn abilities(&self) -> Abilities {
        Abilities { receive: true, ..Abilities::default() }
    }

    fn snapshot(&mut self, _id: Option<&SnapshotId>, _pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        Err(Refusal::new(Code::NOT_HERE, "this server takes a site and gives none"))
    }

    fn receive(&mut self, id: SnapshotId, site: &SiteInfo, pulse: Pulse) -> Result<Reception, Refusal> {
        let mut shelf = self.shelf.lock().unwrap();
        if let Some((_, digest)) = shelf.untold.filter(|(untold, _)| *untold == id) {
            self.is_untold = true;
            return Ok(Reception::InPlace(digest));
        }
        if !shelf.placed.is_empty() {
            return Err(Refusal::new(Code::EXISTS, "there is a site already"));
        }
        let before = shelf.begun.as_ref().filter(|(begun, _)| *begun == id).map(|(_, bytes)| bytes.clone());
        let before = before.and_then(|bytes| Reader::new(std::io::Cursor::new(bytes), 0).ok());
        let (intake, receiver) = Intake::begin(Vec::new(), Options { level: 1, threads: 0 }, site, before, pulse)?;
        if shelf.begun.as_ref().is_some_and(|(begun, _)| *begun != id) {
            shelf.begun = None;
        }
        self.open = Some((id, intake));
        Ok(Reception::Open(Box::new(receiver)))
    }

    fn take(&mut self, source: &mut dyn Source, pulse: Pulse) -> Result<Digest, Refusal> {
        let (id, mut intake) = self.open.take().expect("something was offered");
        let full = self.shelf.lock().unwrap().is_full_after;
        let taken = match full {
            None => intake.take(source, &Silent),
            Some((left, words)) => intake.take(&mut Full { source, left, words }, &Silent),
        };
        let came = intake.into_output();
        let mut shelf = self.shelf.lock().unwrap();
        if let Err(failure) = taken {
            if matches!(failure.cause(), Some(WireError::Digest { .. } | WireError::Disagreement { .. })) {
                shelf.begun = None;
            } else if shelf.begun.as_ref().is_none_or(|(_, before)| before.len() < came.len()) {
                shelf.begun = Some((id, came));
            }
            return Err(failure.into());
        }
        pulse("putting it in place")?;
        let digest = if shelf.is_mistaken { [6; 32] } else { verify(came.as_slice(), 0).unwrap().site_digest };
        shelf.placed.push(came);
        (shelf.begun, shelf.untold, self.is_untold) = (None, Some((id, digest)), true);
        Ok(digest)
    }

    fn alive(&mut self) {
        if std::mem::take(&mut self.is_untold) {
            self.shelf.lock().unwrap().untold = None;
        }
    }
}

impl Source for Full<'_> {
    fn site(&self) -> &SiteInfo {
        self.source.site()
    }

    fn next(&mut self) -> Result<Option<ctdl_dump::record::Header>, Failure> {
        if self.left == 0 {
            return Err(Failure::new(ctdl_dump::endpoint::Class::Failed, self.words));
        }
        self.left -= 1;
        self.source.next()
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.source.segment(segment)
    }

    fn digest(&self) -> Digest {
        self.source.digest()
    }

    fn finish(&mut self) -> Result<ctdl_dump::record::End, Failure> {
        self.source.finish()
    }
}

/// Makes the two halves of a connection out of a socket, by its number: the first is 1.
pub trait Weaver {
    fn halves(&mut self, number: u32, stream: UnixStream) -> (Box<dyn Read>, Box<dyn Write>);
}

impl<F: FnMut(u32, UnixStream) -> (Box<dyn Read>, Box<dyn Write>)> Weaver for F {
    fn halves(&mut self, number: u32, stream: UnixStream) -> (Box<dyn Read>, Box<dyn Write>) {
        self(number, stream)
    }
}

/// Connections to a taker, one after the other: the next is made when the one before has been noticed to be gone.
pub struct Line<W> {
    shelf: SharedShelf,
    weaver: W,
    login: Login<'static>,
    most: u32,
    /// Connections up to this number may hang.
    pub may_hang: u32,
    pub connections: u32,
    talking: Option<JoinHandle<()>>,
}

impl<W: Weaver> Line<W> {
    /// At most so many connections are made, but for those after progress; with 0 there is only one.
    pub fn new(shelf: &SharedShelf, most: u32, weaver: W) -> Line<W> {
        Line { shelf: Arc::clone(shelf), weaver, login: login(), most, may_hang: 0, connections: 0, talking: None }
    }

    pub fn packed(self) -> Line<W> {
        Line { login: Login { level: Some(1), ..login() }, ..self }
    }

    pub fn push(&mut self, view: &ArchiveView) -> Result<Pushed, Failure> {
        let pushed = push(self, view, &Silent, &mut |_, _| ());
        self.wait();
        pushed
    }

    /// Waits until the server has ended the last connection.
    fn wait(&mut self) {
        if let Some(talking) = self.talking.take() {
            talking.join().expect("the server does not panic");
        }
    }
}

impl<W: Weaver> Connector for Line<W> {
    type Input = Box<dyn Read>;
    type Output = Box<dyn Write>;

    fn connect(&mut self) -> Result<Client<Self::Input, Self::Output>, WireError> {
        self.wait();
        self.connections += 1;
        let (ours, theirs) = UnixStream::pair().unwrap();
        for stream in [&ours, &theirs] {
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            stream.set_write_timeout(Some(LIMIT)).unwrap();
        }
        let mut taker = Taker::new(&self.shelf);
        self.talking = Some(std::thread::spawn(move || {
            let output = theirs.try_clone().unwrap();
            // How it ends is seen on the shelf.
            let _ = server().serve(&mut taker, theirs, output, &mut |_| (), &Silent);
        }));
        let (input, output) = self.weaver.halves(self.connections, ours);
        Client::connect(input, output, &self.login)
    }

    fn tries_again(&mut self, error: &WireError, progressed: bool) -> bool {
        let hangs = matches!(error, WireError::Silent) && self.connections > self.may_hang;
        assert!(!hangs, "nobody may wait for nothing");
        self.most > 0 && (progressed || self.connections < self.most)
    }
}

/// One of everything that goes over a wire differently.
pub fn records() -> Vec<Record> {
    let mut records = vec![Record::config("a", b"1"), Record::config("b", b"2"), Record::message(1, body(100, 1))];
    records.extend([
        Record::message(2, body(5_000, 2)),
        Record::message(3, body(65_536, 3)),
        Record::message(4, body(140_000, 4)),
        Record::message(5, Vec::new()),
        // The client has it folded.
        Record::message(6, attachment(&packed(90_000, 6), "\r\n")),
    ]);
    records
}

/// A few records whose conversation is short.
pub fn few() -> Vec<Record> {
    vec![Record::config("a", b"1"), Record::message(1, body(100, 1)), Record::message(2, body(4_100, 2))]
}

/// The records of the one site that was put in place, which is this one.
pub fn placed(shelf: &SharedShelf) -> Vec<Record> {
    let shelf = shelf.lock().unwrap();
    assert_eq!(shelf.placed.len(), 1, "sites that were put in place");
    let kept = read(shelf.placed[0].as_slice(), 0).unwrap();
    assert_eq!(kept.site, Some(site()));
    kept.records.into_iter().map(|(record, _)| record).collect()
}

/// The two halves of a connection on which nothing goes wrong.
pub fn plain(stream: UnixStream) -> (Box<dyn Read>, Box<dyn Write>) {
    (Box::new(stream.try_clone().unwrap()), Box::new(stream))
}
