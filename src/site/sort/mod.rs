//! External sort in bounded memory.
//!
//! A table of a little-endian machine keeps numbers by their lowest byte, and an archive keeps records in an order of its own:
//! on the way out and on the way in everything small goes through this sort. What fits the bound never touches a disk;
//! the rest goes as sorted runs into files without a name in the scratch directory, which vanish with their owner.

mod error;
mod memory;
mod merge;
mod run;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use error::SortError;
use memory::Batch;
use merge::Merge;
use run::{Run, RunFile, RunWriter, Scratch};

/// Most runs that are merged in one go.
pub const MAX_FAN_IN: usize = 64;
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 65_536;
/// Longest payload, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// Takes items in any order; [`Sorter::finish`] gives them back sorted.
pub struct Sorter {
    scratch: Scratch,
    memory_bytes: usize,
    batch: Batch,
    /// A full level is merged into one run of the next, so every run is older than all runs of the levels before its own.
    levels: Vec<Level>,
    fan_in: usize,
}

/// Runs of about the same length, in one file.
struct Level {
    file: Arc<RunFile>,
    runs: Vec<Run>,
}

impl Sorter {
    /// A sorter that holds at most `memory_bytes` of items (plus a small constant, and one item however large) and puts the rest
    /// into `scratch`, an existing directory.
    pub fn new(scratch: &Path, memory_bytes: usize) -> Sorter {
        Sorter {
            scratch: Scratch::new(scratch),
            memory_bytes,
            batch: Batch::new(),
            levels: Vec::new(),
            fan_in: MAX_FAN_IN,
        }
    }

    /// Adds one item. Keys may repeat.
    ///
    /// # Errors
    /// When the key is longer than [`MAX_KEY_BYTES`], the payload longer than [`MAX_PAYLOAD_BYTES`], or the scratch directory fails.
    pub fn push(&mut self, key: &[u8], payload: &[u8]) -> Result<(), SortError> {
        if key.len() > MAX_KEY_BYTES {
            return Err(SortError::KeyTooLong { bytes: key.len(), limit: MAX_KEY_BYTES });
        }
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(SortError::PayloadTooLong { bytes: payload.len(), limit: MAX_PAYLOAD_BYTES });
        }
        if !self.batch.is_empty() && self.batch.bytes_with(key, payload) > self.memory_bytes {
            self.spill()?;
        }
        self.batch.push(key, payload, self.memory_bytes);
        Ok(())
    }

    /// Everything pushed, in order of the keys' bytes (a key before those that it begins); equal keys in the order in which they came.
    ///
    /// # Errors
    /// When the scratch directory fails.
    pub fn finish(mut self) -> Result<Sorted, SortError> {
        if self.levels.is_empty() {
            self.batch.sort();
            return Ok(Sorted(Source::Memory { batch: self.batch, at: 0 }));
        }
        self.spill()?;
        // The batch's memory must be free before the merge takes its own.
        self.batch = Batch::new();
        let levels = self.levels.drain(..).rev();
        let mut runs: Vec<Run> = levels.flat_map(|level| level.runs).collect();
        while runs.len() > self.fan_in {
            // The youngest runs are the shortest; they are neighbours in age, so the order of equal keys holds.
            let count = (runs.len() - self.fan_in + 1).clamp(2, self.fan_in);
            let youngest = runs.split_off(runs.len() - count);
            runs.push(self.merge(youngest, &self.scratch.file()?)?);
        }
        let merge = Merge::new(runs, self.memory_bytes)?;
        Ok(Sorted(Source::Disk(merge)))
    }

    fn spill(&mut self) -> Result<(), SortError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.batch.sort();
        let mut writer = RunWriter::new(&self.level(0)?);
        for (key, payload) in self.batch.iter() {
            writer.item(key, payload)?;
        }
        self.batch.clear();
        let run = writer.finish()?;
        self.add_run(0, run)
    }

    /// The file of a level, made when it is first needed: a sort that fits in memory touches no disk.
    fn level(&mut self, number: usize) -> Result<Arc<RunFile>, SortError> {
        if let Some(level) = self.levels.get(number) {
            return Ok(Arc::clone(&level.file));
        }
        let file = self.scratch.file()?;
        self.levels.push(Level { file: Arc::clone(&file), runs: Vec::new() });
        Ok(file)
    }

    fn add_run(&mut self, mut number: usize, mut run: Run) -> Result<(), SortError> {
        while let Some(level) = self.levels.get_mut(number) {
            level.runs.push(run);
            if level.runs.len() < self.fan_in {
                break;
            }
            let full = std::mem::take(&mut level.runs);
            // A file of its own for the next runs: the old one vanishes with the last of its runs.
            level.file = self.scratch.file()?;
            // The batch keeps its memory when it is cleared; it is given back, so that the merge stays inside the bound.
            self.batch = Batch::new();
            number += 1;
            let file = self.level(number)?;
            run = self.merge(full, &file)?;
        }
        Ok(())
    }

    fn merge(&self, runs: Vec<Run>, file: &Arc<RunFile>) -> Result<Run, SortError> {
        let mut merge = Merge::new(runs, self.memory_bytes)?;
        let mut writer = RunWriter::new(file);
        let (mut key, mut payload) = (Vec::new(), Vec::new());
        while merge.next(&mut key, &mut payload)? {
            writer.item(&key, &payload)?;
            key.clear();
            payload.clear();
        }
        writer.finish()
    }
}

/// The sorted items, once.
pub struct Sorted(Source);

enum Source {
    Memory { batch: Batch, at: usize },
    Disk(Merge),
}

impl Sorted {
    /// Puts the next item into `key` and `payload`, or says `false` at the end and leaves them empty.
    ///
    /// # Errors
    /// When the scratch directory fails.
    pub fn next(&mut self, key: &mut Vec<u8>, payload: &mut Vec<u8>) -> Result<bool, SortError> {
        key.clear();
        payload.clear();
        match &mut self.0 {
            Source::Memory { batch, at } => {
                let Some((k, p)) = batch.get(*at) else {
                    return Ok(false);
                };
                key.extend_from_slice(k);
                payload.extend_from_slice(p);
                *at += 1;
                Ok(true)
            }
            Source::Disk(merge) => merge.next(key, payload),
        }
    }
}

impl Iterator for Sorted {
    type Item = Result<(Vec<u8>, Vec<u8>), SortError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut key, mut payload) = (Vec::new(), Vec::new());
        match Sorted::next(self, &mut key, &mut payload) {
            Ok(true) => Some(Ok((key, payload))),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
