//! `serve`: answers peers.

mod attempts;
mod conversation;
mod doors;
mod listen;
mod receipt;
mod reception;
mod socket;

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::endpoint::{Failure, no_thread};
use ctdl_dump::transfer::{ArchiveView, SharedSite};

use self::conversation::{Given, Hall, Visit, talk};
use self::reception::Target;
use super::Context;
use crate::args::{Serve, Taking};
use crate::destination::Destination;
use crate::error::usage;
use crate::exit_code::ExitCode;
use crate::paced::{Pace, Paced};
use crate::{place, token};

/// How long a server waits for a command.
const COMMAND_WITHIN: Duration = Duration::from_secs(600);

/// How often old snapshots and leases are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Serves a place until it is told to end.
pub fn run(args: &Serve, context: &Context) -> Result<ExitCode> {
    if let Some(path) = &args.at.make_token {
        token::make(path)?;
        context.screen.say(format_args!("{} holds a new token", path.display()));
        return Ok(ExitCode::Complete);
    }
    let token = args.reception.token_file.as_deref().map(token::read).transpose()?;
    let hall = Hall::new(open(args, context)?, token, context);
    // A thread of its own, because ending a lease takes a while.
    let (is_over, told) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let look = || {
            let told = told;
            while told.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                hall.look_after();
            }
        };
        std::thread::Builder::new().spawn_scoped(scope, look).map_err(no_thread)?;
        let served = match (&args.at.socket, &args.at.listen) {
            (Some(path), _) => socket::serve(path, args.reception.peers, &hall, context),
            (_, Some(address)) => listen::serve(address, &args.reception, &hall, context),
            _ => serve_one(&hall, context),
        };
        drop(is_over);
        served
    })?;
    // A server that takes one site from one peer ends as that did.
    let outcome = if args.at.stdio { hall.outcome() } else { None };
    Ok(outcome.unwrap_or(ExitCode::Complete))
}

/// Answers the peer at standard input and output.
fn serve_one(hall: &Hall, context: &Context) -> Result<()> {
    let pace = Pace::of_server(&context.interrupt, COMMAND_WITHIN, COMMAND_WITHIN);
    // Without the buffers of the standard library, which would hide from the wait what is there already.
    let input = File::from(std::io::stdin().as_fd().try_clone_to_owned().context("standard input")?);
    pace.watch(&input);
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned().context("standard output")?);
    let mut visit = Visit { name: "peer", on_entry: Box::new(|_| ()) };
    let ended = talk(hall, &mut visit, &pace, Paced::new(input, &pace), Paced::new(output, &pace));
    ended.map_err(Failure::from).context("the peer")?;
    Ok(context.check_interrupt()?)
}

fn open(args: &Serve, context: &Context) -> Result<Given> {
    if args.taking.receive {
        let Taking { site, replace, keep_release, .. } = &args.taking;
        let destination = Destination::new(site.as_deref(), &args.arrangement, *replace, *keep_release)?;
        let scratch = args.scratch.as_deref().map(|named| place::scratch_directory(Some(named), None)).transpose()?;
        return Ok(Given::Nothing(Target::new(destination, *keep_release, *replace, scratch)));
    }
    let site = args.arrangement.of(args.place.as_deref())?;
    let path = args.place.as_deref().unwrap_or(site.root());
    if !path.is_dir() && place::is_file(path) {
        place::refuse_site_options(path, args.tables.layout, &args.arrangement)?;
        let what = || path.display().to_string();
        let file = File::open(path).with_context(what)?;
        let archive = RandomReader::open(file).map_err(Failure::from).with_context(what)?;
        return Ok(Given::Archive(Arc::new(ArchiveView::new(archive).with_context(what)?)));
    }
    if !path.is_dir() {
        usage!("{} is neither a site nor an archive", path.display());
    }
    let scratch = place::scratch_directory(args.scratch.as_deref(), None)?;
    let site = place::site_to_serve(&site, scratch, args.tables.layout, context)?;
    // A peer is told at once, and not after it has waited.
    ctdl_dump::site::data_directory(site.site.root()).map_err(Failure::from)?;
    Ok(Given::Site(Arc::new(SharedSite::new(site, Arc::new(context.screen.clone())))))
}
