//! What is shown on standard error while the library works: a line that is redrawn, lines of JSON, or nothing.
//!
//! Nothing that is shown is worth an export: when standard error can't be written to, the work goes on.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ctdl_dump::monitor::Monitor;
use ctdl_dump::record::is_unseen;
use ctdl_dump::transfer::Summary;
use serde_json::{Value as Json, json};

use crate::args::{Progress, Report};
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::relay::Relay;
use crate::{json, summary, utc};

/// How often the line is redrawn, and a line of JSON written.
const REDRAW: Duration = Duration::from_millis(250);
const JSON_EVERY: Duration = Duration::from_secs(1);
/// The width of a terminal that doesn't tell it.
const USUAL_COLUMNS: usize = 80;

/// The screen, as a monitor of the library. Its clones are the same screen.
#[derive(Clone)]
pub struct Screen {
    form: Form,
    is_quiet: bool,
    interrupt: Arc<Interrupt>,
    task: Arc<Mutex<Task>>,
    /// Who gets what is said instead.
    relay: Option<Arc<Relay>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Bar,
    Json,
    Nothing,
}

struct Task {
    name: String,
    begun: Instant,
    shown: Option<Instant>,
    is_drawn: bool,
    bytes: u64,
    records: u64,
    position: Option<(u64, u64)>,
}

impl Screen {
    pub fn new(report: Report, interrupt: Arc<Interrupt>) -> Self {
        let form = match report.progress {
            Progress::Json => Form::Json,
            Progress::Auto if report.quiet || !std::io::stderr().is_terminal() => Form::Nothing,
            Progress::Auto | Progress::Bar => Form::Bar,
            Progress::None => Form::Nothing,
        };
        let task = Task::new("");
        Screen { form, is_quiet: report.quiet, interrupt, task: Arc::new(Mutex::new(task)), relay: None }
    }

    /// A screen that shows nothing: what is said on it goes to somebody else, who can also end the work.
    pub fn relayed(&self, relay: &Arc<Relay>) -> Self {
        let (interrupt, task) = (Arc::clone(&self.interrupt), Arc::new(Mutex::new(Task::new(""))));
        Screen { form: Form::Nothing, is_quiet: false, interrupt, task, relay: Some(Arc::clone(relay)) }
    }

    /// Whether nothing but warnings, errors and what was left out is to be said.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Something a person wants to read at the end; not with `-q`.
    pub fn say(&self, text: impl Display) {
        if !self.is_quiet {
            self.event("note", &text.to_string(), &text.to_string(), None);
        }
    }

    /// What was copied; not with `-q`.
    pub fn summary(&self, summary: &Summary) {
        if self.is_quiet {
            return;
        }
        match self.form {
            Form::Json => {
                let mut line = json::summary(summary);
                line["event"] = "summary".into();
                show(line);
            }
            _ => self.say(summary::text(summary)),
        }
    }

    /// Something that is not in the copy, though it is in the site; with `-q` too.
    pub fn left_out(&self, text: &str) {
        self.event("left out", text, text, None);
    }

    /// What a server logs of a peer, with the time; not with `-q`.
    pub fn log(&self, peer: &str, text: impl Display) {
        if self.is_quiet {
            return;
        }
        let (text, now) = (text.to_string(), std::time::SystemTime::now());
        let time = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
        let mut task = self.lock();
        erase(&mut task);
        match self.form {
            Form::Json => show(json!({"event": "served", "time": time, "peer": peer, "text": text})),
            _ => show_words(&format!("{} {peer}: {text}", utc::second(time))),
        }
    }

    /// Why the program ends early.
    pub fn error(&self, text: &str, code: ExitCode) {
        self.event("error", text, &format!("ctdl-dump: {text}"), Some(code));
    }

    /// Takes the line that is redrawn off the screen.
    pub fn clear(&self) {
        erase(&mut self.lock());
    }

    fn event(&self, event: &str, text: &str, line: &str, code: Option<ExitCode>) {
        if let Some(relay) = &self.relay {
            relay.say(line);
            return;
        }
        let mut task = self.lock();
        erase(&mut task);
        if self.form == Form::Json {
            let mut object = json!({"event": event, "text": text});
            if let Some(code) = code {
                object["exit_code"] = Json::from(code as u8);
            }
            show(object);
        } else {
            show_words(line);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Task> {
        self.task.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn draw(&self, task: &mut Task) {
        let every = if self.form == Form::Json { JSON_EVERY } else { REDRAW };
        if self.form == Form::Nothing || task.shown.is_some_and(|shown| shown.elapsed() < every) {
            return;
        }
        task.shown = Some(Instant::now());
        if self.form == Form::Json {
            show(task.json());
            return;
        }
        let columns = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { USUAL_COLUMNS } else { columns };
        // A longer line would wrap, and could not be redrawn.
        let line: String = task.line().chars().take(columns - 1).collect();
        let mut screen = std::io::stderr().lock();
        let _ = write!(screen, "\r{line}\x1b[K").and_then(|()| screen.flush());
        task.is_drawn = true;
    }
}

impl Task {
    fn new(name: &str) -> Self {
        Task {
            name: name.into(),
            begun: Instant::now(),
            shown: None,
            is_drawn: false,
            bytes: 0,
            records: 0,
            position: None,
        }
    }

    fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    fn share(&self) -> Option<f64> {
        self.position.filter(|(_, total)| *total > 0).map(|(done, total)| done as f64 / total as f64)
    }

    fn seconds_left(&self) -> Option<u64> {
        // The first moments say little about the rest.
        let share = self.share().filter(|share| *share > 0.02)?;
        Some((self.seconds() / share - self.seconds()).max(0.0) as u64)
    }

    fn json(&self) -> Json {
        json!({"event": "progress", "task": self.name, "records": self.records, "body_bytes": self.bytes,
            "share": self.share(), "seconds": self.seconds(), "seconds_left": self.seconds_left()})
    }

    fn line(&self) -> String {
        let rate = self.bytes as f64 / self.seconds().max(0.001);
        let mut line =
            format!("{}: {} records, {}, {}/s", self.name, self.records, bytes(self.bytes as f64), bytes(rate));
        if let Some(share) = self.share() {
            line += &format!(", {:.0} %", share * 100.0);
        }
        if let Some(left) = self.seconds_left() {
            line += &format!(", {}:{:02} left", left / 60, left % 60);
        }
        line
    }
}

impl Monitor for Screen {
    fn task(&self, name: &str) {
        if let Some(relay) = &self.relay {
            relay.set_task(name);
        }
        let mut task = self.lock();
        task.name = name.to_owned();
        task.begun = Instant::now();
        (task.bytes, task.records, task.position) = (0, 0, None);
        task.shown = None;
        self.draw(&mut task);
    }

    fn progress(&self, bytes: u64, records: u64) {
        let mut task = self.lock();
        task.bytes += bytes;
        task.records += records;
        self.draw(&mut task);
    }

    fn position(&self, done: u64, total: u64) {
        self.lock().position = Some((done, total));
    }

    fn warning(&self, text: &str) {
        self.event("warning", text, &format!("warning: {text}"), None);
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_set() || self.relay.as_ref().is_some_and(|relay| relay.is_over())
    }
}

fn show(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Shows words, in which a peer or a site may have put signs that nobody sees and that change how a line looks.
fn show_words(line: &str) {
    let is_hidden = |sign: char| is_unseen(sign) && !sign.is_control();
    let mut shown = String::with_capacity(line.len());
    for sign in line.chars() {
        match is_hidden(sign) {
            true => shown.extend(sign.escape_default()),
            false => shown.push(sign),
        }
    }
    show(shown);
}

fn erase(task: &mut Task) {
    if std::mem::take(&mut task.is_drawn) {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

/// A number of bytes as a person reads it.
pub fn bytes(count: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut count, mut unit) = (count, 0);
    while count >= 1024.0 && unit + 1 < units.len() {
        count /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count:.0} B") } else { format!("{count:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_says_what_how_much_how_fast_and_how_long() {
        let task = Task {
            name: "export".into(),
            begun: Instant::now() - Duration::from_secs(10),
            shown: None,
            is_drawn: false,
            bytes: 5 << 20,
            records: 7,
            position: Some((1, 10)),
        };
        assert_eq!(task.line(), "export: 7 records, 5.0 MiB, 512.0 KiB/s, 10 %, 1:30 left");
    }

    #[test]
    fn a_task_without_a_known_end_promises_nothing() {
        let task = Task::new("verify");
        assert_eq!(task.line(), "verify: 0 records, 0 B, 0 B/s");
        assert_eq!(task.json()["seconds_left"], Json::Null);
    }
}
