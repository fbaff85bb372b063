//! The guardian of a server that was left closed.
//!
//! A server with a limit of one session refuses all others only as long as there is that one (release 980 compares the number of sessions, the new one
//! included). So somebody must be on: this process holds a session at the admin socket for as long as the record says that the server is closed, and takes another
//! one as soon as the server was started anew. It ends when the record is gone, by SIGTERM, and with the machine.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use super::LOOK_EVERY;
use super::hold::STIR_EVERY;
use crate::live::admin::Admin;
use crate::live::record::{Change, RecordFile};
use crate::live::undo::owner_of;
use crate::monitor::Monitor;

/// How often a server is looked for that doesn't run, or is starting: others come as soon as it does.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Keeps the door until the record is gone. While there is a lease, whose record has the name `leased`, it has sessions of its own, and counts all others.
pub(super) fn keep(left: &RecordFile, leased: &Path, mut admin: Option<Admin>, monitor: &dyn Monitor) {
    let Change::MaxSessions { socket, .. } = &left.record.change else { return };
    // Whoever has started the worker may wait until nobody can write to this any more, as ssh does.
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stderr(null);
    }
    let mut stirred = Instant::now();
    while left.is_there() && !monitor.is_interrupted() {
        if leased.exists() {
            if let Some(admin) = admin.take() {
                admin.quit();
            }
        } else if let Some(held) = &mut admin {
            let is_due = stirred.elapsed() >= STIR_EVERY;
            if held.is_broken() || is_due && held.server_start().is_err() {
                admin = None;
                continue;
            }
            if is_due {
                stirred = Instant::now();
            }
        } else if let Ok(opened) = owner_of(&left.record.data).and_then(|owner| Admin::open(socket, owner)) {
            (admin, stirred) = (Some(opened), Instant::now());
        }
        std::thread::sleep(if admin.is_some() { LOOK_EVERY } else { LOOK_AGAIN });
    }
    if let Some(admin) = admin {
        admin.quit();
    }
}
