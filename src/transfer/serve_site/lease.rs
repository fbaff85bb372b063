//! The lease of one peer.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Moved;
use crate::endpoint::{Class, Failure};
use crate::live::{Lease, LiveError};
use crate::monitor::Monitor;
use crate::transfer::snapshot::{SnapshotFailure, wait_until_stopped};
use crate::wire::{Code, EndOfLease, Refusal};

/// How long a server may take to stop; a client waits two minutes for an answer.
const STOPS_WITHIN: Duration = Duration::from_secs(90);

/// Where a peer's lease is, if it has one. What is there when this is dropped is given back.
pub(super) struct LeaseSlot {
    held: Mutex<Option<Held>>,
    moved: Moved,
    monitor: Arc<dyn Monitor>,
}

struct Held {
    lease: Lease<'static>,
    expire: Duration,
    begun: Instant,
}

impl LeaseSlot {
    /// No lease yet.
    pub(super) fn new(moved: Moved, monitor: Arc<dyn Monitor>) -> Self {
        LeaseSlot { held: Mutex::new(None), moved, monitor }
    }

    /// A peer that has a lease gets no second one.
    pub(super) fn refuse_second(&self) -> Result<(), Refusal> {
        match &*self.held() {
            Some(_) => Err(Refusal::new(Code::BUSY, "you have the lease already; end it by ESNG first")),
            None => Ok(()),
        }
    }

    /// The peer has a lease from now on.
    pub(super) fn begin(&self, lease: Lease<'static>, expire: Duration) {
        *self.held() = Some(Held { lease, expire, begun: Instant::now() });
    }

    /// Gives the server back if the peer was not heard for so long as it wanted.
    pub(super) fn expire(&self) {
        let is_expired = |held: &mut Held| (self.moved)().max(held.begun).elapsed() >= held.expire;
        let expired = self.held().take_if(is_expired);
        if let Some(held) = expired {
            self.monitor.warning("a peer in single-user mode was silent for too long; the server is given back");
            self.give_back(held.lease);
        }
    }

    /// Ends the lease as the peer wants it.
    pub(super) fn end(&self, how: EndOfLease, site: &Path) -> Result<(), Refusal> {
        let held = self.held().take();
        let Some(Held { lease, .. }) = held else {
            return Err(Refusal::new(Code::NO_LEASE, "there is no lease, or it has ended before"));
        };
        let over = |error: LiveError| Refusal::new(Code::NO_LEASE, error.to_string());
        if how == EndOfLease::Back {
            return lease.release().map_err(over);
        }
        let repair = lease.leave(how == EndOfLease::Stop).map_err(over)?;
        self.monitor.warning(&format!(
            "{}: the server refuses sessions for good, as a peer wanted that has taken its site over; to let users in again: {repair}",
            site.display()
        ));
        if how == EndOfLease::Stop && !wait_until_stopped(site, STOPS_WITHIN)? {
            let text = "the server was told to stop, and still runs, or was started again by whoever looks after it; it refuses all logins";
            return Err(Refusal::new(Code::FAILED, text));
        }
        Ok(())
    }

    fn give_back(&self, lease: Lease<'static>) {
        if let Err(error) = lease.release() {
            self.monitor.warning(&error.to_string());
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LeaseSlot {
    fn drop(&mut self) {
        let held = self.held().take();
        if let Some(held) = held {
            self.monitor.warning("a peer has gone without ending single-user mode; the server is given back");
            self.give_back(held.lease);
        }
    }
}

/// How a peer is told that there is no snapshot for it.
pub(super) fn refusal(failure: Failure) -> Refusal {
    let has_no_server = matches!(failure.cause(), Some(SnapshotFailure::NoServer { .. }));
    let code = match failure.cause::<LiveError>() {
        Some(LiveError::Held { .. }) => Code::BUSY,
        Some(LiveError::SessionsStay { .. }) => Code::NO_LEASE,
        Some(LiveError::Release { .. }) => Code::NOT_HERE,
        _ if has_no_server => Code::NOT_HERE,
        _ if failure.class == Class::Interrupted => Code::GOING_DOWN,
        _ => Code::FAILED,
    };
    Refusal::new(code, failure.to_string())
}
