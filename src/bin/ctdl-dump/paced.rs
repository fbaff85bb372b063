//! Streams to a peer: waiting ends when nothing moves for too long (`format-spec/wire.md`, section 12), and when a signal comes.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ctdl_dump::transfer::Presence;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::interrupt::Interrupt;

/// So much goes into a pipe that can be written to without waiting (PIPE_BUF of pipe(7)).
const PIPE_BYTES: usize = 4096;
/// How long nothing may move in the middle of something.
pub const MOST_SILENCE: Duration = Duration::from_secs(120);
/// How long a server may still say something when it was told to end.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(2);

/// How long both halves of a connection wait.
pub struct Pace {
    interrupt: Arc<Interrupt>,
    /// How long to wait for the first byte of all.
    first: Duration,
    /// How long to wait for an answer, which is whatever is read after something was written.
    answer: Duration,
    /// Whether what is said goes out after a signal, too, for a moment.
    has_last_words: bool,
    state: Mutex<State>,
    /// Where the peer's words come from, if its end can be seen.
    watched: OnceLock<OwnedFd>,
}

struct State {
    /// When it is over, whatever moves.
    deadline: Option<Instant>,
    /// When nothing more can be said, once a signal has come.
    last_words: Option<Instant>,
    has_read: bool,
    has_written: bool,
    moved: Instant,
}

impl Pace {
    /// Waits so long for the first byte, and so long for each answer.
    pub fn new(interrupt: &Arc<Interrupt>, first: Duration, answer: Duration) -> Arc<Self> {
        Self::with(interrupt, first, answer, false)
    }

    /// The pace of a server, which waits so long for each command. When a signal comes it can be told nothing more, but can say that it goes down.
    pub fn of_server(interrupt: &Arc<Interrupt>, first: Duration, command: Duration) -> Arc<Self> {
        Self::with(interrupt, first, command, true)
    }

    fn with(interrupt: &Arc<Interrupt>, first: Duration, answer: Duration, has_last_words: bool) -> Arc<Self> {
        let state =
            State { deadline: None, last_words: None, has_read: false, has_written: false, moved: Instant::now() };
        Arc::new(Pace {
            interrupt: Arc::clone(interrupt),
            first,
            answer,
            has_last_words,
            state: Mutex::new(state),
            watched: OnceLock::new(),
        })
    }

    /// From now on all must be over at that moment, or nothing is.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.state().deadline = deadline;
    }

    /// Sees from now on when this stream ends, while nobody reads it.
    pub fn watch(&self, stream: &impl AsFd) {
        // Where files have run out, the end is seen when something is read or written.
        if let Ok(stream) = stream.as_fd().try_clone_to_owned() {
            let _ = self.watched.set(stream);
        }
    }

    fn wait(&self, file: &impl AsFd, wanted: PollFlags) -> io::Result<()> {
        let limit = {
            let state = self.state();
            let limit = match wanted {
                PollFlags::IN if !state.has_read => self.first,
                PollFlags::IN if state.has_written => self.answer,
                _ => MOST_SILENCE,
            };
            let left = state.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            left.map_or(limit, |left| left.min(limit))
        };
        let waited = self.interrupt.wait_for_within(file, wanted, Some(limit));
        if waited.is_err() && self.has_last_words && wanted == PollFlags::OUT && self.interrupt.is_set() {
            let until = *self.state().last_words.get_or_insert_with(|| Instant::now() + LAST_WORDS_WITHIN);
            let left = until.saturating_duration_since(Instant::now());
            return if left.is_zero() { waited } else { self.interrupt.wait_unheeding(file, wanted, left) };
        }
        waited
    }

    fn moves(&self, is_read: bool) {
        let mut state = self.state();
        state.has_read |= is_read;
        state.has_written = !is_read;
        state.moved = Instant::now();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence for Pace {
    fn moved(&self) -> Instant {
        self.state().moved
    }

    fn has_gone(&self) -> bool {
        let Some(watched) = self.watched.get() else { return false };
        let ends = PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR;
        let mut files = [PollFd::new(watched, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut files, Some(&now)).is_ok() && files[0].revents().intersects(ends)
    }
}

/// A pipe or socket. Both halves of a connection share one pace.
pub struct Paced<F> {
    file: F,
    pace: Arc<Pace>,
}

impl<F> Paced<F> {
    /// A stream that is read or written at this pace.
    pub fn new(file: F, pace: &Arc<Pace>) -> Self {
        Paced { file, pace: Arc::clone(pace) }
    }

    /// The stream as it is.
    pub fn get(&self) -> &F {
        &self.file
    }
}

impl<F: AsFd + Read> Read for Paced<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pace.wait(&self.file, PollFlags::IN)?;
        let count = self.file.read(buffer)?;
        self.pace.moves(true);
        Ok(count)
    }
}

impl<F: AsFd + Write> Write for Paced<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pace.wait(&self.file, PollFlags::OUT)?;
        let count = self.file.write(&bytes[..bytes.len().min(PIPE_BYTES)])?;
        self.pace.moves(false);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
