//! Copies of log files.
//!
//! The tables are copied first, so every log position in them lies before the end of the log at that moment. A copy of the log that is whole
//! up to any later position is enough: what the server adds while its log is copied may be in the copy or not. What must not be in it is half
//! a record, or a record behind a hole; so the newest file's copy ends with its last whole record.

use std::path::{Path, PathBuf};

use super::SnapshotError;
use super::block::{BLOCK_BYTES, Copy, Original, Progress};
use super::held_logs::{HeldLogs, log_name};
use crate::monitor::Monitor;
use crate::site::settled::log::{LogError, LogFile};
use crate::site::settled::{Lsn, has_transactions_behind, log_files};

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedLogs {
    /// Number of the first file.
    pub first: u32,
    /// Number of the last file.
    pub last: u32,
    /// Size of the originals together; the copies take less, because the zeros behind the last record are left out.
    pub bytes: u64,
    /// What stood behind the last whole record and was left out. On a running site that is a record that was just being written; on one where no
    /// server runs it is a record that was torn when the server was killed, or damage.
    pub cut: Option<Cut>,
}

impl CopiedLogs {
    /// An error if whole transactions were left out, which no server that works has behind its last whole record.
    ///
    /// # Errors
    /// [`SnapshotError::LogCut`], of the log in `data`.
    pub fn check_end(&self, data: &Path) -> Result<(), SnapshotError> {
        match self.cut.as_ref().filter(|cut| cut.has_transactions) {
            None => Ok(()),
            Some(cut) => {
                let reason = format!("the log is damaged at {}, and whole transactions stand behind that", cut.at);
                Err(SnapshotError::LogCut { data: data.to_owned(), reason })
            }
        }
    }
}

/// The torn end of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Behind the last whole record.
    pub at: Lsn,
    /// Bytes from there to the last one that is not zero.
    pub dropped_bytes: u64,
    /// What is wrong there.
    pub reason: String,
    /// Whether whole transactions stand behind it: then it isn't just the end that was torn, and they are lost.
    pub has_transactions: bool,
}

/// Times that newer files are asked for, or that a torn end is read again.
const MOST_ROUNDS: u32 = 3;

/// Copies the log files in `data` from number `from` on into the directory `into`, in ascending order. Log files that an earlier try has
/// left there are removed.
///
/// # Errors
/// [`SnapshotError::LogVanished`] and [`SnapshotError::LogGap`] (void, to be tried again), [`SnapshotError::Full`] and those of the system.
pub fn copy_logs(data: &Path, into: &Path, from: u32, monitor: &dyn Monitor) -> Result<CopiedLogs, SnapshotError> {
    copy_held(&mut HeldLogs::take(data, from)?, into, monitor)
}

/// Copies logs of which some may be gone from their directory.
pub(super) fn copy_held(logs: &mut HeldLogs, into: &Path, monitor: &dyn Monitor) -> Result<CopiedLogs, SnapshotError> {
    for (_, path) in log_files(into).map_err(|error| SnapshotError::scratch("read", into, error))? {
        remove(&path)?;
    }
    logs.take_newer()?;
    let mut numbers = logs.numbers()?;
    let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else { return Err(logs.vanished(0)) };
    let mut progress = Progress::begin("copying logs", logs.bytes()?, monitor);
    let mut copied = CopiedLogs { first, last, bytes: 0, cut: None };
    for _ in 0..=MOST_ROUNDS {
        for &number in &numbers {
            logs.let_go_before(number);
            copied.bytes += copy_log(logs.original(number)?, &copy_path(into, number), &mut progress)?;
            copied.last = number;
        }
        // The file that was the newest got its last records before a newer one was made: it is copied again.
        logs.take_newer()?;
        match logs.numbers() {
            Ok(newer) if newer.len() > 1 => numbers = newer,
            // With a gap before the newer ones, the copy is still whole as far as it goes.
            _ => break,
        }
    }
    copied.cut = end_with_a_whole_record(logs, into, &mut copied.last, &mut progress)?;
    Ok(copied)
}

fn remove(copy: &Path) -> Result<(), SnapshotError> {
    std::fs::remove_file(copy).map_err(|error| SnapshotError::scratch("remove", copy, error))
}

fn copy_log(original: &Original, path: &Path, progress: &mut Progress<'_>) -> Result<u64, SnapshotError> {
    let copy = Copy::create(path, progress.total())?;
    if copy.clone_of(original) {
        let bytes = copy.bytes()?;
        progress.add(bytes)?;
        return Ok(bytes);
    }
    original.copy_to(&copy, 0, progress)
}

fn copy_path(into: &Path, number: u32) -> PathBuf {
    into.join(log_name(number))
}

/// Makes the copy end with a whole record. A torn end is read again first: by now the record may be there.
fn end_with_a_whole_record(
    logs: &mut HeldLogs,
    into: &Path,
    last: &mut u32,
    progress: &mut Progress<'_>,
) -> Result<Option<Cut>, SnapshotError> {
    let mut round = 0;
    let mut not_begun = None;
    loop {
        let path = copy_path(into, *last);
        let cut = match end_of(&path, *last)? {
            End::Whole => return Ok(not_begun),
            End::Torn(cut) => cut,
            End::NotBegun(cut) => {
                // The file before it is complete.
                let before = last.saturating_sub(1);
                if !copy_path(into, before).exists() {
                    return Err(logs.vanished(*last));
                }
                remove(&path)?;
                *last = before;
                not_begun = cut;
                continue;
            }
        };
        let copy = Copy::reopen(&path, progress.total())?;
        let bytes = copy.bytes()?;
        copy.set_len(u64::from(cut.at.offset))?;
        copy.set_len(bytes)?;
        if round == MOST_ROUNDS {
            return Ok(Some(cut));
        }
        round += 1;
        match logs.original(*last) {
            Ok(original) => original.copy_to(&copy, u64::from(cut.at.offset), progress).map(drop)?,
            Err(SnapshotError::LogVanished { .. }) => return Ok(Some(cut)),
            Err(error) => return Err(error),
        }
    }
}

enum End {
    /// Nothing but zeros behind the last record, or a log that isn't read here.
    Whole,
    Torn(Cut),
    /// The file's header is not there, or something else is.
    NotBegun(Option<Cut>),
}

fn end_of(path: &Path, number: u32) -> Result<End, SnapshotError> {
    let io = |error| SnapshotError::scratch("read", path, error);
    let mut log = match LogFile::open(path, number) {
        Ok(log) => log,
        Err(LogError::Io { source, .. }) => return Err(io(source)),
        Err(LogError::Unwritten { .. }) => return Ok(End::NotBegun(None)),
        // Version 0: the header is written in part.
        Err(error @ (LogError::NotALog { .. } | LogError::Broken { .. } | LogError::Version { found: 0, .. })) => {
            return Ok(End::NotBegun(Some(cut_at(path, Lsn { file: number, offset: 0 }, error.to_string())?)));
        }
        // Which is for those to say who want to recover it.
        Err(_) => return Ok(End::Whole),
    };
    let reason = loop {
        match log.next() {
            None => return Ok(End::Whole),
            Some(Ok(_)) => {}
            Some(Err(LogError::Io { source, .. })) => return Err(io(source)),
            Some(Err(error)) => break error.to_string(),
        }
    };
    Ok(End::Torn(cut_at(path, log.next_record(), reason)?))
}

fn cut_at(path: &Path, at: Lsn, reason: String) -> Result<Cut, SnapshotError> {
    let has_transactions =
        has_transactions_behind(path, at).map_err(|error| SnapshotError::scratch("read", path, error))?;
    Ok(Cut { at, dropped_bytes: last_written(path, u64::from(at.offset))?, reason, has_transactions })
}

/// Bytes from `offset` to the last one that is not zero.
fn last_written(path: &Path, offset: u64) -> Result<u64, SnapshotError> {
    let copy = Copy::reopen(path, 0)?;
    let mut block = vec![0; BLOCK_BYTES];
    let (mut at, mut written) = (offset, 0);
    loop {
        let filled = copy.read_at(&mut block, at)?;
        let read = block.get(..filled).unwrap_or_default();
        if let Some(last) = read.iter().rposition(|&byte| byte != 0) {
            written = at - offset + last as u64 + 1;
        }
        if filled < BLOCK_BYTES {
            return Ok(written);
        }
        at += filled as u64;
    }
}
