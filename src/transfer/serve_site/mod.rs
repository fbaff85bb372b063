//! A site as a place that is served to peers.
//!
//! Each peer that asks gets a snapshot, taken in whatever state the site is and written into an archive without a name in the scratch
//! directory: it vanishes with this process. Peers that come while one is taken share the next one, and a snapshot whose peer has gone is kept
//! for a while, so that whoever was cut off can go on.

mod kept;
mod lease;
mod work;

use std::fs::File;
use std::io::{BufWriter, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use self::kept::KeptViews;
use self::lease::{LeaseSlot, refusal};
use self::work::with_pulse;
use super::snapshot::{self, Request, SnapshotFailure, Taken, Way};
use super::{ArchiveView, copy};
use crate::archive::{Options, RandomReader, Writer};
use crate::endpoint::Failure;
use crate::live::Original;
use crate::monitor::Monitor;
use crate::site::ReadOptions;
use crate::wire::{Abilities, EndOfLease, Pulse, Refusal, Served, SnapshotId, View};

/// How often somebody who waits for another peer's snapshot looks whether it is there.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Snapshots are read once or twice: packing them well is not worth the time.
const LEVEL: i32 = 1;

/// Which site is served, and with what.
#[derive(Clone, Debug)]
pub struct SiteToServe {
    /// The site's directory.
    pub site: PathBuf,
    /// Where copies and snapshots go: a directory outside the site.
    pub scratch: PathBuf,
    /// Our own program, as in [`Request`].
    pub program: PathBuf,
    /// The state directory, as in [`Request`].
    pub state_directory: PathBuf,
    /// The site's own limit of sessions, as in [`Request`].
    pub own_limit: Option<Original>,
    /// How many threads pack a snapshot.
    pub threads: usize,
}

/// When a peer was heard for the last time, or took something.
pub type Moved = Box<dyn Fn() -> Instant + Send + Sync>;

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

    /// Gives up snapshots that nobody has asked for lately, and leases that have expired. To be called about once a second.
    pub fn look_after(&self) {
        self.views.lock().unwrap_or_else(PoisonError::into_inner).give_up_old(Instant::now());
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|lease| lease.strong_count() > 0);
        let living: Vec<_> = leases.iter().filter_map(Weak::upgrade).collect();
        // Ending a lease takes a while, and other peers come meanwhile.
        drop(leases);
        living.iter().for_each(|lease| lease.expire());
    }

    fn request(&self, way: Way) -> Request<'_> {
        let SiteToServe { site, scratch, program, state_directory, own_limit, .. } = &self.place;
        Request { site, scratch, way, salvage: false, program, state_directory, own_limit: own_limit.as_ref() }
    }

    /// Waits until nobody else takes a snapshot, and does something then. `shared` gives what another peer has got meanwhile, if that will do.
    fn alone<T: Send>(
        &self,
        pulse: Pulse,
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
            if told.elapsed() >= work::PULSE_EVERY {
                told = Instant::now();
                pulse("waiting for a snapshot of another peer")?;
            }
        };
        if let Some(shared) = shared() {
            return Ok(shared);
        }
        with_pulse(&*self.monitor, pulse, work)
    }

    /// Writes a snapshot into an archive, and keeps that.
    fn keep(&self, taken: Taken, begun: Instant, monitor: &dyn Monitor) -> Result<Arc<ArchiveView>, Failure> {
        monitor.task("writing down the snapshot");
        let scratch = &self.place.scratch;
        let failed = |source| Failure::from(SnapshotFailure::Scratch { path: scratch.clone(), source });
        let mut file = tempfile::tempfile_in(scratch).map_err(failed)?;
        write(&taken, scratch, file.try_clone().map_err(failed)?, self.place.threads, monitor)?;
        taken.remove()?;
        file.rewind().map_err(failed)?;
        let view = Arc::new(ArchiveView::new(RandomReader::open(file)?)?);
        self.views.lock().unwrap_or_else(PoisonError::into_inner).add(&view, begun);
        Ok(view)
    }
}

fn write(taken: &Taken, scratch: &Path, file: File, threads: usize, monitor: &dyn Monitor) -> Result<(), Failure> {
    let options = ReadOptions { scratch: scratch.to_owned(), logs: Vec::new(), without_fulltext: false };
    let mut source = taken.site().source(options, monitor);
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, file), Options { level: LEVEL, threads });
    copy(&mut source, &mut writer, monitor)?;
    let written = writer.into_output().into_inner().map_err(std::io::IntoInnerError::into_error);
    let failed = |source| SnapshotFailure::Scratch { path: scratch.to_owned(), source };
    Ok(written.map(drop).map_err(failed)?)
}

/// A site, as it is served to one peer.
pub struct ServedSite {
    shared: Arc<SharedSite>,
    lease: Arc<LeaseSlot>,
}

impl ServedSite {
    /// Serves a site to a peer. A lease of his expires when he has not `moved` for long enough.
    pub fn new(shared: &Arc<SharedSite>, moved: Moved) -> Self {
        let lease = Arc::new(LeaseSlot::new(moved, Arc::clone(&shared.monitor)));
        shared.leases.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&lease));
        ServedSite { shared: Arc::clone(shared), lease }
    }
}

impl Served for ServedSite {
    fn abilities(&self) -> Abilities {
        Abilities { lease: true, cutover: true, ..Abilities::default() }
    }

    fn snapshot(&mut self, id: Option<&SnapshotId>, pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        let views = || self.shared.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = id.and_then(|id| views().find(id)) {
            return Ok(view);
        }
        let asked = Instant::now();
        let taken = self.shared.alone(
            pulse,
            || views().begun_after(asked),
            |monitor| {
                let begun = Instant::now();
                self.shared.keep(snapshot::take(&self.shared.request(Way::Untouched), monitor)?, begun, monitor)
            },
        );
        Ok(taken.map_err(refusal)?)
    }

    fn single_user(&mut self, wait: u32, expire: u32, pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        self.lease.refuse_second()?;
        let way = Way::SingleUser { wait: Duration::from_secs(u64::from(wait)) };
        let held = self.shared.alone(
            pulse,
            || None,
            |monitor| {
                let begun = Instant::now();
                let held = snapshot::take_and_hold(&self.shared.request(way), monitor)?;
                let view = self.shared.keep(held.taken, begun, monitor)?;
                Ok((view, held.lease))
            },
        );
        let (view, lease) = held.map_err(refusal)?;
        self.lease.begin(lease, Duration::from_secs(u64::from(expire)));
        Ok(view)
    }

    fn end_single_user(&mut self, how: EndOfLease) -> Result<(), Refusal> {
        self.lease.end(how, &self.shared.place.site)
    }
}
