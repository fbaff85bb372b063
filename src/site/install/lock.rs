//! The server's own lock on a site: `citadel.lock`, `flock`'ed while it runs.

use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, open};
use rustix::io::Errno;

use super::InstallError;
use super::names::SERVER_LOCK;
use super::steps::Fs;
use crate::site::Arrangement;
use crate::site::claim::{Locked, same_file};
use crate::site::settled::{ServerState, SettledError, find_server};

/// What `citadel.lock` says about a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockState {
    /// No lock file: stopped cleanly, or never started.
    Absent,
    /// A lock file that nobody holds: the server was killed.
    Free,
    /// A server runs.
    Held,
}

/// Tries the lock of a site and gives it back at once. A shared lock, which network file systems allow on a file that is only read.
pub(super) fn probe(site: &Path) -> Result<LockState, InstallError> {
    let path = site.join(SERVER_LOCK);
    let file = match open(&path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
    {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(LockState::Absent),
        Err(error) => return Err(InstallError::io("open", &path, error)),
    };
    match Locked::try_new(file, FlockOperation::NonBlockingLockShared) {
        Ok(Some(_)) => Ok(LockState::Free),
        Ok(None) => Ok(LockState::Held),
        Err(error) => Err(InstallError::io("lock", &path, error)),
    }
}

/// Refuses when a server shows itself by any sign: its lock, its open files, its sockets. `when` completes "a server runs".
pub(super) fn refuse_running(site: &Arrangement, when: &str) -> Result<(), InstallError> {
    match find_server(&site.data(), site) {
        Ok(ServerState::Running { pid, how }) => {
            let process = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
            Err(InstallError::ServerRunning { path: site.root().to_owned(), how: format!("{how}{process}{when}") })
        }
        Ok(_) => Ok(()),
        Err(SettledError::Io { path, source }) => Err(InstallError::io("look at", &path, source)),
        Err(error) => Err(InstallError::io("look at", site.root(), std::io::Error::other(error))),
    }
}

/// Locks a site against its server. `found` is what [`probe`] has just said; a lock file that comes or goes in between is a server that
/// starts or stops.
pub(super) fn take(fs: &Fs, site: &Path, found: LockState) -> Result<Locked, InstallError> {
    let path = site.join(SERVER_LOCK);
    let running = |how: &str| InstallError::ServerRunning { path: site.to_owned(), how: how.to_owned() };
    let flags = match found {
        LockState::Absent => OFlags::CREATE | OFlags::EXCL,
        LockState::Free => OFlags::empty(),
        LockState::Held => return Err(running("it holds citadel.lock")),
    };
    fs.before("lock", &path)?;
    let flags = flags | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open(&path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => file,
        Err(Errno::EXIST | Errno::NOENT) => return Err(running("citadel.lock has come or gone this very moment")),
        Err(error) => return Err(InstallError::io("lock", &path, error)),
    };
    match Locked::try_new(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(Some(lock)) if same_file(lock.file(), &path) => Ok(lock),
        Ok(_) => Err(running("it has taken or replaced citadel.lock this very moment")),
        Err(error) => Err(InstallError::io("lock", &path, error)),
    }
}
