//! The thread that keeps the guardian awake, and sees when it ends.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::ending::Ending;
use super::guard::{Guard, Heard};
use crate::live::lines::timespec;

/// How often the guardian hears that we live.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// A guardian that leaves so many of our words without an answer stands still. They are counted, and not the time, for which all of us may have stood still.
const UNANSWERED: u32 = 5;
/// So many may go by while it is at work and says so: a server that has gone is waited for.
const UNANSWERED_AT_WORK: u32 = 90;
/// What a guardian may be late when it should have ended by itself.
const LATE: Duration = Duration::from_secs(2);

/// What the thread is told before its work is over, if nothing is to be undone.
const LEAVE: u8 = b'l';

/// A guardian that is watched.
pub(super) struct Watch {
    ending: Arc<(Mutex<Option<Ending>>, Condvar)>,
    /// Closed to have the change undone; after [`LEAVE`], to have it left as it is.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(guard: Guard, limit: Option<Duration>) -> io::Result<Self> {
        let (wake, is_over) = UnixStream::pair()?;
        let ending = Arc::new((Mutex::new(None), Condvar::new()));
        let shared = Arc::clone(&ending);
        let thread = std::thread::Builder::new().name("guardian".into()).spawn(move || {
            let found = watch(guard, &is_over, limit.map(|limit| Instant::now() + limit + LATE));
            *shared.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            shared.1.notify_all();
        })?;
        Ok(Watch { ending, wake: Some(wake), thread: Some(thread) })
    }

    /// How the lease has ended, if it has.
    pub(super) fn ended(&self) -> Option<Ending> {
        self.wait(Duration::ZERO)
    }

    /// Waits for so long whether it ends.
    pub(super) fn wait(&self, duration: Duration) -> Option<Ending> {
        let (ending, changed) = &*self.ending;
        let ending = ending.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(ending, duration, |ending| ending.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Has everything left as it is, and waits until nobody guards it any more.
    pub(super) fn leave(&mut self) -> Ending {
        if let Some(wake) = &mut self.wake {
            // If the thread has ended, it says how.
            let _ = wake.write_all(&[LEAVE]);
        }
        self.end()
    }

    /// Has everything undone, and waits until it is.
    pub(super) fn end(&mut self) -> Ending {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.ended().unwrap_or(Ending::GuardianGone)
    }
}

fn watch(mut guard: Guard, mut is_over: &UnixStream, deadline: Option<Instant>) -> Ending {
    // Words since it said anything, and since it gave an answer.
    let (mut due, mut unheard, mut unanswered) = (Instant::now(), 0, 0);
    loop {
        if Instant::now() >= due {
            if unheard >= UNANSWERED || unanswered >= UNANSWERED_AT_WORK {
                return guard.undo_ourselves(Ending::GuardianSilent);
            }
            guard.say("alive");
            (due, unheard, unanswered) = (Instant::now() + ALIVE_EVERY, unheard + 1, unanswered + 1);
        }
        let mut files = [PollFd::new(guard.output(), PollFlags::IN), PollFd::new(&is_over, PollFlags::IN)];
        // An interrupted wait is a short one.
        let _ = poll(&mut files, Some(&timespec(due.saturating_duration_since(Instant::now()))));
        let told = !files[1].revents().is_empty();
        loop {
            match guard.hear(Instant::now()) {
                Heard::Here => (unheard, unanswered) = (0, 0),
                Heard::Busy => unheard = 0,
                Heard::Last(ending) => return guard.ended(ending),
                Heard::Nothing => break,
                Heard::Gone => return guard.undo_ourselves(Ending::GuardianGone),
            }
        }
        if told {
            let mut word = [0];
            return match (&mut is_over).read(&mut word) {
                Ok(1) if word == [LEAVE] => guard.leave(),
                _ => guard.release(),
            };
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return guard.undo_ourselves(Ending::Expired);
        }
    }
}
