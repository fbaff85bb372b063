//! Processes that a test starts, and that end with it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A process that is killed when it is dropped, also by a test that fails.
pub struct EndedAtLast(pub Child);

impl EndedAtLast {
    /// Whether it is stopped by a signal, to go on later.
    pub fn is_stopped(&self) -> bool {
        is_stopped(self.0.id())
    }
}

impl Drop for EndedAtLast {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the process with this number is stopped by a signal, to go on later.
pub fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('T')
}

/// A shell that has done what a script says, and holds it: files that it has opened, their locks. The script's `$0`, `$1` and so on are the arguments.
pub fn holding(script: &str, arguments: &[&dyn AsRef<OsStr>]) -> EndedAtLast {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{script} && echo holding && read line"));
    shell.args(arguments.iter().map(AsRef::as_ref)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = EndedAtLast(shell.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(shell.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "holding\n");
    shell
}
