//! What is shown on standard error while the library works: a line that is redrawn, lines of JSON, or nothing.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ctdl_dump::monitor::Monitor;
use serde_json::json;

use crate::args::{Progress, Report};
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;

/// How often the line is redrawn, and a line of JSON written.
const REDRAW: Duration = Duration::from_millis(250);
const JSON_EVERY: Duration = Duration::from_secs(1);

/// The screen, as a monitor of the library.
pub struct Screen {
    form: Form,
    is_quiet: bool,
    interrupt: Arc<Interrupt>,
    task: Mutex<Task>,
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
    drawn: Option<Instant>,
    is_drawn: bool,
    bytes: u64,
    records: u64,
    position: Option<(u64, u64)>,
}

impl Screen {
    pub fn new(report: Report, interrupt: Arc<Interrupt>) -> Self {
        let form = match report.progress {
            Progress::Auto if report.quiet || !std::io::stderr().is_terminal() => Form::Nothing,
            Progress::Auto | Progress::Bar => Form::Bar,
            Progress::Json => Form::Json,
            Progress::None => Form::Nothing,
        };
        let task = Task {
            name: String::new(),
            begun: Instant::now(),
            drawn: None,
            is_drawn: false,
            bytes: 0,
            records: 0,
            position: None,
        };
        Screen { form, is_quiet: report.quiet, interrupt, task: Mutex::new(task) }
    }

    /// Something a person wants to read at the end; not with `-q`.
    pub fn say(&self, text: &str) {
        if !self.is_quiet {
            self.line("note", text);
        }
    }

    /// Why the program ends early.
    pub fn error(&self, text: &str, code: ExitCode) {
        self.clear();
        match self.form {
            Form::Json => eprintln!("{}", json!({"event": "error", "text": text, "exit_code": code as u8})),
            _ => eprintln!("ctdl-dump: {text}"),
        }
    }

    /// Takes the line that is redrawn off the screen.
    pub fn clear(&self) {
        let mut task = self.task();
        if std::mem::take(&mut task.is_drawn) {
            eprint!("\r\x1b[K");
        }
    }

    fn line(&self, event: &str, text: &str) {
        self.clear();
        match self.form {
            Form::Json => eprintln!("{}", json!({"event": event, "text": text})),
            _ => eprintln!("{text}"),
        }
    }

    fn task(&self) -> MutexGuard<'_, Task> {
        self.task.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn draw(&self, task: &mut Task) {
        let every = if self.form == Form::Json { JSON_EVERY } else { REDRAW };
        if self.form == Form::Nothing || task.drawn.is_some_and(|drawn| drawn.elapsed() < every) {
            return;
        }
        task.drawn = Some(Instant::now());
        let seconds = task.begun.elapsed().as_secs_f64();
        let share = task.position.filter(|(_, total)| *total > 0).map(|(done, total)| done as f64 / total as f64);
        let left = share.filter(|share| *share > 0.02).map(|share| (seconds / share - seconds).max(0.0) as u64);
        if self.form == Form::Json {
            let event = json!({"event": "progress", "task": task.name, "records": task.records, "body_bytes": task.bytes,
                "share": share, "seconds": seconds, "seconds_left": left});
            eprintln!("{event}");
            return;
        }
        let rate = task.bytes as f64 / seconds.max(0.001);
        let mut line = format!("{}: {} records, {}", task.name, task.records, bytes(task.bytes as f64));
        line += &format!(", {}/s", bytes(rate));
        if let Some(share) = share {
            line += &format!(", {:.0} %", share * 100.0);
        }
        if let Some(left) = left {
            line += &format!(", {}:{:02} left", left / 60, left % 60);
        }
        eprint!("\r{line}\x1b[K");
        // Progress that can't be shown is no reason to stop.
        let _ = std::io::stderr().flush();
        task.is_drawn = true;
    }
}

impl Monitor for Screen {
    fn task(&self, name: &str) {
        let mut task = self.task();
        task.name = name.to_owned();
        task.begun = Instant::now();
        (task.bytes, task.records, task.position) = (0, 0, None);
    }

    fn progress(&self, bytes: u64, records: u64) {
        let mut task = self.task();
        task.bytes += bytes;
        task.records += records;
        self.draw(&mut task);
    }

    fn position(&self, done: u64, total: u64) {
        self.task().position = Some((done, total));
    }

    fn warning(&self, text: &str) {
        self.line("warning", &format!("warning: {text}"));
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_set()
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
    if unit == 0 { format!("{count} B") } else { format!("{count:.1} {}", units[unit]) }
}
