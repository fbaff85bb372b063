//! Who works in a directory: what is written in the file that is locked.

use std::fs;
use std::time::SystemTime;

use super::escape::{escape, unescape};
use super::stamp::stamp;

/// Who began the work in a directory, as far as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::site) struct Identity {
    pub(in crate::site) pid: Option<u32>,
    pub(in crate::site) started: Option<u64>,
    pub(in crate::site) boot: Option<String>,
    pub(in crate::site) begun: Option<String>,
    pub(in crate::site) source: Option<String>,
}

impl Identity {
    pub(in crate::site) fn of_this_process(source: Option<&str>) -> Self {
        let pid = std::process::id();
        Self {
            pid: Some(pid),
            started: start_time(pid),
            boot: boot_id(),
            begun: Some(stamp(SystemTime::now())),
            source: source.map(str::to_owned),
        }
    }

    /// The file: `kind` as its first line, then a line of a word and a value for each thing known.
    pub(in crate::site) fn text(&self, kind: &str) -> String {
        let mut text = format!("{kind}\n");
        let lines = [
            ("pid", self.pid.map(|pid| pid.to_string())),
            ("started", self.started.map(|ticks| ticks.to_string())),
            ("boot", self.boot.clone()),
            ("begun", self.begun.clone()),
            ("source", self.source.as_ref().map(|source| escape(source.as_bytes()))),
        ];
        for (word, value) in lines {
            if let Some(value) = value {
                text.push_str(&format!("{word} {value}\n"));
            }
        }
        text
    }

    /// What can be understood of such a file: one that was cut by a power failure is no reason to stop.
    pub(in crate::site) fn parse(text: &str) -> Self {
        let mut identity = Self::default();
        for (word, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            match word {
                "pid" => identity.pid = value.parse().ok(),
                "started" => identity.started = value.parse().ok(),
                "boot" => identity.boot = Some(value.to_owned()),
                "begun" => identity.begun = Some(value.to_owned()),
                "source" => identity.source = unescape(value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
                _ => {}
            }
        }
        identity
    }

    /// Whether the very process that is named here still lives: the second opinion, for file systems whose locks say nothing.
    pub(in crate::site) fn lives_elsewhere(&self) -> bool {
        let Some(pid) = self.pid.filter(|&pid| pid != std::process::id()) else {
            return false;
        };
        self.boot.is_some() && self.boot == boot_id() && self.started.is_some() && self.started == start_time(pid)
    }
}

/// When a process was started, in clock ticks after boot: field 22 of its `stat` (proc(5)), counted behind the name, which may hold anything.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn boot_id() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}
