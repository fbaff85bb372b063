//! Work that takes long while a peer waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::endpoint::{Class, Failure};
use crate::monitor::Monitor;
use crate::wire::Pulse;

/// How often a peer hears that the work goes on.
pub(in crate::transfer) const PULSE_EVERY: Duration = Duration::from_secs(10);

/// Works in a thread of its own, while the peer is told what is done. The work is interrupted when the peer has gone.
pub(super) fn with_pulse<T: Send>(
    monitor: &dyn Monitor,
    pulse: Pulse,
    work: impl FnOnce(&dyn Monitor) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let watched = Watched { monitor, task: Mutex::new("taking a snapshot".into()), is_over: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        let watched = &watched;
        // Whoever receives it waits below until it is there.
        scope.spawn(move || send.send(work(watched)));
        loop {
            match receive.recv_timeout(PULSE_EVERY) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {
                    let task = watched.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if pulse(&task).is_err() {
                        watched.is_over.store(true, Ordering::Relaxed);
                    }
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
