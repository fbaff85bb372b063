//! Keeps a lease alive while there is nothing to ask the peer for, and notices at once when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use ctdl_dump::monitor::Monitor;
use ctdl_dump::wire::{Client, WireError};

use crate::peer::{Input, Output};

/// The connection of a lease.
pub type Connection = Client<Input, Output>;

/// A thread that says so every now and then.
pub struct Keeper {
    thread: JoinHandle<Result<Connection, WireError>>,
    is_over: Sender<()>,
    is_lost: Arc<AtomicBool>,
}

impl Keeper {
    /// Begins to say `NOOP` so often that a lease with this `expire` doesn't.
    pub fn start(mut client: Connection, expire: Duration) -> std::io::Result<Self> {
        let (is_over, told) = mpsc::channel();
        let is_lost = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&is_lost);
        let every = (expire / 4).clamp(Duration::from_millis(250), Duration::from_secs(10));
        let thread = std::thread::Builder::new().name("keeper".into()).spawn(move || {
            while told.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = client.noop() {
                    shared.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(client)
        })?;
        Ok(Keeper { thread, is_over, is_lost })
    }

    /// Another monitor, which is interrupted when the lease is lost.
    pub fn watch<'m>(&self, monitor: &'m dyn Monitor) -> Watching<'m> {
        Watching { monitor, is_lost: Arc::clone(&self.is_lost) }
    }

    /// The connection again, if the lease was kept.
    pub fn finish(self) -> Result<Connection, WireError> {
        // It listens no more if it has failed.
        let _ = self.is_over.send(());
        self.thread.join().unwrap_or(Err(WireError::Closed))
    }
}

/// A monitor that is also interrupted when the lease is lost.
pub struct Watching<'m> {
    monitor: &'m dyn Monitor,
    is_lost: Arc<AtomicBool>,
}

impl Monitor for Watching<'_> {
    fn task(&self, name: &str) {
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
        self.is_lost.load(Ordering::Relaxed) || self.monitor.is_interrupted()
    }
}
