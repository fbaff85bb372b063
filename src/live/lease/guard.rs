//! The worker's side of its guardian.

use std::io::Write;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::ending::Ending;
use super::watch::Watch;
use crate::endpoint::no_thread;
use crate::live::guardian::COMMAND;
use crate::live::lines::{Input, Lines, wait_for};
use crate::live::record::{Change, RecordFile};
use crate::live::undo::undo;
use crate::live::{LiveError, Means};
use crate::monitor::Monitor;

/// How long a guardian may take to get ready: it opens a session at the server, with two commands.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the change may take.
const HELD_WITHIN: Duration = Duration::from_secs(30);
/// How long undoing may take: a server that has gone is waited for.
const RELEASED_WITHIN: Duration = Duration::from_secs(90);
/// The same for a frozen process, where it is a single signal.
const WOKEN_WITHIN: Duration = Duration::from_secs(5);
/// How long a guardian may be silent that was told something. While it is at work it says so once a second.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// How often it is asked whether the user has had enough.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a guardian says.
pub(super) enum Heard {
    /// It lives.
    Here,
    /// It is at something that may take its time.
    Busy,
    /// Its work is over.
    Last(Ending),
    /// Nothing until now.
    Nothing,
    /// Nothing any more, or what makes no sense.
    Gone,
}

/// A guardian that was started.
pub(super) struct Guard {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<ChildStdout>,
    file: RecordFile,
    session: u64,
    was_asked: bool,
}

impl Guard {
    /// Starts the guardian of a record, and waits until it is ready.
    pub(super) fn start(file: RecordFile, means: &Means, monitor: &dyn Monitor) -> Result<Self, LiveError> {
        let failed = |what: String| LiveError::Guardian { program: means.program.clone(), what };
        let child = Command::new(&means.program)
            .arg(COMMAND)
            .arg(&file.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                file.remove()?;
                return Err(failed(error.to_string()));
            }
        };
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let Some(output) = output else {
            return Err(failed("it has no standard output".into()));
        };
        let mut guard = Guard { child, input, lines: Lines::new(output), file, session: 0, was_asked: false };
        match guard.expect("ready", READY_WITHIN, READY_WITHIN, monitor) {
            Ok(session) => {
                guard.session = session.parse().unwrap_or(0);
                Ok(guard)
            }
            Err(error) => {
                guard.release();
                Err(match error {
                    LiveError::Guardian { what, .. } => failed(what),
                    other => other,
                })
            }
        }
    }

    /// The number of the guardian's own session at the server.
    pub(super) fn session(&self) -> u64 {
        self.session
    }

    /// Has the change made, and everything watched from then on. `limit`: after this time the guardian undoes it by itself.
    pub(super) fn hold(mut self, limit: Option<Duration>, monitor: &dyn Monitor) -> Result<Watch, LiveError> {
        let path = self.file.path.clone();
        self.was_asked = true;
        self.say("hold");
        if let Err(error) = self.expect("held", SILENT_FOR, HELD_WITHIN, monitor) {
            return match self.release() {
                kept @ Ending::Kept { .. } => Err(kept.into_error()),
                _ => Err(error),
            };
        }
        Watch::start(self, limit).map_err(|error| LiveError::io("start a thread for", &path, no_thread(error)))
    }

    /// Says something, if there's room for it: a guardian that doesn't listen must not stop the worker.
    pub(super) fn say(&mut self, word: &str) {
        let Some(input) = &mut self.input else { return };
        if wait_for(input, PollFlags::OUT, Instant::now()).unwrap_or(false) {
            // If it is dead, its own output ends, and that is seen.
            let _ = input.write_all(format!("{word}\n").as_bytes());
        }
    }

    pub(super) fn output(&self) -> &ChildStdout {
        self.lines.file()
    }

    /// What it says next, if it does until then.
    pub(super) fn hear(&mut self, deadline: Instant) -> Heard {
        match self.lines.next(deadline) {
            Ok(Input::Line(line)) => match line.as_slice() {
                b"here" => Heard::Here,
                b"busy" => Heard::Busy,
                line => Ending::parse(&String::from_utf8_lossy(line), &self.file.record.repair())
                    .map_or(Heard::Gone, Heard::Last),
            },
            Ok(Input::Nothing) => Heard::Nothing,
            Ok(Input::End) | Err(_) => Heard::Gone,
        }
    }

    /// Waits for its last word, `within` this time if it is at work. Undoes everything if it has died, or stands still.
    fn ending(mut self, within: Duration) -> Ending {
        self.input = None;
        let end = Instant::now() + within;
        let mut deadline = end.min(Instant::now() + SILENT_FOR);
        loop {
            match self.hear(deadline) {
                Heard::Here => {}
                Heard::Busy => deadline = end.min(Instant::now() + SILENT_FOR),
                Heard::Last(ending) => return self.ended(ending),
                Heard::Nothing => return self.undo_ourselves(Ending::GuardianSilent),
                Heard::Gone => return self.undo_ourselves(Ending::GuardianGone),
            }
        }
    }

    /// It has said its last word.
    pub(super) fn ended(mut self, ending: Ending) -> Ending {
        self.input = None;
        // It may go on as the keeper of a door.
        if ending != Ending::Left && !RecordFile::left_path(&self.file.path).exists() {
            let _ = self.child.wait();
        }
        ending
    }

    /// Has the change undone.
    pub(super) fn release(mut self) -> Ending {
        self.say("release");
        let is_frozen = matches!(self.file.record.change, Change::Frozen { .. });
        self.ending(if is_frozen { WOKEN_WITHIN } else { RELEASED_WITHIN })
    }

    /// Has the change left as it is.
    pub(super) fn leave(mut self) -> Ending {
        self.say("leave");
        let leased = self.file.path.clone();
        match self.ending(HELD_WITHIN) {
            // It was cut off when it had done so, and not said it yet: nothing was undone, and nobody keeps the door.
            Ending::GuardianGone | Ending::GuardianSilent
                if !leased.exists() && RecordFile::left_path(&leased).exists() =>
            {
                Ending::Left
            }
            ending => ending,
        }
    }

    /// The guardian is dead, or doesn't do its work, which is why the lease ends. It is killed first, so that nobody undoes the change at the same time, or at
    /// any later one: a process that was stopped wakes up to nothing else.
    pub(super) fn undo_ourselves(mut self, why: Ending) -> Ending {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A record that is gone was removed by the guardian, after it had undone everything.
        if !self.file.is_there() {
            return why;
        }
        let repair = self.file.record.repair();
        let undone = if self.was_asked { undo(&self.file.record, Duration::ZERO).map(drop) } else { Ok(()) };
        match undone.and_then(|()| self.file.remove()) {
            Ok(()) => why,
            Err(error) => Ending::Kept { reason: error.to_string(), repair },
        }
    }

    /// Waits for a word, and gives what stands behind it. It may be `silent` for so long, and must have come `within` this time while it says that it is at work.
    fn expect(
        &mut self,
        word: &str,
        silent: Duration,
        within: Duration,
        monitor: &dyn Monitor,
    ) -> Result<String, LiveError> {
        let failed = |what: String| LiveError::Guardian { program: "ctdl-dump".into(), what };
        let begun = Instant::now();
        let mut heard = begun;
        loop {
            if monitor.is_interrupted() {
                return Err(LiveError::Interrupted);
            }
            match self.lines.next(Instant::now() + LOOK_EVERY) {
                Ok(Input::Line(line)) if line == b"busy" => heard = Instant::now(),
                Ok(Input::Line(line)) => {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    let (first, rest) = line.split_once(' ').unwrap_or((&line, ""));
                    return match first {
                        _ if first == word => Ok(rest.to_owned()),
                        "failed" => Err(failed(rest.to_owned())),
                        _ => Err(failed(format!("it says {line:?}"))),
                    };
                }
                Ok(Input::Nothing) if begun.elapsed() >= within => {
                    return Err(failed(format!("it was at work for {} seconds", within.as_secs())));
                }
                Ok(Input::Nothing) if heard.elapsed() >= silent => {
                    return Err(failed(format!("it was silent for {} seconds", silent.as_secs())));
                }
                Ok(Input::Nothing) => {}
                Ok(Input::End) => return Err(failed("it ended at once".into())),
                Err(error) => return Err(failed(error.to_string())),
            }
        }
    }
}
