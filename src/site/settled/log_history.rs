//! What all log files of a site tell together: checkpoints, server starts and what came before each, gaps.
//!
//! An environment that is opened without recovery logs a `__txn_recycle`, then its tables as they are opened. What stands before that
//! tells how it was left. A server of release 980 never recovers, so after a crash its tables lack changes that the log has, and what it
//! writes from then on doesn't fit them: no recovery mends that later, and the logs only say that it happened.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::log::{LogError, LogFile, LogRecord, REPLAYED_VERSIONS, RecordKind};
use super::log_end::{End, MOST_TABLES, Proof, Seen, log_files};
use super::log_record::{Checkpoint, TableUse};
use super::log_state::LogState;
use super::lsn::{Lsn, TableId, TableLsns};

/// How the environment had been left when a server started on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartedAfter {
    /// There was no log.
    Beginning,
    /// An orderly stop.
    CleanStop,
    /// A recovery, by a tool or by the server itself.
    Recovery,
    /// A server that was killed just when all changes were in the tables, so that there was nothing to recover.
    Checkpoint,
    /// A server that was killed, without recovery: the tables lack what they lacked then.
    Unclean,
    /// What came before is not in the logs any more.
    Unknown,
}

/// A server start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerStart {
    /// The first record that it wrote.
    pub at: Lsn,
    /// What came before it.
    pub after: StartedAfter,
}

/// What all log files of a site tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHistory {
    /// Numbers of the log files, rising.
    pub files: Vec<u32>,
    /// The first record of the first file that can be read; {0,0} if there's none.
    pub first: Lsn,
    /// Behind the last whole record; {0,0} if there's none.
    pub end: Lsn,
    /// Version of the newest file that can be read; 0 if there's none. 19 is that of libdb 5.3.
    pub version: u32,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Server starts, oldest first; at most [`MOST_STARTS`](Self::MOST_STARTS), and then the newest are missing.
    pub starts: Vec<ServerStart>,
    /// The newest gap: a missing number, a file that doesn't follow the one before, or one that can't be read to its end.
    pub gap: Option<String>,
    /// The oldest file from which on there's no gap.
    pub whole_from: u32,
    /// The id that each table had when it was opened, closed or named last.
    pub tables: BTreeMap<String, Option<TableId>>,
    /// How the log ends.
    pub state: LogState,
}

impl LogHistory {
    /// So many starts are listed.
    pub const MOST_STARTS: usize = 100_000;

    /// The oldest log file that normal recovery needs: that of the position which the newest checkpoint covers, or 1 if there's no
    /// checkpoint. If that is below [`LogHistory::whole_from`], normal recovery is not possible.
    pub fn needed_from(&self) -> u32 {
        self.checkpoint.map_or(1, |checkpoint| checkpoint.ckp_lsn.file)
    }

    /// Whether a server was started on what another had left when it was killed, without recovery: then the tables may be torn, and the
    /// log doesn't fit them.
    pub fn crashed_and_restarted(&self) -> bool {
        self.starts.iter().any(|start| start.after == StartedAfter::Unclean)
    }

    /// Where such a server was started after the position that the newest checkpoint covers, so that recovery meets what it changed behind
    /// changes that its tables didn't have: it fails then, or passes over some of them without a word.
    pub fn restarted_since_checkpoint(&self) -> Option<Lsn> {
        let covered = self.checkpoint.map_or(Lsn::default(), |checkpoint| checkpoint.ckp_lsn);
        let since = self.starts.iter().rev().find(|start| start.at >= covered && start.after == StartedAfter::Unclean);
        since.map(|start| start.at)
    }

    /// A table that is another one by its id, and that one's name: tables were exchanged, and recovery passes over both without a word.
    pub fn exchanged<'a>(&'a self, tables: &'a [TableLsns]) -> Option<(&'a str, &'a str)> {
        super::exchanged(tables, &self.tables)
    }

    /// The version of a log that recovery can't replay; `None` if it can.
    pub fn too_old_to_replay(&self) -> Option<u32> {
        let is_replayed = self.version == 0 || REPLAYED_VERSIONS.contains(&self.version);
        (!is_replayed).then_some(self.version)
    }

    /// The log file that normal recovery needs and that can't be read, or isn't there, and why; `None` if all are there.
    pub fn missing(&self) -> Option<String> {
        let needed = self.needed_from();
        match &self.gap {
            _ if needed >= self.whole_from => None,
            Some(gap) => Some(format!("there is a gap in the log: {gap}")),
            None => {
                // Without a checkpoint all are needed, and the newest of those that are away is known.
                let missing = self.checkpoint.map_or(self.whole_from.saturating_sub(1), |_| needed);
                Some(format!("data/log.{missing:010} is not there: put it back if there is a copy of it"))
            }
        }
    }
}

/// Reads all log files in `data`, each to its end (10 MiB each, in bounded memory). What can't be read is part of the answer.
///
/// A running server may write at the same time: a last record that is there in part is not counted, and [`LogHistory::state`] names it.
///
/// # Errors
/// If the directory itself can't be read.
pub fn read_history(data: &Path) -> std::io::Result<LogHistory> {
    read_newest(data, usize::MAX)
}

/// As [`read_history`], but of the newest log files only: of so many as normal recovery needs. A site whose logs are never removed has
/// thousands of them.
///
/// # Errors
/// If the directory itself can't be read.
pub fn read_recent_history(data: &Path) -> std::io::Result<LogHistory> {
    let mut most_files = 1;
    loop {
        let history = read_newest(data, most_files)?;
        let is_enough = history.checkpoint.is_some_and(|checkpoint| checkpoint.ckp_lsn.file >= history.whole_from);
        if is_enough || history.files.len() < most_files {
            return Ok(history);
        }
        most_files = most_files.saturating_mul(2);
    }
}

fn read_newest(data: &Path, most_files: usize) -> std::io::Result<LogHistory> {
    let mut looks_left = 5;
    loop {
        let mut walk = Walk::default();
        let files = log_files(data)?;
        let newest = files.get(files.len().saturating_sub(most_files)..).unwrap_or_default();
        let state = walk.read_all(newest);
        looks_left -= 1;
        if !walk.vanished || looks_left == 0 {
            return Ok(walk.finish(state));
        }
    }
}

/// Finds a checkpoint record at or behind `since`, which is a position that [`LogHistory::end`] or [`LogState::end`] gave earlier
/// ({0,0}: anywhere).
///
/// # Errors
/// If the log can't be read from that position to its end without a gap: then it isn't known whether there was one. A last record that
/// is there in part is the end.
pub fn checkpoint_since(data: &Path, since: Lsn) -> std::io::Result<Option<Lsn>> {
    let mut files = log_files(data)?;
    files.retain(|(number, _)| *number >= since.file);
    if since.file != 0 && files.first().map(|(number, _)| *number) != Some(since.file) {
        let text = format!("log.{:010} is no longer there; a server removes logs after a checkpoint", since.file);
        return Err(Error::new(ErrorKind::NotFound, text));
    }
    let mut before = None;
    for (index, (number, path)) in files.iter().enumerate() {
        let is_last = index + 1 == files.len();
        let found = LogFile::open_after(path, *number, before).and_then(|mut log| {
            for record in log.by_ref() {
                let record = record?;
                if record.kind == RecordKind::TxnCkp && record.lsn >= since {
                    return Ok(Some(record.lsn));
                }
            }
            before = Some(log.last_record());
            Ok(None)
        });
        match found {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(LogError::Broken { at, .. }) if is_last && at.offset != 0 => {}
            Err(LogError::Unwritten { .. }) if is_last && before.is_some() => {}
            Err(LogError::Io { source, .. }) => return Err(source),
            Err(error) => return Err(Error::new(ErrorKind::InvalidData, error.to_string())),
        }
    }
    Ok(None)
}

/// A walk through log files.
#[derive(Debug, Default)]
struct Walk {
    files: Vec<u32>,
    first: Lsn,
    version: u32,
    checkpoint: Option<Checkpoint>,
    starts: Vec<ServerStart>,
    gap: Option<String>,
    whole_from: u32,
    tables: BTreeMap<String, Option<TableId>>,
    log_end: End,
    /// The last record of the file before, if the next must follow it.
    before: Option<Lsn>,
    /// A `__txn_recycle`, which is a server's if tables are opened behind it.
    opened: Option<ServerStart>,
    /// A file was listed and is gone: a running server removes the oldest logs.
    vanished: bool,
}

impl Walk {
    fn read_all(&mut self, files: &[(u32, PathBuf)]) -> LogState {
        let Some(((last_number, last_path), earlier)) = files.split_last() else {
            return LogState::None;
        };
        for (number, path) in earlier {
            if let Err(error) = self.read(*number, path) {
                self.vanished |= is_gone(&error);
                self.begin_anew(number.saturating_add(1), &error);
            }
        }
        match self.read(*last_number, last_path) {
            Ok(()) => self.log_end.state(),
            Err(error) => {
                self.vanished |= is_gone(&error);
                self.log_end.cut_short_by(&error)
            }
        }
    }

    fn read(&mut self, number: u32, path: &Path) -> Result<(), LogError> {
        self.files.push(number);
        let mut log = LogFile::open(path, number)?;
        if let Some(Err(error)) = self.before.map(|before| log.must_follow(before)) {
            self.begin_anew(number, &error);
        }
        self.version = log.version();
        if self.first == Lsn::default() {
            self.first = log.next_record();
            self.whole_from = number;
        }
        self.log_end.begin(&log);
        while let Some(record) = log.next() {
            self.take(&record?);
            self.log_end.end = log.next_record();
        }
        self.before = Some(log.last_record());
        Ok(())
    }

    fn begin_anew(&mut self, number: u32, error: &LogError) {
        self.gap = Some(error.to_string());
        self.whole_from = number;
        let end = self.log_end.end;
        self.log_end = End::default();
        self.log_end.end = end;
        self.before = None;
        self.opened = None;
    }

    fn take(&mut self, record: &LogRecord) {
        let at = record.lsn;
        match (record.kind, record.table_use().map(|(how, _)| how)) {
            (RecordKind::TxnRecycle, _) => {
                self.opened = Some(ServerStart { at, after: left(&self.log_end) });
            }
            (RecordKind::TxnCkp, _) | (_, Some(TableUse::Closed | TableUse::ClosedByRecovery)) => self.opened = None,
            _ => {
                // Releases that recover at their start log no `__txn_recycle` when there's no log yet.
                let first = self.log_end.nothing_before.then_some(ServerStart { at, after: StartedAfter::Beginning });
                if let Some(start) = self.opened.take().or(first)
                    && self.starts.len() < LogHistory::MOST_STARTS
                {
                    self.starts.push(start);
                }
            }
        }
        if let Some((_, name)) = record.table_use()
            && (self.tables.len() < MOST_TABLES || self.tables.contains_key(name))
        {
            self.tables.insert(name.to_owned(), record.table_id());
        }
        self.checkpoint = record.checkpoint().or(self.checkpoint);
        self.log_end.take(record);
    }

    fn finish(self, state: LogState) -> LogHistory {
        LogHistory {
            files: self.files,
            first: self.first,
            end: self.log_end.end,
            version: self.version,
            checkpoint: self.checkpoint,
            starts: self.starts,
            gap: self.gap,
            whole_from: self.whole_from,
            tables: self.tables,
            state,
        }
    }
}

fn is_gone(error: &LogError) -> bool {
    matches!(error, LogError::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}

/// How an environment was left, by the end of its log.
fn left(log_end: &End) -> StartedAfter {
    match (log_end.seen, log_end.proof) {
        _ if log_end.nothing_before => StartedAfter::Beginning,
        (Seen::Closed, _) => StartedAfter::CleanStop,
        (Seen::TooLittle, _) if log_end.only_closed() => StartedAfter::CleanStop,
        (Seen::TooLittle, _) | (Seen::Checkpoint | Seen::Recycled, Proof::Unknown) => StartedAfter::Unknown,
        (Seen::Checkpoint | Seen::Recycled, Proof::Recovery) => StartedAfter::Recovery,
        (Seen::Checkpoint | Seen::Recycled, Proof::Server) => StartedAfter::Checkpoint,
        _ => StartedAfter::Unclean,
    }
}
