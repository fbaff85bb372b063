//! How a site's log ends: what libdb writes when an environment is closed, or not.
//!
//! The last log file is walked from its header to the last record. Ends that prove whole tables:
//!
//! - *clean stop*: a `__txn_ckp` (all changed pages are written, then this), one `__dbreg_register` CLOSE for each table, and nothing else;
//! - *checkpoint*: the end of a transaction, one `__dbreg_register` for each open table, then a `__txn_ckp` that covers that transaction,
//!   and nothing else. A record of a change between the position that it covers and the checkpoint itself may be missing in the tables;
//! - *recovered*: `__txn_ckp` and `__txn_recycle`, written by recovery (`db_recover`, or a server that recovers at its start). Recovery
//!   closes the tables before its checkpoint, so no table is named as open between the position that it covers and itself;
//! - one of these followed by `__txn_recycle` alone: something opened the environment and changed nothing. No page is ever written before
//!   the record of its change, so the tables are as they were.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::log::{LogError, LogFile, LogRecord, RecordKind};
use super::log_record::{Checkpoint, TableUse};
use super::log_state::LogState;
use super::lsn::{Lsn, TableId};

/// A new last file may hold too little to tell; so many files before it are looked at, too.
const FILES_BACK: usize = 3;
/// Citadel has 14 tables; file numbers have two digits.
pub(super) const MOST_TABLES: usize = 256;

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
            // The server is about to write the first bytes of a new file; the file before tells where the log ends.
            Err(LogError::Unwritten { .. } | LogError::Broken { .. })
                if end.end == Lsn::default() && back == 1 && files.len() > 1 => {}
            Err(error) => return Ok(end.cut_short_by(&error)),
            Ok(()) => {}
        }
        if !end.needs_more() {
            break;
        }
    }
    Ok(end.state())
}

/// Walks files in order and checks that each follows the one before.
fn walk(files: &[(u32, PathBuf)], end: &mut End) -> Result<(), LogError> {
    let mut before: Option<Lsn> = None;
    for (number, path) in files {
        let mut log = LogFile::open_after(path, *number, before)?;
        end.begin(&log);
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
pub(super) enum Seen {
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

/// What the last checkpoint proves.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Not known, because the records before it are in an earlier file.
    #[default]
    Unknown,
    /// Made by a server at work; all changes before it are in the tables.
    Server,
    /// Made by recovery.
    Recovery,
    /// There are changes between the position that it covers and itself.
    ChangesSince,
    /// It covers a transaction that had not ended.
    OpenTransaction,
}

/// The end of a log as far as it was read.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Behind the last whole record.
    pub(super) end: Lsn,
    pub(super) seen: Seen,
    pub(super) proof: Proof,
    /// The last checkpoint.
    pub(super) checkpoint: Option<Checkpoint>,
    /// Whether nothing was ever logged before what was read, and nothing but `__txn_recycle` in it.
    pub(super) nothing_before: bool,
    closed: BTreeMap<String, Option<TableId>>,
    records_after: u64,
    records: u64,
    last: Last,
}

/// Where the last record of some kinds stands.
#[derive(Debug, Default)]
struct Last {
    /// A table named as open at a checkpoint.
    named: Lsn,
    /// A table closed by recovery.
    closed_by_recovery: Lsn,
    /// Any other record.
    other: Lsn,
    /// A change of a table, and whether it is the end of its transaction.
    change: Option<bool>,
}

impl End {
    /// Goes on to the next file, which follows what was read.
    pub(super) fn begin(&mut self, log: &LogFile) {
        self.end = log.next_record();
        if self.records == 0 {
            self.nothing_before = log.prev_file_last() == 0;
        }
    }

    pub(super) fn take(&mut self, record: &LogRecord) {
        self.records += 1;
        self.records_after += 1;
        self.nothing_before &= record.kind == RecordKind::TxnRecycle;
        let table_use = record.table_use();
        self.seen = match (record.kind, self.seen) {
            (RecordKind::TxnCkp, _) => match record.checkpoint() {
                Some(checkpoint) => {
                    self.checkpoint = Some(checkpoint);
                    self.proof = self.last.proof(&checkpoint);
                    self.closed.clear();
                    self.records_after = 0;
                    Seen::Checkpoint
                }
                None => Seen::Changes,
            },
            (RecordKind::TxnRecycle, Seen::Checkpoint) => Seen::Recycled,
            (RecordKind::TxnRecycle, seen) => seen,
            (RecordKind::DbregRegister, seen @ (Seen::TooLittle | Seen::Checkpoint | Seen::Closed)) => {
                let closed = match table_use {
                    Some((TableUse::Closed, table)) => {
                        self.closed.len() < MOST_TABLES
                            && self.closed.insert(table.to_owned(), record.table_id()).is_none()
                    }
                    _ => false,
                };
                match seen {
                    _ if !closed => Seen::Changes,
                    Seen::TooLittle => Seen::TooLittle,
                    _ => Seen::Closed,
                }
            }
            _ => Seen::Changes,
        };
        self.last.take(record, table_use.map(|(how, _)| how));
    }

    /// Whether an earlier file must be read to know.
    fn needs_more(&self) -> bool {
        match self.seen {
            Seen::TooLittle => true,
            Seen::Checkpoint | Seen::Recycled => self.proof == Proof::Unknown,
            Seen::Changes | Seen::Closed => false,
        }
    }

    /// Whether nothing was read but the closing of tables.
    pub(super) fn only_closed(&self) -> bool {
        self.seen == Seen::TooLittle && !self.closed.is_empty()
    }

    /// The answer, where an error ended the reading.
    pub(super) fn cut_short_by(&self, error: &LogError) -> LogState {
        let reason = error.to_string();
        match error {
            LogError::Broken { .. } => LogState::Unclean { reason, end: self.end },
            LogError::Unwritten { .. } if self.end != Lsn::default() => LogState::Unclean { reason, end: self.end },
            LogError::Version { found, .. } => LogState::Unreadable { reason, version: Some(*found) },
            _ => LogState::Unreadable { reason, version: None },
        }
    }

    /// The answer, where the whole log was read.
    pub(super) fn state(&self) -> LogState {
        let end = self.end;
        let unclean = |reason: String| LogState::Unclean { reason, end };
        let Some(Checkpoint { lsn: checkpoint, ckp_lsn, .. }) = self.checkpoint else {
            return unclean(format!(
                "the log ends at {end} among changes, not with a checkpoint and the closing of all tables"
            ));
        };
        match (self.seen, self.proof) {
            (Seen::Closed, _) => LogState::CleanStop { checkpoint, end, closed: self.closed.clone() },
            (Seen::Checkpoint | Seen::Recycled, Proof::Server) => LogState::Checkpoint { checkpoint, end },
            (Seen::Recycled, Proof::Recovery) => LogState::Recovered { checkpoint, end },
            (Seen::Checkpoint, Proof::Recovery) => unclean(format!(
                "the log ends at {end} with the checkpoint at {checkpoint} of a recovery that did not come to its end"
            )),
            (Seen::Checkpoint | Seen::Recycled, Proof::OpenTransaction) => unclean(format!(
                "the log ends at {end} with the checkpoint at {checkpoint}, made while the transaction at {ckp_lsn} was open"
            )),
            (Seen::Checkpoint | Seen::Recycled, _) => unclean(format!(
                "the log ends at {end} with the checkpoint at {checkpoint}, which covers the changes up to {ckp_lsn} only, and there may be more"
            )),
            _ => unclean(format!(
                "the log ends at {end}, {} records after the last checkpoint at {checkpoint}, and those are not the records of an orderly stop",
                self.records_after
            )),
        }
    }
}

impl Last {
    fn take(&mut self, record: &LogRecord, table_use: Option<TableUse>) {
        match table_use {
            Some(TableUse::AtCheckpoint) => self.named = record.lsn,
            Some(TableUse::ClosedByRecovery) => self.closed_by_recovery = record.lsn,
            _ => self.other = record.lsn,
        }
        if !matches!(record.kind, RecordKind::DbregRegister | RecordKind::TxnCkp | RecordKind::TxnRecycle) {
            self.change = Some(record.kind == RecordKind::TxnRegop);
        }
    }

    /// What a checkpoint proves that follows these records.
    fn proof(&self, checkpoint: &Checkpoint) -> Proof {
        let covered = checkpoint.ckp_lsn;
        match self.change {
            _ if self.other > covered => Proof::ChangesSince,
            None => Proof::Unknown,
            Some(_) if self.named <= covered => Proof::Recovery,
            Some(_) if self.closed_by_recovery > covered => Proof::ChangesSince,
            Some(true) => Proof::Server,
            Some(false) => Proof::OpenTransaction,
        }
    }
}
