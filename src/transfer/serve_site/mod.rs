//! A site as a place that is served to peers.
//!
//! Each peer that asks gets a snapshot, taken in whatever state the site is: a site that is stopped is read where it is, of any other there is a private
//! copy in the scratch directory, which vanishes with this process. What is in it is looked up by a catalogue, made when the first question comes: so a
//! lease need only last until the copy is there. Peers that come while one is taken share the next one, and a snapshot whose peer has
//! gone is kept for a while, so that whoever was cut off can go on.

mod kept;
mod lease;
mod view;
mod work;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant, SystemTime};

use self::kept::KeptViews;
use self::lease::{LeaseSlot, refusal, silence_under_lease};
use self::view::SiteView;
pub(super) use self::work::PULSE_EVERY;
use self::work::{pulse_under_lease, with_pulse};
use super::snapshot::{self, Request, Standing, Taken, Way, settled_leftovers};
use crate::endpoint::Failure;
use crate::live::Original;
use crate::monitor::Monitor;
use crate::record::Layout;
use crate::site::install;
use crate::site::{Arrangement, CatalogueOptions, ReadOptions};
use crate::wire::{Abilities, EndOfLease, Pulse, Refusal, Served, SnapshotId, View};

/// How often somebody who waits for another peer's snapshot looks whether it is there.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Where in the state directory the digests of sites are kept.
const DIGESTS: &str = "digests";

/// Which site is served, and with what.
#[derive(Clone, Debug)]
pub struct SiteToServe {
    /// The site's directories.
    pub site: Arrangement,
    /// Where copies and catalogues go: a directory outside the site.
    pub scratch: PathBuf,
    /// The layout of the tables, as in [`Request`].
    pub layout: Option<Layout>,
    /// Our own program, as in [`Request`].
    pub program: PathBuf,
    /// The state directory, as in [`Request`].
    pub state_directory: PathBuf,
    /// The site's own limit of sessions, as in [`Request`].
    pub own_limit: Option<Original>,
}

/// What can be seen of a peer from outside of the conversation with it. One of this very process is always there.
pub trait Presence: Send + Sync {
    /// When it was heard for the last time, or took something.
    fn moved(&self) -> Instant {
        Instant::now()
    }

    /// Whether it says nothing any more: the stream from it has ended, whatever came before.
    fn has_gone(&self) -> bool {
        false
    }
}

/// A site that is served, as all its peers share it.
pub struct SharedSite {
    place: SiteToServe,
    monitor: Arc<dyn Monitor>,
    /// Held by whoever takes a snapshot.
    taking: Mutex<()>,
    views: Mutex<KeptViews>,
    leases: Mutex<Vec<Weak<LeaseSlot>>>,
}

impl SharedSite {
    /// A site that peers may come to.
    pub fn new(place: SiteToServe, monitor: Arc<dyn Monitor>) -> Self {
        let (taking, leases) = (Mutex::new(()), Mutex::new(Vec::new()));
        SharedSite { place, monitor, taking, views: Mutex::new(KeptViews::default()), leases }
    }

    /// Gives up snapshots that nobody has asked for lately, and leases that have expired or whose peer has gone. To be called about once a second.
    pub fn look_after(&self) {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).give_up_old(Instant::now());
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|lease| lease.strong_count() > 0);
        let living: Vec<_> = leases.iter().filter_map(Weak::upgrade).collect();
        // Ending a lease takes a while, and other peers come meanwhile.
        drop(leases);
        living.iter().for_each(|lease| lease.look_after());
    }

    fn request(&self, way: Way) -> Request<'_> {
        let SiteToServe { site, scratch, layout, program, state_directory, own_limit } = &self.place;
        let own_limit = own_limit.as_ref();
        Request { site, scratch, way, salvage: false, layout: *layout, program, state_directory, own_limit }
    }

    /// Takes a snapshot of what stands there, once no import is putting another site into its place.
    fn take(&self, monitor: &dyn Monitor) -> Result<Taken, Failure> {
        self.settle(monitor)?;
        let (site, request) = (&self.place.site, self.request(Way::Untouched));
        let before = Standing::at(site);
        match snapshot::take(&request, monitor) {
            Err(_) if before.is_passing(&Standing::at(site)) => {
                self.settle(monitor)?;
                snapshot::take(&request, monitor)
            }
            taken => taken,
        }
    }

    /// Waits until no import is exchanging the site; what a killed one began is finished.
    fn settle(&self, monitor: &dyn Monitor) -> Result<(), Failure> {
        let site = &self.place.site;
        let leftovers = settled_leftovers(site, monitor, &mut |doing| monitor.task(doing))?;
        if leftovers.iter().any(|leftover| leftover.exchanging) {
            install::recover(site)?.iter().for_each(|recovered| monitor.warning(&recovered.to_string()));
        }
        Ok(())
    }

    /// Waits until nobody else takes a snapshot, and does something then. `shared` gives what another peer has got meanwhile, if that will do.
    fn alone<T: Send>(
        &self,
        pulse: Pulse,
        has_gone: &dyn Fn() -> bool,
        shared: impl Fn() -> Option<T>,
        work: impl FnOnce(&dyn Monitor) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let mut told = Instant::now();
        let _taking = loop {
            match self.taking.try_lock() {
                Ok(guard) => break guard,
                // Nothing is half done: a snapshot that went wrong was not kept.
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_EVERY),
            }
            if has_gone() {
                return Err(work::gone());
            }
            if told.elapsed() >= PULSE_EVERY {
                told = Instant::now();
                pulse("waiting for a snapshot of another peer")?;
            }
        };
        if let Some(shared) = shared() {
            return Ok(shared);
        }
        with_pulse(&*self.monitor, PULSE_EVERY, pulse, has_gone, work)
    }

    /// Keeps a snapshot for peers that come again.
    fn keep(&self, taken: Taken, (begun, clock): (Instant, SystemTime), pulse_every: Duration) -> Arc<SiteView> {
        let scratch = self.place.scratch.clone();
        let options = CatalogueOptions {
            read: ReadOptions { scratch, logs: Vec::new(), without_fulltext: false, salvages: false },
            digests: Some(self.place.state_directory.join(DIGESTS)),
            begun: clock,
        };
        let view = Arc::new(SiteView::new(taken, options, Arc::clone(&self.monitor), pulse_every));
        self.views.lock().unwrap_or_else(PoisonError::into_inner).add(&view, begun);
        view
    }
}

/// A site, as it is served to one peer.
pub struct ServedSite {
    shared: Arc<SharedSite>,
    lease: Arc<LeaseSlot>,
    peer: Arc<dyn Presence>,
}

impl ServedSite {
    /// Serves a site to a peer. A lease of his ends when he has gone, or has not moved for long enough.
    pub fn new(shared: &Arc<SharedSite>, peer: Arc<dyn Presence>) -> Self {
        let lease = Arc::new(LeaseSlot::new(Arc::clone(&peer), Arc::clone(&shared.monitor)));
        shared.leases.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&lease));
        ServedSite { shared: Arc::clone(shared), lease, peer }
    }
}

impl Served for ServedSite {
    fn abilities(&self) -> Abilities {
        let cutover = snapshot::can_be_held(&self.shared.request(Way::Untouched));
        Abilities { lease: true, cutover, ..Abilities::default() }
    }

    fn snapshot(&mut self, id: Option<&SnapshotId>, pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        let views = || self.shared.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = id.and_then(|id| views().find(id)) {
            return Ok(view);
        }
        let asked = Instant::now();
        let taken = self.shared.alone(
            pulse,
            // Whoever only asks may have said all that it wants.
            &|| false,
            || views().begun_after(asked),
            |monitor| {
                let begun = (Instant::now(), SystemTime::now());
                let taken = self.shared.take(monitor)?;
                Ok(self.shared.keep(taken, begun, PULSE_EVERY))
            },
        );
        Ok(taken.map_err(refusal)?)
    }

    fn single_user(&mut self, wait: u32, expire: u32, pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        self.lease.refuse_second()?;
        let expire = Duration::from_secs(u64::from(expire));
        let way = Way::SingleUser { wait: Duration::from_secs(u64::from(wait)), expire: silence_under_lease(expire) };
        let held = self.shared.alone(
            pulse,
            &|| self.peer.has_gone(),
            || None,
            |monitor| {
                let begun = (Instant::now(), SystemTime::now());
                let held = snapshot::take_and_hold(&self.shared.request(way), monitor)?;
                Ok((self.shared.keep(held.taken, begun, pulse_under_lease(expire)), held.lease))
            },
        );
        let (view, lease) = held.map_err(refusal)?;
        self.lease.begin(lease, Arc::clone(&view), expire);
        Ok(view)
    }

    fn still_leased(&mut self) -> Result<(), Refusal> {
        self.lease.still_held()
    }

    fn end_single_user(&mut self, how: EndOfLease) -> Result<String, Refusal> {
        self.lease.end(how, &self.shared.place.site)
    }
}
