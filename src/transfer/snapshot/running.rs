//! A site whose server is at work.

use std::path::Path;
use std::time::{Duration, Instant};

use super::passing::copy_until_own;
use super::settle::{Copied, Rest, Workbench};
use super::{Request, SnapshotFailure, Taken, Way};
use crate::endpoint::{Class, Failure};
use crate::live::{Lease, Means, Original, Server};
use crate::monitor::{Monitor, Silent};
use crate::site::recovery::Kind;
use crate::site::settled::{self, LogHistory, LogState, Lsn};
use crate::site::snapshot::{
    CopiedFiles, SnapshotError, Source, copy_files, copy_logs, copy_tables, hot_copy, open_for_writing,
};
use crate::site::{OwnSetting, Watch, inventory};

/// A copy that the server has overtaken is made anew so many times.
const MOST_ROUNDS: u32 = 5;
/// A server that nobody uses writes nothing for so long...
const AT_REST: Duration = Duration::from_secs(5);
/// ... but the indexer of a server that was started lately works once a minute, and is not waited for.
const LONGEST_UNREST: Duration = Duration::from_secs(30);
/// The longest time for which a server is frozen.
const FROZEN_AT_MOST: Duration = Duration::from_secs(60);
/// The setting that keeps others out.
const MAX_SESSIONS: &str = "c_maxsessions";

/// Copies tables, logs and files of a running server in the way that was asked for, and makes the copy whole.
pub(super) fn take(request: &Request, data: &Path, pid: Option<u32>, monitor: &dyn Monitor) -> Result<Taken, Failure> {
    visit(request, data, pid, false, monitor).map(|(taken, _)| taken)
}

/// The same; a server that was taken single-user is not given back.
pub(super) fn take_and_hold(
    request: &Request,
    data: &Path,
    pid: Option<u32>,
    monitor: &dyn Monitor,
) -> Result<(Taken, Option<Lease<'static>>), Failure> {
    let (taken, mut lease) = visit(request, data, pid, true, monitor)?;
    if let Some(lease) = &mut lease {
        // What was copied since is worth nothing otherwise.
        lease.still_held()?;
    }
    Ok((taken, lease))
}

fn visit(
    request: &Request,
    data: &Path,
    pid: Option<u32>,
    is_kept: bool,
    monitor: &dyn Monitor,
) -> Result<(Taken, Option<Lease<'static>>), Failure> {
    let inventory = inventory::take(request.site).map_err(super::unreadable)?;
    let history = super::history(data)?;
    let bench = Workbench::set_up(request, data, history.needed_from(), Some(&inventory), monitor)?;
    drop(inventory);
    let server = Server {
        admin_socket: request.site.run_directory().join("citadel-admin.socket"),
        data: data.to_owned(),
        site: request.site.root().to_owned(),
        pid,
    };
    let mut visit = Visit { bench: &bench, server, files: None, setting: None, is_kept, lease: None };
    // Nobody is frozen or cut off for a copy that can't be made whole.
    visit.check_start(&history)?;
    if request.way == Way::Frozen {
        visit.check_version(&history)?;
    }
    let mut copy = || {
        let settled = bench.settle(&mut |into: &Path| match request.way {
            Way::Untouched => visit.hot(into),
            Way::Frozen => visit.frozen(into),
            Way::SingleUser { wait, expire } => visit.single_user(into, wait, expire),
        })?;
        let findings = bench.check(&settled)?;
        Ok((settled, findings))
    };
    let (settled, findings) = match request.way {
        // Nobody does anything that a copy could fall into.
        Way::SingleUser { .. } => copy()?,
        Way::Untouched | Way::Frozen => copy_until_own(copy)?,
    };
    let Visit { files, setting, lease, .. } = visit;
    // Each way has copied them, or ended with an error.
    let Some(files) = files else { return Err(Failure::new(Class::Failed, "the files were not copied")) };
    let mut inventory = files.inventory.clone();
    inventory.leave_out_uploads(&files.in_progress);
    let taken =
        bench.taken(settled, &findings, Rest { inventory, files: Some(files), watch: Watch::Nothing, setting })?;
    Ok((taken, lease))
}

/// The site's own limit of sessions, as its table of settings had it.
pub(super) fn own_setting(original: &Original) -> OwnSetting {
    let value = match original {
        Original::Absent => None,
        Original::Value(value) => Some(value.clone().into_bytes()),
    };
    OwnSetting { name: MAX_SESSIONS.into(), value, instead_of: None }
}

/// What is brought home from a running server.
struct Visit<'a> {
    bench: &'a Workbench<'a>,
    server: Server,
    files: Option<CopiedFiles>,
    setting: Option<OwnSetting>,
    /// Whether the lease outlives the copy.
    is_kept: bool,
    lease: Option<Lease<'static>>,
}

impl Visit<'_> {
    /// Tables, then logs, while the server writes; the files at any moment after it.
    fn hot(&mut self, into: &Path) -> Result<Copied, Failure> {
        let copied = self.hot_tables(into, "running")?;
        self.copy_files()?;
        Ok(copied)
    }

    fn hot_tables(&self, into: &Path, who: &str) -> Result<Copied, Failure> {
        let data = &self.server.data;
        let copy = self.copy_until_whole(into, || Ok(hot_copy(data, into, self.bench.monitor)))?;
        let state = settled::read_log_end(into).map_err(|error| super::source(into, error))?;
        let is_settled =
            matches!(state, LogState::Checkpoint { .. } | LogState::CleanStop { .. } | LogState::Recovered { .. });
        if is_settled && copy.start == copy.end {
            let proof = format!("{state}, before and after the copy");
            return Ok(Copied { recovery: None, method: format!("{who} and settled"), proof, losses: Vec::new() });
        }
        let history = super::history(into)?;
        self.check_version(&history)?;
        let losses = self.check_start(&history)?;
        let recovery = if copy.checkpoint_during.is_some() { Kind::Catastrophic } else { Kind::Normal };
        let proof = format!("the log was copied after the tables and replayed to {}", copy.end);
        Ok(Copied { recovery: Some(recovery), method: who.to_owned(), proof, losses })
    }

    /// Copies again while the server overtakes the copy.
    fn copy_until_whole<T>(
        &self,
        into: &Path,
        mut copy: impl FnMut() -> Result<Result<T, SnapshotError>, Failure>,
    ) -> Result<T, Failure> {
        let mut last = String::new();
        for _ in 0..MOST_ROUNDS {
            match copy()? {
                Err(error) if error.is_void() => {
                    last = error.to_string();
                    self.bench.empty(into.to_owned())?;
                }
                copied => return Ok(copied?),
            }
        }
        Err(SnapshotFailure::Moving { site: self.server.site.clone(), rounds: MOST_ROUNDS, last }.into())
    }

    /// What recovery would pass over in silence, if the server was started on what a killed one had left; without a salvage that is an error.
    fn check_start(&self, copied: &LogHistory) -> Result<Vec<(String, String)>, Failure> {
        match copied.restarted_since_checkpoint() {
            Some(at) if !self.bench.request.salvage => {
                Err(SnapshotFailure::Restarted { site: self.server.site.clone(), at }.into())
            }
            restarted => Ok(restarted.map(super::passed_over).into_iter().collect()),
        }
    }

    /// A copy that has to be recovered needs a log that can be replayed.
    fn check_version(&self, history: &LogHistory) -> Result<(), Failure> {
        let site = || self.server.site.clone();
        history
            .too_old_to_replay()
            .map_or(Ok(()), |version| Err(SnapshotFailure::OldLog { site: site(), version }.into()))
    }

    /// Tables and logs while the server is stopped by a signal; the files after it goes on.
    fn frozen(&mut self, into: &Path) -> Result<Copied, Failure> {
        self.copy_until_whole(into, || self.copy_frozen(into))?;
        self.copy_files()?;
        let history = super::history(into)?;
        let losses = self.check_start(&history)?;
        let proof = format!(
            "the server stood still while tables and log were copied; the log was replayed to its end at {}",
            history.end
        );
        Ok(Copied { recovery: Some(Kind::Normal), method: "frozen".into(), proof, losses })
    }

    fn copy_frozen(&self, into: &Path) -> Result<Result<(), SnapshotError>, Failure> {
        let (data, monitor) = (&self.server.data, self.bench.monitor);
        // Logs are looked through while the server works: a checkpoint that comes meanwhile makes fewer of them needed, and some may be gone.
        let from = super::history(data)?.needed_from();
        let lease = Lease::freeze(&self.server, FROZEN_AT_MOST, &self.means(), monitor)?;
        let copied = copy_tables(data, into, Source::Still, monitor)
            .and_then(|_| copy_logs(data, into, from, monitor))
            .and_then(|logs| logs.check_end(data));
        lease.release()?;
        Ok(copied)
    }

    /// Everything while nobody else is on.
    fn single_user(&mut self, into: &Path, wait: Duration, expire: Duration) -> Result<Copied, Failure> {
        let monitor = self.bench.monitor;
        // An earlier attempt may have it already.
        let mut lease = match self.lease.take() {
            Some(lease) => lease.reporting_to(monitor),
            None => Lease::single_user(&self.server, wait, expire, &self.means(), monitor)?,
        };
        self.setting = lease.original().map(own_setting);
        let before = self.wait_for_rest()?;
        let mut copied = self.hot_tables(into, "single-user")?;
        self.files = None;
        self.copy_files()?;
        let after = self.log_end()?;
        if self.is_kept {
            lease.still_held()?;
            // Whoever holds it from here on asks how it ended.
            self.lease = Some(lease.reporting_to(&Silent));
        } else {
            lease.release()?;
        }
        let rest = match before == after {
            true => format!("nobody was logged in and the log stood still at {after}"),
            false => format!("nobody was logged in; the server's own jobs moved the log from {before} to {after}"),
        };
        copied.proof = format!("{rest}; {}", copied.proof);
        Ok(copied)
    }

    fn wait_for_rest(&self) -> Result<Lsn, Failure> {
        let begun = Instant::now();
        let mut position = (self.log_end()?, Instant::now());
        while position.1.elapsed() < AT_REST && begun.elapsed() < LONGEST_UNREST {
            if self.bench.monitor.is_interrupted() {
                return Err(Failure::interrupted());
            }
            std::thread::sleep(Duration::from_millis(250));
            let now = self.log_end()?;
            if now != position.0 {
                position = (now, Instant::now());
            }
        }
        Ok(position.0)
    }

    fn log_end(&self) -> Result<Lsn, Failure> {
        let data = &self.server.data;
        let state = settled::read_log_end(data).map_err(|error| super::source(data, error))?;
        Ok(state.end().unwrap_or_default())
    }

    fn copy_files(&mut self) -> Result<(), Failure> {
        if self.files.is_none() {
            let open = || self.server.pid.and_then(|pid| open_for_writing(pid).ok()).unwrap_or_default();
            let into = self.bench.scratch.files();
            self.files = Some(copy_files(self.bench.request.site, &into, &open, self.bench.monitor)?);
        }
        Ok(())
    }

    fn means(&self) -> Means {
        let request = self.bench.request;
        Means { state_dir: request.state_directory.to_owned(), program: request.program.to_owned() }
    }
}
