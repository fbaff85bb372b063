//! Several sorted runs as one.

use std::cmp::Ordering;

use super::SortError;
use super::run::{Run, RunReader};

/// Limits of the buffer that each run gets.
const BUFFER_BYTES: std::ops::RangeInclusive<usize> = 4 << 10..=256 << 10;

/// A merge; of equal keys the one from the earlier run comes first.
pub(super) struct Merge {
    /// A binary heap, the run with the least key at its root; with the age of each run.
    heap: Vec<(usize, RunReader)>,
}

impl Merge {
    /// Merges `runs`, oldest first, with buffers of `memory_bytes` together.
    pub(super) fn new(runs: Vec<Run>, memory_bytes: usize) -> Result<Merge, SortError> {
        let buffer_bytes = (memory_bytes / runs.len().max(1)).clamp(*BUFFER_BYTES.start(), *BUFFER_BYTES.end());
        let mut heap = Vec::with_capacity(runs.len());
        for (age, run) in runs.into_iter().enumerate() {
            if let Some(reader) = RunReader::open(run, buffer_bytes)? {
                heap.push((age, reader));
            }
        }
        // Sorted is a heap already.
        heap.sort_by(order);
        Ok(Merge { heap })
    }

    /// Puts the next item into the two vectors, which must be empty; `false` at the end.
    pub(super) fn next(&mut self, key: &mut Vec<u8>, payload: &mut Vec<u8>) -> Result<bool, SortError> {
        let Some((_, least)) = self.heap.first_mut() else {
            return Ok(false);
        };
        key.extend_from_slice(least.key());
        if !least.take(payload)? {
            self.heap.swap_remove(0);
        }
        self.sift_down();
        Ok(true)
    }

    fn sift_down(&mut self) {
        let mut parent = 0;
        loop {
            let left = 2 * parent + 1;
            let Some(left_run) = self.heap.get(left) else {
                return;
            };
            let right_is_less = self.heap.get(left + 1).is_some_and(|right| order(right, left_run).is_lt());
            let child = if right_is_less { left + 1 } else { left };
            if order(&self.heap[parent], &self.heap[child]).is_lt() {
                return;
            }
            self.heap.swap(parent, child);
            parent = child;
        }
    }
}

fn order(a: &(usize, RunReader), b: &(usize, RunReader)) -> Ordering {
    let (age_a, a) = a;
    let (age_b, b) = b;
    a.prefix().cmp(&b.prefix()).then_with(|| a.key().cmp(b.key())).then(age_a.cmp(age_b))
}
