//! The new site of a cutover, built beside its place from the archive of the rounds and what has changed since.

use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ctdl_dump::archive::{Options, RandomReader, Writer};
use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Class, Failure};
use ctdl_dump::monitor::Monitor;
use ctdl_dump::record::SiteInfo;
use ctdl_dump::transfer::pull::{Comparison, Merged, Missing, Plan};
use ctdl_dump::transfer::{copy, upgrade};
use ctdl_dump::wire::{Connector, Info, Steady};

use crate::args::Pull;
use crate::building::{self, Built};
use crate::command::Context;
use crate::destination::Destination;
use crate::peer::PeerConnector;
use crate::place::parent_of;
use crate::screen;

/// A new site that waits to be put in place.
pub struct Staged {
    /// None while it is being built anew.
    pub built: Option<Built>,
    /// The site digest of what it was made of.
    pub digest: Digest,
    /// What it took.
    pub took: Took,
}

/// How long the steps to a new site took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// Until the peer had a snapshot and had looked through it.
    pub snapshot: Duration,
    /// Until what is different was here.
    pub difference: Duration,
    /// Until the new site was built, compared, and safe on the disk.
    pub building: Duration,
    /// Until the old server was closed and the new site in place.
    pub closing: Duration,
}

impl Took {
    /// All together.
    pub fn all(&self) -> Duration {
        self.snapshot + self.difference + self.building + self.closing
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [snapshot, difference, building, closing] =
            [self.snapshot, self.difference, self.building, self.closing].map(|time| time.as_secs_f64());
        write!(
            f,
            "{snapshot:.1} s until the old server is at rest and its snapshot taken, {difference:.1} s for the last difference, {building:.1} s to build, compare and sync the new site, {closing:.1} s to close the old server and put the new site in place"
        )
    }
}

/// What of a snapshot is not in the archive of the rounds, and is here by now.
pub struct Arrived {
    have: RandomReader,
    plan: Plan,
    info: Info,
    difference: RandomReader,
}

/// Does all once as it will be done when it counts, while the old server works.
pub fn rehearse(args: &Pull, site: &Path, kept: &Path, context: &Context) -> Result<Staged> {
    context.screen.task("rehearsal");
    let connector = PeerConnector::new(args.peer.clone(), &args.connection, &context.interrupt, &context.screen)?;
    let mut steady = Steady::new(connector, None);
    let mut took = Took::default();
    let mut begun = Instant::now();
    let mut lap = || std::mem::replace(&mut begun, Instant::now()).elapsed();
    let difference = Difference::ask(&mut steady, kept)?;
    refuse_older(&difference.info.site)?;
    took.snapshot = lap();
    let (arrived, records) = difference.fetch(&mut steady, kept, &context.screen, context)?;
    let bytes = steady.bytes().0;
    steady.leave();
    took.difference = lap();
    let (digest, built) = arrived.build(args, site, &context.screen, context)?;
    // What is to be on the disk takes the longer the busier the machine is.
    built.sync()?;
    took.building = lap();
    context.screen.clear();
    context.screen.say(format_args!(
        "rehearsal: {records} records have changed, {} over the wire; the new site is built and compared in {:.1} s",
        screen::bytes(bytes as f64),
        took.building.as_secs_f64()
    ));
    Ok(Staged { built: Some(built), digest, took })
}

/// Fails for a site that has to be upgraded: no new site could be built of its records as they come.
pub fn refuse_older(site: &SiteInfo) -> Result<()> {
    if !upgrade::is_older(site) {
        return Ok(());
    }
    let problem = format!(
        "--cutover moves sites of release {}, and this one is of release {}, which has to be read as a whole before it can become one: stop its server and pull it with --site, without --cutover",
        upgrade::CURRENT_RELEASE,
        site.release
    );
    Err(Failure::new(Class::Failed, problem).into())
}

/// A snapshot, compared with the archive of the rounds.
pub struct Difference {
    have: RandomReader,
    /// What the peer says of the snapshot.
    pub info: Info,
    plan: Plan,
}

impl Difference {
    /// Asks what is different.
    pub fn ask<C: Connector>(steady: &mut Steady<C>, kept: &Path) -> Result<Self> {
        let have = File::open(kept).with_context(|| format!("{} can't be opened", kept.display()))?;
        let have = RandomReader::open(have).map_err(Failure::from).with_context(|| kept.display().to_string())?;
        let archives = [&have];
        let comparison = Comparison::with(&archives).map_err(Failure::from)?;
        let info = steady.info(comparison.question()).map_err(Failure::from)?;
        let plan = comparison.plan(steady, &parent_of(kept))?;
        Ok(Difference { have, info, plan })
    }

    /// Gets it, and says how many records that are.
    pub fn fetch<C: Connector>(
        self,
        steady: &mut Steady<C>,
        kept: &Path,
        monitor: &dyn Monitor,
        context: &Context,
    ) -> Result<(Arrived, u64)> {
        let Difference { have, info, plan } = self;
        let file = tempfile::tempfile_in(parent_of(kept)).context("a scratch file beside the archive")?;
        let options = Options { level: 1, threads: context.threads(None) };
        let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, file.try_clone()?), options);
        let mut missing = Missing::new(steady, &plan, info.clone());
        copy(&mut missing, &mut writer, monitor)?;
        let records = missing.taken();
        writer.into_output().into_inner().map_err(std::io::IntoInnerError::into_error).context("a scratch file")?;
        let difference = RandomReader::open(file).map_err(Failure::from)?;
        Ok((Arrived { have, plan, info, difference }, records))
    }
}

impl Arrived {
    /// Builds the site, and reads it back. Nothing is in place yet.
    pub fn build(self, args: &Pull, site: &Path, monitor: &dyn Monitor, context: &Context) -> Result<(Digest, Built)> {
        let Arrived { have, plan, info, difference } = self;
        let digest = info.total.digest;
        let source = format!("cutover from {}", args.peer);
        let target = Destination::new(Some(site), &args.arrangement, args.replace, false)?.open(context)?;
        let mut merged = Merged::of(&[&have], plan, info, difference.stream());
        monitor.task("build the new site");
        let building = building::Plan {
            source: &source,
            scratch: None,
            reads_back: true,
            keeps_release: false,
            layout: args.layout,
            replaces: args.replace,
        };
        let built = building::build(&mut merged, target, &building, monitor, context)?;
        Ok((digest, built))
    }
}
