//! `export`: a site becomes an archive.

use std::fs::Metadata;
use std::io::{BufWriter, IsTerminal, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use ctdl_dump::archive::{Options, Writer};
use ctdl_dump::endpoint::{Class, Failure, Folding};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::inventory::Why;
use ctdl_dump::site::{Arrangement, ReadOptions, Site};
use ctdl_dump::transfer::snapshot::{SILENT_AT_MOST, Way};
use ctdl_dump::transfer::{Summary, copy_ahead};
use rustix::fs::{OFlags, fcntl_getfl, makedev};

use super::Context;
use crate::args::Export;
use crate::error::usage;
use crate::exit_code::ExitCode;
use crate::partial::{Partial, check_target};
use crate::stream::Stream;
use crate::{json, place, screen, spool, summary};

/// Takes the small frames of the manifest together; larger ones go past it, without a copy.
const OUTPUT_BUFFER_BYTES: usize = 64 << 10;

/// Writes a site into an archive.
pub fn run(args: &Export, context: &Context) -> Result<ExitCode> {
    let begun = Instant::now();
    let place = args.arrangement.of(args.site.as_deref().or(args.place.as_deref()))?;
    check_output(args, &place, context)?;
    check_logs(&args.logs)?;
    let scratch = place::scratch_directory(args.scratch.as_deref(), args.output.as_deref())?;
    let way = match args.single_user {
        Some(wait) => Way::SingleUser { wait, expire: SILENT_AT_MOST },
        None if args.freeze => Way::Frozen,
        None => Way::Untouched,
    };
    // Made now: that there is no room for it, or no permission, must not be found out when users have left and all is copied.
    args.output.as_deref().map(spool::check_none).transpose()?;
    let partial = args.output.as_deref().map(|path| Partial::create(path, args.force)).transpose()?;
    let taken = place::take_site(&place, &scratch, way, args.salvage, args.tables.layout, context)?;
    let site = taken.site();
    let snapshot = &site.info().snapshot;
    context.screen.say(format_args!("snapshot: {}; {}", snapshot.method, snapshot.proof));
    let (logs, without_fulltext, salvages) = (args.logs.clone(), args.without_fulltext, args.salvage);
    let options = ReadOptions { scratch, logs, without_fulltext, salvages };
    context.screen.task("export");
    let (summary, bytes) = match partial {
        None => {
            let output = Stream::stdout(&context.interrupt).context("standard output")?;
            write(site, options, output, args, context)?
        }
        Some(partial) => {
            let file = Stream::new(partial.file()?, &context.interrupt)?;
            let written = write(site, options, file, args, context)?;
            context.check_interrupt()?;
            partial.complete()?;
            written
        }
    };
    context.screen.clear();
    for left_out in site.inventory().left_out.iter().filter(|left_out| left_out.why.is_expected()) {
        let path = ctdl_dump::record::printable(&left_out.path);
        context.screen.say(format_args!("not part of the site: {path}: {}", left_out.why));
    }
    // The others were told when the site was opened.
    for note in site.inventory().notes.iter().filter(|note| !note.is_of_a_key_that_is_missing()) {
        context.screen.say(note);
    }
    context.screen.summary(&summary);
    let seconds = begun.elapsed().as_secs_f64();
    context.screen.say(format_args!("archive of {} in {seconds:.1} s", screen::bytes(bytes as f64)));
    let mut told = ExitCode::Complete;
    if args.json {
        let mut line = json::summary(&summary);
        line["archive_bytes"] = bytes.into();
        told = context.print_result(line);
    }
    match summary::report_left_out(&summary, &context.screen) {
        // Nothing is lost of what is a site's, but somebody may miss it: whoever runs this must look.
        ExitCode::Complete if is_missed(site) => Ok(ExitCode::LeftOut),
        code => Ok(code.or(told)),
    }
}

fn write<W: Write>(
    site: &Site,
    options: ReadOptions,
    output: W,
    args: &Export,
    context: &Context,
) -> Result<(Summary, u64)> {
    let mut source = site.source(options, &context.screen);
    let options = Options { level: args.level, threads: context.threads(args.threads) };
    let mut writer = Writer::new(BufWriter::with_capacity(OUTPUT_BUFFER_BYTES, output), options);
    let copied = if args.no_fold {
        copy_ahead(&mut source, &mut writer, &context.screen)
    } else {
        copy_ahead(&mut Folding::new(&mut source), &mut writer, &context.screen)
    };
    let summary = copied.map_err(|failure| advised(failure, args))?;
    let bytes = writer.bytes_written();
    writer.into_output().into_inner().map_err(|error| error.into_error()).context("the output")?;
    Ok((summary, bytes))
}

/// Whether something was left out that should have been there already: an upload that goes on will be, in the next backup.
fn is_missed(site: &Site) -> bool {
    site.inventory().left_out.iter().any(|left_out| !left_out.why.is_expected() && left_out.why != Why::Upload)
}

/// A torn table says where it is torn; what to do now is known here.
fn advised(failure: Failure, args: &Export) -> Failure {
    if failure.class != Class::Damaged || args.salvage {
        return failure;
    }
    let advice = "run the export again with --salvage to take what can be had, with a list of what is lost";
    Failure::new(Class::Damaged, format!("{failure}; {advice}"))
}

fn check_output(args: &Export, site: &Arrangement, context: &Context) -> Result<()> {
    if let Some(path) = &args.output {
        // Now, and not after users were asked to leave and all was copied.
        let directory = place::parent_of(path);
        if !directory.is_dir() {
            bail!(
                "{} is no directory, so no archive can be made in it; make it first, or name another",
                directory.display()
            );
        }
        check_target(path, args.force)?;
        return place::refuse_inside(&place::parent_of(path), site, "the archive");
    }
    if std::io::stdout().is_terminal() {
        usage!("standard output is a terminal, and an archive is no text: give -o FILE, or redirect the output");
    }
    let metadata =
        Stream::stdout(&context.interrupt).and_then(|output| output.metadata()).context("standard output")?;
    if is_closed(&metadata)? {
        usage!("standard output is closed, so the archive would be lost: give -o FILE, or redirect the output");
    }
    if !metadata.is_file() {
        return Ok(());
    }
    // Where the shell put it, as far as the kernel tells.
    if let Ok(path) = std::fs::read_link("/proc/self/fd/1") {
        place::refuse_inside(&place::parent_of(&path), site, "the archive")?;
    }
    if metadata.mode() & 0o077 != 0 {
        context.screen.warning(&format!(
            "others may read the output (mode {:o}), and it will hold every password of the site; -o FILE makes it private",
            metadata.mode() & 0o777
        ));
    }
    Ok(())
}

/// Whether standard output was closed when the program began. Rust opens `/dev/null` in its place then, to read and to write, as programs do
/// that start others whose output nobody wants; `> /dev/null` opens it only to write.
fn is_closed(output: &Metadata) -> Result<bool> {
    let is_null = output.file_type().is_char_device() && output.rdev() == makedev(1, 3);
    Ok(is_null && fcntl_getfl(std::io::stdout()).context("standard output")?.contains(OFlags::RDWR))
}

/// A log is a file that ends: from a pipe or a device one could wait for ever.
fn check_logs(logs: &[PathBuf]) -> Result<()> {
    for log in logs {
        let found = std::fs::metadata(log).with_context(|| format!("--log {} can't be read", log.display()))?;
        if !found.is_file() {
            usage!("--log {} is no regular file; give a file, or leave it out", log.display());
        }
    }
    Ok(())
}
