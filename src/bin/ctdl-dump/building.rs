//! A site that is made of a stream of records: built beside its place, read back, and put there in one step.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use ctdl_dump::endpoint::{Failure, Source};
use ctdl_dump::monitor::Monitor;
use ctdl_dump::record::Layout;
use ctdl_dump::site::install::{Ready, Staging, Target};
use ctdl_dump::site::{SiteOwner, SiteSink, accounts, layout_at};
use ctdl_dump::transfer::{Summary, copy};

use crate::command::Context;
use crate::destination::refuse_unspread;
use crate::error::{Usage, usage};
use crate::place;

/// The first release whose tables a server of 980 reads as they are.
const FIRST_READ_BY_980: i64 = 975;

/// How a site is built.
pub struct Plan<'a> {
    /// What it is made of, in one line that tells it from anything else: the next run, and other people's, may meet it.
    pub source: &'a str,
    /// Where temporary files go; else into the staging directory.
    pub scratch: Option<&'a Path>,
    /// Whether what was written is read again, and compared.
    pub reads_back: bool,
    /// Whether a site of an old release is written as it was, for a server of that release.
    pub keeps_release: bool,
    /// The layout of the server that the site is for; `None` for that of the one that has been there.
    pub layout: Option<Layout>,
    /// Whether the site takes the place of one that has been used.
    pub replaces: bool,
}

/// A complete site that is not in its place yet. It vanishes when it is dropped.
pub struct Built {
    staging: Staging,
    /// What it was made of.
    pub summary: Summary,
    notices: Vec<String>,
    told: Vec<String>,
    is_read_back: bool,
}

/// Builds a site of all records that the source gives.
pub fn build(
    source: &mut dyn Source,
    target: Target,
    plan: &Plan,
    monitor: &dyn Monitor,
    context: &Context,
) -> Result<Built> {
    let release = source.site().release;
    if release < FIRST_READ_BY_980 && !plan.keeps_release {
        return Err(Usage(format!(
            "the site is of release {release}, and a server of 980 would not understand it as it is; import it with --keep-release where a server of {release} runs"
        ))
        .into());
    }
    refuse_unspread(target.arrangement(), source.site())?;
    let told: Vec<String> = target.notes().to_vec();
    let owner = owner_of(target.path(), context);
    let layout = layout_of(target.path(), plan, context)?;
    let staging = target.stage(plan.source).map_err(Failure::from)?;
    let scratch = place::scratch_directory(plan.scratch, Some(staging.path()))?;
    let explained = |failure| staging.explained(failure);
    let created = SiteSink::create(staging.arrangement(), scratch, owner, layout);
    let mut sink = created.map_err(|error| explained(error.into()))?;
    let summary = copy(source, &mut sink, monitor).map_err(explained)?;
    let (expected, notices) = sink.into_expected();
    staging.begin_sync();
    if plan.reads_back {
        monitor.task("read back");
        expected.read_back(staging.arrangement(), monitor).map_err(explained)?;
    }
    Ok(Built { staging, summary, notices, told, is_read_back: plan.reads_back })
}

/// A complete site of which all is safe on the disk, while no server can be started at its place. It vanishes when it is dropped.
pub struct ReadySite {
    ready: Ready,
    summary: Summary,
    notices: Vec<String>,
    told: Vec<String>,
    is_read_back: bool,
}

impl Built {
    /// Puts it in its place, and says so.
    pub fn put_in_place(self, context: &Context) -> Result<Summary> {
        self.ready()?.put_in_place(context)
    }

    /// Has all of it on the disk, so that [`ready`](Built::ready) has less to do.
    pub fn sync(&self) -> Result<()> {
        Ok(self.staging.sync().map_err(Failure::from)?)
    }

    /// Does all that can take long, or go wrong for other reasons than a broken disk.
    pub fn ready(self) -> Result<ReadySite> {
        let Built { staging, summary, notices, told, is_read_back } = self;
        Ok(ReadySite { ready: staging.ready().map_err(Failure::from)?, summary, notices, told, is_read_back })
    }
}

impl ReadySite {
    /// The directory of its tables, which keeps its identity when it is put in place.
    pub fn data(&self) -> PathBuf {
        self.ready.path().join("data")
    }

    /// Puts it in its place, and says so.
    pub fn put_in_place(self, context: &Context) -> Result<Summary> {
        let installed = self.ready.exchange().map_err(Failure::from)?;
        context.screen.clear();
        let checked = if self.is_read_back { ", read back" } else { "" };
        context.screen.say(format_args!("{} is complete{checked} and in place", installed.path.display()));
        if let Some(previous) = &installed.previous {
            context.screen.say(format_args!("the previous site is kept in {}", previous.display()));
        }
        let notes = installed.notes.iter().filter(|note| !self.told.contains(note));
        notes.chain(&self.notices).for_each(|note| context.screen.say(note));
        Ok(self.summary)
    }
}

/// The layout of the server that the site is for: the one that was told, that of the one that has been there, else of the machines of our days.
fn layout_of(target: &Path, plan: &Plan, context: &Context) -> Result<Layout> {
    let usual = Layout::LP64_LITTLE;
    Ok(match (plan.layout, layout_at(target)) {
        (Some(told), Ok(Some(found))) if told != found && !plan.replaces => usage!(
            "the tables in {} are those of a {found} server, which can't read what is written for a {told} one (--layout {}); leave --layout out, or, if another server is to run there, say --replace",
            target.display(),
            told.name()
        ),
        (Some(told), _) => told,
        (None, Ok(found)) => found.unwrap_or(usual),
        (None, Err(error)) => {
            context.screen.warning(&format!(
                "the tables that are there don't show for which server to write ({error}); they are written for a {usual} one"
            ));
            usual
        }
    })
}

/// Who the site belongs to: the owner of the target's data directory, else the user `citadel`, else whoever runs this.
fn owner_of(target: &Path, context: &Context) -> SiteOwner {
    let here = std::fs::metadata(target.join("data")).ok().map(|data| (data.uid(), data.gid()));
    let owner = here.or_else(|| accounts::user_by_name("citadel"));
    let user = rustix::process::geteuid();
    if !user.is_root() {
        if owner.is_none_or(|(uid, _)| uid != user.as_raw()) {
            context.screen.say(
                "not root: all files will belong to you; change their owner to the server's user before it starts",
            );
        }
        return SiteOwner::of_process();
    }
    match owner {
        Some((uid, gid)) => SiteOwner::ids_of(uid, gid),
        None => {
            context.screen.warning(
                "there is no user citadel here: the site belongs to root; change its owner to the server's user",
            );
            SiteOwner::ids_of(0, 0)
        }
    }
}
