//! What a guardian holds: a server's setting, or its process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::live::LiveError;
use crate::live::admin::Admin;
use crate::live::process::Process;
use crate::live::record::{Change, Original, Record};
use crate::live::undo::{self, LIMIT, OURS, Outcome, owner_of};

/// A session that does nothing for `c_sleeping` seconds (900 by default) is ended by the server.
pub(super) const STIR_EVERY: Duration = Duration::from_secs(30);
/// How long a server that has gone is waited for at most: one that is told to start anew needs about two seconds.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// What is held.
pub(super) enum Hold {
    Setting(Setting),
    Process { process: Process, limit: Duration, is_stopped: bool },
}

/// What was held, and is no more.
pub(super) struct Undone {
    /// Whether it was still the same server.
    pub(super) is_same: bool,
    pub(super) outcome: Outcome,
    /// The session at it, if there still is one.
    pub(super) admin: Option<Admin>,
}

/// The limit of sessions of a server.
pub(super) struct Setting {
    admin: Admin,
    session: u64,
    stirred: Instant,
    socket: PathBuf,
    data: PathBuf,
    server_start: u64,
    original: Original,
    is_changed: bool,
}

impl Hold {
    /// Makes sure that the change can be made and undone.
    pub(super) fn prepare(record: &Record) -> Result<Self, LiveError> {
        match &record.change {
            Change::MaxSessions { socket, server_start, original } => {
                let (admin, session) = connect(socket, &record.data, *server_start)?;
                Ok(Hold::Setting(Setting {
                    admin,
                    session,
                    stirred: Instant::now(),
                    socket: socket.clone(),
                    data: record.data.clone(),
                    server_start: *server_start,
                    original: original.clone(),
                    is_changed: false,
                }))
            }
            Change::Frozen { pid, started, limit } => {
                let ended = || LiveError::Restarted { what: "nothing was changed".into() };
                let process = Process::open(*pid, Some(*started))?.ok_or_else(ended)?;
                Ok(Hold::Process { process, limit: *limit, is_stopped: false })
            }
        }
    }

    /// The number of the guardian's own session at the server; 0 if there is none.
    pub(super) fn session(&self) -> u64 {
        match self {
            Hold::Setting(setting) => setting.session,
            Hold::Process { .. } => 0,
        }
    }

    /// How long it may be held, however much the worker lives.
    pub(super) fn limit(&self) -> Option<Duration> {
        match self {
            Hold::Setting(_) => None,
            Hold::Process { limit, .. } => Some(*limit),
        }
    }

    /// Makes the change.
    pub(super) fn change(&mut self) -> Result<(), LiveError> {
        match self {
            Hold::Setting(setting) => {
                setting.is_changed = true;
                setting.admin.change_setting(LIMIT, OURS)
            }
            Hold::Process { process, is_stopped, .. } => {
                *is_stopped = true;
                process.stop()
            }
        }
    }

    /// Whether the next [`Hold::check`] asks the server something, which may take its time to answer.
    pub(super) fn is_about_to_ask(&self) -> bool {
        matches!(self, Hold::Setting(setting) if setting.is_due())
    }

    /// Whether the server is still the same; a connection that was lost is made anew.
    pub(super) fn check(&mut self) -> Result<(), LiveError> {
        match self {
            Hold::Setting(setting) => setting.check(),
            Hold::Process { process, .. } => process.check_is_there(),
        }
    }

    /// The limit of sessions that somebody else has given the server while it was held, if it says so.
    pub(super) fn opened(&mut self) -> Option<String> {
        let Hold::Setting(setting) = self else { return None };
        let limit = setting.admin.setting(LIMIT).ok()?;
        let is_ours = limit.as_deref() == Some(OURS.as_bytes());
        (!is_ours).then(|| limit.map_or("none".into(), |limit| String::from_utf8_lossy(&limit).into_owned()))
    }

    /// The session at the server, if there is one.
    pub(super) fn into_admin(self) -> Option<Admin> {
        match self {
            Hold::Setting(setting) => Some(setting.admin),
            Hold::Process { .. } => None,
        }
    }

    /// Undoes the change, if it was made.
    pub(super) fn undo(self, record: &Record) -> Result<Undone, LiveError> {
        let nothing = Outcome::Nothing("nothing was changed".into());
        match self {
            Hold::Setting(setting) if setting.is_changed => setting.undo(record),
            Hold::Setting(setting) => Ok(Undone { is_same: true, outcome: nothing, admin: Some(setting.admin) }),
            Hold::Process { process, is_stopped: true, .. } => {
                let outcome = undo::go_on(&process)?;
                Ok(Undone { is_same: matches!(outcome, Outcome::Restored(_)), outcome, admin: None })
            }
            Hold::Process { .. } => Ok(Undone { is_same: true, outcome: nothing, admin: None }),
        }
    }
}

impl Setting {
    fn is_due(&self) -> bool {
        self.stirred.elapsed() >= STIR_EVERY || self.admin.is_broken()
    }

    fn check(&mut self) -> Result<(), LiveError> {
        if !self.is_due() {
            return Ok(());
        }
        self.stirred = Instant::now();
        if self.admin.server_start().is_ok_and(|start| start == self.server_start) {
            return Ok(());
        }
        // The session may have been ended by an aide, and the server be the same.
        (self.admin, self.session) = connect(&self.socket, &self.data, self.server_start)?;
        Ok(())
    }

    fn undo(mut self, record: &Record) -> Result<Undone, LiveError> {
        let is_same = self.admin.server_start().is_ok_and(|start| start == self.server_start);
        if is_same && let Ok(outcome) = undo::restore(&mut self.admin, &self.original) {
            return Ok(Undone { is_same, outcome, admin: Some(self.admin) });
        }
        let outcome = undo::undo(record, BACK_WITHIN)?;
        // The old connection may be the only thing that was broken.
        let admin = connect(&self.socket, &self.data, self.server_start).ok().map(|(admin, _)| admin);
        Ok(Undone { is_same: admin.is_some(), outcome, admin })
    }
}

/// A session at the server that was started at this time, and the session's number.
fn connect(socket: &Path, data: &Path, server_start: u64) -> Result<(Admin, u64), LiveError> {
    let mut admin = Admin::open(socket, owner_of(data)?)?;
    let session = admin.info()?.session;
    if admin.server_start()? != server_start {
        return Err(LiveError::Restarted { what: "it was started anew".into() });
    }
    Ok((admin, session))
}
