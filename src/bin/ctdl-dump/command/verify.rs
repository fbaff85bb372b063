//! `verify`: the copy that an import makes, to nowhere.

use anyhow::Result;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::transfer::{Discard, copy};

use super::{Context, report_left_out, summary_json, summary_text};
use crate::args::Verify;
use crate::exit_code::ExitCode;
use crate::place;

/// Checks every byte of an archive.
pub fn run(args: &Verify, context: &Context) -> Result<ExitCode> {
    context.screen.task("verify");
    let mut reader = place::open_archive(&args.archive, context)?;
    let summary = copy(&mut *reader, &mut Discard, &context.screen)?;
    context.screen.clear();
    if args.json {
        println!("{}", summary_json(&summary));
    } else {
        println!("{} is whole\n{}", args.archive.display(), summary_text(&summary));
    }
    Ok(report_left_out(&summary, context))
}
