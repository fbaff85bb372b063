//! The command line: arguments, streams, what is shown on the screen, exit codes. The work is the library's.

mod args;
mod building;
mod command;
mod destination;
mod error;
mod exit_code;
mod interrupt;
mod json;
mod look_round;
mod mail;
mod named_archive;
mod paced;
mod partial;
mod peer;
mod place;
mod relay;
mod screen;
mod spool;
mod state;
mod stream;
mod summary;
mod tls;
mod token;
mod upgrading;
mod utc;
mod watched;

use std::sync::Arc;

use clap::Parser;

use args::{Command, CommandLine};
use command::Context;
use ctdl_dump::live::{tell_of_left, undo_leftovers};
use exit_code::ExitCode;

fn main() -> std::process::ExitCode {
    // clap ends with code 2 for a wrong usage by itself, and with 0 for help.
    let line = CommandLine::parse();
    // A guardian ends when its work is done, and not at the second signal.
    if let Command::Guard(args) = &line.command {
        return command::guard::run(args).into();
    }
    let interrupt = match interrupt::Interrupt::listen() {
        Ok(interrupt) => Arc::new(interrupt),
        Err(error) => {
            eprintln!("ctdl-dump: signals can't be caught: {error}");
            return ExitCode::Failed.into();
        }
    };
    let screen = screen::Screen::new(line.report, Arc::clone(&interrupt));
    // The processes that a command starts are part of its work.
    let is_our_own = matches!(line.command, Command::RecoverCopy(_) | Command::Guard(_));
    let is_about_left = matches!(line.command, Command::Reopen(_));
    let undone = if is_our_own { Vec::new() } else { undo_leftovers(&state::directory(), &screen) };
    if !is_our_own && !is_about_left {
        tell_of_left(&state::directory(), &screen);
    }
    let context = Context { interrupt: Arc::clone(&interrupt), screen, undone };
    let result = match &line.command {
        Command::Export(args) => command::export::run(args, &context),
        Command::Import(args) => command::import::run(args, &context),
        Command::Verify(args) => command::verify::run(args, &context),
        Command::Info(args) => command::info::run(args, &context),
        Command::List(args) => command::list::run(args, &context),
        Command::Diff(args) => command::diff::run(args, &context),
        Command::Extract(args) => command::extract::run(args, &context),
        Command::Pull(args) => command::pull::run(args, &context),
        Command::Push(args) => command::push::run(args, &context),
        Command::Serve(args) => command::serve::run(args, &context),
        Command::Reopen(args) => command::reopen::run(args, &context),
        Command::RecoverCopy(args) => command::recover_copy::run(args),
        Command::Guard(args) => Ok(command::guard::run(args)),
    };
    context.screen.clear();
    match result {
        Ok(code) => code.into(),
        // A reader that has seen enough, as in `list | head`, is no failure.
        Err(error) if error::is_reader_gone(&error) => ExitCode::Complete.into(),
        Err(error) => {
            // The library may tell an interrupted read or write as one that failed.
            let code = if interrupt.is_set() { ExitCode::Interrupted } else { error::exit_code_of(&error) };
            context.screen.error(&error::text(&error), code);
            code.into()
        }
    }
}
