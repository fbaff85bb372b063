//! Ctrl-C, SIGTERM and SIGHUP: the first asks the work to stop and clean up, another one, a moment later, ends the program at once.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

/// What comes so soon after the first signal is the same once more: `timeout` and others signal the program, and then its process group.
const SAME_WITHIN: Duration = Duration::from_millis(500);

/// Whether a signal has come.
#[derive(Debug)]
pub struct Interrupt {
    is_set: Arc<AtomicBool>,
    /// Whether nothing is to be known of it for now.
    is_deferred: AtomicBool,
    /// Can be read from the first signal on, for ever: nobody reads it.
    wake: UnixStream,
    /// While it is there `wake` is at no end, which could be read as well: where all signals are ignored nobody else has it.
    _write_end: UnixStream,
}

/// What a read or write ends with when a signal comes.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct InterruptedBySignal;

impl Interrupt {
    /// Begins to listen. Signals that whoever started the program wants ignored (`nohup`, a job in the background) stay ignored.
    pub fn listen() -> io::Result<Self> {
        let is_set = Arc::new(AtomicBool::new(false));
        let (wake, write_end) = UnixStream::pair()?;
        // Where nobody can wait until it is old, it is so at once.
        let is_old = wake.try_clone().and_then(getting_old).unwrap_or_else(|_| Arc::clone(&is_set));
        let ignored = ignored_signals();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if ignored & (1 << (signal - 1)) != 0 {
                continue;
            }
            // Handlers run in this order: once the first signal is old, another one acts as if there were no handler.
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&is_old))?;
            signal_hook::flag::register(signal, Arc::clone(&is_set))?;
            signal_hook::low_level::pipe::register(signal, write_end.try_clone()?)?;
        }
        // Without a handler a file that reaches the limit of `ulimit -f` ends the program on the spot; with one the write fails, and what was
        // begun is removed.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        Ok(Interrupt { is_set, is_deferred: AtomicBool::new(false), wake, _write_end: write_end })
    }

    /// Whether a signal has come.
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed) && !self.is_deferred.load(Ordering::Relaxed)
    }

    /// Lets nothing be interrupted for as long as the guard lives: for steps that belong together. A later signal ends the program all the same.
    pub fn defer(&self) -> Deferred<'_> {
        self.is_deferred.store(true, Ordering::Relaxed);
        Deferred(self)
    }

    /// Waits until `file` can be read or written (`wanted`), or fails with [`InterruptedBySignal`].
    pub fn wait_for(&self, file: &impl AsFd, wanted: PollFlags) -> io::Result<()> {
        self.wait_for_within(file, wanted, None)
    }

    /// The same, or fails with [`io::ErrorKind::TimedOut`] after so long.
    pub fn wait_for_within(&self, file: &impl AsFd, wanted: PollFlags, limit: Option<Duration>) -> io::Result<()> {
        self.wait(file, wanted, limit, true)
    }

    /// The same, whatever signal comes: for last words.
    pub fn wait_unheeding(&self, file: &impl AsFd, wanted: PollFlags, limit: Duration) -> io::Result<()> {
        self.wait(file, wanted, Some(limit), false)
    }

    fn wait(&self, file: &impl AsFd, wanted: PollFlags, limit: Option<Duration>, heeds: bool) -> io::Result<()> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            if heeds && self.is_set() {
                return Err(io::Error::other(InterruptedBySignal));
            }
            let left = deadline.map(|deadline| timespec(deadline.saturating_duration_since(Instant::now())));
            let mut files = [PollFd::new(file, wanted), PollFd::new(&self.wake, PollFlags::IN)];
            // What wakes can be read for ever, and would keep the wait from being one.
            let is_woken = heeds && !self.is_deferred.load(Ordering::Relaxed);
            match poll(&mut files[..1 + usize::from(is_woken)], left.as_ref()) {
                Ok(_) if !files[0].revents().is_empty() => return Ok(()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Waits for so long, or until a signal comes; says whether none did.
    pub fn pause(&self, duration: Duration) -> bool {
        let deadline = Instant::now() + duration;
        while !self.is_set() && Instant::now() < deadline {
            let left = timespec(deadline.saturating_duration_since(Instant::now()));
            // A wait that ends early is looked at once more.
            let mut files = [PollFd::new(&self.wake, PollFlags::IN)];
            let count = usize::from(!self.is_deferred.load(Ordering::Relaxed));
            let _ = poll(&mut files[..count], Some(&left));
        }
        !self.is_set()
    }
}

/// Becomes true a while after the first signal.
fn getting_old(wake: UnixStream) -> io::Result<Arc<AtomicBool>> {
    let is_old = Arc::new(AtomicBool::new(false));
    let later = Arc::clone(&is_old);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        while poll(&mut [PollFd::new(&wake, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
        std::thread::sleep(SAME_WITHIN);
        later.store(true, Ordering::Relaxed);
    })?;
    Ok(is_old)
}

/// Signals are noticed again when it is dropped.
pub struct Deferred<'i>(&'i Interrupt);

impl Drop for Deferred<'_> {
    fn drop(&mut self) {
        self.0.is_deferred.store(false, Ordering::Relaxed);
    }
}

fn timespec(duration: Duration) -> Timespec {
    // Whoever waits looks at the clock himself, so a shorter wait does no harm.
    let duration = duration.min(Duration::from_secs(3_600));
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

/// The set of signals that are ignored, bit 0 for signal 1. Only the kernel knows it without unsafe code: `/proc/self/status`.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_first_signal_gets_old_after_a_while() {
        let (wake, mut signal) = UnixStream::pair().unwrap();
        let is_old = getting_old(wake).unwrap();
        let begun = Instant::now();
        signal.write_all(b"!").unwrap();
        while !is_old.load(Ordering::Relaxed) {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::yield_now();
        }
        assert!(begun.elapsed() >= SAME_WITHIN);
    }
}
