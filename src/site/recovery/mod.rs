//! Recovery of a private copy of a site's tables from the logs beside it, by libdb itself.
//!
//! No site is recovered where it lies: the copy is in a scratch directory, and nothing else is accepted. A damaged log can make libdb crash
//! or loop, so it works in a child process of this program: [`recover`] starts and watches it, [`answer`] is what it does. What comes
//! out must be walked whole before it is believed: recovery can succeed on logs that don't fit the tables.
//!
//! The child writes lines of JSON to its standard output, how far it is and at last how it ended:
//!
//! ```text
//! {"percent":40}
//! {"ended":"recovered","said":[]}
//! {"ended":"refused","code":-30973,"said":["BDB1514 Recovery function for LSN 3 28 failed on forward pass", ...]}
//! {"ended":"disk failed","code":28,"said":[]}
//! {"ended":"not started","said":["/srv/citadel/data: ..."]}
//! ```

mod child;
mod error;
mod libdb;
mod message;
mod watch;

use std::fmt;
use std::time::Duration;

pub use child::{answer, run_here};
pub use error::{LibdbError, RecoveryError};
pub use watch::recover;

/// The name of the hidden command that calls [`answer`].
pub const COMMAND: &str = "recover-copy";

/// From where in the logs recovery begins. What the log shows decides which one is right; the other one fails, or does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From the last checkpoint but one: for the tables of a server that was killed or stood still when they were copied.
    Normal,
    /// From the oldest log on: for tables that were copied while a server went on writing and made a checkpoint.
    Catastrophic,
}

impl Kind {
    /// The one that is left to try.
    pub fn other(self) -> Kind {
        match self {
            Kind::Normal => Kind::Catastrophic,
            Kind::Catastrophic => Kind::Normal,
        }
    }

    /// The word for the command line of the child.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Normal => "normal",
            Kind::Catastrophic => "catastrophic",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How long recovery may take for so many bytes of tables and logs: 30 seconds, and one for each MiB.
///
/// Measured: more than 300 MiB a second while the copy is in memory. Where each page has to be fetched from a slow disk of a busy
/// machine it may take a hundred times as long; beyond that libdb goes round in circles.
pub fn time_limit(bytes: u64) -> Duration {
    Duration::from_secs(30 + (bytes >> 20))
}
