//! The processes below one that we have started, so that none of them outlives it.
//!
//! A process group of its own would find them, too, but keep ssh and sudo from asking at the terminal. So they are found by their parents, and only
//! such as are still in our own group are meant: whoever has left that, as a guardian does or a master of ssh, means to stay. The group itself is no sign: in
//! `ctdl-dump pull ... | tee log` others are in it. Those whose parent has ended are known by the pipes to us that they hold.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getpgrp, getpid, pidfd_open, pidfd_send_signal};

/// Processes below another one.
pub struct Below(Vec<OwnedFd>);

/// A pipe, known by its device and number from both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipe(u64, u64);

impl Pipe {
    /// The one that this is an end of.
    pub fn of(end: impl AsFd) -> io::Result<Self> {
        let found = fs::File::from(end.as_fd().try_clone_to_owned()?).metadata()?;
        Ok(Pipe(found.dev(), found.ino()))
    }
}

/// What is known of a process (`/proc/PID/stat`, proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    group: i32,
}

impl Below {
    /// Those below this process now, if it has not ended, and those that hold one of the pipes which it was given.
    pub fn of(top: Option<Pid>, pipes: &[Pipe]) -> Self {
        let (group, us) = (getpgrp().as_raw_nonzero().get(), getpid().as_raw_nonzero().get());
        let mut known: BTreeSet<i32> = top.map(|top| top.as_raw_nonzero().get()).into_iter().collect();
        let mut found = Vec::new();
        let processes: Vec<i32> = fs::read_dir("/proc")
            .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
            .unwrap_or_default();
        // A child may have a lower number than its parent.
        loop {
            let before = known.len();
            for &number in &processes {
                // What we start besides has our ends of the pipes for a moment.
                let is_ours = |stat: Stat| number == us || stat.parent == us;
                let is_below = |stat: Stat| {
                    stat.group == group
                        && (known.contains(&stat.parent) || !is_ours(stat) && holds_one_of(number, pipes))
                };
                if known.contains(&number) || !stat(number).is_some_and(is_below) {
                    continue;
                }
                let handle = Pid::from_raw(number).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
                // The number may stand for another process by now.
                if let Some(handle) = handle.filter(|_| stat(number).is_some_and(is_below)) {
                    known.insert(number);
                    found.push(handle);
                }
            }
            if known.len() == before {
                return Below(found);
            }
        }
    }

    /// Sends all of them a signal.
    pub fn signal(&self, signal: Signal) {
        for handle in &self.0 {
            // One that has ended needs none.
            let _ = pidfd_send_signal(handle, signal);
        }
    }

    /// Whether all have ended.
    pub fn have_ended(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let has_ended = |handle| {
            let mut files = [PollFd::new(handle, PollFlags::IN)];
            poll(&mut files, Some(&now)).is_ok_and(|count| count > 0)
        };
        self.0.iter().all(has_ended)
    }
}

fn holds_one_of(process: i32, pipes: &[Pipe]) -> bool {
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    // Follows each link to what is open there.
    let mut open = open.filter_map(|entry| fs::metadata(entry.path()).ok());
    open.any(|found| pipes.contains(&Pipe(found.dev(), found.ino())))
}

fn stat(number: i32) -> Option<Stat> {
    parse_stat(&fs::read(format!("/proc/{number}/stat")).ok()?)
}

/// Fields 4 and 5, counted behind the name, which may hold anything, brackets too.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let name_end = bytes.iter().rposition(|&byte| byte == b')')?;
    let mut fields = std::str::from_utf8(&bytes[name_end + 1..]).ok()?.split_ascii_whitespace().skip(1);
    Some(Stat { parent: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_stat_is_understood_whatever_the_process_is_called() {
        for name in ["cat", "a) S 9 (b", "", "with blank"] {
            let text = format!("12 ({name}) T 1 2 2 0 -1");
            assert_eq!(parse_stat(text.as_bytes()), Some(Stat { parent: 1, group: 2 }), "{name}");
        }
        assert_eq!(parse_stat(b"12 (cat) T 1"), None);
    }

    #[test]
    fn those_below_a_process_are_found_but_for_those_that_have_left() {
        let script = "sh -c 'sleep 1000 & echo x; wait' & setsid sleep 2 & wait";
        let mut top = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(top.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let below = Below::of(Some(Pid::from_child(&top)), &[]);
        // The one that leaves may not have done so yet.
        assert!((2..=3).contains(&below.0.len()), "{}", below.0.len());
        assert!(!below.have_ended());
        top.kill().unwrap();
        top.wait().unwrap();
        below.signal(Signal::KILL);
        while !below.have_ended() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn those_whose_parent_has_ended_are_found_by_the_pipe_that_they_hold() {
        let script = "sleep 1000 >/dev/null & setsid sleep 2 & sleep 1000 2>/dev/null & echo x";
        let mut top =
            Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pipes = [Pipe::of(top.stdout.as_ref().unwrap()).unwrap(), Pipe::of(top.stderr.as_ref().unwrap()).unwrap()];
        top.wait().unwrap();
        let below = Below::of(None, &pipes);
        // The one that leaves may not have done so yet.
        assert!((2..=3).contains(&below.0.len()), "{}", below.0.len());
        below.signal(Signal::KILL);
        while !below.have_ended() {
            std::thread::yield_now();
        }
        assert!(Below::of(None, &[]).0.is_empty());
    }
}
