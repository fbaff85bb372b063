//! Whether a server works on a site at this moment, found out without leaving a trace.
//!
//! Release 980 holds `citadel.lock` while it runs and removes it at an orderly stop; releases up to 901 hold `citadel.control`, which
//! stays; 902 holds neither. All have sockets that answer, and all have files in `data/` open. A socket that nobody answers, and a
//! `citadel.lock` that nobody holds, are left over from a server that was killed.

use std::fmt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::error::SettledError;
use crate::site::arrangement::Arrangement;

/// What is known of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerState {
    /// No sign of one.
    NotRunning,
    /// None runs, but the lock file of one is still there: it was killed, or its machine stopped.
    StaleLock {
        /// The lock file.
        path: PathBuf,
    },
    /// One runs.
    Running {
        /// Its process, if it can be seen.
        pid: Option<u32>,
        /// How that shows.
        how: RunningSign,
    },
}

/// What shows that a server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunningSign {
    /// Somebody holds this lock.
    Lock(PathBuf),
    /// Somebody has this file open for writing.
    OpenFile(PathBuf),
    /// Somebody answers at this socket.
    Socket(PathBuf),
}

impl fmt::Display for RunningSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunningSign::Lock(path) => write!(f, "{} is locked", path.display()),
            RunningSign::OpenFile(path) => write!(f, "{} is open for writing", path.display()),
            RunningSign::Socket(path) => write!(f, "{} is answered", path.display()),
        }
    }
}

const LOCK: &str = "citadel.lock";
const OLD_LOCK: &str = "citadel.control";
const SOCKETS: [&str; 4] = ["citadel-admin.socket", "citadel.socket", "lmtp.socket", "lmtp-unfiltered.socket"];

/// Looks for a server that works on the tables in `data`, whose locks and sockets are where `site` says.
///
/// First the locks and the open files are looked at, which no server notices; the sockets are tried only if those show nothing.
pub fn find_server(data: &Path, site: impl Into<Arrangement>) -> Result<ServerState, SettledError> {
    let site = site.into();
    let mut locks = vec![site.root().join(LOCK), data.join(OLD_LOCK)];
    locks.extend(site.lock_directories().into_iter().map(|directory| directory.join(OLD_LOCK)));
    let mut stale = None;
    for path in &locks {
        match is_locked(path)? {
            Some(true) => {
                return Ok(ServerState::Running {
                    pid: find_writer(data, &locks).map(|(pid, _)| pid),
                    how: RunningSign::Lock(path.clone()),
                });
            }
            Some(false) if path.ends_with(LOCK) => stale = Some(path.clone()),
            _ => {}
        }
    }
    if let Some((pid, path)) = find_writer(data, &locks) {
        return Ok(ServerState::Running { pid: Some(pid), how: RunningSign::OpenFile(path) });
    }
    for name in SOCKETS {
        let path = site.run_directory().join(name);
        if is_answered(&path)? {
            return Ok(ServerState::Running { pid: None, how: RunningSign::Socket(path) });
        }
    }
    Ok(match stale {
        Some(path) => ServerState::StaleLock { path },
        None => ServerState::NotRunning,
    })
}

/// Whether somebody holds an exclusive lock on a file; `None` if there's no such file.
///
/// A shared lock is tried: it meets the server's exclusive one, but two exports don't take each other for a server, and network file
/// systems allow it on a file that is open for reading only. It is given back at once; a server that starts in this instant would exit.
fn is_locked(path: &Path) -> Result<Option<bool>, SettledError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(SettledError::io(path, error.into())),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            // Closing would do, unless a process started by another thread in this instant holds a copy of the descriptor.
            rustix::fs::flock(&file, FlockOperation::Unlock).map_err(|error| SettledError::io(path, error.into()))?;
            Ok(Some(false))
        }
        Err(Errno::WOULDBLOCK) => Ok(Some(true)),
        // A file system without locks says nothing about the server; the other signs decide.
        Err(_) => Ok(None),
    }
}

/// Whether somebody answers at a socket. A server that is stopped by a signal still counts: the system answers for it.
fn is_answered(path: &Path) -> Result<bool, SettledError> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(SettledError::io(path, error)),
    }
    let io = |error: Errno| SettledError::io(path, error.into());
    // Socket addresses have at most 107 bytes; longer paths are reached by way of their open directory.
    let directory;
    let address = match SocketAddrUnix::new(path) {
        Ok(address) => address,
        Err(_) => {
            let parent = path.parent().unwrap_or(Path::new("."));
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            directory = rustix::fs::open(parent, flags, Mode::empty()).map_err(io)?;
            let short = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&directory));
            SocketAddrUnix::new(Path::new(&short).join(path.file_name().unwrap_or_default())).map_err(io)?
        }
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(io)?;
    match rustix::net::connect(&socket, &address) {
        // AGAIN: so many wait already that the server must be stopped by a signal, but it's there.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT | Errno::PROTOTYPE) => Ok(false),
        Err(error) => Err(io(error)),
    }
}

/// A process other than this one that has a file of `data`, or one of `locks`, open for writing. Of other users' processes root alone
/// sees the files; where `/proc` shows nothing, nothing is found.
fn find_writer(data: &Path, locks: &[PathBuf]) -> Option<(u32, PathBuf)> {
    let in_data = std::fs::read_dir(data).ok()?.flatten().map(|entry| entry.path());
    let wanted: Vec<((u64, u64), PathBuf)> = in_data
        .chain(locks.iter().cloned())
        .filter_map(|path| {
            let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
            Some(((metadata.dev(), metadata.ino()), path))
        })
        .collect();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    for process in processes {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        for descriptor in descriptors.flatten() {
            // Follows the link to the open file itself, whatever its path is called in that process's view.
            let Ok(metadata) = std::fs::metadata(descriptor.path()) else {
                continue;
            };
            let found = wanted
                .iter()
                .find(|(id, _)| *id == (metadata.dev(), metadata.ino()))
                .filter(|_| is_open_for_writing(&process.path().join("fdinfo").join(descriptor.file_name())));
            if let Some((_, path)) = found {
                return Some((pid, path.clone()));
            }
        }
    }
    None
}

/// Whether `fdinfo` says that a file may be written: its line `flags:` is octal, and its two lowest bits are 0 for reading only.
pub(crate) fn is_open_for_writing(fdinfo: &Path) -> bool {
    std::fs::read_to_string(fdinfo).is_ok_and(|text| {
        text.lines()
            .filter_map(|line| line.strip_prefix("flags:"))
            .any(|flags| u32::from_str_radix(flags.trim(), 8).is_ok_and(|flags| flags & 3 != 0))
    })
}
