//! Work that takes long while a peer waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::endpoint::{Class, Failure, no_thread};
use crate::monitor::Monitor;
use crate::wire::Pulse;

/// How often a peer hears that the work goes on.
pub(in crate::transfer) const PULSE_EVERY: Duration = Duration::from_secs(10);

/// How often a peer hears of it that has a lease with this `expire`: what is said to it keeps the lease from expiring.
pub(super) fn pulse_under_lease(expire: Duration) -> Duration {
    (expire / 4).clamp(Duration::from_millis(100), PULSE_EVERY)
}

/// How often it is looked whether the peer is still there.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What becomes of work whose peer has gone.
pub(super) fn gone() -> Failure {
    Failure::new(Class::Failed, "the peer has gone, and the work for it was given up")
}

/// Works in a thread of its own, while the peer is told `every` now and then what is done. The work is interrupted when the peer `has_gone`, or can't be told any more.
pub(super) fn with_pulse<T: Send>(
    monitor: &dyn Monitor,
    every: Duration,
    pulse: Pulse,
    has_gone: &dyn Fn() -> bool,
    work: impl FnOnce(&dyn Monitor) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let watched = Watched { monitor, task: Mutex::new("taking a snapshot".into()), is_over: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        let watched = &watched;
        // Whoever receives it waits below until it is there.
        std::thread::Builder::new()
            .spawn_scoped(scope, move || send.send(work(watched)))
            .map_err(|error| Failure::new(Class::Failed, no_thread(error)))?;
        let mut told = Instant::now();
        loop {
            match receive.recv_timeout(every.min(LOOK_EVERY)) {
                Ok(Err(failure)) if failure.class == Class::Interrupted && watched.is_over.load(Ordering::Relaxed) => {
                    return Err(gone());
                }
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {
                    let is_due = told.elapsed() >= every && !watched.is_over.load(Ordering::Relaxed);
                    let mut is_over = has_gone();
                    if is_due && !is_over {
                        told = Instant::now();
                        let task = watched.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
                        is_over = pulse(&task).is_err();
                    }
                    watched.is_over.fetch_or(is_over, Ordering::Relaxed);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::new(Class::Failed, "the work broke off; this is a bug in ctdl-dump"));
                }
            }
        }
    })
}

/// The monitor of the server, which also knows what is done for this peer.
struct Watched<'m> {
    monitor: &'m dyn Monitor,
    task: Mutex<String>,
    is_over: AtomicBool,
}

impl Monitor for Watched<'_> {
    fn task(&self, name: &str) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = name.to_owned();
        self.monitor.task(name);
    }

    fn progress(&self, bytes: u64, records: u64) {
        self.monitor.progress(bytes, records);
    }

    fn position(&self, done: u64, total: u64) {
        self.monitor.position(done, total);
    }

    fn warning(&self, text: &str) {
        self.monitor.warning(text);
    }

    fn is_interrupted(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.monitor.is_interrupted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Silent;

    #[test]
    fn work_for_a_peer_with_a_short_lease_is_told_of_often_enough() {
        for expire in [1, 2, 5, 9, 30, 120, 86_400].map(Duration::from_secs) {
            assert!(pulse_under_lease(expire) <= expire / 4 && pulse_under_lease(expire) <= PULSE_EVERY, "{expire:?}");
        }
        let (tell, told) = mpsc::channel();
        let mut pulse = |_: &str| {
            // Nobody listens any more at the end.
            let _ = tell.send(());
            Ok(())
        };
        // The work ends when its peer has heard of it three times.
        let work = move |_: &dyn Monitor| {
            (0..3).for_each(|_| told.recv().unwrap());
            Ok(())
        };
        with_pulse(&Silent, Duration::from_millis(1), &mut pulse, &|| false, work).unwrap();
    }
}
