//! The guardian: a process of its own that changes a server, and undoes it whatever becomes of the worker.
//!
//! The worker starts it as `PROGRAM guard RECORD`, and they talk in lines. The guardian hears on its standard input:
//!
//! - `hold`: make the change. Only the guardian makes it, so nothing is changed by a worker that wakes up when all has been undone.
//! - `alive`: the worker lives; said about once a second, and answered by `here`. A guardian that doesn't answer is ended, and the worker undoes the change.
//! - `release`: undo it.
//! - `leave`: undo nothing, and make the record that of a server that is left closed. Only for a setting.
//!
//! and says on its standard output:
//!
//! - `ready N`: it holds the record, and a session of its own at the server, which is session `N` (0 if none is needed).
//! - `held`: the change is made.
//! - `here`: it lives.
//! - `busy`: it asks the server something, or undoes the change, so that it may be some time until its next word. It says so once a second until that is done, and
//!   whoever is silent for longer stands still.
//! - last, once the change is undone and the record removed, a word and what was done: `released` as it was told; `expired`: the worker was
//!   silent for too long, or a server was frozen as long as it may be; `restarted`: it isn't the same server any more; `stopped`: by a
//!   signal. Or `failed WHY`: the change could not be made, and all is as before. Or `kept WHY`: it could not be undone, and the record stays. Or
//!   `opened LIMIT`: it was to be left, but somebody has let users in meanwhile; nothing is written down any more.
//!
//! `left` is the last word, too, but not the end: it keeps the [door](door) of a server that is left closed. So it does after any last word if the server was left
//! closed before: it has a session there, and whoever has kept the door so far has none, and goes.
//!
//! When its standard input ends, the worker is dead, and all is undone. It has its own session, so that Ctrl-C and a terminal that
//! closes end only the worker. `SIGTERM` makes it undo everything at once.

mod door;
mod hold;

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::setsid;

use self::hold::{Hold, Undone};
use super::LiveError;
use super::lines::{Input, Lines};
use super::record::{Record, RecordFile, Who};
use super::undo::Outcome;
use crate::monitor::Monitor;

/// The command of our own program that becomes a guardian.
pub const COMMAND: &str = "guard";

/// How often it looks whether a signal has come, and whether the server is still there.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a worker may take from `ready` to `hold`.
const ASKED_WITHIN: Duration = Duration::from_secs(60);

/// How often it says that it is at work.
const BUSY_EVERY: Duration = Duration::from_secs(1);

/// Why a guardian's work is over.
enum End {
    Told,
    Left,
    WorkerDied,
    Expired,
    Signal,
    ServerGone,
    Failed(LiveError),
}

/// Guards what the record in this file says, until all is undone. `monitor` is interrupted by a signal; it gets warnings only when there is no
/// worker any more that could tell what happened.
pub fn run(
    record: &Path,
    input: impl AsFd + Read + Send,
    output: impl Write + Send,
    monitor: &dyn Monitor,
) -> Result<(), LiveError> {
    // It fails for the leader of a group, as a process is that was started by hand from a shell; then there is nothing to leave.
    let _ = setsid();
    let mut file = RecordFile::join(record)?;
    file.add_guardian(Who::this_process())?;
    let mut worker = Worker { lines: Lines::new(input), output, is_there: true };
    let mut hold = match Hold::prepare(&file.record) {
        Ok(hold) => hold,
        Err(error) => {
            file.remove()?;
            worker.say(&format!("failed {error}"));
            return Ok(());
        }
    };
    worker.say(&format!("ready {}", hold.session()));
    let end = guard(&mut hold, &mut worker, &file.record, monitor);
    let record = file.record.clone();
    if let End::Left = end {
        return leave(hold, file, worker, monitor);
    }
    let leased = file.path.clone();
    let undone = worker.hear_of_work(|| {
        let undone = hold.undo(&record)?;
        // What can't be taken over stays with whoever has kept the door so far.
        let left = if monitor.is_interrupted() { None } else { file.take_over().ok().flatten() };
        file.remove().map(|()| (undone, left))
    });
    let (mut door, mut words) = (None, String::new());
    let is_same = undone.map(|(Undone { is_same, outcome, admin }, left)| {
        words = in_words(outcome);
        door = Some((admin, left));
        is_same
    });
    let (word, rest) = match (end, is_same) {
        (_, Err(error)) => ("kept", error.to_string()),
        (End::Failed(error), _) => ("failed", error.to_string()),
        (End::ServerGone, Ok(_)) | (_, Ok(false)) => ("restarted", words),
        (End::Expired, Ok(true)) => ("expired", words),
        (End::Signal, Ok(true)) => ("stopped", words),
        (End::Told | End::Left | End::WorkerDied, Ok(true)) => ("released", words),
    };
    worker.say(&format!("{word} {rest}"));
    if !worker.is_there {
        let place = record.site.display();
        let what =
            if word == "kept" { LiveError::Kept { reason: rest, repair: record.repair() }.to_string() } else { rest };
        monitor.warning(&format!("{place}: the command that held the server was killed; {what}"));
    }
    drop(worker);
    match door {
        Some((admin, Some(left))) => door::keep(&left, &leased, admin, monitor),
        Some((Some(admin), None)) => admin.quit(),
        _ => {}
    }
    Ok(())
}

/// Leaves the server closed, and keeps its door. Nothing was written down if that fails, so the next command undoes it.
fn leave<I: Send, O: Write + Send>(
    mut hold: Hold,
    file: RecordFile,
    mut worker: Worker<I, O>,
    monitor: &dyn Monitor,
) -> Result<(), LiveError> {
    let leased = file.path.clone();
    // Whoever reopens a server gives it its limit before he removes the record: either that is seen here, or he finds the record that was just written.
    match worker.hear_of_work(|| file.leave().map(|left| (left, hold.opened()))) {
        Ok((left, opened)) => {
            if let Some(limit) = opened {
                match left.forget() {
                    Ok(()) => worker.say(&format!("opened {limit}")),
                    Err(error) => worker.say(&format!("kept {error}")),
                }
                return Ok(());
            }
            worker.say("left");
            drop(worker);
            door::keep(&left, &leased, hold.into_admin(), monitor);
        }
        Err(error) => worker.say(&format!("kept {error}")),
    }
    Ok(())
}

/// Listens to the worker, and looks after the server, until it is over.
fn guard<I: AsFd + Read + Send, O: Write + Send>(
    hold: &mut Hold,
    worker: &mut Worker<I, O>,
    record: &Record,
    monitor: &dyn Monitor,
) -> End {
    let mut expires = Instant::now() + ASKED_WITHIN;
    let mut limit = None;
    loop {
        if monitor.is_interrupted() {
            return End::Signal;
        }
        let deadline = limit.map_or(expires, |limit| expires.min(limit));
        match worker.lines.next(deadline.min(Instant::now() + LOOK_EVERY)) {
            Ok(Input::Line(line)) => match line.as_slice() {
                b"hold" => {
                    limit = hold.limit().map(|limit| Instant::now() + limit);
                    if let Err(error) = worker.hear_of_work(|| hold.change()) {
                        return End::Failed(error);
                    }
                    worker.say("held");
                    expires = Instant::now() + record.expire;
                }
                b"alive" => {
                    expires = Instant::now() + record.expire;
                    worker.say("here");
                }
                b"release" => return End::Told,
                b"leave" if matches!(hold, Hold::Setting(_)) => return End::Left,
                // A worker that is not understood is as good as none.
                _ => return End::WorkerDied,
            },
            Ok(Input::End) | Err(_) => {
                worker.is_there = false;
                return End::WorkerDied;
            }
            Ok(Input::Nothing) if Instant::now() >= deadline => return End::Expired,
            Ok(Input::Nothing) => {}
        }
        let checked = if hold.is_about_to_ask() { worker.hear_of_work(|| hold.check()) } else { hold.check() };
        if checked.is_err() {
            return End::ServerGone;
        }
    }
}

/// The worker, as the guardian sees it.
struct Worker<I, O> {
    lines: Lines<I>,
    output: O,
    is_there: bool,
}

impl<I: Send, O: Write + Send> Worker<I, O> {
    /// Does something that may take its time. The worker hears until it is done that somebody is at it.
    fn hear_of_work<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.say("busy");
        let (is_done, told) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let say = || {
                let told = told;
                while told.recv_timeout(BUSY_EVERY) == Err(RecvTimeoutError::Timeout) {
                    self.say("busy");
                }
            };
            // Without a thread it is taken for one that stands still after a while, and ended, which undoes everything, too.
            let _ = std::thread::Builder::new().name("at work".into()).spawn_scoped(scope, say);
            let result = work();
            drop(is_done);
            result
        })
    }
}

impl<I, O: Write> Worker<I, O> {
    fn say(&mut self, text: &str) {
        // One line, and short enough to be read.
        let mut line: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(240).collect();
        line.push('\n');
        let written = self.output.write_all(line.as_bytes()).and_then(|()| self.output.flush());
        self.is_there &= written.is_ok();
    }
}

fn in_words(outcome: Outcome) -> String {
    let (Outcome::Restored(what) | Outcome::Nothing(what) | Outcome::Kept(what)) = outcome;
    what
}
