//! Undoing what a record says, and the records that killed commands have left.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::LiveError;
use super::admin::Admin;
use super::process::{Process, host_name};
use super::record::{Change, Original, Record, RecordFile, Taken, records};
use crate::monitor::Monitor;

/// The setting that limits the number of sessions.
pub(super) const LIMIT: &str = "c_maxsessions";
/// What a server's limit of sessions is while nobody is let in: our own session is the one.
pub const OURS: &str = "1";

/// How long a process may take to end that is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait between two attempts to reach a server that is starting.
const RETRY_EVERY: Duration = Duration::from_millis(200);

/// What became of one record that a killed command had left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The site.
    pub site: PathBuf,
    /// The record's file.
    pub record: PathBuf,
    /// The limit of sessions that the site has by itself. As long as the record is kept, its tables hold ours.
    pub original: Option<Original>,
    /// What was done.
    pub outcome: Outcome,
}

/// What was done about a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was undone; in words.
    Restored(String),
    /// There was nothing to undo any more; why.
    Nothing(String),
    /// It could not be undone, so the record stays; why.
    Kept(String),
}

/// Undoes what killed commands have left, as far as nobody is about to do it. Every command should begin with it.
///
/// Says by a warning what was found. A record that can't be undone now, because its server does not run, is kept for the next command, and the
/// warning has the line that does it by hand.
pub fn undo_leftovers(state_dir: &Path, monitor: &dyn Monitor) -> Vec<Undone> {
    let found = records(state_dir).unwrap_or_else(|error| {
        monitor.warning(&error.to_string());
        Vec::new()
    });
    let mut all = Vec::new();
    for path in found {
        match take(&path) {
            Ok(Taken::Ours(file)) => all.push(undo_leftover(file, monitor)),
            Ok(Taken::Held(..) | Taken::Gone) => {}
            Err(error) => monitor.warning(&error.to_string()),
        }
    }
    all
}

/// Takes a record that nobody holds, or whose worker is dead and whose guardian stands still: that is ended first, so that it doesn't do its work later, when
/// something else is to be.
pub(super) fn take(path: &Path) -> Result<Taken, LiveError> {
    let taken = RecordFile::take(path)?;
    let Taken::Held(_, record) = &taken else { return Ok(taken) };
    let Some(guardian) = record.guardian.filter(|_| record.is_of_this_boot() && !record.worker.is_alive()) else {
        return Ok(taken);
    };
    match Process::open(guardian.pid, Some(guardian.started))? {
        Some(process) if process.is_stopped() && process.kill(ENDS_WITHIN) => RecordFile::take(path),
        _ => Ok(taken),
    }
}

/// Undoes one record that nobody else holds.
pub(super) fn undo_leftover(file: RecordFile, monitor: &dyn Monitor) -> Undone {
    let RecordFile { path, record, .. } = &file;
    let (site, path, repair) = (record.site.clone(), path.clone(), record.repair());
    let original = match &record.change {
        Change::MaxSessions { original, .. } => Some(original.clone()),
        Change::Frozen { .. } => None,
    };
    let result = undo(record, Duration::ZERO).and_then(|outcome| file.remove().map(|()| outcome));
    let outcome = result.unwrap_or_else(|error| Outcome::Kept(error.to_string()));
    let place = site.display();
    match &outcome {
        Outcome::Restored(what) => monitor.warning(&format!("{place}: an earlier command was killed; {what}")),
        Outcome::Nothing(why) => {
            monitor.warning(&format!("{place}: an earlier command was killed; nothing is to be undone: {why}"));
        }
        Outcome::Kept(reason) => {
            let reason = reason.clone();
            monitor.warning(&LiveError::Leftover { record: path.clone(), reason, repair }.to_string());
        }
    }
    Undone { site, record: path, original, outcome }
}

/// Undoes what a record says, and tries for so long to reach the server. Never gives [`Outcome::Kept`].
pub(super) fn undo(record: &Record, patience: Duration) -> Result<Outcome, LiveError> {
    match &record.change {
        Change::MaxSessions { socket, original, .. } => {
            let deadline = Instant::now() + patience;
            loop {
                let owner = owner_of(&record.data);
                let result = owner.and_then(|owner| restore(&mut Admin::open(socket, owner)?, original));
                match result {
                    Err(_) if Instant::now() < deadline => std::thread::sleep(RETRY_EVERY),
                    result => return result,
                }
            }
        }
        Change::Frozen { pid, started, .. } => {
            if !record.is_of_this_boot() {
                return of_another_boot(record);
            }
            match Process::open(*pid, Some(*started))? {
                Some(process) => go_on(&process),
                None => Ok(Outcome::Nothing(format!("process {pid} is no more"))),
            }
        }
    }
}

/// Whoever owns the tables may be at the other end of the admin socket.
pub(super) fn owner_of(data: &Path) -> Result<u32, LiveError> {
    Ok(fs::metadata(data).map_err(|error| LiveError::io("look at", data, error))?.uid())
}

/// Gives a server its own limit again, unless somebody else has changed it since.
pub(super) fn restore(admin: &mut Admin, original: &Original) -> Result<Outcome, LiveError> {
    let wanted = original.restored();
    let is = admin.setting(LIMIT)?;
    if is.as_deref() != Some(OURS.as_bytes()) {
        let is = is.map_or("not set".into(), |is| String::from_utf8_lossy(&is).into_owned());
        return Ok(Outcome::Nothing(format!("{LIMIT} is {is}, not {OURS}")));
    }
    admin.change_setting(LIMIT, wanted)?;
    let is = admin.setting(LIMIT)?;
    if is.as_deref() == Some(wanted.as_bytes()) {
        Ok(Outcome::Restored(format!("{LIMIT} is {wanted:?} again")))
    } else {
        Err(LiveError::StrangeLimit { value: String::from_utf8_lossy(&is.unwrap_or_default()).into_owned() })
    }
}

/// Lets a stopped process go on.
pub(super) fn go_on(process: &Process) -> Result<Outcome, LiveError> {
    let pid = process.pid();
    Ok(match process.go_on()? {
        true => Outcome::Restored(format!("process {pid} goes on")),
        false => Outcome::Nothing(format!("process {pid} is no more")),
    })
}

/// A machine that was started anew has no process of before; but which machine was it?
fn of_another_boot(record: &Record) -> Result<Outcome, LiveError> {
    if host_name().is_ok_and(|host| host == record.host) {
        return Ok(Outcome::Nothing("the machine was started anew since".into()));
    }
    let what = std::io::Error::other(format!("it was written on another machine, {}: undo it there", record.host));
    Err(LiveError::io("undo", &record.site, what))
}
