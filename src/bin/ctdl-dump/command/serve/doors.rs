//! Who may come in, and how many at once, whatever the door is.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{Builder, scope};
use std::time::Duration;

use ctdl_dump::monitor::Monitor as _;
use rustix::event::PollFlags;

use crate::command::Context;

/// The most connections at once that have not shown yet that they may come in. Each is a thread that waits.
const MOST_WAITING: usize = 256;
/// How long it takes until somebody is listened for again when nobody could be let in, because files or memory have run out; each further time it
/// is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The doors of a server.
pub struct Doors {
    most: usize,
    waiting: AtomicUsize,
    inside: AtomicUsize,
}

/// How peers come to a door.
pub trait Door: AsFd + Sync {
    /// A peer that has come.
    type Peer: Send;

    /// The next peer, if somebody has come.
    fn accept(&self) -> io::Result<Self::Peer>;

    /// Talks to a peer until it has gone.
    fn receive(&self, peer: Self::Peer, entry: Entry);

    /// Sends a peer away, and tells it why where that can be done without waiting.
    fn turn_away(&self, peer: Self::Peer, why: &str);
}

impl Doors {
    /// For so many peers inside at once.
    pub fn new(most: usize) -> Self {
        Doors { most, waiting: AtomicUsize::new(0), inside: AtomicUsize::new(0) }
    }

    /// Why nobody can come in at present, in words, if so.
    pub fn refusal(&self) -> Option<String> {
        let is_full = self.inside.load(Ordering::Relaxed) >= self.most;
        is_full.then(|| format!("there are {} peers already; try again later", self.most))
    }

    /// Receives whoever comes, each in a thread of its own, until a signal comes.
    pub fn stand_open(&self, door: &impl Door, context: &Context) {
        let mut pause = FIRST_PAUSE;
        scope(|scope| {
            while context.interrupt.wait_for(door, PollFlags::IN).is_ok() {
                let peer = match door.accept() {
                    Ok(peer) => peer,
                    // He has gone already.
                    Err(error) if is_of_this_one(&error) => continue,
                    Err(error) => {
                        if pause == FIRST_PAUSE {
                            context.screen.warning(&format!("nobody can come in for now: {error}"));
                        }
                        context.interrupt.pause(pause);
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        continue;
                    }
                };
                pause = FIRST_PAUSE;
                let Some(waiting) = Place::take(&self.waiting, MOST_WAITING) else {
                    door.turn_away(peer, "too many others are at the door; try again later");
                    continue;
                };
                // He is handed over to the thread, because one that can't be started would take him along.
                let (give, take) = mpsc::sync_channel(1);
                let received = Builder::new().name("peer".into()).spawn_scoped(scope, move || {
                    if let Ok(peer) = take.recv() {
                        door.receive(peer, Entry { doors: self, waiting: Some(waiting), inside: None });
                    }
                });
                match received {
                    // Whoever takes him waits for him.
                    Ok(_) => drop(give.send(peer)),
                    Err(error) => {
                        context.screen.warning(&format!("a peer can't be answered: {error}"));
                        door.turn_away(peer, "nobody is free to answer you; try again later");
                    }
                }
            }
        });
    }
}

/// Whether only this peer can't come in.
fn is_of_this_one(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

/// A peer at the door: it waits there until it may come in, and has its place inside until this is dropped.
pub struct Entry<'d> {
    doors: &'d Doors,
    waiting: Option<Place<'d>>,
    inside: Option<Place<'d>>,
}

impl Entry<'_> {
    /// Lets it in; `false` if others have taken the last place meanwhile.
    pub fn let_in(&mut self) -> bool {
        self.inside = self.inside.take().or_else(|| Place::take(&self.doors.inside, self.doors.most));
        self.waiting = None;
        self.inside.is_some()
    }
}

/// One of a number of places; free again when it is dropped.
struct Place<'c>(&'c AtomicUsize);

impl<'c> Place<'c> {
    fn take(count: &'c AtomicUsize, most: usize) -> Option<Self> {
        let more = |count| Some(count + 1).filter(|count| *count <= most);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Place(count))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
