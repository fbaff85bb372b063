//! `push`: a site or an archive becomes the site of another machine.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::RandomReader;
use ctdl_dump::codec::manifest::Count;
use ctdl_dump::endpoint::{Class, Failure};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::record::{End, Kind};
use ctdl_dump::transfer::{ArchiveView, Discard, Presence, ServedSite, SharedSite, Summary, copy, push};
use ctdl_dump::wire::{Code, Refusal, Scope, Served as _, View, WireError};

use super::Context;
use crate::args::Push;
use crate::error::usage;
use crate::exit_code::ExitCode;
use crate::peer::{OtherEnd, Peer, PeerConnector};
use crate::{json, place, screen, summary};

/// Pushes to a peer.
pub fn run(args: &Push, context: &Context) -> Result<ExitCode> {
    let begun = Instant::now();
    if args.replace && !matches!(args.peer, Peer::Ssh { .. }) {
        usage!("--replace is for ssh://; say it to the `ctdl-dump serve --receive` that takes the site there");
    }
    let connector = PeerConnector::new(args.peer.clone(), &args.connection, &context.interrupt, &context.screen)?;
    let mut connector = connector.giving(args.replace);
    let other_end = connector.other_end();
    let view = open(args, context)?;
    let pushed = push(&mut connector, &*view, &context.screen, &mut |code, text| tell(code, text, &other_end, context));
    let pushed = pushed.map_err(|failure| {
        // Who could not be reached was named.
        let what = match failure.cause() {
            Some(WireError::Unreachable { .. }) => return failure.into(),
            Some(error) => other_end.told(error),
            None => args.peer.to_string(),
        };
        anyhow::Error::from(failure).context(what)
    })?;
    let summary = summarize(&*view, context)?;
    context.screen.clear();
    context.screen.say(format_args!(
        "{} has it in place; {} went over the wire in {:.1} s",
        args.peer,
        screen::bytes(pushed.wire_bytes as f64),
        begun.elapsed().as_secs_f64()
    ));
    let mut told = ExitCode::Complete;
    if args.json {
        let mut line = json::summary(&summary);
        line["wire_bytes"] = pushed.wire_bytes.into();
        told = context.print_result(line);
    }
    Ok(summary::report_left_out(&summary, &context.screen).or(told))
}

/// A snapshot of what is to be pushed.
fn open(args: &Push, context: &Context) -> Result<Arc<dyn View>> {
    let path = &args.place;
    let what = || path.display().to_string();
    if path.is_dir() {
        let scratch = place::scratch_directory(args.scratch.as_deref(), None)?;
        let site = place::site_to_serve(&args.arrangement.of(Some(path))?, scratch, args.tables.layout, context)?;
        let shared = Arc::new(SharedSite::new(site, Arc::new(context.screen.clone())));
        let mut served = ServedSite::new(&shared, Arc::new(Ourselves));
        let taken = served.snapshot(None, &mut |_| context.check_interrupt());
        return taken.map_err(|Refusal { text, .. }| Failure::new(Class::Failed, text)).with_context(what);
    }
    if !place::is_file(path) {
        usage!("{} is neither a site nor an archive in a file", path.display());
    }
    place::refuse_site_options(path, args.tables.layout, &args.arrangement)?;
    let file = File::open(path).with_context(what)?;
    let archive = RandomReader::open(file).map_err(Failure::from).with_context(what)?;
    Ok(Arc::new(ArchiveView::new(archive).with_context(what)?))
}

/// The peer of a site that is read by this very process.
struct Ourselves;

impl Presence for Ourselves {}

/// Shows what the peer says.
fn tell(code: Code, text: &str, other_end: &OtherEnd, context: &Context) {
    let place = other_end.place();
    match text.strip_prefix("warning: ") {
        Some(warning) if code == Code::NOTICE => context.screen.warning(&format!("{place}: {warning}")),
        _ if code == Code::NOTICE => context.screen.say(format_args!("{place}: {text}")),
        _ => context.screen.task(text),
    }
}

/// What was pushed, and what of the site is not in it.
fn summarize(view: &dyn View, context: &Context) -> Result<Summary> {
    let (kinds, total) = view.totals()?;
    let mut left_out = Vec::new();
    for kind in [Kind::Loss, Kind::Omitted] {
        let records = view.records(Scope::Kind(kind), None);
        let mut records = records.map_err(|Refusal { text, .. }| Failure::new(Class::Failed, text))?;
        left_out.extend(copy(&mut *records, &mut Discard, &context.screen)?.left_out);
    }
    let count = |records, body_bytes| Count { records, body_bytes };
    let kinds = kinds.iter().map(|(kind, totals)| (*kind, count(totals.records, totals.body_bytes))).collect();
    let end = End { state_after: view.state_after().to_owned() };
    Ok(Summary { kinds, site_digest: total.digest, end, left_out })
}
