//! The command line: arguments, streams, what is shown on the screen, exit codes. The work is the library's.

mod args;
mod command;
mod exit_code;
mod interrupt;
mod place;
mod screen;
mod stream;

use std::sync::Arc;

use clap::Parser;

use args::{Command, CommandLine};
use command::Context;
use exit_code::ExitCode;

fn main() -> std::process::ExitCode {
    // clap ends with code 2 for a wrong usage by itself, and with 0 for help.
    let line = CommandLine::parse();
    let interrupt = match interrupt::Interrupt::listen() {
        Ok(interrupt) => Arc::new(interrupt),
        Err(error) => {
            eprintln!("ctdl-dump: signals can't be caught: {error}");
            return ExitCode::Failed.into();
        }
    };
    let screen = screen::Screen::new(line.report, Arc::clone(&interrupt));
    let context = Context { interrupt: Arc::clone(&interrupt), screen };
    let result = match &line.command {
        Command::Export(args) => command::export::run(args, &context),
        Command::Import(args) => command::import::run(args, &context),
        Command::Verify(args) => command::verify::run(args, &context),
        Command::Info(args) => command::info::run(args, &context),
        Command::List(args) => command::list::run(args, &context),
        Command::Diff(args) => command::diff::run(args, &context),
        Command::Extract(args) => command::extract::run(args, &context),
    };
    context.screen.clear();
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            let code = if interrupt.is_set() { ExitCode::Interrupted } else { command::exit_code_of(&error) };
            // A reader that has seen enough, as in `list | head`, is no failure to speak of.
            if !command::is_broken_pipe(&error) {
                context.screen.error(&format!("{error:#}"), code);
            }
            code.into()
        }
    }
}
