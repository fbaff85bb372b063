//! The answer to the question how a site's log ends.

use std::collections::BTreeMap;
use std::fmt;

use super::lsn::{Lsn, TableId};

/// How the log of a site ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogState {
    /// There is no log file.
    None,
    /// The server stopped in order.
    CleanStop {
        /// The last checkpoint.
        checkpoint: Lsn,
        /// Behind the last record.
        end: Lsn,
        /// The tables that were closed after the checkpoint, and their ids.
        closed: BTreeMap<String, Option<TableId>>,
    },
    /// Recovery ran to its end, and nothing was written since.
    Recovered {
        /// The checkpoint that recovery made.
        checkpoint: Lsn,
        /// Behind the last record.
        end: Lsn,
    },
    /// A checkpoint of a server at work, with nothing after it, and no change between the position that it covers and itself: at that
    /// moment the tables alone are complete, whether the server still runs or was killed since.
    Checkpoint {
        /// The checkpoint.
        checkpoint: Lsn,
        /// Behind the last record.
        end: Lsn,
    },
    /// Changes are in the log that may not be in the tables.
    Unclean {
        /// What was found at the end.
        reason: String,
        /// Behind the last whole record.
        end: Lsn,
    },
    /// The log can't be read.
    Unreadable {
        /// Why.
        reason: String,
        /// The log's version, if that is what hinders.
        version: Option<u32>,
    },
}

/// The proof, in words.
impl fmt::Display for LogState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogState::None => f.write_str("there is no log, and no page of a table was ever logged"),
            LogState::CleanStop { checkpoint, end, closed } => write!(
                f,
                "the log ends at {end} with the checkpoint at {checkpoint} and {} tables closed after it",
                closed.len()
            ),
            LogState::Recovered { checkpoint, end } => {
                write!(f, "the log ends at {end} with recovery's checkpoint at {checkpoint}")
            }
            LogState::Checkpoint { checkpoint, end } => {
                write!(
                    f,
                    "the log ends at {end} with the checkpoint at {checkpoint}, which covers all changes before it"
                )
            }
            LogState::Unclean { reason, .. } => f.write_str(reason),
            LogState::Unreadable { reason, .. } => write!(f, "the log can't be read: {reason}"),
        }
    }
}

impl LogState {
    /// Where the log ends, if that is known.
    pub fn end(&self) -> Option<Lsn> {
        match self {
            LogState::CleanStop { end, .. }
            | LogState::Recovered { end, .. }
            | LogState::Checkpoint { end, .. }
            | LogState::Unclean { end, .. } => Some(*end),
            LogState::None | LogState::Unreadable { .. } => None,
        }
    }
}
