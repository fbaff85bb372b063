//! The walk on a thread of its own, a few records ahead of whoever takes them: one thread reads the disk, scans, sorts and decodes, while the
//! other hashes and writes. What is under way is bounded.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{ReadOptions, ReadSiteError, Site, WithBodies};
use crate::codec::{Digest, RecordHasher, ShortRecords};
use crate::endpoint::{Failure, Source, no_thread};
use crate::monitor::Monitor;
use crate::record::{Body, End, Header, SiteInfo};

/// A batch is full when it has so many bytes of bodies, or so many records and segments.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_STEPS: usize = 256;
/// Batches that wait to be taken.
const WAITING_BATCHES: usize = 2;
/// How often somebody who waits for the walk looks whether he still may.
const PATIENCE: Duration = Duration::from_millis(50);

/// A walk over a site, record after record.
pub struct SiteSource<'s> {
    site: &'s Site,
    monitor: &'s dyn Monitor,
    info: SiteInfo,
    options: ReadOptions,
    begins_with_files: bool,
    walk: Option<Ahead>,
    batch: Batch,
    /// What of the batch nobody needs any more.
    spent: Vec<Step>,
    is_over: bool,
    hasher: RecordHasher,
    short_records: ShortRecords,
    /// The digest of the present record, if it has no longer body.
    digest: Option<Digest>,
}

/// The thread that walks.
struct Ahead {
    thread: JoinHandle<()>,
    stop: Arc<Stop>,
    batches: Receiver<Result<Batch, ReadSiteError>>,
    /// Takes what was used, for its memory.
    used: Sender<Vec<Step>>,
}

/// What came next in the walk.
enum Step {
    Record(Header),
    Segment(Vec<u8>),
}

/// What comes next, in its order.
#[derive(Default)]
struct Batch {
    steps: VecDeque<Step>,
    /// The digests of its records that have no longer body.
    digests: VecDeque<Digest>,
    bytes: usize,
    /// How far the walk was at its end.
    position: Option<(u64, u64)>,
    /// Whether the walk has come to its end, too.
    is_last: bool,
}

/// Tells the walk to end early, and takes its warnings, until they are told where its records are taken; all else is reported there.
#[derive(Default)]
struct Stop {
    is_set: AtomicBool,
    warnings: Mutex<Vec<String>>,
}

impl Stop {
    fn set(&self) {
        self.is_set.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.warnings.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<'s> SiteSource<'s> {
    pub(super) fn new(site: &'s Site, options: ReadOptions, monitor: &'s dyn Monitor) -> Self {
        let mut info = site.info().clone();
        if options.without_fulltext {
            info.without.push("fulltext".into());
        }
        SiteSource {
            site,
            monitor,
            info,
            options,
            begins_with_files: false,
            walk: None,
            batch: Batch::default(),
            spent: Vec::new(),
            is_over: false,
            hasher: RecordHasher::default(),
            short_records: ShortRecords::default(),
            digest: None,
        }
    }

    /// A walk over all that is outside of the tables.
    pub(super) fn of_files(site: &'s Site, monitor: &'s dyn Monitor) -> Self {
        let options =
            ReadOptions { scratch: PathBuf::new(), logs: Vec::new(), without_fulltext: false, salvages: false };
        let mut source = SiteSource::new(site, options, monitor);
        source.begins_with_files = true;
        source
    }

    /// What comes next, which may not have been read yet; `None` at the end.
    fn upcoming(&mut self) -> Result<Option<&Step>, ReadSiteError> {
        while self.batch.steps.is_empty() && !self.is_over {
            let walk = match &mut self.walk {
                Some(walk) => walk,
                None => {
                    let (site, options) = (self.site.shared(), self.options.clone());
                    self.walk.insert(Ahead::start(site, options, self.begins_with_files)?)
                }
            };
            // A walk that is over needs no memory.
            let _ = walk.used.send(std::mem::take(&mut self.spent));
            // Whatever goes wrong, nothing comes after it.
            self.is_over = true;
            let batch = walk.batch(self.monitor);
            let warnings = std::mem::take(&mut *walk.stop.lock());
            warnings.iter().for_each(|warning| self.monitor.warning(warning));
            match batch {
                Some(batch) => {
                    self.batch = batch?;
                    self.batch.digests = self.digests().into();
                    self.is_over = self.batch.is_last;
                }
                None => self.panicked(),
            }
        }
        Ok(self.batch.steps.front())
    }

    /// The digests of the batch's records that have no longer body.
    fn digests(&mut self) -> Vec<Digest> {
        let short = self.batch.steps.iter().filter_map(|step| match step {
            Step::Record(header) => Some(header).filter(|header| ShortRecords::take(header)),
            Step::Segment(_) => None,
        });
        short.for_each(|header| self.short_records.push(header));
        let mut digests = Vec::new();
        self.short_records.digests(&mut digests);
        digests
    }

    /// The walk has ended without its end: the panic that has ended it goes on here, or it would look like the end of all records.
    fn panicked(&mut self) {
        if let Some(Err(panic)) = self.walk.take().map(|walk| walk.thread.join()) {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Source for SiteSource<'_> {
    fn site(&self) -> &SiteInfo {
        &self.info
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.batch.position
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        loop {
            self.upcoming()?;
            match self.batch.steps.pop_front() {
                None => return Ok(None),
                Some(Step::Segment(_)) => {}
                Some(Step::Record(header)) => {
                    self.digest = if ShortRecords::take(&header) { self.batch.digests.pop_front() } else { None };
                    if self.digest.is_none() {
                        self.hasher.begin(&header);
                    }
                    return Ok(Some(header));
                }
            }
        }
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        if !matches!(self.upcoming()?, Some(Step::Segment(_))) {
            return Ok(false);
        }
        if let Some(Step::Segment(bytes)) = self.batch.steps.pop_front() {
            self.spent.push(Step::Segment(std::mem::replace(segment, bytes)));
            self.hasher.body(segment);
        }
        Ok(true)
    }

    fn digest(&self) -> Digest {
        self.digest.unwrap_or_else(|| self.hasher.digest())
    }

    fn take_back(&mut self, header: Header) {
        self.spent.push(Step::Record(header));
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(self.site.parts().look_again()?)
    }
}

impl Ahead {
    fn start(site: Site, options: ReadOptions, begins_with_files: bool) -> Result<Self, ReadSiteError> {
        let (sender, batches) = sync_channel(WAITING_BATCHES);
        let (used, spare) = channel();
        let stop = Arc::new(Stop::default());
        let (path, shared_stop) = (site.root().to_owned(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("walk".into())
            .spawn(move || {
                let records = match begins_with_files {
                    true => WithBodies::of_files(&site, options, &*shared_stop),
                    false => WithBodies::begin(&site, options, &*shared_stop),
                };
                walk(records, &sender, &spare);
            })
            .map_err(|error| ReadSiteError::Io { path, source: no_thread(error) })?;
        Ok(Ahead { thread, stop, batches, used })
    }

    /// Waits for the next batch; `None` if there will be none because the thread is gone.
    fn batch(&mut self, monitor: &dyn Monitor) -> Option<Result<Batch, ReadSiteError>> {
        loop {
            match self.batches.recv_timeout(PATIENCE) {
                Ok(batch) => return Some(batch),
                Err(RecvTimeoutError::Timeout) if monitor.is_interrupted() => self.stop.set(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

impl Drop for SiteSource<'_> {
    /// Nothing of the site is open any more when this is gone.
    fn drop(&mut self) {
        let Some(Ahead { thread, stop, batches, used }) = self.walk.take() else { return };
        stop.set();
        drop((batches, used));
        // Who gives up a walk needs no verdict on it.
        let _ = thread.join();
    }
}

/// The work of the thread: ends when all was given, or nobody takes it any more.
fn walk(mut records: WithBodies, batches: &SyncSender<Result<Batch, ReadSiteError>>, used: &Receiver<Vec<Step>>) {
    // Memory for segments. Headers that come back are freed here, where they were made.
    let mut segments = Vec::new();
    loop {
        while let Ok(spent) = used.try_recv() {
            segments.extend(spent.into_iter().filter_map(|step| match step {
                Step::Segment(segment) => Some(segment),
                Step::Record(_) => None,
            }));
        }
        let batch = next_batch(&mut records, &mut segments);
        let is_last = batch.as_ref().map_or(true, |batch| batch.is_last);
        if batches.send(batch).is_err() || is_last {
            return;
        }
    }
}

fn next_batch(records: &mut WithBodies, segments: &mut Vec<Vec<u8>>) -> Result<Batch, ReadSiteError> {
    let mut batch = Batch::default();
    while batch.bytes < BATCH_BYTES && batch.steps.len() < BATCH_STEPS {
        if records.has_segment() {
            let mut segment = segments.pop().unwrap_or_default();
            records.segment(&mut segment)?;
            batch.bytes += segment.len();
            batch.steps.push_back(Step::Segment(segment));
            continue;
        }
        let Some(header) = records.next()? else {
            batch.is_last = true;
            break;
        };
        if let Some(Body::Inline(bytes)) = &header.body {
            batch.bytes += bytes.len();
        }
        batch.steps.push_back(Step::Record(header));
    }
    batch.position = records.position();
    Ok(batch)
}

impl Monitor for Stop {
    fn task(&self, _name: &str) {}
    fn progress(&self, _bytes: u64, _records: u64) {}
    fn position(&self, _done: u64, _total: u64) {}
    fn warning(&self, text: &str) {
        self.lock().push(text.to_owned());
    }
    fn is_interrupted(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }
}
