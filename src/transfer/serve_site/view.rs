//! One snapshot of a site, as it is served.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::LOOK_EVERY;
use super::lease::refusal;
use super::work::with_pulse;
use crate::codec::Digest;
use crate::codec::manifest::Identity;
use crate::endpoint::{Class, Failure, Source};
use crate::monitor::{Monitor, Silent};
use crate::record::{Header, Key, Kind, SiteInfo};
use crate::site::{Catalogue, CatalogueError, CatalogueOptions, CatalogueReader, forget_digests};
use crate::transfer::served_records::{AllTotals, ServedRecords, Steps, Tallies, range_of};
use crate::transfer::snapshot::Taken;
use crate::wire::{Pulse, Refusal, Scope, SegmentAt, Segments, SnapshotId, View};

/// A snapshot whose records are looked up by a catalogue, which is made when it is needed.
pub(super) struct SiteView {
    id: SnapshotId,
    taken: Taken,
    options: CatalogueOptions,
    monitor: Arc<dyn Monitor>,
    /// How often a peer that waits hears that the work goes on.
    pulse_every: Duration,
    making: Mutex<()>,
    made: OnceLock<Made>,
    is_spoilt: AtomicBool,
}

struct Made {
    catalogue: Catalogue,
    totals: AllTotals,
}

impl SiteView {
    /// A snapshot that was just taken.
    pub fn new(taken: Taken, options: CatalogueOptions, monitor: Arc<dyn Monitor>, pulse_every: Duration) -> Self {
        SiteView {
            id: drawn_by_lot(),
            taken,
            options,
            monitor,
            pulse_every,
            making: Mutex::new(()),
            made: OnceLock::new(),
            is_spoilt: AtomicBool::new(false),
        }
    }

    /// Whether something in it is not any more what it was: nobody is given such a snapshot.
    pub fn is_spoilt(&self) -> bool {
        self.is_spoilt.load(Ordering::Relaxed)
    }

    /// An error if the site, read where it lies, is not what it was any more, or has a server.
    pub fn check_unchanged(&self) -> Result<(), Failure> {
        Ok(self.taken.site().look_again().map(drop)?)
    }

    fn make(&self, monitor: &dyn Monitor) -> Result<&Made, Failure> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        monitor.task("looking through the snapshot");
        let mut tallies = Tallies::default();
        let catalogue =
            Catalogue::make(self.taken.site(), &self.options, &mut |record| tallies.record(record), monitor)
                .map_err(|error| self.spoilt_by(error))?;
        let totals = tallies.totals();
        Ok(self.made.get_or_init(|| Made { catalogue, totals }))
    }

    fn made(&self) -> Result<&Made, Failure> {
        self.make(&Silent)
    }

    /// What goes wrong once goes wrong again, so that the next peer gets another snapshot; and if a record is not what it was, what is
    /// known of records from earlier times is not trusted any more.
    fn spoilt_by(&self, error: CatalogueError) -> Failure {
        if let (CatalogueError::Changed { .. }, Some(directory)) = (&error, &self.options.digests) {
            self.forget(directory);
        }
        let failure = Failure::from(error);
        if failure.class != Class::Interrupted {
            self.is_spoilt.store(true, Ordering::Relaxed);
        }
        failure
    }

    fn forget(&self, directory: &Path) {
        if let Err(error) = forget_digests(directory, self.taken.site().root()) {
            self.monitor
                .warning(&format!("the digests of this site in {} must be removed: {error}", directory.display()));
        }
    }

    fn steps(&self) -> Result<Steady<'_>, Failure> {
        Ok(Steady { view: self, reader: self.made()?.catalogue.reader(self.taken.site()) })
    }
}

/// The keys of std's hash maps come from the system's random numbers, and no two maps of a process have the same.
fn drawn_by_lot() -> SnapshotId {
    let mut hasher = blake3::Hasher::new();
    for number in 0..4_u8 {
        hasher.update(&RandomState::new().hash_one(number).to_le_bytes());
    }
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    SnapshotId(id)
}

impl View for SiteView {
    fn prepare(&self, pulse: Pulse) -> Result<(), Refusal> {
        let mut told = Instant::now();
        let _making = loop {
            if self.made.get().is_some() {
                return Ok(());
            }
            match self.making.try_lock() {
                Ok(guard) => break guard,
                // Nothing is half done: a catalogue that went wrong is none.
                Err(TryLockError::Poisoned(poisoned)) => break PoisonError::into_inner(poisoned),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_EVERY),
            }
            if told.elapsed() >= self.pulse_every {
                told = Instant::now();
                pulse("waiting until the snapshot was looked through for another peer")?;
            }
        };
        with_pulse(&*self.monitor, self.pulse_every, pulse, &|| false, |monitor| self.make(monitor).map(|_| ()))
            .map_err(|failure| {
                match failure.class {
                    // It was started meanwhile: the peer comes again, and gets another snapshot.
                    Class::InUse => failure.into(),
                    _ => refusal(failure),
                }
            })
    }

    fn id(&self) -> SnapshotId {
        self.id
    }

    fn site(&self) -> &SiteInfo {
        self.taken.site().info()
    }

    fn state_after(&self) -> &str {
        self.made.get().map_or("", |made| &made.catalogue.end().state_after)
    }

    fn totals(&self) -> Result<AllTotals, Failure> {
        Ok(self.made()?.totals.clone())
    }

    fn segments(&self, scope: Scope) -> Result<Segments<'_>, Failure> {
        let blocks = self.made()?.catalogue.blocks();
        let range = range_of(scope, blocks.len(), |holds| blocks.partition_point(|block| holds(block.kind)));
        Ok(Box::new(range.map(|number| Ok(SegmentAt { number, digest: blocks[number].digest }))))
    }

    fn segment(&self, number: usize) -> Result<Vec<u8>, Failure> {
        Ok(self.made()?.catalogue.identities(number)?)
    }

    fn records(&self, scope: Scope, after: Option<(&(Kind, Key), u64)>) -> Result<Box<dyn Source + '_>, Refusal> {
        let mut steps = self.steps()?;
        if let Scope::Kind(kind) = scope {
            steps.go_to(kind)?;
        }
        Ok(Box::new(ServedRecords::of_scope(self, steps, scope, after)?))
    }

    fn chosen(&self, kind: Kind, keys: Vec<Key>, offset: u64) -> Result<Box<dyn Source + '_>, Refusal> {
        Ok(Box::new(ServedRecords::chosen(self, self.steps()?, kind, keys, offset)?))
    }
}

/// Goes through the records, and remembers if one is not what it was.
struct Steady<'v> {
    view: &'v SiteView,
    reader: CatalogueReader<'v>,
}

impl Steady<'_> {
    /// Goes to the first record of a kind, or where it would stand.
    fn go_to(&mut self, kind: Kind) -> Result<(), Failure> {
        // No key comes before that of no parts.
        self.seek(kind, &Key::new(Vec::new())).map(|_| ())
    }
}

impl Steps for Steady<'_> {
    fn upcoming(&mut self) -> Result<Option<&Identity>, Failure> {
        self.reader.upcoming().map_err(|error| self.view.spoilt_by(error))
    }

    fn seek(&mut self, kind: Kind, key: &Key) -> Result<bool, Failure> {
        self.reader.seek(kind, key).map_err(|error| self.view.spoilt_by(error))
    }

    fn next_record(&mut self) -> Result<Option<Header>, Failure> {
        self.reader.next_record().map_err(|error| self.view.spoilt_by(error))
    }

    fn skip_to(&mut self, offset: u64) -> Result<bool, Failure> {
        self.reader.skip_to(offset).map_err(|error| self.view.spoilt_by(error))
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        self.reader.segment(segment).map_err(|error| self.view.spoilt_by(error))
    }

    fn digest(&self) -> Digest {
        self.reader.digest()
    }
}
