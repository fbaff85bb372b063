//! Two threads for one copy: one reads, unpacks and digests, some records ahead of the other, which writes. What is under way is bounded.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::{mem, thread};

use super::copy::{Summary, copy};
use crate::codec::Digest;
use crate::endpoint::{Class, Failure, Sink, Source, no_thread};
use crate::monitor::Monitor;
use crate::record::{Body, End, Header, SiteInfo};

/// A batch is full when it has so many bytes of bodies, or so many steps.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_STEPS: usize = 512;
/// Batches that wait to be taken.
const WAITING_BATCHES: usize = 2;

/// Does what `copy` does, with the source on a thread of its own while it lasts.
///
/// # Errors
/// Those of `copy`. When it is the sink that fails, the source is waited for until it has given what it is about to give.
pub fn copy_ahead(
    source: &mut (dyn Source + Send),
    sink: &mut dyn Sink,
    monitor: &dyn Monitor,
) -> Result<Summary, Failure> {
    let site = source.site().clone();
    let (sender, batches) = sync_channel(WAITING_BATCHES);
    let (used, spare) = channel();
    thread::scope(|scope| {
        thread::Builder::new()
            .name("source".into())
            .spawn_scoped(scope, move || read(source, &sender, &spare))
            .map_err(|error| Failure::new(Class::Failed, no_thread(error)))?;
        copy(&mut Ahead::new(site, batches, used), sink, monitor)
    })
}

/// What a source gives, one after the other.
enum Step {
    Record(Header),
    Segment(Vec<u8>),
    /// The record is complete.
    Digest(Digest),
}

#[derive(Default)]
struct Batch {
    steps: VecDeque<Step>,
    /// Memory for the list of what of it is not needed any more.
    spent: Vec<Step>,
    bytes: usize,
    /// How far the source was at its end.
    position: Option<(u64, u64)>,
    /// How the source ended, if nothing comes behind it.
    end: Option<Result<End, Failure>>,
}

/// A source that works on a thread of its own, as the thread that writes sees it.
pub struct Ahead {
    site: SiteInfo,
    batches: Receiver<Batch>,
    batch: Batch,
    /// What of the batch nobody needs any more.
    spent: Vec<Step>,
    /// Takes what was used, for its memory.
    used: Sender<Used>,
}

/// What a batch has left behind: the memory of its list, and what stood in it.
struct Used {
    steps: VecDeque<Step>,
    spent: Vec<Step>,
}

impl Ahead {
    /// Has a source that nothing was read from yet work on its own. It ends with the copy, or when it has something to give and nobody takes it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<S: Source + Send + 'static>(mut source: S) -> Result<Ahead, Failure> {
        let site = source.site().clone();
        let (sender, batches) = sync_channel(WAITING_BATCHES);
        let (used, spare) = channel();
        thread::Builder::new()
            .name("source".into())
            .spawn(move || read(&mut source, &sender, &spare))
            .map_err(|error| Failure::new(Class::Failed, no_thread(error)))?;
        Ok(Ahead::new(site, batches, used))
    }

    fn new(site: SiteInfo, batches: Receiver<Batch>, used: Sender<Used>) -> Ahead {
        Ahead { site, batches, batch: Batch::default(), spent: Vec::new(), used }
    }

    /// What comes next, which may not have been read yet; `None` at the end.
    fn upcoming(&mut self) -> Result<Option<&Step>, Failure> {
        while self.batch.steps.is_empty() && self.batch.end.is_none() {
            // Without a last batch the thread has panicked.
            let lost = || Failure::new(Class::Failed, "the thread that reads has ended; this is a bug in ctdl-dump");
            let mut next = self.batches.recv().map_err(|_| lost())?;
            let spent = mem::replace(&mut self.spent, mem::take(&mut next.spent));
            let steps = mem::replace(&mut self.batch, next).steps;
            // A source that is at its end needs no memory.
            let _ = self.used.send(Used { steps, spent });
        }
        if self.batch.steps.is_empty() && matches!(self.batch.end, Some(Err(_))) {
            self.finish()?;
        }
        Ok(self.batch.steps.front())
    }
}

impl Source for Ahead {
    fn site(&self) -> &SiteInfo {
        &self.site
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.batch.position
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        while self.upcoming()?.is_some() {
            if let Some(Step::Record(header)) = self.batch.steps.pop_front() {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        if !matches!(self.upcoming()?, Some(Step::Segment(_))) {
            return Ok(false);
        }
        if let Some(Step::Segment(bytes)) = self.batch.steps.pop_front() {
            self.spent.push(Step::Segment(mem::replace(segment, bytes)));
        }
        Ok(true)
    }

    fn take_back(&mut self, header: Header) {
        self.spent.push(Step::Record(header));
    }

    fn digest(&self) -> Digest {
        match self.batch.steps.front() {
            Some(Step::Digest(digest)) => *digest,
            _ => Digest::default(),
        }
    }

    fn finish(&mut self) -> Result<End, Failure> {
        let too_early = || Err(Failure::new(Class::Failed, "a source was ended before its last record"));
        self.batch.end.take().unwrap_or_else(too_early)
    }
}

/// The work of the thread: ends when all was given, or nobody takes it any more.
fn read(source: &mut dyn Source, batches: &SyncSender<Batch>, used: &Receiver<Used>) {
    let mut filling = Filling { batch: Batch::default(), batches, used, segments: Vec::new() };
    let end = read_records(source, &mut filling).and_then(|is_wanted| match is_wanted {
        true => source.finish().map(Some),
        false => Ok(None),
    });
    if let Some(end) = end.transpose() {
        filling.batch.end = Some(end);
        filling.batch.position = source.position();
        // Who gave up the copy needs no end of it.
        let _ = batches.send(filling.batch);
    }
}

/// Reads all records; `false` if nobody takes them any more.
fn read_records(source: &mut dyn Source, filling: &mut Filling) -> Result<bool, Failure> {
    let mut segment = Vec::new();
    while let Some(header) = source.next()? {
        let inline_bytes = match &header.body {
            Some(Body::Inline(bytes)) => bytes.len(),
            _ => 0,
        };
        if !filling.push(Step::Record(header), inline_bytes, source) {
            return Ok(false);
        }
        while source.segment(&mut segment)? {
            let bytes = segment.len();
            let full = mem::replace(&mut segment, filling.segments.pop().unwrap_or_default());
            if !filling.push(Step::Segment(full), bytes, source) {
                return Ok(false);
            }
        }
        filling.batch.steps.push_back(Step::Digest(source.digest()));
    }
    Ok(true)
}

struct Filling<'b> {
    batch: Batch,
    batches: &'b SyncSender<Batch>,
    used: &'b Receiver<Used>,
    /// Memory for segments.
    segments: Vec<Vec<u8>>,
}

impl Filling<'_> {
    /// Takes a step, after a full batch was given away; `false` if nobody takes it any more. So a digest always stands in the batch of what it ends.
    fn push(&mut self, step: Step, bytes: usize, source: &mut dyn Source) -> bool {
        if self.batch.bytes >= BATCH_BYTES || self.batch.steps.len() >= BATCH_STEPS {
            self.batch.position = source.position();
            if self.batches.send(mem::take(&mut self.batch)).is_err() {
                return false;
            }
            self.reuse(source);
        }
        self.batch.bytes += bytes;
        self.batch.steps.push_back(step);
        true
    }

    /// Gives headers that nobody needs any more back to the source, and keeps segments to use them again.
    fn reuse(&mut self, source: &mut dyn Source) {
        while let Ok(Used { steps, mut spent }) = self.used.try_recv() {
            for step in spent.drain(..) {
                match step {
                    Step::Record(header) => source.take_back(header),
                    Step::Segment(segment) => self.segments.push(segment),
                    Step::Digest(_) => {}
                }
            }
            (self.batch.steps, self.batch.spent) = (steps, spent);
        }
    }
}
