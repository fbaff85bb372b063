//! A site whose server was killed, or whose machine stopped.

use std::path::Path;

use super::settle::{Copied, Rest, Workbench};
use super::{Request, SnapshotFailure, Taken, torn};
use crate::endpoint::Failure;
use crate::monitor::Monitor;
use crate::site::Watch;
use crate::site::inventory;
use crate::site::recovery::Kind;
use crate::site::settled::{self, LogHistory};
use crate::site::snapshot::{Source, copy_logs, copy_tables};

/// Copies the tables and the logs that recovery needs, and makes the copy whole. The files are read where they are: nobody writes.
pub(super) fn take(request: &Request, data: &Path, monitor: &dyn Monitor) -> Result<Taken, Failure> {
    let fingerprint = settled::fingerprint(data).map_err(super::unreadable)?;
    let history = super::history(data)?;
    let from = match history.checkpoint {
        Some(_) => history.needed_from(),
        None => history.first.file,
    };
    if let Some(gap) = history.gap.as_ref().filter(|_| from < history.whole_from) {
        let reason = format!("the log that recovery needs has a gap: {gap}");
        if request.salvage {
            return torn::take(request, data, "crashed", reason, monitor);
        }
        return Err(SnapshotFailure::Torn { site: request.site.to_owned(), tried: reason }.into());
    }
    let bench = Workbench::set_up(request, data, from, None, monitor)?;
    let mut is_told = false;
    let mut copy = |into: &Path| -> Result<Copied, Failure> {
        copy_tables(data, into, Source::Still, monitor)?;
        let logs = copy_logs(data, into, from, monitor)?;
        if let Some(cut) = logs.cut.filter(|_| !std::mem::replace(&mut is_told, true)) {
            monitor.warning(&format!(
                "the log ends at {}; the {} bytes behind it are no whole record ({}), as when a server is killed while it writes",
                cut.at, cut.dropped_bytes, cut.reason
            ));
        }
        Ok(Copied { recovery: Some(fitting(&history)), method: "crashed".into(), proof: proof(&history) })
    };
    let settled = bench.settle(&mut copy)?;
    let inventory = inventory::take(request.site).map_err(super::unreadable)?;
    bench.taken(settled, Rest { inventory, files: None, watch: Watch::Site(fingerprint), setting: None })
}

/// Recovery begins with the newest checkpoint; a log that neither has one nor goes back to the first record of all is replayed as a whole.
fn fitting(history: &LogHistory) -> Kind {
    let is_complete = history.checkpoint.is_some() || history.first.file == 1;
    if is_complete { Kind::Normal } else { Kind::Catastrophic }
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
