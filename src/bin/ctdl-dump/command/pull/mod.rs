//! `pull`: an archive of what a peer serves, or a site.

mod archive;
mod cutover;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use self::archive::{Pulled, about_have, pull};
use super::{Context, import};
use crate::args::{Import, Pull};
use crate::destination::Destination;
use crate::error::{is_of_an_archive, usage};
use crate::exit_code::ExitCode;
use crate::partial::beside;
use crate::{json, screen, summary};

/// What follows the name of a site in the name of the archive that was pulled for it.
const PULLED: &str = ".ctdl-dump-pulled.ctz";

/// Pulls from a peer, into an archive or a site.
pub fn run(args: &Pull, context: &Context) -> Result<ExitCode> {
    if args.site.is_none() && args.arrangement.is_told() {
        usage!(
            "--arrangement and its like say where a site is written, and -o makes an archive; leave them out, or name --site"
        );
    }
    match (&args.output, &args.site) {
        (Some(output), _) => report(&pull(args, output, &|_| Ok(()), context)?, args, context),
        (None, Some(site)) if args.cutover.is_wanted => cutover::run(args, &args.cutover, site, context),
        (None, Some(site)) => pull_site(args, site, context),
        (None, None) => usage!("where to? give -o FILE or --site DIR"),
    }
}

/// The archive that is kept beside a site for the next pull.
fn kept_beside(site: &Path) -> Result<PathBuf> {
    Ok(beside(&std::path::absolute(site).context("the site")?, PULLED))
}

/// Pulls into an archive beside the site, which stays there for the next time, and imports that.
fn pull_site(args: &Pull, site: &Path, context: &Context) -> Result<ExitCode> {
    let destination = Destination::new(Some(site), &args.arrangement, args.replace, args.keep_release)?;
    destination.check(context)?;
    let kept = kept_beside(site)?;
    let have = kept.exists().then(|| kept.clone());
    let pulling = Pull { have, force: true, json: false, ..args.clone() };
    // What was left out on the other side is told once more by the import.
    report(&pull(&pulling, &kept, &|info| destination.check_release(info), context)?, &pulling, context)?;
    let importing = Import {
        archive: kept.clone(),
        site: Some(site.to_owned()),
        replace: args.replace,
        layout: args.layout,
        keep_release: args.keep_release,
        arrangement: args.arrangement.clone(),
        json: args.json,
        ..Import::default()
    };
    let code = import::run(&importing, context).map_err(|error| match is_of_an_archive(&error) {
        // One that was here already, and holds what the peer has, was not read yet.
        true => error.context(about_have(&kept)),
        false => error,
    })?;
    context.screen.say(format_args!(
        "{} stays here, so that the next pull transfers only what has changed; it holds every password of the site",
        kept.display()
    ));
    Ok(code)
}

fn report(pulled: &Pulled, args: &Pull, context: &Context) -> Result<ExitCode> {
    context.screen.clear();
    context.screen.summary(&pulled.summary);
    if let Some((here, came)) = pulled.taken {
        context.screen.say(format_args!("{here} records were here, {came} came from the peer"));
    }
    let seconds = pulled.all.as_secs_f64();
    let came = screen::bytes(pulled.wire_bytes as f64);
    let archive = screen::bytes(pulled.archive_bytes as f64);
    context.screen.say(format_args!("{came} came over the wire; archive of {archive} in {seconds:.1} s"));
    let mut told = ExitCode::Complete;
    if args.json {
        let mut line = json::summary(&pulled.summary);
        line["archive_bytes"] = pulled.archive_bytes.into();
        line["wire_bytes"] = pulled.wire_bytes.into();
        told = context.print_result(line);
    }
    Ok(summary::report_left_out(&pulled.summary, &context.screen).or(told))
}
