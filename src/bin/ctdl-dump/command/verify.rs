//! `verify`: the copy that an import makes, to nowhere.

use anyhow::Result;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::transfer::{Discard, copy};

use super::Context;
use crate::args::Verify;
use crate::exit_code::ExitCode;
use crate::{json, place, summary};

/// Checks every byte of an archive.
pub fn run(args: &Verify, context: &Context) -> Result<ExitCode> {
    context.screen.task("verify");
    let mut reader = place::open_archive(&args.archive, args.threads, context)?;
    let summary = copy(&mut *reader, &mut Discard, &context.screen)?;
    context.screen.clear();
    let told = if args.json {
        context.print_result(json::summary(&summary))
    } else if context.screen.is_quiet() {
        ExitCode::Complete
    } else {
        let name =
            if args.archive.as_os_str() == "-" { "the archive".into() } else { args.archive.display().to_string() };
        context.print_result(format_args!("{name} is whole\n{}", summary::text(&summary)))
    };
    Ok(summary::report_left_out(&summary, &context.screen).or(told))
}
