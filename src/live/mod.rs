//! Control of a running server: taking its site into a state that can be copied, and giving it back unharmed.
//!
//! Two ways, each a [`Lease`] that ends with [`Lease::release`], when it is dropped, or when whoever holds it dies:
//!
//! - *single-user*: new sessions are refused (`c_maxsessions` is 1), those that are on are asked to leave, waited for, and in the end
//!   cut off. Mail is refused with a temporary code, so it comes later. Releases 902 and 980.
//! - *frozen*: the process of the server is stopped by SIGSTOP for the seconds of a copy.
//!
//! A server undoes nothing by itself. So what is going to be changed is written down first (`record`), and a second process of our own
//! program, the *guardian* (`guardian`), makes the change and undoes it: when it is told, when the worker dies, when the worker is silent for too
//! long. If the guardian is killed, the worker undoes it. If both are, the next command does ([`undo_leftovers`]).
//!
//! The one thing that outlives a command is what a cutover wants: a server that is [left closed](left_closed), until [`reopen`].
//!
//! The server's own command for moving sites is never sent: it switches the housekeeping of release 980 off until a restart, and a
//! session that is cut within it spins for ever. Neither is any command that wants an upload. No transfer and no table is known here.

mod admin;
mod error;
pub mod guardian;
mod lease;
mod left;
mod lines;
mod process;
mod record;
mod undo;

use std::path::PathBuf;

pub use error::LiveError;
pub use lease::{Closed, Lease};
pub use left::{Left, left_closed, reopen, tell_of_left, way_back};
pub use record::Original;
pub use undo::{OURS, Outcome, Undone, undo_leftovers};

/// A running server, as whoever found it knows it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its `citadel-admin.socket`. Not needed to freeze it.
    pub admin_socket: PathBuf,
    /// The directory of its tables.
    pub data: PathBuf,
    /// The site's directory. Its real path names the record of what is to be undone: one lease for each site.
    pub site: PathBuf,
    /// Its process, which must be known to freeze it.
    pub pid: Option<u32>,
}

/// What a lease needs besides the server.
#[derive(Debug, Clone)]
pub struct Means {
    /// Where the record of what is to be undone is kept; made if it isn't there. It must outlive a restart of the machine, and every
    /// command must look at the same.
    pub state_dir: PathBuf,
    /// Our own program, which becomes the guardian when started as `PROGRAM guard RECORD`.
    pub program: PathBuf,
}
