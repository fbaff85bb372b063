//! `export`: a site becomes an archive.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use ctdl_dump::archive::{Options, Writer};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::{ReadOptions, Site};
use ctdl_dump::transfer::{Summary, copy};
use rustix::fs::{FlockOperation, flock};

use super::{Context, report_left_out, summary_json, summary_text};
use crate::args::Export;
use crate::exit_code::ExitCode;
use crate::place;
use crate::screen;
use crate::stream::Stream;

/// Writes a site into an archive.
pub fn run(args: &Export, context: &Context) -> Result<ExitCode> {
    let begun = Instant::now();
    check_output(args, context)?;
    let site = place::open_site(&args.site)?;
    let scratch = place::scratch_directory(args.scratch.as_deref(), args.output.as_deref());
    refuse_inside(&scratch, &args.site, "scratch files")?;
    let options = ReadOptions { scratch, logs: args.logs.clone(), without_fulltext: args.without_fulltext };
    context.screen.task("export");
    let (summary, bytes) = match &args.output {
        None => {
            let output = Stream::stdout(&context.interrupt).context("standard output")?;
            let (summary, _, bytes) = write(&site, options, output, args, context)?;
            (summary, bytes)
        }
        Some(path) => {
            let partial = Partial::create(path)?;
            let file = Stream::new(partial.file.try_clone()?, &context.interrupt)?;
            let (summary, output, bytes) = write(&site, options, file, args, context)?;
            drop(output);
            partial.complete(path, args.force)?;
            (summary, bytes)
        }
    };
    context.screen.clear();
    let snapshot = &site.info().snapshot;
    context.screen.say(&format!("snapshot: {}; {}", snapshot.method, snapshot.proof));
    for left_out in site.inventory().left_out.iter().filter(|left_out| left_out.why.is_expected()) {
        let path = ctdl_dump::record::printable(&left_out.path);
        context.screen.say(&format!("not part of the site: {path}: {}", left_out.why));
    }
    context.screen.say(&summary_text(&summary));
    let seconds = begun.elapsed().as_secs_f64();
    context.screen.say(&format!("archive of {} in {seconds:.1} s", screen::bytes(bytes as f64)));
    if args.json {
        let mut json = summary_json(&summary);
        json["archive_bytes"] = bytes.into();
        println!("{json}");
    }
    match report_left_out(&summary, context) {
        // Nothing is lost of what is a site's, but somebody may miss it: whoever runs this must look.
        ExitCode::Complete if !summary.left_out.is_empty() => Ok(ExitCode::LeftOut),
        code => Ok(code),
    }
}

fn write<W: Write>(
    site: &Site,
    options: ReadOptions,
    output: W,
    args: &Export,
    context: &Context,
) -> Result<(Summary, W, u64)> {
    let mut source = site.source(options, &context.screen);
    let options = Options { level: args.level, threads: context.threads(args.threads) };
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, output), options);
    let summary = copy(&mut source, &mut writer, &context.screen)?;
    let bytes = writer.bytes_written();
    let output = writer.into_output().into_inner().map_err(|error| error.into_error()).context("the output")?;
    Ok((summary, output, bytes))
}

fn check_output(args: &Export, context: &Context) -> Result<()> {
    match &args.output {
        None => {
            if std::io::stdout().is_terminal() {
                bail!("standard output is a terminal, and an archive is no text: give -o FILE, or redirect the output");
            }
            let metadata = Stream::stdout(&context.interrupt)?.metadata()?;
            if metadata.is_file() && metadata.mode() & 0o077 != 0 {
                context.screen.warning(&format!(
                    "others may read the output (mode {:o}), and it will hold every password of the site; -o FILE makes it private",
                    metadata.mode() & 0o777
                ));
            }
            Ok(())
        }
        Some(path) => {
            if path.exists() && !args.force {
                bail!("{} exists; give another name, or --force to replace it", path.display());
            }
            refuse_inside(&place::parent_of(path), &args.site, "the archive")
        }
    }
}

/// Nothing is ever written into the source.
fn refuse_inside(directory: &Path, site: &Path, what: &str) -> Result<()> {
    let (Ok(directory), Ok(site)) = (directory.canonicalize(), site.canonicalize()) else { return Ok(()) };
    if directory.starts_with(&site) {
        bail!(
            "{what} would lie inside the site ({}), where nothing is written; choose another place",
            directory.display()
        );
    }
    Ok(())
}

/// The archive while it is not complete: a file of its own name, locked, removed unless it is completed.
struct Partial {
    path: PathBuf,
    file: File,
    is_complete: bool,
}

impl Partial {
    fn create(path: &Path) -> Result<Partial> {
        let mut name = path.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let what = || format!("{} can't be made", partial.display());
        if let Ok(old) = File::open(&partial) {
            if flock(&old, FlockOperation::NonBlockingLockExclusive).is_err() {
                bail!("{} is being written by another export; wait for it, or give another name", partial.display());
            }
            std::fs::remove_file(&partial).with_context(what)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).with_context(what)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).with_context(what)?;
        Ok(Partial { path: partial, file, is_complete: false })
    }

    fn complete(mut self, path: &Path, replaces: bool) -> Result<()> {
        let what = || format!("{} can't be completed", path.display());
        self.file.sync_all().with_context(what)?;
        if path.exists() && !replaces {
            bail!("{} has appeared meanwhile and was not replaced", path.display());
        }
        std::fs::rename(&self.path, path).with_context(what)?;
        self.is_complete = true;
        File::open(place::parent_of(path)).and_then(|directory| directory.sync_all()).with_context(what)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_complete {
            // It is of no use, and the error that led here is the one to report.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
