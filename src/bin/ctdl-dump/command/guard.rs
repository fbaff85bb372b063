//! `guard`: the process that undoes what a command has changed in a running server. No person types it.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use ctdl_dump::live::guardian;
use ctdl_dump::monitor::Monitor;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::Guard;
use crate::error;
use crate::exit_code::ExitCode;

/// Guards until all is undone. In contrast to other commands no number of signals ends it before.
pub fn run(args: &Guard) -> ExitCode {
    let told = Told(Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&told.0)) {
            told.warning(&format!("signals can't be caught: {error}"));
            return ExitCode::Failed;
        }
    }
    // Without the buffer of `stdin()`: the guardian looks at the pipe itself whether there's something to read.
    let input = std::io::stdin().as_fd().try_clone_to_owned().map(File::from).context("standard input");
    let result = input.and_then(|input| Ok(guardian::run(&args.record, input, std::io::stdout(), &told)?));
    match result {
        Ok(()) => ExitCode::Complete,
        Err(error) => {
            told.warning(&error::text(&error));
            ExitCode::Failed
        }
    }
}

/// Whether a signal has come. What there is to say goes to standard error, if anybody still reads it.
struct Told(Arc<AtomicBool>);

impl Monitor for Told {
    fn task(&self, _name: &str) {}
    fn progress(&self, _bytes: u64, _records: u64) {}
    fn position(&self, _done: u64, _total: u64) {}
    fn warning(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "ctdl-dump: {text}");
    }
    fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
