//! Those who are on when single-user begins: asked to leave, waited for, cut off.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::watch::Watch;
use crate::live::LiveError;
use crate::live::admin::{Admin, Session};
use crate::monitor::Monitor;

/// How often it is looked who is still on, while they may leave by themselves.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same when they have been cut off, and nobody can come in: the sooner it is over the better.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often it is asked whether the user has had enough.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long a session may take to end that was cut off: an idle one is seen to within 5 seconds, others end their command first.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(15);

/// Who is waited for.
pub(super) struct Users {
    ours: [u64; 2],
    wait: Duration,
}

impl Users {
    /// Sessions other than these two are waited for, and cut off after `wait`.
    pub(super) fn new(ours: [u64; 2], wait: Duration) -> Self {
        Users { ours, wait }
    }

    /// Waits until all are gone, from when new ones are refused.
    pub(super) fn wait_until_gone(
        &self,
        admin: &mut Admin,
        watch: &Watch,
        monitor: &dyn Monitor,
    ) -> Result<(), LiveError> {
        let mut sessions = admin.sessions()?;
        let newest = sessions.iter().map(|session| session.number).max().unwrap_or(0);
        for session in self.others(&sessions, newest).filter(|session| session.is_logged_in) {
            admin.ask_to_leave(session.number)?;
        }
        let leave_until = Instant::now() + self.wait;
        let gone_until = leave_until + CUT_OFF_WITHIN;
        let mut cut_off = BTreeSet::new();
        let mut shown = None;
        loop {
            let others: Vec<&Session> = self.others(&sessions, newest).collect();
            if others.is_empty() {
                return Ok(());
            }
            let now = Instant::now();
            let is_cutting = now >= leave_until;
            if now >= gone_until {
                let names: Vec<String> = others.iter().map(|session| session.to_string()).collect();
                return Err(LiveError::SessionsStay { sessions: names.join(", ") });
            }
            for session in others.iter().filter(|_| is_cutting) {
                if cut_off.insert(session.number) {
                    admin.end_session(session.number)?;
                }
            }
            if shown.replace((is_cutting, others.len())) != Some((is_cutting, others.len())) {
                let what = if is_cutting { "cutting off" } else { "waiting for" };
                monitor.task(&format!("{what} {} of the server's sessions", others.len()));
            }
            let look = if is_cutting { now + LOOK_AGAIN } else { leave_until.min(now + LOOK_EVERY) };
            while Instant::now() < look {
                if monitor.is_interrupted() {
                    return Err(LiveError::Interrupted);
                }
                if let Some(ending) = watch.wait(ASK_EVERY) {
                    return Err(ending.into_error());
                }
            }
            sessions = admin.sessions()?;
        }
    }

    /// The sessions of others. One that came later and hasn't logged in is being refused this very moment: where many knock, there is always one.
    fn others<'a>(&self, sessions: &'a [Session], newest: u64) -> impl Iterator<Item = &'a Session> {
        let ours = self.ours;
        sessions.iter().filter(move |session| {
            !ours.contains(&session.number) && (session.number <= newest || session.is_logged_in)
        })
    }
}
