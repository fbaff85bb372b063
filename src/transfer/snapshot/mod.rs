//! A snapshot of a site at any moment: its server stopped, at work, or killed.
//!
//! What is found decides the way. A stopped and settled site is read where it is. Of any other the tables and as much of the log as they need
//! are copied into a scratch directory, made whole there by libdb's recovery, and walked from end to end; if that shows damage, the other kind
//! of recovery is tried on a fresh copy. Nothing is ever written to the site, and a recovery that says it succeeded proves nothing: the walk does.
//!
//! | found | taken |
//! |---|---|
//! | no server, the log says that all is in the tables | in place |
//! | no server, the log has changes that the tables may lack | copied, recovered; files in place |
//! | a server, the log ends with a checkpoint and stands still | copied, files too |
//! | a server that writes | tables, then logs, recovered; files too |

mod crashed;
mod error;
mod passing;
mod running;
mod settle;
mod standing;
mod torn;

use std::path::Path;
use std::time::{Duration, Instant};

pub use error::SnapshotFailure;
pub use standing::{Standing, settled_leftovers};

use crate::endpoint::{Class, Failure};
use crate::live::{Lease, Left, OURS, Original, left_closed};
use crate::monitor::Monitor;
use crate::record::Layout;
use crate::site::check::{CheckError, references};
use crate::site::settled::{self, LogHistory, Lsn, ServerState, SettledError, StartedAfter, Verdict, find_server};
use crate::site::snapshot::Scratch;
use crate::site::{Arrangement, OwnSetting, Parts, ReadSiteError, Site, data_directory};

/// What may be done to a server for the sake of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing: whatever the server is doing, it notices nothing.
    Untouched,
    /// It is stopped by a signal for the seconds that the copy takes.
    Frozen,
    /// Nobody else may be logged in: those who are get this much time to leave.
    SingleUser {
        /// How long to wait for them.
        wait: Duration,
        /// How long this process may say nothing until its guardian gives the server back; [`SILENT_AT_MOST`] is enough for whoever works without a rest.
        expire: Duration,
    },
}

/// The longest time that the guardian of a single-user server need wait for a sign of life, which comes once a second.
pub const SILENT_AT_MOST: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The site's directories.
    pub site: &'a Arrangement,
    /// Where copies go: a directory outside the site.
    pub scratch: &'a Path,
    /// What may be done to a running server.
    pub way: Way,
    /// Whether torn tables are taken as far as they can be read.
    pub salvage: bool,
    /// The layout of the tables; `None` for the one that they show.
    pub layout: Option<Layout>,
    /// Our own program, which runs recovery and the guardian as processes of their own.
    pub program: &'a Path,
    /// Where it is written down what must be undone on a running server.
    pub state_directory: &'a Path,
    /// The site's own limit of sessions, if its tables hold one of ours that could not be undone yet.
    pub own_limit: Option<&'a Original>,
}

impl Request<'_> {
    fn own_setting(&self) -> Option<OwnSetting> {
        let left = || self.left_closed().map(|left| left.original);
        let own = self.own_limit.cloned().or_else(left)?;
        Some(OwnSetting { instead_of: Some(OURS.into()), ..running::own_setting(&own) })
    }

    /// What is known of the site if its server was left closed. A record that can't be read was told of when the program began.
    fn left_closed(&self) -> Option<Left> {
        left_closed(self.state_directory, self.site.root()).ok().flatten()
    }
}

/// A snapshot: a site that can be read. Its copies vanish with it.
pub struct Taken {
    site: Site,
    /// Declared after the site: its tables are closed first.
    scratch: Option<Scratch>,
}

impl Taken {
    /// The site as it was at that moment.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Removes the copies, and says if that fails.
    ///
    /// # Errors
    /// When the file system refuses; what is left is removed by a later run.
    pub fn remove(self) -> Result<(), Failure> {
        let Taken { site, scratch } = self;
        drop(site);
        Ok(scratch.map_or(Ok(()), Scratch::remove)?)
    }
}

/// Takes a snapshot of a site in whatever state it is.
///
/// # Errors
/// Of class [`Class::InUse`](crate::endpoint::Class) if it could not be settled, `Damaged` if tables are torn and `salvage` was not asked for.
pub fn take(request: &Request, monitor: &dyn Monitor) -> Result<Taken, Failure> {
    let data = data_directory(request.site.root())?;
    // That of a server at work may not come about, and is not needed.
    let before = settled::fingerprint(&data);
    let state = match settled::examine(&data, request.site) {
        // Only of a server that does not run; the other tables may be whole. What the log has for them can't be told.
        Err(error @ SettledError::NotATable { .. }) if request.salvage => {
            let losses = vec![settle::not_replayed(&error.to_string())];
            return torn::take(request, &data, "unsettled", error.to_string(), losses, monitor);
        }
        examined => examined.map_err(unreadable)?,
    };
    if request.way != Way::Untouched && !matches!(state.verdict, Verdict::Running { .. }) {
        monitor.warning("no server runs on this site, so there is none to be frozen or taken for a single user: it is copied as it is");
    }
    match &state.verdict {
        Verdict::Running { pid, .. } => running::take(request, &data, *pid, monitor),
        Verdict::Crashed { .. } => crashed::take(request, &data, &state, monitor),
        Verdict::Unsettled { reason, .. } if request.salvage => {
            let losses = vec![settle::not_replayed(reason)];
            torn::take(request, &data, "unsettled", reason.clone(), losses, monitor)
        }
        verdict if verdict.is_settled() && request.salvage => {
            torn::take(request, &data, "stopped and settled", state.log.to_string(), Vec::new(), monitor)
        }
        _ => {
            let parts = Parts::examined(request.site, before.map_err(unreadable)?, state)?;
            in_place(request, parts, &data, monitor)
        }
    }
}

/// Reads a site where it is. One that limps on after a crash may have whole tables that don't fit each other.
fn in_place(request: &Request, parts: Parts, data: &Path, monitor: &dyn Monitor) -> Result<Taken, Failure> {
    let parts = Parts { setting: request.own_setting(), layout: request.layout, ..parts };
    if let Some(why) = why_torn(request.site.root()) {
        monitor.warning(&why);
        match references(data, request.layout, request.scratch, monitor) {
            Ok(findings) => settle::warn_of(&findings, monitor),
            Err(CheckError::Interrupted) => return Err(Failure::interrupted()),
            // The walk of the export comes to the same place, and says what can be done.
            Err(_) => {}
        }
    }
    Ok(Taken { site: opened(parts, monitor)?, scratch: None })
}

/// Opens what was taken, and says what a person must know of it.
fn opened(parts: Parts, monitor: &dyn Monitor) -> Result<Site, Failure> {
    let site = Site::of(parts)?;
    if let Some(notice) = site.notice() {
        monitor.warning(notice);
    }
    let notes = site.inventory().notes.iter().filter(|note| note.is_of_a_key_that_is_missing());
    notes.for_each(|note| monitor.warning(&note.to_string()));
    Ok(site)
}

/// A snapshot of a site whose server still refuses sessions.
pub struct Held {
    /// The snapshot.
    pub taken: Taken,
    /// Ends when it is dropped; then the server takes sessions again. A server that was left closed and stopped needs none.
    pub lease: Option<Lease<'static>>,
}

/// Takes a snapshot while nobody else is logged in, and leaves it at that until the lease ends. The way that is asked for must be
/// [`Way::SingleUser`]. A site whose server was left closed and then stopped is taken as it is.
///
/// # Errors
/// [`SnapshotFailure::NoServer`] if no server runs there, and as [`take`].
pub fn take_and_hold(request: &Request, monitor: &dyn Monitor) -> Result<Held, Failure> {
    let data = data_directory(request.site.root())?;
    let state = settled::examine(&data, request.site).map_err(unreadable)?;
    let no_server = || Failure::from(SnapshotFailure::NoServer { site: request.site.root().to_owned() });
    let Verdict::Running { pid, .. } = state.verdict else {
        request.left_closed().ok_or_else(no_server)?;
        return Ok(Held { taken: take(&Request { way: Way::Untouched, ..request.clone() }, monitor)?, lease: None });
    };
    let (taken, lease) = running::take_and_hold(request, &data, pid, monitor)?;
    Ok(Held { taken, lease: Some(lease.ok_or_else(no_server)?) })
}

/// Whether [`take_and_hold`] finds a server to hold, or one that was left closed. If that can't be seen, it is told when it is tried.
pub fn can_be_held(request: &Request) -> bool {
    let found = data_directory(request.site.root()).ok().and_then(|data| find_server(&data, request.site).ok());
    match found {
        Some(ServerState::NotRunning | ServerState::StaleLock { .. }) => request.left_closed().is_some(),
        Some(ServerState::Running { .. }) | None => true,
    }
}

/// Waits until the server of a site that was told to stop has done so, for so long at most; says whether it has.
pub fn wait_until_stopped(site: &Arrangement, limit: Duration) -> Result<bool, Failure> {
    let (data, deadline) = (data_directory(site.root())?, Instant::now() + limit);
    loop {
        if settled::examine(&data, site).map_err(unreadable)?.verdict.is_settled() {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Why tables of a settled site may be torn all the same, if its logs still tell.
fn why_torn(site: &Path) -> Option<String> {
    let history = settled::read_history(&data_directory(site).ok()?).ok()?;
    let start = history.starts.iter().rev().find(|start| start.after == StartedAfter::Unclean)?;
    Some(restarted(start.at))
}

/// What it means that a server was started on what a killed one had left.
fn restarted(at: Lsn) -> String {
    format!(
        "the server was killed once and then started again at {at} of the log without recovery, which release 980 never does: from then on its tables lacked what only the log had"
    )
}

/// The loss of what a recovery that goes through may leave out on such a site.
fn passed_over(at: Lsn) -> (String, String) {
    let why = format!("{}; recovery passes over some of what was changed since without a word", restarted(at));
    ("changes since the server was started again".to_owned(), why)
}

/// Adds to the news of torn tables why they may be torn.
fn explained(failure: Failure, history: &LogHistory) -> Failure {
    match history.restarted_since_checkpoint() {
        Some(at) if failure.class == Class::Damaged => {
            Failure::new(Class::Damaged, format!("{failure}; {}", restarted(at)))
        }
        _ => failure,
    }
}

fn history(data: &Path) -> Result<LogHistory, Failure> {
    settled::read_recent_history(data).map_err(|error| source(data, error))
}

fn source(path: &Path, source: std::io::Error) -> Failure {
    ReadSiteError::Io { path: path.to_owned(), source }.into()
}

fn unreadable(error: impl Into<ReadSiteError>) -> Failure {
    error.into().into()
}
