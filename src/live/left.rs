//! Servers that were left closed: at the end of a cutover the old one goes on refusing sessions, also after a restart.
//!
//! What there is to undo is written in a record as for a lease, but with `.left` at the end of its name: nobody undoes it by himself, only
//! [`reopen`]. A process keeps the door meanwhile (`guardian::door`): the limit alone lets one in who comes when nobody is on. As long as the record is there a copy of the site has the site's own limit of sessions, not ours. It is forgotten once somebody has
//! given the server another limit.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LiveError;
use super::admin::Admin;
use super::record::{Change, Original, Record, RecordFile, left_records, shell_word};
use super::undo::{LIMIT, OURS, Outcome, owner_of, undo};
use crate::monitor::Monitor;

/// A site whose server was left closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The site.
    pub site: PathBuf,
    /// The record's file.
    pub record: PathBuf,
    /// The limit of sessions that the site has by itself.
    pub original: Original,
    /// The line that lets users in again without us, when the server runs.
    pub repair: String,
}

/// How users are let in again, in words for a person.
pub fn way_back(site: &Path, repair: &str) -> String {
    format!("to let users in again: ctdl-dump reopen --site {} (or: {repair})", shell_word(site))
}

/// What is known of a site that was left closed; `None` if it wasn't.
pub fn left_closed(state_dir: &Path, site: &Path) -> Result<Option<Left>, LiveError> {
    let file = RecordFile::read_left(&path_of(state_dir, site)?)?;
    Ok(file.and_then(Left::of))
}

/// Lets users in again on a site that was left closed. Its server must run.
///
/// # Errors
/// [`LiveError::NotLeft`] if it was not left closed; if no server answers, and then the record stays.
pub fn reopen(state_dir: &Path, site: &Path) -> Result<Outcome, LiveError> {
    let path = path_of(state_dir, site)?;
    let file = RecordFile::read_left(&path)?.ok_or_else(|| LiveError::NotLeft { site: site.to_owned() })?;
    let outcome = undo(&file.record, Duration::ZERO)?;
    file.remove()?;
    Ok(outcome)
}

/// Tells by warnings which servers are left closed, and forgets those that take sessions again because somebody else has seen to it.
pub fn tell_of_left(state_dir: &Path, monitor: &dyn Monitor) {
    let told = left_records(state_dir).and_then(|found| found.iter().try_for_each(|path| tell(path, monitor)));
    if let Err(error) = told {
        monitor.warning(&error.to_string());
    }
}

fn tell(path: &Path, monitor: &dyn Monitor) -> Result<(), LiveError> {
    let Some(file) = RecordFile::read_left(path)? else { return Ok(()) };
    let (limit, is_kept) = (limit_of(&file.record), is_kept(&file));
    let Some(Left { site, repair, .. }) = Left::of(file) else { return Ok(()) };
    let place = site.display();
    match limit {
        Ok(limit) if limit.as_deref() != Some(OURS.as_bytes()) => {
            monitor.warning(&format!("{place}: its server had been left closed for good, and takes sessions again"));
            match fs::remove_file(path) {
                // Another command has seen the same at the same time.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.map_err(|error| LiveError::io("remove", path, error))?,
            }
        }
        Ok(_) if !is_kept => monitor.warning(&format!(
            "{place}: its server was left closed, because the site was taken over by another machine, but the process that kept its door is gone, and it lets in one session at a time: stop it; or {}",
            way_back(&site, &repair)
        )),
        Ok(_) => monitor.warning(&format!(
            "{place}: its server refuses all sessions, because the site was taken over by another machine; {}",
            way_back(&site, &repair)
        )),
        Err(_) => monitor.warning(&format!(
            "{place}: its server was left closed, because the site was taken over by another machine, and does not answer; when it runs, {}",
            way_back(&site, &repair)
        )),
    }
    Ok(())
}

/// Whether somebody keeps the door. Our own lock is given up for the look.
fn is_kept(file: &RecordFile) -> bool {
    file.unlock();
    RecordFile::is_kept(&file.path)
}

fn limit_of(record: &Record) -> Result<Option<Vec<u8>>, LiveError> {
    let Change::MaxSessions { socket, .. } = &record.change else { return Ok(None) };
    Admin::open(socket, owner_of(&record.data)?)?.setting(LIMIT)
}

fn path_of(state_dir: &Path, site: &Path) -> Result<PathBuf, LiveError> {
    let site = fs::canonicalize(site).map_err(|error| LiveError::io("find", site, error))?;
    Ok(RecordFile::left_path(&state_dir.join(Record::file_name(&site))))
}

impl Left {
    fn of(file: RecordFile) -> Option<Self> {
        let RecordFile { path, record, .. } = &file;
        let Change::MaxSessions { original, .. } = &record.change else { return None };
        let (site, record, repair) = (record.site.clone(), path.clone(), record.repair());
        Some(Left { site, record, original: original.clone(), repair })
    }
}
