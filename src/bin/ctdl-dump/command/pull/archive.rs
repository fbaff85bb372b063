//! Collecting a peer's snapshot into an archive.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ctdl_dump::archive::{Options, RandomReader, Reader, Writer};
use ctdl_dump::endpoint::{Class, Failure, Folding, Source};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::record::SiteInfo;
use ctdl_dump::transfer::pull::{Comparison, Continued, Merged, Plan, complete_records};
use ctdl_dump::transfer::{Summary, copy};
use ctdl_dump::wire::{Ahead, Info, Receiver, Scope, SnapshotId, Steady, WireError};

use crate::args::Pull;
use crate::command::Context;
use crate::error::is_of_an_archive;
use crate::peer::PeerConnector;
use crate::place::parent_of;
use crate::spool::Spool;
use crate::stream::Stream;

/// So often the peer may take another snapshot before we have all of one.
const MOST_SNAPSHOTS: u32 = 3;

/// What a transfer that has come to its end leaves.
struct Done {
    summary: Summary,
    archive_bytes: u64,
    taken: Option<(u64, u64)>,
    /// Whether what was here is what the peer has, so that nothing was written.
    is_here: bool,
}

/// A snapshot that was pulled, and what it took.
pub struct Pulled {
    pub summary: Summary,
    pub archive_bytes: u64,
    /// Records that were here, and records that came; not told if all came.
    pub taken: Option<(u64, u64)>,
    /// Bytes that came over the wire.
    pub wire_bytes: u64,
    /// How long everything took.
    pub all: Duration,
}

/// Whether a site is one that is wanted, before anything of it is transferred.
pub type IsWanted<'w> = &'w dyn Fn(&SiteInfo) -> Result<()>;

/// Pulls the peer's present snapshot into an archive. What an earlier run has got of it isn't transferred again, nor what `have` holds.
pub fn pull(args: &Pull, output: &Path, is_wanted: IsWanted, context: &Context) -> Result<Pulled> {
    let begun = Instant::now();
    let open_have = |have| open_archive(have).with_context(|| about_have(have));
    let have = args.have.as_deref().map(open_have).transpose()?;
    let mut spool = Spool::open(output, args.force, &args.peer)?;
    let mut wanted = spool.beginning().map(|(id, _)| id);
    // Alone it is gone on with as it is, inside the body where it ends; beside another archive its records are looked up.
    let mut begun_before = match have {
        Some(_) => complete(&spool, output, args, context)?,
        None => None,
    };
    let (mut bytes_came, mut snapshots) = (0, 0);
    let mut connection = args.connection.clone();
    let (done, mut steady) = loop {
        let connector = PeerConnector::new(args.peer.clone(), &connection, &context.interrupt, &context.screen)?;
        let other_end = connector.other_end();
        let mut steady = Steady::new(connector, wanted);
        let held: Vec<&RandomReader> = have.iter().chain(&begun_before).collect();
        let result = transfer(&mut steady, &mut spool, &held, args, is_wanted, context);
        bytes_came += steady.bytes().0;
        let error = match result {
            Ok(done) => break (done, steady),
            Err(error) => error,
        };
        snapshots += 1;
        let is_gone = matches!(cause(&error), Some(WireError::SnapshotGone));
        if !is_gone || snapshots > MOST_SNAPSHOTS {
            end_early(spool, &error, context)?;
            return Err(match (cause(&error), &args.have) {
                // Who could not be reached was named.
                (Some(WireError::Unreachable { .. }), _) => error,
                (Some(of_peer), _) => {
                    let told = other_end.told(of_peer);
                    error.context(told)
                }
                (None, Some(have)) if is_of_an_archive(&error) => error.context(about_have(have)),
                (None, _) => error.context(output.display().to_string()),
            });
        }
        context.screen.warning("the peer has another snapshot by now; what has arrived is kept, and only the difference to the new one comes");
        spool.keep()?;
        spool = Spool::open(output, args.force, &args.peer)?;
        wanted = None;
        connection.was_reached = true;
        begun_before = complete(&spool, output, args, context)?;
    };
    if done.is_here {
        spool.discard()?
    } else {
        spool.complete()?
    }
    // A peer that we have started may take a moment to go.
    steady.leave();
    let Done { summary, archive_bytes, taken, is_here: _ } = done;
    Ok(Pulled { summary, archive_bytes, taken, wire_bytes: bytes_came, all: begun.elapsed() })
}

/// Pulls one snapshot.
fn transfer(
    steady: &mut Steady<PeerConnector>,
    spool: &mut Spool,
    held: &[&RandomReader],
    args: &Pull,
    is_wanted: IsWanted,
    context: &Context,
) -> Result<Done> {
    context.screen.task("pull");
    let comparison = Comparison::with(held).map_err(Failure::from)?;
    // What is asked next is known already, unless it depends on what the peer says now.
    let next = match comparison.question() {
        None if spool.beginning().is_none() => Some(Ahead::All),
        question => question,
    };
    let info = steady.info(next).map_err(Failure::from)?;
    is_wanted(&info.site)?;
    let snapshot = steady.snapshot();
    if let Some(id) = snapshot {
        spool.note_snapshot(id)?;
    }
    if !held.is_empty() {
        let plan = comparison.plan(steady, &spool.directory())?;
        if let ([have], Some(output)) = (held, &args.have)
            // An import reads it as a whole; whoever keeps it as a backup would never hear that its disk has lost some of it.
            && args.site.is_some()
            && spool.is_for(output)
            && is_the_same(have, &plan, &info)
        {
            return unchanged(have, output);
        }
        if !plan.keeps_nothing() {
            let mut merged = Merged::new(steady, held, plan, info);
            let (summary, archive_bytes) = write(&mut merged, spool, args, context)?;
            return Ok(Done { summary, archive_bytes, taken: Some(merged.taken()), is_here: false });
        }
    }
    let beginning = beginning(spool, snapshot, &info, context);
    let mut peer = steady.records(Scope::All, Receiver::all(Scope::All), info.site);
    peer.set_total_bytes(info.total.body_bytes);
    let mut source = Continued::new(beginning, peer);
    let (summary, archive_bytes) = write(&mut source, spool, args, context)?;
    Ok(Done { summary, archive_bytes, taken: None, is_here: false })
}

/// Whether an archive holds what the peer's snapshot holds, record by record.
fn is_the_same(have: &RandomReader, plan: &Plan, info: &Info) -> bool {
    let (root, site) = (have.root(), have.site());
    let counts = info.kinds.iter().map(|(kind, totals)| (*kind, totals.records, totals.body_bytes));
    root.site_digest == info.total.digest
        && root.kinds.iter().map(|(kind, count)| (*kind, count.records, count.body_bytes)).eq(counts)
        && *site == SiteInfo { snapshot: site.snapshot.clone(), ..info.site.clone() }
        && plan.wants_nothing()
}

/// The archive that is going to be replaced needs not be.
fn unchanged(have: &RandomReader, output: &Path) -> Result<Done> {
    let summary = Summary::of_archive(have)?;
    let archive_bytes = output.metadata().with_context(|| about_have(output))?.len();
    let taken = Some((summary.records(), 0));
    Ok(Done { summary, archive_bytes, taken, is_here: true })
}

/// What an earlier run has got of the same snapshot. Whatever is not right about it, it is no loss to get it anew.
fn beginning(
    spool: &Spool,
    snapshot: Option<SnapshotId>,
    info: &Info,
    context: &Context,
) -> Option<Box<Reader<Stream>>> {
    let (id, path) = spool.beginning()?;
    let file = Stream::new(File::open(path).ok()?, &context.interrupt).ok()?;
    let reader = Reader::new(file, context.threads(None)).ok()?;
    (Some(id) == snapshot && *reader.site() == info.site).then(|| Box::new(reader))
}

fn write(source: &mut dyn Source, spool: &Spool, args: &Pull, context: &Context) -> Result<(Summary, u64)> {
    let output = Stream::new(spool.file()?, &context.interrupt)?;
    let options = Options { level: args.level, threads: context.threads(args.threads) };
    // A frame goes to the file as it is, so that a killed pull leaves all that it has.
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 16, output), options);
    let copied = if args.no_fold {
        copy(source, &mut writer, &context.screen)
    } else {
        copy(&mut Folding::new(source), &mut writer, &context.screen)
    };
    let summary = copied.inspect_err(|_| {
        // The error of the copy is the one to report; without the last frames there is only less to go on with.
        let _ = writer.write_beginning();
    })?;
    let bytes = writer.bytes_written();
    writer.into_output().into_inner().map_err(|error| error.into_error()).context("the archive")?;
    Ok((summary, bytes))
}

/// Makes an archive that ends of the one that was cut short, so that it can be compared. It has no name.
fn complete(spool: &Spool, output: &Path, args: &Pull, context: &Context) -> Result<Option<RandomReader>> {
    let Some((_, path)) = spool.beginning() else { return Ok(None) };
    context.screen.task("look at what is here");
    let file = tempfile::tempfile_in(parent_of(output)).context("a scratch file beside the archive")?;
    let options = Options { level: 1, threads: context.threads(args.threads) };
    let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, file.try_clone()?), options);
    let open = || {
        let file = File::open(&path).map_err(|error| Failure::new(Class::Failed, error))?;
        Ok(Reader::new(file, context.threads(None))?)
    };
    match complete_records(open, &mut writer, &context.screen) {
        Ok(0) => return Ok(None),
        // It is no archive, as far as it goes.
        Err(failure) if failure.class == Class::Damaged => return Ok(None),
        other => other.map(|_| ())?,
    }
    writer.into_output().into_inner().map_err(|error| error.into_error()).context("a scratch file")?;
    Ok(Some(RandomReader::open(file).map_err(Failure::from)?))
}

fn open_archive(path: &Path) -> Result<RandomReader> {
    Ok(RandomReader::open(File::open(path)?).map_err(Failure::from)?)
}

/// Which archive something is wrong with, and what can be done without it.
pub fn about_have(have: &Path) -> String {
    format!("{}, which holds what is here already (remove it, and everything comes over the wire)", have.display())
}

/// Keeps what has come, unless it is wrong.
fn end_early(spool: Spool, error: &anyhow::Error, context: &Context) -> Result<()> {
    let is_wrong = matches!(cause(error), Some(WireError::Disagreement { .. } | WireError::Digest { .. }));
    if is_wrong {
        return spool.discard();
    }
    if spool.keep()? {
        context.screen.say("what has arrived is kept: the same command goes on with it");
    }
    Ok(())
}

fn cause(error: &anyhow::Error) -> Option<&WireError> {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>()?.cause())
}
