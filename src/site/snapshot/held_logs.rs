//! Log files that are held open.
//!
//! A server removes logs after a checkpoint (`c_auto_cull`), and on a large site that happens while the tables are copied. A file that is
//! open can be read to its end all the same. So the logs are opened before the first page is read, and new ones as they come.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::SnapshotError;
use super::block::Original;
use crate::site::settled::log_files;

/// So many files are held; a process may usually have 1,024 open. Where a checkpoint is made each minute there are never so many.
const MOST_HELD: usize = 256;
/// New log files are looked for so often. A server that fills one in that time writes 50 MiB a second.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// The log files from a number on, open for reading.
pub(super) struct HeldLogs {
    data: PathBuf,
    from: u32,
    files: BTreeMap<u32, Original>,
}

impl HeldLogs {
    /// Opens the files that are there now.
    pub(super) fn take(data: &Path, from: u32) -> Result<Self, SnapshotError> {
        let mut held = HeldLogs { data: data.to_owned(), from, files: BTreeMap::new() };
        held.take_newer()?;
        held.numbers()?;
        Ok(held)
    }

    /// Opens those that have come since.
    pub(super) fn take_newer(&mut self) -> Result<(), SnapshotError> {
        for (number, path) in self.listed()? {
            if self.files.len() >= MOST_HELD {
                break;
            }
            // One that vanishes at this moment is missed when its turn comes.
            if !self.files.contains_key(&number)
                && let Some(original) = Original::open(&path, true)?
            {
                self.files.insert(number, original);
            }
        }
        Ok(())
    }

    /// Numbers of all files that are held or there, rising, without a gap.
    pub(super) fn numbers(&self) -> Result<Vec<u32>, SnapshotError> {
        let mut numbers: Vec<u32> = self.listed()?.into_iter().map(|(number, _)| number).collect();
        numbers.extend(self.files.keys());
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.first() != Some(&self.from) {
            return Err(self.vanished(self.from));
        }
        let gap = numbers.windows(2).find(|pair| matches!(pair, [one, next] if one.checked_add(1) != Some(*next)));
        match gap {
            Some(pair) => {
                let missing = pair.first().copied().unwrap_or_default().saturating_add(1);
                Err(SnapshotError::LogGap { data: self.data.clone(), missing })
            }
            None => Ok(numbers),
        }
    }

    /// The file of that number.
    pub(super) fn original(&mut self, number: u32) -> Result<&Original, SnapshotError> {
        let vanished = self.vanished(number);
        match self.files.entry(number) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(free) => {
                let original = Original::open(&self.data.join(log_name(number)), true)?;
                Ok(free.insert(original.ok_or(vanished)?))
            }
        }
    }

    /// Files before that number are needed no longer.
    pub(super) fn let_go_before(&mut self, number: u32) {
        self.files = self.files.split_off(&number);
        self.from = number;
    }

    /// Size of the files together.
    pub(super) fn bytes(&self) -> Result<u64, SnapshotError> {
        let mut bytes = 0;
        for (number, path) in self.listed()? {
            if !self.files.contains_key(&number) {
                bytes += std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            }
        }
        self.files.values().try_fold(bytes, |bytes, held| Ok(bytes + held.bytes()?))
    }

    pub(super) fn vanished(&self, number: u32) -> SnapshotError {
        SnapshotError::LogVanished { data: self.data.clone(), number }
    }

    fn listed(&self) -> Result<Vec<(u32, PathBuf)>, SnapshotError> {
        let files = log_files(&self.data).map_err(|error| SnapshotError::source(&self.data, error))?;
        Ok(files.into_iter().filter(|(number, _)| *number >= self.from).collect())
    }
}

/// Does some work, and opens new log files all the while.
pub(super) fn while_holding<T>(logs: HeldLogs, work: impl FnOnce() -> T) -> (T, HeldLogs) {
    let logs = Mutex::new(logs);
    let done = std::thread::scope(|scope| {
        let (working, worked) = mpsc::channel::<()>();
        let logs = &logs;
        let watch = move || {
            while worked.recv_timeout(WATCH_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                // What can't be opened now is told when its turn comes.
                let _ = logs.lock().unwrap_or_else(PoisonError::into_inner).take_newer();
            }
        };
        // Without a thread logs may vanish unseen, which is told when their turn comes.
        let _ = std::thread::Builder::new().spawn_scoped(scope, watch);
        let done = work();
        drop(working);
        done
    });
    (done, logs.into_inner().unwrap_or_else(PoisonError::into_inner))
}

pub(super) fn log_name(number: u32) -> String {
    format!("log.{number:010}")
}
