//! A server as a process of its own, for one test.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ctdl_dump::wire::{Client, Login};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support;

/// Longer than anything takes here; a test that waits so long has failed.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The program, with a state directory of the test's own.
pub fn program(state: &Path) -> Command {
    let mut command = support::program();
    command.env("CTDL_DUMP_STATE", state);
    command
}

/// Starts a program with a limit of the shell.
pub fn limited(command: &mut Command, limit: &str) {
    let mut limited = Command::new("bash");
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.args(["-c", &format!("ulimit {limit}; exec \"$@\""), "bash"]);
    limited.arg(command.get_program()).args(command.get_args());
    *command = limited;
}

/// An archive of a fixture.
pub fn archive(directory: &Path, site: &str) -> PathBuf {
    let (site, archive) = (support::unpack_site(site), directory.join("site.ctz"));
    let mut export = program(&directory.join("state"));
    let output = export.arg("export").arg("--site").arg(site.path()).arg("-o").arg(&archive).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    archive
}

/// A running server, ended when it is dropped.
pub struct Serving {
    pub child: Child,
    log: Arc<(Mutex<Vec<String>>, Condvar)>,
    _work: TempDir,
}

impl Serving {
    /// Starts `serve` with these arguments.
    pub fn start(work: TempDir, arguments: &[&str]) -> Self {
        Self::start_with(work, arguments, |_| ())
    }

    /// The same, after a change of the command.
    pub fn start_with(work: TempDir, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = program(&work.path().join("state"));
        command.arg("serve").args(arguments);
        change(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (errors, shared) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                shared.0.lock().unwrap().push(line);
                shared.1.notify_all();
            }
            shared.0.lock().unwrap().push("(the end)".into());
            shared.1.notify_all();
        });
        Serving { child, log, _work: work }
    }

    /// Waits for a line of the log that holds this, and gives it.
    pub fn logged(&self, text: &str) -> String {
        let (log, changed) = &*self.log;
        let is_there = |lines: &Vec<String>| lines.iter().any(|line| line.contains(text));
        let lines = log.lock().unwrap();
        let (lines, _) = changed
            .wait_timeout_while(lines, LIMIT, |lines| !is_there(lines) && lines.last().is_none_or(|l| l != "(the end)"))
            .unwrap();
        let found = lines.iter().find(|line| line.contains(text)).cloned();
        found.unwrap_or_else(|| panic!("no {text:?} in {lines:#?}"))
    }

    /// Its standard input and output.
    pub fn pipes(&mut self) -> (ChildStdout, ChildStdin) {
        (self.child.stdout.take().unwrap(), self.child.stdin.take().unwrap())
    }

    /// Ends it by a signal.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that needs no token.
pub fn client<R: Read, W: Write>(input: R, output: W) -> Client<R, W> {
    Client::connect(input, output, &Login { program: "test", token: None, level: None }).unwrap()
}
