//! The thread that keeps the guardian awake, and sees when it ends.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::guard::Guard;
use crate::live::LiveError;
use crate::live::lines::timespec;

/// How often the guardian hears that we live.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// What a guardian may be late when it should have ended by itself.
const LATE: Duration = Duration::from_secs(2);

/// What the thread is told before its work is over, if nothing is to be undone.
const LEAVE: u8 = b'l';

/// How a lease ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Released,
    Left,
    Expired,
    Restarted(String),
    Opened(String),
    GuardianGone,
    Kept { reason: String, repair: String },
}

impl Ending {
    /// The last word of a guardian; `None` for what isn't one.
    pub(super) fn parse(line: &str, repair: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "released" => Ending::Released,
            "left" => Ending::Left,
            "expired" => Ending::Expired,
            "restarted" => Ending::Restarted(rest.into()),
            "opened" => Ending::Opened(rest.into()),
            "stopped" | "failed" => Ending::GuardianGone,
            "kept" => Ending::Kept { reason: rest.into(), repair: repair.into() },
            _ => return None,
        })
    }

    /// What it means for what was copied.
    pub(super) fn into_error(self) -> LiveError {
        match self {
            // Nobody asks for the error of a lease that was released as it should be.
            Ending::Released | Ending::Left | Ending::Expired => LiveError::Expired,
            Ending::Restarted(what) => LiveError::Restarted { what },
            Ending::Opened(value) => LiveError::Opened { value },
            Ending::GuardianGone => LiveError::GuardianGone,
            Ending::Kept { reason, repair } => LiveError::Kept { reason, repair },
        }
    }
}

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
    loop {
        guard.say("alive");
        let mut files = [PollFd::new(guard.output(), PollFlags::IN), PollFd::new(&is_over, PollFlags::IN)];
        // An interrupted wait is a short one.
        let _ = poll(&mut files, Some(&timespec(ALIVE_EVERY)));
        let [said, told] = files.map(|file| !file.revents().is_empty());
        if said {
            return guard.ending(ALIVE_EVERY);
        }
        if told {
            let mut word = [0];
            return match (&mut is_over).read(&mut word) {
                Ok(1) if word == [LEAVE] => guard.leave(),
                _ => guard.release(),
            };
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return match guard.undo_ourselves() {
                Ending::GuardianGone => Ending::Expired,
                kept => kept,
            };
        }
    }
}
