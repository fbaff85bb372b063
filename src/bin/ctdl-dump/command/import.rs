//! `import`: an archive becomes a site, all of it or nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::install::Recovered;

use super::Context;
use crate::args::Import;
use crate::building::{self, Plan};
use crate::destination::Destination;
use crate::error::usage;
use crate::exit_code::ExitCode;
use crate::upgrading::Records;
use crate::{json, place, summary, utc};

/// Makes a site from an archive.
pub fn run(args: &Import, context: &Context) -> Result<ExitCode> {
    let source = name_of(&args.archive);
    if let Some(elsewhere) = &args.elsewhere {
        let is_the_other_way_round = args.archive.is_dir() && !elsewhere.is_dir();
        let (archive, site) =
            if is_the_other_way_round { (elsewhere, &args.archive) } else { (&args.archive, elsewhere) };
        usage!(
            "the directory that becomes the site is named by --site: ctdl-dump import {} --site {}",
            archive.display(),
            site.display()
        );
    }
    let destination = Destination::new(args.site.as_deref(), &args.arrangement, args.replace, args.keep_release)?;
    for recovered in destination.recover(context)? {
        if let Recovered::Finished { leftover, .. } = recovered
            && leftover.source == source
            && !args.replace
        {
            context.screen.say("so this import is done; to do it once more, say --replace");
            return Ok(ExitCode::Complete);
        }
    }
    let source = source.unwrap_or_else(|| "import from standard input".into());
    let target = destination.open(context)?;
    let scratch = place::scratch_directory(args.scratch.as_deref(), Some(target.path()))?;
    let records = Records::open(args, &scratch, context)?;
    records.refuse_older_target(target.arrangement())?;
    let plan = Plan {
        source: &source,
        scratch: args.scratch.as_deref(),
        reads_back: !args.no_read_back,
        keeps_release: args.keep_release,
        layout: args.layout,
        replaces: args.replace,
    };
    context.screen.task("import");
    let (built, notices) = records.give(|source| building::build(source, target, &plan, &context.screen, context))?;
    let summary = built.put_in_place(context)?;
    notices.iter().for_each(|notice| context.screen.say(notice));
    context.screen.summary(&summary);
    let told = if args.json { context.print_result(json::summary(&summary)) } else { ExitCode::Complete };
    Ok(summary::report_left_out(&summary, &context.screen).or(told))
}

/// What tells the archive from any other, also in the eyes of the next run; nothing does for a stream.
fn name_of(archive: &Path) -> Option<String> {
    let (path, found) = (archive.canonicalize().ok()?, std::fs::metadata(archive).ok()?);
    found
        .is_file()
        .then(|| format!("import {}, {} bytes of {}", path.display(), found.len(), utc::second(found.mtime())))
}
