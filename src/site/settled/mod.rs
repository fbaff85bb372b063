//! Whether the tables of a site are complete without recovery, so that they can be read where they are.
//!
//! [`examine`] answers from three sources: signs of a running server, the end of the log, and the log positions that the pages of the
//! tables carry. Nothing is written, ever; the only things that a running server could notice are a lock held for an instant and, if neither
//! lock nor open file shows a server, a connection to one of its sockets that is closed without a word.
//!
//! A clean end of the log does not prove whole tables: a 980 server that was killed and started again lives on with torn ones, and stops in
//! order. [`read_history`] finds such a start as long as the logs reach back to it, the walk over a table finds what is torn; this module
//! doesn't look into pages.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::site::arrangement::Arrangement;
use crate::site::regular::open_regular;

mod byte_order;
mod error;
mod fingerprint;
pub mod log;
mod log_end;
mod log_history;
mod log_record;
mod log_remains;
mod log_state;
mod lsn;
mod server;
#[cfg(test)]
mod tests;
mod verdict;

pub use error::SettledError;
pub use fingerprint::{Fingerprint, fingerprint};
pub(crate) use log_end::log_number;
pub use log_end::{log_files, read_log_end};
pub use log_history::{LogHistory, ServerStart, StartedAfter, checkpoint_since, read_history, read_recent_history};
pub use log_record::Checkpoint;
pub use log_remains::has_transactions_behind;
pub use log_state::LogState;
pub use lsn::{Lsn, TableId, TableLsns, survey, table_names};
pub(crate) use lsn::{is_table_name, is_void};
pub(crate) use server::is_open_for_writing;
pub use server::{RunningSign, ServerState, find_server};
pub use verdict::Verdict;

pub(in crate::site) use byte_order::other_file;

/// Everything that [`examine`] found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Whether a server runs.
    pub server: ServerState,
    /// How the log ends.
    pub log: LogState,
    /// What the pages of each table say, in order of their names; empty if a server runs, because they change then.
    pub tables: Vec<TableLsns>,
    /// What a person may want to know though it decides nothing.
    pub notes: Vec<Note>,
    /// The answer.
    pub verdict: Verdict,
}

impl State {
    /// The highest log position in any table.
    pub fn highest(&self) -> Option<Lsn> {
        self.tables.iter().map(|table| table.highest).max()
    }
}

/// Something seen in passing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A `citadel.lock` that nobody holds, beside a log that says that all is well.
    StaleLock,
    /// A file that a Berkeley DB tool left; the server ignores it.
    RegionFile {
        /// Its name in `data/`.
        name: String,
    },
    /// A `DB_CONFIG` without any setting.
    EmptyDbConfig,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::StaleLock => f.write_str(
                "citadel.lock is there but nobody holds it: the server was killed, or this is a copy; the end of the log decides",
            ),
            Note::RegionFile { name } => {
                write!(f, "data/{name} was left by a Berkeley DB tool; the server ignores it, and so does the export")
            }
            Note::EmptyDbConfig => f.write_str("data/DB_CONFIG has no setting in it and is ignored"),
        }
    }
}

/// Finds out the state of the site whose tables are in `data`, and whose locks and sockets are where `site` says.
///
/// # Errors
/// [`SettledError`] if a file can't be read, if there are no tables, or if one isn't a table at all. A site that is running, crashed or
/// otherwise unsettled is an answer, not an error.
pub fn examine(data: &Path, site: impl Into<Arrangement>) -> Result<State, SettledError> {
    let io = |source| SettledError::io(data, source);
    let names = lsn::table_names(data).map_err(|source| SettledError::io(data, source))?;
    if names.is_empty() {
        return Err(SettledError::NoTables { data: data.to_owned() });
    }
    let server = find_server(data, site)?;
    let log = read_log_end(data).map_err(io)?;
    let mut tables = Vec::new();
    if !matches!(server, ServerState::Running { .. }) {
        for name in &names {
            tables.push(survey(&data.join(name))?);
        }
    }
    let mut notes = region_files(data)?;
    let settings = db_config(data)?;
    if settings == Some(false) {
        notes.push(Note::EmptyDbConfig);
    }
    let verdict = judge(&server, &log, &tables, settings == Some(true));
    if verdict.is_settled() && matches!(server, ServerState::StaleLock { .. }) {
        notes.push(Note::StaleLock);
    }
    Ok(State { server, log, tables, notes, verdict })
}

fn judge(server: &ServerState, log: &LogState, tables: &[TableLsns], db_config: bool) -> Verdict {
    let unsettled = |reason: String, way_out: &str| Verdict::Unsettled { reason, way_out: way_out.to_owned() };
    if let ServerState::Running { pid, how } = server {
        return Verdict::Running { pid: *pid, how: how.clone() };
    }
    if db_config {
        return unsettled(
            "data/DB_CONFIG has settings, which can keep logs and tables in other places than data/".to_owned(),
            "copy the whole site, with what DB_CONFIG names put into data/ and without DB_CONFIG, and export the copy with --site COPY",
        );
    }
    let (end, closed) = match log {
        LogState::None => return judge_without_log(tables),
        LogState::CleanStop { end, closed, .. } => (*end, Some(closed)),
        LogState::Recovered { end, .. } => (*end, None),
        LogState::Checkpoint { checkpoint, .. } => {
            return Verdict::Crashed {
                reason: format!("the log ends with the checkpoint at {checkpoint}, and no table was closed after it"),
            };
        }
        LogState::Unclean { reason, .. } => {
            return Verdict::Crashed { reason: reason.clone() };
        }
        LogState::Unreadable { reason, .. } => {
            return unsettled(
                reason.clone(),
                "stop the server in order (one of a release before 980 recovers its tables when it starts: if it was killed, start and stop it once), keep a copy of \
                 the stopped directory, and export with --salvage, which takes the tables without the log",
            );
        }
    };
    if let Some(table) = tables.iter().find(|table| table.highest >= end) {
        return unsettled(
            format!(
                "page {} of {} was last changed at {}, but the log ends at {end}: tables and log are not of one site, or not of one moment",
                table.highest_page, table.name, table.highest
            ),
            "make the copy again, tables and logs together, from the stopped server",
        );
    }
    if let Some(closed) = closed {
        let open = tables.iter().find(|table| !closed.contains_key(&table.name) && !table.never_logged());
        if let Some(table) = open {
            return unsettled(
                format!("the log says that the server stopped, but not that it closed {}", table.name),
                "make the copy again, tables and logs together, from the stopped server; a table that does not belong here is to be moved away",
            );
        }
        if let Some(missing) = closed.keys().find(|name| !tables.iter().any(|table| table.name == **name)) {
            return unsettled(
                format!("the log says that the server closed {missing}, but there is no such table"),
                "make the copy again, tables and logs together, from the stopped server",
            );
        }
        if let Some((table, name)) = exchanged(tables, closed) {
            return unsettled(
                format!("the file {table} is the one that the server closed as {name}: tables were exchanged"),
                "give each its name again, or make the copy again from the stopped server",
            );
        }
    }
    Verdict::StoppedSettled
}

/// A table that has the id of another one, and that one's name. An id that the log doesn't have at all says nothing: a table may have been loaded anew.
fn exchanged<'a>(tables: &'a [TableLsns], closed: &'a BTreeMap<String, Option<TableId>>) -> Option<(&'a str, &'a str)> {
    tables.iter().find_map(|table| {
        let others = closed.iter().find(|(name, id)| **id == Some(table.id) && **name != table.name)?;
        (closed.get(&table.name) != Some(&Some(table.id))).then_some((table.name.as_str(), others.0.as_str()))
    })
}

fn judge_without_log(tables: &[TableLsns]) -> Verdict {
    match tables.iter().find(|table| !table.never_logged()) {
        None => Verdict::NeverOpened,
        Some(table) => Verdict::Unsettled {
            reason: format!(
                "there is no log file in data/, but page {} of {} was changed at {} of one",
                table.highest_page, table.name, table.highest
            ),
            way_out: "put the log files back (data/log.0000000001 and so on), without which the server can't open the tables either".to_owned(),
        },
    }
}

fn region_files(data: &Path) -> Result<Vec<Note>, SettledError> {
    let io = |source| SettledError::io(data, source);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(data).map_err(io)? {
        let name = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
        if name.starts_with("__db.") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| Note::RegionFile { name }).collect())
}

/// Whether `DB_CONFIG` sets anything; `None` if there's no such file. Blank lines and those that begin with `#` set nothing.
fn db_config(data: &Path) -> Result<Option<bool>, SettledError> {
    let path = data.join("DB_CONFIG");
    let mut text = Vec::new();
    let read = open_regular(&path).and_then(|file| match file {
        // What is no file is as good as empty.
        None => Ok(0),
        Some(file) => std::io::Read::read_to_end(&mut std::io::Read::take(file, 65_536), &mut text),
    });
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SettledError::io(&path, error)),
    }
    let sets = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .any(|line| !line.is_empty() && !line.starts_with(b"#"));
    Ok(Some(sets))
}
