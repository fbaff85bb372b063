//! A site whose server was killed, or whose machine stopped.

use std::path::Path;

use super::settle::{Copied, Rest, Workbench, not_replayed};
use super::{Request, SnapshotFailure, Taken, torn};
use crate::endpoint::Failure;
use crate::monitor::Monitor;
use crate::site::Watch;
use crate::site::inventory;
use crate::site::recovery::Kind;
use crate::site::settled::{self, LogHistory, State};
use crate::site::snapshot::{CopiedLogs, Source, copy_logs, copy_tables};

/// A log file that has less room behind its last record is full: the next record may be as long as a page of a table, and begins a new file.
const FULL_BELOW_BYTES: u64 = 5000;

/// Copies the tables and the logs that recovery needs, and makes the copy whole. The files are read where they are: nobody writes.
pub(super) fn take(request: &Request, data: &Path, state: &State, monitor: &dyn Monitor) -> Result<Taken, Failure> {
    let fingerprint = settled::fingerprint(data).map_err(super::unreadable)?;
    let history = super::history(data)?;
    if let Some(version) = history.too_old_to_replay() {
        if !request.salvage {
            return Err(SnapshotFailure::OldLog { site: request.site.root().to_owned(), version }.into());
        }
        let reason = format!("the log has version {version}, which is not replayed");
        let losses = vec![not_replayed(&reason)];
        return torn::take(request, data, "crashed, not recovered", reason, losses, monitor);
    }
    if let Some(reason) =
        history.missing().or_else(|| newer_than_the_log(state, &history)).or_else(|| exchanged(state, &history))
    {
        if request.salvage {
            let losses = vec![not_replayed(&reason)];
            return torn::take(request, data, "crashed, not recovered", reason, losses, monitor);
        }
        return Err(SnapshotFailure::Torn { site: request.site.root().to_owned(), tried: reason }.into());
    }
    let from = history.needed_from();
    let bench = Workbench::set_up(request, data, from, None, monitor)?;
    if is_full(data, &history) {
        monitor.warning(&format!(
            "the log ends at {}, where its file is full: if there was a data/log.{:010}, put it back and export again, for what it holds is not in the archive",
            history.end,
            history.end.file.saturating_add(1)
        ));
    }
    let mut is_told = false;
    let mut copy = |into: &Path| -> Result<Copied, Failure> {
        copy_tables(data, into, Source::Still, monitor)?;
        let logs = copy_logs(data, into, from, monitor)?;
        if !std::mem::replace(&mut is_told, true) {
            tell_of_the_end(&logs, &bench);
        }
        let losses = losses(&logs, &history, &bench);
        Ok(Copied { recovery: Some(Kind::Normal), method: "crashed".into(), proof: proof(&history), losses })
    };
    let settled = bench.settle(&mut copy).map_err(|failure| super::explained(failure, &history))?;
    let inventory = inventory::take(request.site).map_err(super::unreadable)?;
    let findings = bench.check(&settled)?;
    bench.taken(settled, &findings, Rest { inventory, files: None, watch: Watch::Site(fingerprint), setting: None })
}

/// Whether tables were changed behind the end of the log, which recovery refuses: the newest log is missing, or damaged.
fn newer_than_the_log(state: &State, history: &LogHistory) -> Option<String> {
    let table = state.tables.iter().filter(|table| table.highest >= history.end).max_by_key(|table| table.highest)?;
    Some(format!(
        "page {} of {} was last changed at {}, but the log ends at {}: put back the newest log file if there is a copy of it",
        table.highest_page, table.name, table.highest, history.end
    ))
}

/// Whether tables have each other's names, as their ids in the log tell.
fn exchanged(state: &State, history: &LogHistory) -> Option<String> {
    let (table, name) = history.exchanged(&state.tables)?;
    Some(format!(
        "the file {table} is the one that the server opened as {name}: tables were exchanged; give each its name again"
    ))
}

fn is_full(data: &Path, history: &LogHistory) -> bool {
    let path = data.join(format!("log.{:010}", history.end.file));
    let room = std::fs::metadata(path).map(|found| found.len().saturating_sub(history.end.offset.into()));
    room.is_ok_and(|room| room < FULL_BELOW_BYTES)
}

fn tell_of_the_end(logs: &CopiedLogs, bench: &Workbench<'_>) {
    if let Some(cut) = logs.cut.as_ref().filter(|cut| !cut.has_transactions) {
        bench.monitor.warning(&bench.in_site(&format!(
            "the log ends at {}; the {} bytes behind it are no whole record ({}), as when a server is killed while it writes",
            cut.at, cut.dropped_bytes, cut.reason
        )));
    }
}

/// What the copy lacks even if recovery goes through.
fn losses(logs: &CopiedLogs, history: &LogHistory, bench: &Workbench<'_>) -> Vec<(String, String)> {
    let damaged = logs.cut.as_ref().filter(|cut| cut.has_transactions).map(|cut| {
        let why = format!(
            "the log is damaged at {} ({}), and whole transactions stand in the {} bytes behind it, which can't be replayed",
            cut.at, bench.in_site(&cut.reason), cut.dropped_bytes
        );
        ("changes behind the damage in the log".to_owned(), why)
    });
    let restarted = history.restarted_since_checkpoint().map(super::passed_over);
    damaged.into_iter().chain(restarted).collect()
}

fn proof(history: &LogHistory) -> String {
    let from = match &history.checkpoint {
        Some(checkpoint) => format!("from the checkpoint at {}", checkpoint.lsn),
        None => format!("from {}", history.first),
    };
    let restarted = match history.crashed_and_restarted() {
        true => "; the server was started after an earlier crash without recovery",
        false => "",
    };
    format!("the log was replayed {from} to its end at {}{restarted}", history.end)
}
