//! A table that is written while it is copied.
//!
//! A read and a write of the same page at the same moment can mix on file systems whose reads take no lock (ext4): part of the page is old,
//! part is new. Such a mixture lasts for the moment of the write only. So a page is accepted when two reads, some time apart, found the
//! same; the copy holds what the last read found, and is itself what the next read is compared with. (A page of zeros, set aside and never
//! written, is accepted at once: no part of it is of any other state.)
//!
//! The pages come from different moments, which is what the log is for. The table may grow meanwhile: pages that come later than the copy
//! are in the log.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::SnapshotError;
use super::block::{BLOCK_BYTES, Copy, Original, Progress};

/// How long a table is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Time between two reads of a page.
    pub(super) apart: Duration,
    /// Looks at a page before it's said that the table doesn't come to rest.
    pub(super) most_looks: u32,
}

impl Default for Patience {
    /// Thousands of times what a write of a page takes, and a few seconds in all.
    fn default() -> Self {
        Patience { apart: Duration::from_millis(20), most_looks: 500 }
    }
}

impl Patience {
    /// The time before that look at a page. A few pages of a busy server (the root of a table, its settings) are written so often that no
    /// two reads with much time between them agree; so the time becomes shorter, but stays far longer than a write takes.
    pub(super) fn before_look(&self, look: u32) -> Duration {
        match look {
            ..=20 => self.apart,
            21..=60 => self.apart / 4,
            _ => self.apart / 20,
        }
    }
}

/// The copy of a table, and what of it is still to be read again.
pub(super) struct MovingTable {
    path: PathBuf,
    original: Original,
    copy: Copy,
    page_bytes: u64,
    /// Whole pages that the copy has.
    pages: u64,
    /// Runs of pages of which no two reads agreed so far, ascending.
    pending: Vec<Range<u64>>,
    last_look: Option<Instant>,
}

impl MovingTable {
    /// Nothing is read yet.
    pub(super) fn new(path: &Path, original: Original, copy: Copy, page_bytes: u64) -> Self {
        MovingTable {
            path: path.to_owned(),
            original,
            copy,
            page_bytes,
            pages: 0,
            pending: Vec::new(),
            last_look: None,
        }
    }

    /// Takes the pages that the table has now; those that the copy lacks are to be read.
    pub(super) fn measure(&mut self) -> Result<(), SnapshotError> {
        let now = self.original.bytes()? / self.page_bytes;
        if now > self.pages {
            add_run(&mut self.pending, self.pages..now);
            self.pages = now;
            self.copy.set_len(now.saturating_mul(self.page_bytes))?;
        }
        Ok(())
    }

    /// When all of it had been looked at the last time.
    pub(super) fn last_look(&self) -> Option<Instant> {
        self.last_look
    }

    pub(super) fn pending_pages(&self) -> u64 {
        self.pending.iter().map(|run| run.end - run.start).sum()
    }

    /// Reads every pending page once. Those that the copy has just so are accepted, the others are written into the copy and stay pending.
    pub(super) fn look(&mut self, progress: &mut Progress<'_>) -> Result<(), SnapshotError> {
        let pages_at_once = BLOCK_BYTES as u64 / self.page_bytes;
        let mut buffers = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
        let mut still = Vec::new();
        for run in std::mem::take(&mut self.pending) {
            let mut first = run.start;
            while first < run.end {
                let end = run.end.min(first + pages_at_once);
                self.look_at(first..end, &mut buffers, &mut still)?;
                progress.add((end - first) * self.page_bytes)?;
                first = end;
            }
        }
        self.pending = still;
        self.last_look = Some(Instant::now());
        Ok(())
    }

    fn look_at(
        &self,
        pages: Range<u64>,
        (now, before): &mut (Vec<u8>, Vec<u8>),
        still: &mut Vec<Range<u64>>,
    ) -> Result<(), SnapshotError> {
        let offset = pages.start * self.page_bytes;
        // Fits: never more than a block.
        let wanted = ((pages.end - pages.start) * self.page_bytes) as usize;
        let (now, before) = (now.get_mut(..wanted).unwrap_or_default(), before.get_mut(..wanted).unwrap_or_default());
        let found = self.original.read_at(now, offset)?;
        self.copy.read_at(before, offset)?;
        let page_bytes = self.page_bytes as usize;
        // What lies behind the end, because the table was made shorter, is gone; a part of a page at the end is none.
        let whole = found / page_bytes;
        let differs = |page: usize| {
            let place = page * page_bytes..(page + 1) * page_bytes;
            now.get(place.clone()) != before.get(place)
        };
        let mut page = 0;
        while page < whole {
            let from = page;
            while page < whole && differs(page) {
                page += 1;
            }
            if from < page {
                let bytes = now.get(from * page_bytes..page * page_bytes).unwrap_or_default();
                self.copy.write_at(bytes, offset + (from * page_bytes) as u64)?;
                add_run(still, pages.start + from as u64..pages.start + page as u64);
            }
            page += 1;
        }
        Ok(())
    }

    /// The copy is complete: cut to the pages that the table still has. Returns its size in bytes.
    pub(super) fn finish(self) -> Result<u64, SnapshotError> {
        let pages = self.pages.min(self.original.bytes()? / self.page_bytes);
        let bytes = pages.saturating_mul(self.page_bytes);
        self.copy.set_len(bytes)?;
        Ok(bytes)
    }

    /// The error for a table that doesn't come to rest.
    pub(super) fn never_at_rest(&self, looks: u32) -> SnapshotError {
        SnapshotError::Moving { table: self.path.clone(), pages: self.pending_pages(), looks }
    }
}

/// Adds a run behind the others, joined with the last one where they touch.
fn add_run(runs: &mut Vec<Range<u64>>, run: Range<u64>) {
    match runs.last_mut() {
        Some(last) if last.end == run.start => last.end = run.end,
        _ => runs.push(run),
    }
}
