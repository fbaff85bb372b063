//! The copy of a site whose server works on it all the while.

use std::path::Path;

use super::SnapshotError;
use super::held_logs::{HeldLogs, while_holding};
use super::logs::{CopiedLogs, copy_held};
use super::tables::{CopiedTables, Source, copy_tables};
use crate::monitor::Monitor;
use crate::site::settled::{LogState, Lsn, checkpoint_since, read_log_end, read_recent_history};

/// A copy of tables and logs that recovery makes whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotCopy {
    /// Where the log ended before the first page was read.
    pub start: Lsn,
    /// Where the copied log ends: what was committed before that is in the copy.
    pub end: Lsn,
    /// A checkpoint that the server made meanwhile. Pages read before it lack what normal recovery takes for written then, so only catastrophic
    /// recovery is right; without one, normal recovery is.
    pub checkpoint_during: Option<Lsn>,
    /// What was copied.
    pub tables: CopiedTables,
    /// What was copied.
    pub logs: CopiedLogs,
}

/// Copies the tables in `data`, and the logs that recovery needs for them, into the directory `into`.
///
/// Everything that the newest checkpoint before the first page covers is in the tables, so the logs are needed from the position on that it
/// names. Older ones are not copied: on a site that crashed long ago they don't fit the tables.
///
/// # Errors
/// Those for which [`SnapshotError::is_void`] holds may not come again at another try, into the same directory. [`SnapshotError::LogUnreadable`]
/// if the log doesn't show from where on it is needed; and those of [`copy_tables`] and [`copy_logs`](super::copy_logs).
pub fn hot_copy(data: &Path, into: &Path, monitor: &dyn Monitor) -> Result<HotCopy, SnapshotError> {
    let unreadable = |reason: String| SnapshotError::LogUnreadable { data: data.to_owned(), reason };
    let history = read_recent_history(data).map_err(|error| SnapshotError::source(data, error))?;
    match history.state {
        LogState::None => return Err(unreadable("there is no log".to_owned())),
        LogState::Unreadable { reason, .. } => return Err(unreadable(reason)),
        _ => {}
    }
    let from = history.needed_from();
    let start = history.end;
    // Files that aren't there are told by their numbers.
    let logs = HeldLogs::take(data, from)?;
    if let Some(gap) = history.gap.filter(|_| from < history.whole_from) {
        return Err(unreadable(gap));
    }
    let (tables, mut logs) = while_holding(logs, || copy_tables(data, into, Source::Moving, monitor));
    let tables = tables?;
    let logs = copy_held(&mut logs, into, monitor)?;
    let copied_end = read_log_end(into).map_err(|error| SnapshotError::scratch("read", into, error))?;
    let end = copied_end.end().ok_or_else(|| unreadable(format!("the copied log can't be read: {copied_end}")))?;
    if end < start {
        let reason = format!("the copied log ends at {end}, and had come to {start} before");
        return Err(SnapshotError::LogCut { data: data.to_owned(), reason });
    }
    logs.check_end(data)?;
    let checkpoint_during = checkpoint_since(into, start).map_err(|error| unreadable(error.to_string()))?;
    Ok(HotCopy { start, end, checkpoint_during, tables, logs })
}
