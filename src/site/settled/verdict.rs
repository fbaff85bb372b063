//! The answer: may the tables be read in place, and if not, what to do.

use std::fmt;

use super::server::RunningSign;

/// Whether the tables of a site are complete without recovery. Displayed, each says why, and what to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The server was stopped in order, or recovery has run: the log ends so that the tables are complete.
    StoppedSettled,
    /// There's no log, and no page ever had one: what an import leaves, and the server has not started yet.
    NeverOpened,
    /// A server works on the site.
    Running {
        /// Its process, if it can be seen.
        pid: Option<u32>,
        /// How that shows.
        how: RunningSign,
    },
    /// The server was killed; the log holds changes that the tables may lack.
    Crashed {
        /// What the log ends with.
        reason: String,
    },
    /// Neither of these can be proved.
    Unsettled {
        /// Why.
        reason: String,
        /// What to do now.
        way_out: String,
    },
}

impl Verdict {
    /// Whether the tables may be read in place.
    pub fn is_settled(&self) -> bool {
        matches!(self, Verdict::StoppedSettled | Verdict::NeverOpened)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::StoppedSettled => f.write_str("the server is stopped and its tables are complete"),
            Verdict::NeverOpened => f.write_str("the tables are complete and no server has opened them yet"),
            Verdict::Running { pid, how } => {
                f.write_str("a Citadel server is running on this site")?;
                match pid {
                    Some(pid) => write!(f, " (process {pid}; {how})")?,
                    None => write!(f, " ({how})")?,
                }
                f.write_str(
                    ", so its tables change while they are read; stop it (`systemctl stop citadel`, or `sendcommand DOWN` in the site's directory) and run the same command again",
                )
            }
            Verdict::Crashed { reason } => write!(
                f,
                "the server was not stopped in order: {reason}; so the tables may lack changes that only the log has. Don't start a server of release \
                 980 on this site before it is exported: it never recovers, and the changes are lost"
            ),
            Verdict::Unsettled { reason, way_out } => {
                write!(f, "it can't be proved that the tables are complete: {reason}; {way_out}")
            }
        }
    }
}
