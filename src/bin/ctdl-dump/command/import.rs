//! `import`: an archive becomes a site, all of it or nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context as _, Result};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::install::{Target, TargetOptions};
use ctdl_dump::site::{Readback, Site, SiteOwner, SiteSink, accounts, freshness};
use ctdl_dump::transfer::copy;

use super::{Context, report_left_out, summary_json, summary_text};
use crate::args::Import;
use crate::exit_code::ExitCode;
use crate::place;

/// Makes a site from an archive.
pub fn run(args: &Import, context: &Context) -> Result<ExitCode> {
    let options = TargetOptions { replace: args.replace, tables: &freshness, force_parts: false };
    let target = Target::open(&args.site, &options).map_err(ctdl_dump::endpoint::Failure::from)?;
    target.recovered().iter().for_each(|recovered| context.screen.say(&recovered.to_string()));
    target.notes().iter().for_each(|note| context.screen.say(note));
    let owner = owner_of(target.path(), context);
    context.screen.task("import");
    let mut reader = place::open_archive(&args.archive, context)?;
    let staging =
        target.stage(&format!("import {}", args.archive.display())).map_err(ctdl_dump::endpoint::Failure::from)?;
    let scratch = args.scratch.clone().unwrap_or_else(|| place::parent_of(staging.path()));
    let mut sink =
        SiteSink::create(staging.path(), scratch.clone(), owner).map_err(ctdl_dump::endpoint::Failure::from)?;
    let summary = copy(&mut *reader, &mut sink, &context.screen)?;
    let (expected, notices) = sink.into_expected();
    read_back(staging.path(), &scratch, expected, context)?;
    let installed = staging.commit().map_err(ctdl_dump::endpoint::Failure::from)?;
    context.screen.clear();
    context.screen.say(&format!("{} is complete, read back and in place", installed.path.display()));
    if let Some(previous) = &installed.previous {
        context.screen.say(&format!("the previous site is kept in {}", previous.display()));
    }
    installed.notes.iter().chain(&notices).for_each(|note| context.screen.say(note));
    context.screen.say(&summary_text(&summary));
    if args.json {
        println!("{}", summary_json(&summary));
    }
    Ok(report_left_out(&summary, context))
}

fn read_back(staging: &Path, scratch: &Path, expected: ctdl_dump::site::Expected, context: &Context) -> Result<()> {
    context.screen.task("read back");
    let written = Site::open(staging).map_err(ctdl_dump::endpoint::Failure::from).context("what was written")?;
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
