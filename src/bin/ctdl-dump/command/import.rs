//! `import`: an archive becomes a site, all of it or nothing.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context as _, Result};
use ctdl_dump::endpoint::Failure;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::install::{self, Recovered, Target, TargetOptions};
use ctdl_dump::site::{Readback, Site, SiteOwner, SiteSink, accounts, freshness};
use ctdl_dump::transfer::copy;

use super::Context;
use crate::args::Import;
use crate::exit_code::ExitCode;
use crate::{json, place, summary, utc};

/// Makes a site from an archive.
pub fn run(args: &Import, context: &Context) -> Result<ExitCode> {
    let source = name_of(&args.archive);
    for recovered in install::recover(&args.site).map_err(Failure::from)? {
        context.screen.say(&recovered);
        if let Recovered::Finished { leftover, .. } = recovered
            && leftover.source == source
            && !args.replace
        {
            context.screen.say("so this import is done; to do it once more, say --replace");
            return Ok(ExitCode::Complete);
        }
    }
    let source = source.unwrap_or_else(|| "import from standard input".into());
    let options = TargetOptions { replace: args.replace, tables: &freshness, force_parts: false };
    let target = Target::open(&args.site, &options).map_err(Failure::from)?;
    let told: Vec<String> = target.notes().to_vec();
    told.iter().for_each(|note| context.screen.say(note));
    let owner = owner_of(target.path(), context);
    context.screen.task("import");
    let mut reader = place::open_archive(&args.archive, context)?;
    let staging = target.stage(&source).map_err(Failure::from)?;
    let scratch = place::scratch_directory(args.scratch.as_deref(), Some(staging.path()))?;
    let mut sink = SiteSink::create(staging.path(), scratch.clone(), owner).map_err(Failure::from)?;
    let summary = copy(&mut *reader, &mut sink, &context.screen)?;
    let (expected, notices) = sink.into_expected();
    staging.begin_sync();
    if !args.no_read_back {
        read_back(staging.path(), &scratch, expected, context)?;
    }
    let installed = staging.commit().map_err(Failure::from)?;
    context.screen.clear();
    let checked = if args.no_read_back { "" } else { ", read back" };
    context.screen.say(format_args!("{} is complete{checked} and in place", installed.path.display()));
    if let Some(previous) = &installed.previous {
        context.screen.say(format_args!("the previous site is kept in {}", previous.display()));
    }
    let notes = installed.notes.iter().filter(|note| !told.contains(note));
    notes.chain(&notices).for_each(|note| context.screen.say(note));
    context.screen.summary(&summary);
    if args.json {
        let mut output = context.data()?;
        output.line(json::summary(&summary))?;
        output.flush()?;
    }
    Ok(summary::report_left_out(&summary, &context.screen))
}

/// Refuses, before anything is transferred, what an import into this place would refuse.
pub fn check_target(site: &Path, replace: bool, context: &Context) -> Result<()> {
    for recovered in install::recover(site).map_err(Failure::from)? {
        context.screen.say(&recovered);
    }
    let options = TargetOptions { replace, tables: &freshness, force_parts: false };
    Target::open(site, &options).map_err(Failure::from)?;
    Ok(())
}

/// What tells the archive from any other, also in the eyes of the next run; nothing does for a stream.
fn name_of(archive: &Path) -> Option<String> {
    let (path, found) = (archive.canonicalize().ok()?, std::fs::metadata(archive).ok()?);
    found
        .is_file()
        .then(|| format!("import {}, {} bytes of {}", path.display(), found.len(), utc::second(found.mtime())))
}

fn read_back(staging: &Path, scratch: &Path, expected: ctdl_dump::site::Expected, context: &Context) -> Result<()> {
    context.screen.task("read back");
    let written = Site::open(staging).map_err(Failure::from).context("what was written")?;
    let mut source = written.source(place::read_options(scratch.to_owned()), &context.screen);
    copy(&mut source, &mut Readback::new(staging.to_owned(), expected), &context.screen)?;
    Ok(())
}

/// Who the site belongs to: the owner of the target's data directory, else the user `citadel`, else whoever runs this.
fn owner_of(target: &Path, context: &Context) -> SiteOwner {
    if !rustix::process::geteuid().is_root() {
        context
            .screen
            .say("not root: all files will belong to you; change their owner to the server's user before it starts");
        return SiteOwner::of_process();
    }
    if let Ok(data) = std::fs::metadata(target.join("data")) {
        return SiteOwner::ids_of(data.uid(), data.gid());
    }
    match accounts::user_by_name("citadel") {
        Some((uid, gid)) => SiteOwner::ids_of(uid, gid),
        None => {
            context.screen.warning(
                "there is no user citadel here: the site belongs to root; change its owner to the server's user",
            );
            SiteOwner::ids_of(0, 0)
        }
    }
}
