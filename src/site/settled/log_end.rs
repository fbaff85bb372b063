//! How a site's log ends: what libdb writes when an environment is closed, or not.
//!
//! The last log file is walked from its header to the last record. Ends that prove whole tables:
//!
//! - *clean stop*: a `__txn_ckp` (all changed pages are written, then this), one `__dbreg_register` CLOSE for each table, and nothing else;
//! - *recovered*: `__txn_ckp` and `__txn_recycle`, written by recovery (`db_recover`, or a server that recovers at its start);
//! - a clean stop followed by `__txn_recycle` alone: something opened the environment and changed nothing. No page is ever written before
//!   the record of its change, so the tables are as they were.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::log::{LogError, LogFile, LogRecord, RecordKind};
use super::lsn::Lsn;

/// How the log of a site ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogState {
    /// There is no log file.
    None,
    /// The server stopped in order.
    CleanStop {
        /// The last checkpoint.
        checkpoint: Lsn,
        /// Behind the last record.
        end: Lsn,
        /// The tables that were closed after the checkpoint.
        closed: BTreeSet<String>,
    },
    /// Recovery ran to its end, and nothing was written since.
    Recovered {
        /// The checkpoint that recovery made.
        checkpoint: Lsn,
        /// Behind the last record.
        end: Lsn,
    },
    /// A checkpoint, and nothing after it.
    Checkpoint {
        /// The checkpoint.
        checkpoint: Lsn,
        /// Behind the last record.
        end: Lsn,
    },
    /// Changes are in the log that may not be in the tables.
    Unclean {
        /// What was found at the end.
        reason: String,
        /// Behind the last whole record.
        end: Lsn,
    },
    /// The log can't be read.
    Unreadable {
        /// Why.
        reason: String,
        /// The log's version, if that is what hinders.
        version: Option<u32>,
    },
}

/// The proof, in words.
impl fmt::Display for LogState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogState::None => f.write_str("there is no log, and no page of a table was ever logged"),
            LogState::CleanStop { checkpoint, end, closed } => write!(
                f,
                "the log ends at {end} with the checkpoint at {checkpoint} and {} tables closed after it",
                closed.len()
            ),
            LogState::Recovered { checkpoint, end } => {
                write!(f, "the log ends at {end} with recovery's checkpoint at {checkpoint}")
            }
            LogState::Checkpoint { checkpoint, end } => {
                write!(f, "the log ends at {end} with the checkpoint at {checkpoint}")
            }
            LogState::Unclean { reason, end } => write!(f, "the log ends at {end}: {reason}"),
            LogState::Unreadable { reason, .. } => write!(f, "the log can't be read: {reason}"),
        }
    }
}

impl LogState {
    /// Where the log ends, if that is known.
    pub fn end(&self) -> Option<Lsn> {
        match self {
            LogState::CleanStop { end, .. }
            | LogState::Recovered { end, .. }
            | LogState::Checkpoint { end, .. }
            | LogState::Unclean { end, .. } => Some(*end),
            LogState::None | LogState::Unreadable { .. } => None,
        }
    }
}

/// A new last file may hold too little to tell; so many files before it are looked at, too.
const FILES_BACK: usize = 3;
/// Citadel has 14 tables; file numbers have two digits.
const MOST_TABLES: usize = 256;

/// Number of a log file by its name, `log.` and ten digits.
pub(crate) fn log_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("log.")?;
    let ten_digits = digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit());
    ten_digits.then(|| digits.parse().ok()).flatten()
}

/// The log files in `data`, by rising number.
pub fn log_files(data: &Path) -> std::io::Result<Vec<(u32, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().and_then(log_number) {
            files.push((number, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// Finds out how the log in `data` ends. What can't be read is part of the answer, not an error; only the directory itself must be readable.
pub fn read_log_end(data: &Path) -> std::io::Result<LogState> {
    let files = log_files(data)?;
    if files.is_empty() {
        return Ok(LogState::None);
    }
    let mut end = End::default();
    for back in 1..=FILES_BACK.min(files.len()) {
        let tail = files.get(files.len() - back..).unwrap_or_default();
        end = End::default();
        match walk(tail, &mut end) {
            Ok(()) => {}
            Err(LogError::Version { path, found }) => {
                return Ok(LogState::Unreadable {
                    reason: LogError::Version { path, found }.to_string(),
                    version: Some(found),
                });
            }
            Err(error @ LogError::Broken { .. }) => {
                return Ok(LogState::Unclean { reason: error.to_string(), end: end.end });
            }
            Err(error) => {
                return Ok(LogState::Unreadable { reason: error.to_string(), version: None });
            }
        }
        if end.seen != Seen::TooLittle {
            break;
        }
    }
    Ok(end.state())
}

/// Walks files in order and checks that each follows the one before.
fn walk(files: &[(u32, PathBuf)], end: &mut End) -> Result<(), LogError> {
    let mut before: Option<Lsn> = None;
    for (number, path) in files {
        let mut log = LogFile::open(path, *number)?;
        if let Some(before) = before
            && (before.file.checked_add(1), before.offset) != (Some(*number), log.prev_file_last())
        {
            return Err(LogError::Broken {
                path: path.clone(),
                at: Lsn { file: *number, offset: 0 },
                last: before,
                what: format!(
                    "this file doesn't follow that record: its own header names byte {} of file {}",
                    log.prev_file_last(),
                    number.saturating_sub(1)
                ),
            });
        }
        end.end = log.next_record();
        while let Some(record) = log.next() {
            end.take(&record?);
            end.end = log.next_record();
        }
        before = Some(log.last_record());
    }
    Ok(())
}

/// What stands behind the last checkpoint.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nothing that decides: the checkpoint must be in an earlier file.
    #[default]
    TooLittle,
    /// Nothing.
    Checkpoint,
    /// Only a `__txn_recycle`.
    Recycled,
    /// Closed tables.
    Closed,
    /// Anything else.
    Changes,
}

/// The end of the log as far as it was read.
#[derive(Debug, Default)]
struct End {
    end: Lsn,
    seen: Seen,
    checkpoint: Option<Lsn>,
    closed: BTreeSet<String>,
    records_after: u64,
}

impl End {
    fn take(&mut self, record: &LogRecord) {
        self.records_after += 1;
        self.seen = match (record.kind, self.seen) {
            (RecordKind::TxnCkp, _) => {
                self.checkpoint = Some(record.lsn);
                self.closed.clear();
                self.records_after = 0;
                Seen::Checkpoint
            }
            (RecordKind::TxnRecycle, Seen::Checkpoint) => Seen::Recycled,
            (RecordKind::TxnRecycle, seen) => seen,
            (RecordKind::DbregRegister, seen @ (Seen::TooLittle | Seen::Checkpoint | Seen::Closed)) => {
                let closed = closed_table(record)
                    .is_some_and(|table| self.closed.len() < MOST_TABLES && self.closed.insert(table));
                match seen {
                    _ if !closed => Seen::Changes,
                    Seen::TooLittle => Seen::TooLittle,
                    _ => Seen::Closed,
                }
            }
            _ => Seen::Changes,
        };
    }

    fn state(self) -> LogState {
        let end = self.end;
        match (self.seen, self.checkpoint) {
            (Seen::Checkpoint, Some(checkpoint)) => LogState::Checkpoint { checkpoint, end },
            (Seen::Recycled, Some(checkpoint)) => LogState::Recovered { checkpoint, end },
            (Seen::Closed, Some(checkpoint)) => LogState::CleanStop { checkpoint, end, closed: self.closed },
            (_, Some(checkpoint)) => LogState::Unclean {
                reason: format!(
                    "the log ends at {end}, {} records after the last checkpoint at {checkpoint}, and those are not the records of an orderly stop",
                    self.records_after
                ),
                end,
            },
            (_, None) => LogState::Unclean {
                reason: format!(
                    "the log ends at {end} among changes, not with a checkpoint and the closing of all tables"
                ),
                end,
            },
        }
    }
}

/// The table that a `__dbreg_register` record closes; `None` for every other use of that record.
///
/// Body: opcode (2 = CLOSE), length of the name, the name with a NUL, and more that isn't needed here.
fn closed_table(record: &LogRecord) -> Option<String> {
    const CLOSE: u32 = 2;
    if record.u32_at(0)? != CLOSE {
        return None;
    }
    let name = record.body.get(8..)?.get(..record.u32_at(4)? as usize)?;
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    str::from_utf8(name).ok().map(str::to_owned)
}
