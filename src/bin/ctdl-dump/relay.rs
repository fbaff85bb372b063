//! What is said of work that is done for a peer: the peer is told, and the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stands behind a screen that nobody looks at.
pub struct Relay {
    log: Box<dyn Fn(&str) + Send + Sync>,
    said: Mutex<Vec<String>>,
    task: Mutex<String>,
    is_over: AtomicBool,
}

impl Relay {
    /// What is said goes to this log, too.
    pub fn new(log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Relay { log: Box::new(log), said: Mutex::default(), task: Mutex::default(), is_over: AtomicBool::new(false) }
    }

    /// Keeps lines for the peer.
    pub fn say(&self, text: &str) {
        for line in text.lines() {
            (self.log)(line);
            held(&self.said).push(line.to_owned());
        }
    }

    /// What was said since the last time.
    pub fn take_said(&self) -> Vec<String> {
        std::mem::take(&mut *held(&self.said))
    }

    /// What is being done from now on.
    pub fn set_task(&self, name: &str) {
        name.clone_into(&mut held(&self.task));
    }

    /// What is being done.
    pub fn task(&self) -> String {
        held(&self.task).clone()
    }

    /// The work is to end, because the peer has gone.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether the work is to end.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
