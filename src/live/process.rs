//! Processes as `/proc` and pidfds show them: who a process is, and stopping it for a while.
//!
//! A number alone says little, as it may stand for another process a moment later. A process is known by its number and the time when it was
//! started; signals go through a pidfd that was opened before both were compared.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::error::LiveError;
use super::lines::wait_for;

/// How long a process may take to stop: a thread that waits for a disk stops only when the disk has answered.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked at until then.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What `/proc/PID/stat` says of a process or thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    /// `R`, `S`, `D`, `T` (stopped by a signal), `t` (by a debugger), `Z` (dead, not yet collected) ...
    state: u8,
    /// Clock ticks between the start of the machine and that of the process.
    started: u64,
}

/// A process that can be stopped.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    started: u64,
    handle: OwnedFd,
}

impl Process {
    /// The process of this number and start; `None` if it's no more. `started` is not known at the first time.
    pub(super) fn open(pid: u32, started: Option<u64>) -> Result<Option<Self>, LiveError> {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let handle = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
            Err(error) => return Err(LiveError::NotPermitted { pid, source: error.into() }),
        };
        Ok(match stat(&format!("/proc/{pid}/stat")) {
            Some(found) if is_alive(found.state) && started.is_none_or(|started| started == found.started) => {
                Some(Process { pid, started: found.started, handle })
            }
            _ => None,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// When it was started, in clock ticks after the start of the machine.
    pub(super) fn started(&self) -> u64 {
        self.started
    }

    /// Makes sure that this is the server of the tables in `data`: it has one of the files there open.
    pub(super) fn check_works_on(&self, data: &Path) -> Result<(), LiveError> {
        let pid = self.pid;
        let ours: Vec<(u64, u64)> = fs::read_dir(data)
            .map_err(|error| LiveError::io("read", data, error))?
            .flatten()
            .filter_map(|entry| fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file))
            .map(|found| (found.dev(), found.ino()))
            .collect();
        let open = fs::read_dir(format!("/proc/{pid}/fd")).map_err(|source| LiveError::NotPermitted { pid, source })?;
        // Follows each link to the open file itself, whatever its path is called in that process's view.
        let mut open = open.flatten().filter_map(|entry| fs::metadata(entry.path()).ok());
        if open.any(|found| ours.contains(&(found.dev(), found.ino()))) {
            Ok(())
        } else {
            Err(LiveError::WrongProcess { pid, data: data.to_owned() })
        }
    }

    /// Whether all threads of it stand still by a signal. The last system call of a thread that is within one is finished first, so
    /// one that doesn't stand still yet may still write.
    pub(super) fn is_stopped(&self) -> bool {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.pid)) else {
            return false;
        };
        let mut states = threads.flatten().filter_map(|thread| stat(&thread.path().join("stat")));
        self.is_same() && states.all(|thread| thread.state == b'T' || !is_alive(thread.state))
    }

    /// An error once it has ended.
    pub(super) fn check_is_there(&self) -> Result<(), LiveError> {
        if self.is_same() { Ok(()) } else { Err(LiveError::Restarted { what: "nothing is to be undone".into() }) }
    }

    /// Whether the number still stands for this process.
    fn is_same(&self) -> bool {
        stat(&format!("/proc/{}/stat", self.pid))
            .is_some_and(|found| is_alive(found.state) && found.started == self.started)
    }

    /// Stops it and waits until it stands still. After an error it may be stopped or not.
    pub(super) fn stop(&self) -> Result<(), LiveError> {
        let mut is_there = self.signal(Signal::STOP)?;
        let deadline = Instant::now() + STOP_WITHIN;
        while is_there && !self.is_stopped() {
            let has_ended = wait_for(&self.handle, PollFlags::IN, Instant::now() + LOOK_EVERY);
            is_there = !has_ended.map_err(|source| LiveError::NotPermitted { pid: self.pid, source })?;
            if Instant::now() >= deadline {
                return Err(LiveError::DidNotStop { pid: self.pid, seconds: STOP_WITHIN.as_secs() });
            }
        }
        if is_there { Ok(()) } else { Err(LiveError::Restarted { what: "nothing is to be undone".into() }) }
    }

    /// Lets it go on; `false` if it has ended.
    pub(super) fn go_on(&self) -> Result<bool, LiveError> {
        self.signal(Signal::CONT)
    }

    /// Kills it, and waits for so long until it has ended; `false` if it has not.
    pub(super) fn kill(&self, within: Duration) -> bool {
        self.signal(Signal::KILL).is_ok()
            && wait_for(&self.handle, PollFlags::IN, Instant::now() + within).unwrap_or(false)
    }

    fn signal(&self, signal: Signal) -> Result<bool, LiveError> {
        match pidfd_send_signal(&self.handle, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(LiveError::NotPermitted { pid: self.pid, source: error.into() }),
        }
    }
}

/// When a process was started; `None` if there is none of this number.
pub(super) fn start_time(pid: u32) -> Option<u64> {
    stat(&format!("/proc/{pid}/stat")).map(|found| found.started)
}

/// What tells this run of the machine from all others.
pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The name of this machine.
pub(super) fn host_name() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/hostname")?.trim().to_owned())
}

fn is_alive(state: u8) -> bool {
    !matches!(state, b'Z' | b'X' | b'x')
}

fn stat(path: &(impl AsRef<Path> + ?Sized)) -> Option<Stat> {
    parse_stat(&fs::read(path.as_ref()).ok()?)
}

/// Fields 3 and 22 of a `stat` (proc(5)), counted behind the name, which may hold anything, brackets too.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let name_end = bytes.iter().rposition(|&byte| byte == b')')?;
    let mut fields = std::str::from_utf8(&bytes[name_end + 1..]).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some(Stat { state, started: fields.nth(18)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stat_is_understood_whatever_the_process_is_called() {
        let tail = "T 1 2 2 0 -1 4194304 1 0 0 0 7 8 0 0 20 0 1 0 4711 1 2";
        for name in ["cat", "a) S 9 (b", "with blank", ""] {
            let text = format!("12 ({name}) {tail}");
            assert_eq!(parse_stat(text.as_bytes()), Some(Stat { state: b'T', started: 4711 }), "{name}");
        }
        assert_eq!(parse_stat(b"12 (cat) T 1 2"), None);
    }

    #[test]
    fn this_process_runs_and_one_that_never_was_does_not() {
        let pid = std::process::id();
        let this = Process::open(pid, None).unwrap().unwrap();
        assert!(!this.is_stopped());
        assert_eq!(start_time(pid), Some(this.started()));
        assert!(Process::open(pid, Some(this.started() + 1)).unwrap().is_none(), "another process");
        for never in [0, u32::MAX, i32::MAX as u32] {
            assert!(Process::open(never, None).unwrap().is_none(), "{never}");
        }
    }

    proptest! {
        #[test]
        fn no_stat_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_stat(&bytes);
        }
    }
}
