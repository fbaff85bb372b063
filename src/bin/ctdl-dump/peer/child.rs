//! A program that speaks the protocol on its standard input and output.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ctdl_dump::endpoint::no_thread;
use rustix::process::{Pid, Signal, kill_process};

use super::below::{Below, Pipe};
use super::{Errand, OtherEnd, Peer};
use crate::paced::{Pace, Paced};
use crate::screen::Screen;

/// So much of what the program said last is told when it has failed.
const LINES_TOLD: usize = 5;
/// The longest line of it that is read in one piece.
const MOST_LINE_BYTES: u64 = 1024;
/// How long a program may take to end after its output has ended.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take to end once it is told nothing more and nobody listens to it: it may have to remove what it has made.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
/// How long it may take until all is read that a program has said which has ended.
const SAID_WITHIN: Duration = Duration::from_secs(1);
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The command that reaches a peer, and its name for messages.
pub fn command_for(peer: &Peer, remote_program: &str, errand: Errand) -> Option<(Command, &'static str)> {
    match peer {
        Peer::Command(text) => {
            let mut command = Command::new("sh");
            command.arg("-c").arg(text);
            Some((command, "the command"))
        }
        Peer::Ssh { user, host, port, path } => {
            let mut command = Command::new("ssh");
            if let Some(user) = user {
                command.arg("-l").arg(user);
            }
            if let Some(port) = port {
                command.arg("-p").arg(port.to_string());
            }
            command.arg("--").arg(host).arg(remote_command(remote_program, path.as_deref(), errand));
            Some((command, "ssh"))
        }
        _ => None,
    }
}

/// What the shell of the other machine is given. The program may be several words, such as `sudo ctdl-dump`, so only the path is quoted.
pub(super) fn remote_command(program: &str, path: Option<&str>, errand: Errand) -> String {
    let path = path.map(|path| format!("'{}'", path.replace('\'', r"'\''")));
    match (errand, path) {
        (Errand::Get, None) => format!("{program} serve --stdio --quiet"),
        (Errand::Get, Some(path)) => format!("{program} serve --stdio --quiet -- {path}"),
        (Errand::Give { replace }, path) => {
            let replace = if replace { " --replace" } else { "" };
            let site = path.map(|path| format!(" --site {path}")).unwrap_or_default();
            format!("{program} serve --stdio --receive --quiet{replace}{site}")
        }
    }
}

/// Starts a program: what it says, and what it is told. It is ended and waited for when both are gone, with all that it has started.
pub fn start(
    mut command: Command,
    name: &'static str,
    pace: &Arc<Pace>,
    other_end: OtherEnd,
    screen: &Screen,
) -> io::Result<(Said, Told)> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(input), Some(output), Some(errors)) = (input, output, errors) else {
        return Err(io::Error::other("a started program has no pipes"));
    };
    let pipes = vec![Pipe::of(&input)?, Pipe::of(&output)?, Pipe::of(&errors)?];
    let last = Arc::new(Mutex::new(VecDeque::new()));
    let (shared, screen, there) = (Arc::clone(&last), screen.clone(), other_end.clone());
    let listener = std::thread::Builder::new()
        .name("stderr".into())
        .spawn(move || listen(errors, &shared, &there, &screen))
        .map_err(no_thread)?;
    let running = Running { child, listener: Some(listener), last, name, other_end, pipes, status: None };
    let running = Arc::new(Mutex::new(running));
    let said = Said { output: Paced::new(output, pace), running: Arc::clone(&running) };
    Ok((said, Told { input: Some(Paced::new(input, pace)), running }))
}

/// Shows what the program has to say, and keeps the last of it.
fn listen(errors: ChildStderr, last: &Mutex<VecDeque<String>>, there: &OtherEnd, screen: &Screen) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    while errors.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let text = ctdl_dump::record::printable(line.trim_ascii_end());
        let text = there.said_there(&text).into_owned();
        screen.say(&text);
        line.clear();
        if text.is_empty() {
            continue;
        }
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LINES_TOLD {
            last.pop_front();
        }
        last.push_back(text);
    }
}

struct Running {
    child: Child,
    listener: Option<JoinHandle<()>>,
    last: Arc<Mutex<VecDeque<String>>>,
    name: &'static str,
    other_end: OtherEnd,
    pipes: Vec<Pipe>,
    status: Option<ExitStatus>,
}

impl Running {
    /// How it has ended, in words, if it did not end well.
    fn failure(&mut self) -> Option<String> {
        let status = self.ends_within(ENDS_WITHIN).filter(|status| !status.success())?;
        self.finish_listening();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<&str> = last.iter().map(String::as_str).collect();
        let said = if said.is_empty() { "it said nothing".into() } else { said.join("; ") };
        let advice = self.other_end.advice_on_end(status.code(), &said);
        let said = said.trim_end_matches('.');
        Some(format!("{} ended ({status}): {said}{advice}", self.name))
    }

    fn signal(&self, signal: Signal) {
        // Once it has been waited for its number may stand for another process.
        if self.status.is_none() {
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// How it has ended, if it does so within this time.
    fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            self.status = self.status.or_else(|| self.child.try_wait().ok().flatten());
            if self.status.is_some() || Instant::now() >= deadline {
                return self.status;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether it has ended within this time, and those below it.
    fn all_end_within(&mut self, below: &Below, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        self.ends_within(limit);
        while !below.have_ended() && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
        self.status.is_some() && below.have_ended()
    }

    /// Those below it.
    fn below(&self) -> Below {
        Below::of(self.status.is_none().then(|| Pid::from_child(&self.child)), &self.pipes)
    }

    /// Waits for what it has said to the end, but not for others that have its standard error and go on.
    fn finish_listening(&mut self) {
        let deadline = Instant::now() + SAID_WITHIN;
        while self.listener.as_ref().is_some_and(|listener| !listener.is_finished()) && Instant::now() < deadline {
            std::thread::sleep(LOOK_EVERY);
        }
        if let Some(listener) = self.listener.take_if(|listener| listener.is_finished()) {
            let _ = listener.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has been told that nobody listens any more. A server ends by that, or at the latest by a signal; whoever hangs all the same is ended. A shell
        // passes no signal on.
        let below = self.below();
        if self.all_end_within(&below, LEAVES_WITHIN) {
            return;
        }
        self.signal(Signal::TERM);
        below.signal(Signal::TERM);
        if self.all_end_within(&below, ENDS_WITHIN) {
            return;
        }
        let later = self.below();
        self.signal(Signal::KILL);
        below.signal(Signal::KILL);
        later.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What a program says.
pub struct Said {
    output: Paced<ChildStdout>,
    running: Arc<Mutex<Running>>,
}

impl Read for Said {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            ended(&self.running)?;
        }
        Ok(count)
    }
}

/// What a program is told.
pub struct Told {
    input: Option<Paced<ChildStdin>>,
    running: Arc<Mutex<Running>>,
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else { return Err(io::ErrorKind::BrokenPipe.into()) };
        match input.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                ended(&self.running)?;
                Err(error)
            }
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), Paced::flush)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // The end of its input is what makes the program end by itself.
        self.input = None;
    }
}

/// An error that says how the program ended, if it has failed.
fn ended(running: &Mutex<Running>) -> io::Result<()> {
    let failure = running.lock().unwrap_or_else(PoisonError::into_inner).failure();
    failure.map_or(Ok(()), |failure| Err(io::Error::other(failure)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_the_shell_of_the_other_machine() {
        let command = remote_command("ctdl-dump", Some("/srv/it's; rm -rf $HOME"), Errand::Get);
        assert_eq!(command, r"ctdl-dump serve --stdio --quiet -- '/srv/it'\''s; rm -rf $HOME'");
    }

    #[test]
    fn a_push_starts_a_server_that_receives() {
        let command = |path, replace| remote_command("ctdl-dump", path, Errand::Give { replace });
        assert_eq!(command(None, false), "ctdl-dump serve --stdio --receive --quiet");
        let path = Some("/srv/citadel");
        assert_eq!(command(path, true), "ctdl-dump serve --stdio --receive --quiet --replace --site '/srv/citadel'");
    }

    #[test]
    fn ssh_gets_no_option_from_a_peer() {
        let peer = "ssh://me@old:22/site".parse().unwrap();
        let (command, _) = command_for(&peer, "sudo ctdl-dump", Errand::Get).unwrap();
        let arguments: Vec<&str> = command.get_args().map(|argument| argument.to_str().unwrap()).collect();
        assert_eq!(arguments, ["-l", "me", "-p", "22", "--", "old", "sudo ctdl-dump serve --stdio --quiet -- '/site'"]);
    }
}
