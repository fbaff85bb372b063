//! The processes below one that we have started, so that none of them outlives it.
//!
//! A process group of its own would find them, too, but keep ssh and sudo from asking at the terminal. So they are found by their parents, and only
//! such as are still in our own group are meant: whoever has left that, as a guardian does or a master of ssh, means to stay.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getpgrp, pidfd_open, pidfd_send_signal};

/// Processes below another one.
pub struct Below(Vec<OwnedFd>);

/// What is known of a process (`/proc/PID/stat`, proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    group: i32,
}

impl Below {
    /// None at all.
    pub fn none() -> Self {
        Below(Vec::new())
    }

    /// Those below this process now. Children of one that has ended are not found any more.
    pub fn of(top: Pid) -> Self {
        let group = getpgrp().as_raw_nonzero().get();
        let mut known = BTreeSet::from([top.as_raw_nonzero().get()]);
        let mut found = Vec::new();
        let processes: Vec<i32> = fs::read_dir("/proc")
            .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
            .unwrap_or_default();
        // A child may have a lower number than its parent.
        loop {
            let before = known.len();
            for &number in &processes {
                let is_below = |stat: Stat| stat.group == group && known.contains(&stat.parent);
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
        let below = Below::of(Pid::from_child(&top));
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
}
