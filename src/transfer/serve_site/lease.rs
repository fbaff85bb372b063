//! The lease of one peer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Presence;
use super::view::SiteView;
use crate::endpoint::{Class, Failure};
use crate::live::{Lease, LiveError, way_back};
use crate::monitor::Monitor;
use crate::site::Arrangement;
use crate::transfer::snapshot::{SILENT_AT_MOST, SnapshotFailure, wait_until_stopped};
use crate::wire::{Code, EndOfLease, Refusal};

/// How long a server may take to stop; a client waits two minutes for an answer.
const STOPS_WITHIN: Duration = Duration::from_secs(90);

/// How much longer than a peer this process may be silent: whoever looks after leases does so once a second, and may be held up.
const MARGIN: Duration = Duration::from_secs(2);

/// How long this process may be silent under a lease with this `expire` until its guardian gives the server back.
pub(super) fn silence_under_lease(expire: Duration) -> Duration {
    expire.saturating_add(MARGIN).min(SILENT_AT_MOST)
}

/// Where a peer's lease is, if it has one. What is there when this is dropped is given back.
pub(super) struct LeaseSlot {
    held: Mutex<Option<Held>>,
    /// Why the last one ended before the peer has ended it.
    ended: Mutex<Option<String>>,
    peer: Arc<dyn Presence>,
    monitor: Arc<dyn Monitor>,
}

struct Held {
    /// None for a server that was left closed and stopped before.
    lease: Option<Lease<'static>>,
    /// What the peer was given.
    view: Arc<SiteView>,
    expire: Duration,
    begun: Instant,
}

impl LeaseSlot {
    /// No lease yet.
    pub(super) fn new(peer: Arc<dyn Presence>, monitor: Arc<dyn Monitor>) -> Self {
        LeaseSlot { held: Mutex::new(None), ended: Mutex::new(None), peer, monitor }
    }

    /// A peer that has a lease gets no second one.
    pub(super) fn refuse_second(&self) -> Result<(), Refusal> {
        match &*self.held() {
            Some(_) => Err(Refusal::new(Code::BUSY, "you have the lease already; end it by ESNG first")),
            None => Ok(()),
        }
    }

    /// The peer has a lease from now on.
    pub(super) fn begin(&self, lease: Option<Lease<'static>>, view: Arc<SiteView>, expire: Duration) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.held() = Some(Held { lease, view, expire, begun: Instant::now() });
    }

    /// Fails if the last one has ended before the peer has ended it.
    pub(super) fn still_held(&self) -> Result<(), Refusal> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ended.map_or(Ok(()), |why| Err(Refusal::new(Code::NO_LEASE, why)))
    }

    /// Gives the server back if the peer has gone, whatever it is being told, or was not heard for so long as it wanted.
    pub(super) fn look_after(&self) {
        if self.held().is_some() && self.peer.has_gone() {
            self.give_back_of_gone();
            return;
        }
        let is_expired = |held: &mut Held| self.peer.moved().max(held.begun).elapsed() >= held.expire;
        let expired = self.held().take_if(is_expired);
        if let Some(held) = expired {
            self.over("a peer in single-user mode was silent for too long; the server is given back".into());
            self.give_back(held.lease);
        }
        let ended = self.held().take_if(|held| held.lease.as_ref().is_some_and(Lease::has_ended));
        if let Some(Err(error)) = ended.and_then(|held| held.lease).map(Lease::release) {
            self.over(format!("a peer has lost single-user mode: {error}"));
        }
    }

    /// Tells why a lease has ended by itself, now and when the peer asks for it.
    fn over(&self, why: String) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
        self.monitor.warning(&why);
    }

    /// Ends the lease as the peer wants it, and says how the server stands then.
    pub(super) fn end(&self, how: EndOfLease, site: &Arrangement) -> Result<String, Refusal> {
        let held = self.held().take();
        let Some(Held { lease, view, .. }) = held else {
            let why = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
            let why = why.unwrap_or_else(|| "there is no lease, or it has ended before".into());
            return Err(Refusal::new(Code::NO_LEASE, why));
        };
        let Some(lease) = lease else {
            // Nothing keeps a server stopped: somebody may have started it since the snapshot.
            view.check_unchanged().map_err(|failure| Refusal::new(Code::NO_LEASE, failure.to_string()))?;
            return Ok("the server was left closed and stopped before".into());
        };
        let over = |error: LiveError| Refusal::new(Code::NO_LEASE, error.to_string());
        if how == EndOfLease::Back {
            return lease.release().map(|()| "single-user mode has ended".into()).map_err(over);
        }
        let closed = lease.leave().map_err(over)?;
        let way_back = way_back(site.root(), closed.repair());
        self.monitor.warning(&format!(
            "the server refuses all sessions from now on, as a peer wanted that has taken its site over; {way_back}"
        ));
        if how == EndOfLease::Refuse {
            return Ok(way_back);
        }
        let is_told = closed.stop();
        let failed = |why: String| Err(Refusal::new(Code::FAILED, format!("{why}; {way_back}")));
        match is_told.map_err(Failure::from).and_then(|()| wait_until_stopped(site, STOPS_WITHIN)) {
            Ok(true) => Ok(format!("the server is stopped; when it runs, {way_back}")),
            Ok(false) => failed(
                "the server refuses all sessions, and was told to stop, but still runs, or was started again".into(),
            ),
            Err(error) => failed(format!("the server refuses all sessions, but it could not be stopped: {error}")),
        }
    }

    fn give_back_of_gone(&self) {
        let held = self.held().take();
        if let Some(held) = held {
            self.monitor.warning("a peer has gone without ending single-user mode; the server is given back");
            self.give_back(held.lease);
        }
    }

    fn give_back(&self, lease: Option<Lease<'static>>) {
        if let Some(Err(error)) = lease.map(Lease::release) {
            self.monitor.warning(&error.to_string());
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LeaseSlot {
    fn drop(&mut self) {
        self.give_back_of_gone();
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
