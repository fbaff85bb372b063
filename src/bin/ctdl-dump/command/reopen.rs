//! `reopen`: lets users in again on a server that a cutover has left closed.

use anyhow::Result;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::live::{self, Outcome};
use ctdl_dump::site::data_directory;

use super::Context;
use crate::args::Reopen;
use crate::exit_code::ExitCode;
use crate::state;

/// Lets users in again.
pub fn run(args: &Reopen, context: &Context) -> Result<ExitCode> {
    data_directory(&args.site).map_err(Failure::from)?;
    let outcome = live::reopen(&state::directory(), &args.site).map_err(Failure::from)?;
    let (Outcome::Restored(what) | Outcome::Nothing(what) | Outcome::Kept(what)) = outcome;
    context.screen.say(format_args!("{}: users are let in again: {what}", args.site.display()));
    Ok(ExitCode::Complete)
}
