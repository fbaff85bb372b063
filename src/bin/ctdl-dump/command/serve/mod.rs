//! `serve`: answers peers.

mod conversation;
mod socket;

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::transfer::ArchiveView;

use self::conversation::{Hall, talk};
use super::Context;
use crate::args::Serve;
use crate::error::usage;
use crate::exit_code::ExitCode;
use crate::paced::{Pace, Paced};
use crate::place;

/// How long a server waits for a command.
const COMMAND_WITHIN: Duration = Duration::from_secs(600);

/// Serves a place until it is told to end.
pub fn run(args: &Serve, context: &Context) -> Result<ExitCode> {
    let hall = Hall::new(open(args, context)?, context);
    match &args.at.socket {
        Some(path) => socket::serve(path, &hall, context)?,
        None => {
            let pace = Pace::new(&context.interrupt, COMMAND_WITHIN, COMMAND_WITHIN);
            // Without the buffers of the standard library, which would hide from the wait what is there already.
            let input = File::from(std::io::stdin().as_fd().try_clone_to_owned().context("standard input")?);
            let output = File::from(std::io::stdout().as_fd().try_clone_to_owned().context("standard output")?);
            let ended = talk(&hall, "peer", Paced::new(input, &pace), Paced::new(output, &pace));
            ended.map_err(Failure::from).context("the peer")?;
            context.check_interrupt()?;
        }
    }
    Ok(ExitCode::Complete)
}

fn open(args: &Serve, _context: &Context) -> Result<Arc<ArchiveView>> {
    if !place::is_file(&args.place) {
        usage!("{} is no archive", args.place.display());
    }
    let what = || args.place.display().to_string();
    let file = File::open(&args.place).with_context(what)?;
    let archive = RandomReader::open(file).map_err(Failure::from).with_context(what)?;
    Ok(Arc::new(ArchiveView::new(archive).with_context(what)?))
}
