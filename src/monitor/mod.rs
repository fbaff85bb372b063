//! What the library tells of its work while it does it. It never prints: whoever calls it brings a `Monitor`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Takes what the library reports. All methods may be called from any thread.
pub trait Monitor: Send + Sync {
    /// A task begins: what it is, in words.
    fn task(&self, name: &str);

    /// So many body bytes and records of the present task are done, more than before.
    fn progress(&self, bytes: u64, records: u64);

    /// The present task is so far: so much of so much, in a unit that nobody needs to know.
    fn position(&self, done: u64, total: u64);

    /// Something that a person must know, though the work goes on.
    fn warning(&self, text: &str);

    /// Whether the work must stop as soon as it can. Asked at least once a record and once a segment.
    fn is_interrupted(&self) -> bool;
}

/// Reports nothing and is never interrupted.
#[derive(Debug, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn task(&self, _name: &str) {}
    fn progress(&self, _bytes: u64, _records: u64) {}
    fn position(&self, _done: u64, _total: u64) {}
    fn warning(&self, _text: &str) {}
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Keeps what is reported, for tests.
#[derive(Debug, Default)]
pub struct Collecting {
    warnings: Mutex<Vec<String>>,
    interrupted: AtomicBool,
}

impl Collecting {
    /// The warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Makes `is_interrupted` true from now on.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }
}

impl Monitor for Collecting {
    fn task(&self, _name: &str) {}
    fn progress(&self, _bytes: u64, _records: u64) {}
    fn position(&self, _done: u64, _total: u64) {}
    fn warning(&self, text: &str) {
        self.warnings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(text.to_owned());
    }
    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
