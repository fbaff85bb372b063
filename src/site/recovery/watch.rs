//! The child process as its parent sees it: started, listened to, ended in time, and never left behind.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::message::Message;
use super::{COMMAND, Kind, RecoveryError};
use crate::monitor::Monitor;

/// How often the monitor is asked whether to stop.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// As much as is kept of a line, and of what comes on standard error: its end, where the reason stands.
const KEPT_BYTES: usize = 64 << 10;

/// Recovers the tables and logs in `data`, the directory `data` of one of our scratch directories, in a child process: `program`, this same
/// one, with the hidden command [`COMMAND`].
///
/// When this returns the child is gone, however it went. `program` is best `/proc/self/exe`: that is this program even when another has
/// been installed in its place. The child is ended when `limit` is over (see [`super::time_limit`]) and as soon as
/// the monitor is interrupted; if this process is killed, the system kills it. Per cents go to [`Monitor::position`]; what libdb says
/// though it succeeded goes to [`Monitor::warning`].
///
/// # Errors
/// Each of [`RecoveryError`]; all but [`RecoveryError::Start`] and [`RecoveryError::NotStarted`] leave a copy that must not be used.
pub fn recover(
    data: &Path,
    kind: Kind,
    program: &Path,
    limit: Duration,
    monitor: &dyn Monitor,
) -> Result<(), RecoveryError> {
    let started = Instant::now();
    let mut recovery = Recovery::start(data, kind, program)?;
    let status = loop {
        if let Some(status) = recovery.ended()? {
            break status;
        }
        if monitor.is_interrupted() {
            return Err(RecoveryError::Interrupted);
        }
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(RecoveryError::TimedOut { data: data.into(), kind, limit });
        }
        recovery.listen(left.min(LONGEST_WAIT))?;
        if let Some(percent) = recovery.percent.take() {
            monitor.position(percent.into(), 100);
        }
    };
    let said = String::from_utf8_lossy(&recovery.errors).into_owned();
    let data = data.into();
    if let Some(signal) = status.signal() {
        return Err(RecoveryError::Crashed { data, kind, signal, said });
    }
    match recovery.answer.take() {
        Some(Message::Recovered { said }) if status.success() => {
            said.iter().for_each(|line| monitor.warning(&format!("recovery of the copy: libdb says: {line}")));
            Ok(())
        }
        Some(Message::DiskFailed { code }) => {
            Err(RecoveryError::Disk { data, source: io::Error::from_raw_os_error(code) })
        }
        Some(Message::Refused { code, said }) => Err(RecoveryError::Refused { data, kind, code, said }),
        Some(Message::NotStarted { said }) => Err(RecoveryError::NotStarted { said }),
        _ => Err(RecoveryError::NoAnswer { program: program.into(), status, said }),
    }
}

/// A child at work. Whoever drops it ends it.
struct Recovery<'a> {
    data: &'a Path,
    child: Child,
    /// Wakes when the child ends. Kernels before 5.3 have none; then the ends of its outputs and the clock do.
    end: Option<OwnedFd>,
    lines: Option<ChildStdout>,
    words: Option<ChildStderr>,
    line: Vec<u8>,
    /// The last message that ends the recovery.
    answer: Option<Message>,
    /// News of how far it is.
    percent: Option<u8>,
    /// The end of what came on standard error.
    errors: Vec<u8>,
}

impl<'a> Recovery<'a> {
    fn start(data: &'a Path, kind: Kind, program: &Path) -> Result<Self, RecoveryError> {
        let mut command = Command::new(program);
        command.args([COMMAND, "--parent", &std::process::id().to_string(), kind.word()]).arg("--").arg(data);
        // A group of its own: Ctrl-C at the terminal comes to us alone, and whatever the child has started can be ended with it.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = |source| RecoveryError::Start { program: program.into(), data: data.into(), source };
        let mut child = command.spawn().map_err(start)?;
        let end = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
        let (lines, words) = (child.stdout.take(), child.stderr.take());
        let (line, errors) = (Vec::new(), Vec::new());
        let recovery = Recovery { data, child, end, lines, words, line, answer: None, percent: None, errors };
        for file in
            [recovery.lines.as_ref().map(AsFd::as_fd), recovery.words.as_ref().map(AsFd::as_fd)].into_iter().flatten()
        {
            rustix::fs::fcntl_setfl(file, OFlags::NONBLOCK).map_err(|error| RecoveryError::watch(data, error))?;
        }
        Ok(recovery)
    }

    /// How the child has ended, if it has; all that it wrote is read then.
    fn ended(&mut self) -> Result<Option<ExitStatus>, RecoveryError> {
        let status = self.child.try_wait().map_err(|error| RecoveryError::watch(self.data, error))?;
        if status.is_some() {
            self.read()?;
        }
        Ok(status)
    }

    /// Waits until the child writes something or ends, but no longer than `most`, and reads what it wrote.
    fn listen(&mut self, most: Duration) -> Result<(), RecoveryError> {
        let files = [
            self.end.as_ref().map(AsFd::as_fd),
            self.lines.as_ref().map(AsFd::as_fd),
            self.words.as_ref().map(AsFd::as_fd),
        ];
        let mut files: Vec<_> = files.iter().flatten().map(|file| PollFd::new(file, PollFlags::IN)).collect();
        let most = Timespec { tv_sec: 0, tv_nsec: most.subsec_nanos().into() };
        match poll(&mut files, Some(&most)) {
            Ok(_) | Err(Errno::INTR) => self.read(),
            Err(error) => Err(RecoveryError::watch(self.data, error)),
        }
    }

    /// Reads all that is there, without waiting. An output that has ended is forgotten, or it would wake us for ever.
    fn read(&mut self) -> Result<(), RecoveryError> {
        let data = self.data;
        if let Some(file) = &mut self.lines {
            let mut bytes = Vec::new();
            let has_ended = read_some(file, &mut bytes).map_err(|error| RecoveryError::watch(data, error))?;
            self.lines.take_if(|_| has_ended);
            self.take_lines(&bytes);
        }
        if let Some(file) = &mut self.words {
            let has_ended = read_some(file, &mut self.errors).map_err(|error| RecoveryError::watch(data, error))?;
            self.words.take_if(|_| has_ended);
            keep_end(&mut self.errors);
        }
        Ok(())
    }

    fn take_lines(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                match Message::parse(&self.line) {
                    Some(Message::Percent(percent)) => self.percent = Some(percent),
                    Some(answer) => self.answer = Some(answer),
                    None => {}
                }
                self.line.clear();
            }
        }
        keep_end(&mut self.line);
    }
}

impl Drop for Recovery<'_> {
    fn drop(&mut self) {
        // After the child was waited for, its number may be another process's.
        if let Ok(None) = self.child.try_wait() {
            let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads from a file that never waits, at most as much as is kept; says whether it has ended.
fn read_some(file: &mut impl Read, into: &mut Vec<u8>) -> io::Result<bool> {
    let most = into.len() + KEPT_BYTES;
    let mut buffer = [0; 8 << 10];
    while into.len() < most {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(length) => into.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn keep_end(bytes: &mut Vec<u8>) {
    bytes.drain(..bytes.len().saturating_sub(KEPT_BYTES));
}
