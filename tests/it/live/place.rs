//! A site with nothing in it but what a lease looks at, and a state directory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ctdl_dump::live::{Means, Server};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use tempfile::TempDir;

use crate::processes;
use crate::support::PROGRAM;

/// Longer than anything here takes, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let directory = TempDir::with_prefix("ctdl-dump-live-").unwrap();
        std::fs::create_dir_all(directory.path().join("site/data")).unwrap();
        std::fs::write(directory.path().join("site/data/log.0000000001"), "x").unwrap();
        Place { directory }
    }

    pub fn at(directory: TempDir) -> Self {
        Place { directory }
    }

    pub fn site(&self) -> PathBuf {
        self.directory.path().join("site")
    }

    pub fn socket(&self) -> PathBuf {
        self.site().join("citadel-admin.socket")
    }

    pub fn server(&self, pid: Option<u32>) -> Server {
        Server { admin_socket: self.socket(), data: self.site().join("data"), site: self.site(), pid }
    }

    pub fn state_dir(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub fn means(&self) -> Means {
        means(&self.state_dir())
    }

    /// The files in the state directory.
    pub fn records(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.state_dir()) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The guardian's process, by the record.
    pub fn guardian(&self) -> u32 {
        let record = std::fs::read_to_string(&self.records()[0]).unwrap();
        let line = record.lines().find_map(|line| line.strip_prefix("guardian ")).expect("a guardian");
        line.split(' ').next().unwrap().parse().unwrap()
    }

    /// A process that has a file of the site's tables open, as a server has.
    pub fn process(&self) -> StandIn {
        let file = std::fs::File::open(self.site().join("data/log.0000000001")).unwrap();
        StandIn(Command::new("sleep").arg("1000").stdin(file).stdout(Stdio::null()).spawn().unwrap())
    }
}

pub fn means(state_dir: &Path) -> Means {
    Means { state_dir: state_dir.into(), program: PROGRAM.into() }
}

/// A process that ends with the test.
pub struct StandIn(Child);

impl StandIn {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn is_stopped(&self) -> bool {
        processes::is_stopped(self.pid())
    }

    /// Whether it goes on within a time that is no matter of luck.
    pub fn goes_on(&self) -> bool {
        until(|| !self.is_stopped())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Waits until something is so; `false` if it doesn't become so.
pub fn until(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Kills a process of ours, if it hasn't ended.
pub fn kill(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal);
}

/// Waits until a process has ended.
pub fn wait_for_end(pid: u32) {
    let Ok(handle) = pidfd_open(Pid::from_raw(pid.try_into().unwrap()).unwrap(), PidfdFlags::empty()) else { return };
    let time = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&time)).unwrap();
    assert_eq!(ended, 1, "process {pid} does not end");
}
