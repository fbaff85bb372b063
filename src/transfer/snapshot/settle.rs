//! From a copy of tables and logs to tables that are whole.

use std::path::{Path, PathBuf};

use super::{Request, SnapshotFailure, Taken, opened, source};
use crate::endpoint::{Class, Failure};
use crate::monitor::Monitor;
use crate::site::check::{Findings, cut, references, walk_tables};
use crate::site::inventory::Inventory;
use crate::site::recovery::{self, Kind};
use crate::site::salvage::salvage_site;
use crate::site::snapshot::{CopiedFiles, Scratch, can_clone, check_space, estimate};
use crate::site::{OwnSetting, Parts, Watch, snapshot_now};

/// A copy of tables and logs.
pub(super) struct Copied {
    /// The recovery that fits what the logs show; `None` if the tables are complete without.
    pub recovery: Option<Kind>,
    /// How it was taken, in words.
    pub method: String,
    /// What proves that it can be made whole, in words.
    pub proof: String,
    /// What it lacks though it can be made whole, by name, and why.
    pub losses: Vec<(String, String)>,
}

/// Tables that are whole.
pub(super) struct Settled {
    /// Their directory.
    pub data: PathBuf,
    /// How they became so, in words.
    pub method: String,
    /// What proves it, in words.
    pub proof: String,
    /// What could not be had, by name, and why.
    pub losses: Vec<(String, String)>,
    /// Whether all that was found to be wrong is among the losses.
    pub is_salvaged: bool,
}

/// Makes a copy of tables and logs in an empty directory.
pub(super) type Copy<'c> = dyn FnMut(&Path) -> Result<Copied, Failure> + 'c;

/// How an attempt ended.
enum Outcome {
    Whole(Settled),
    Torn(Torn),
}

/// An attempt that did not end well.
struct Torn {
    recovery: Option<Kind>,
    /// Whether the recovery went through, though tables are torn after it.
    recovered: bool,
    /// What was wrong, in words.
    what: String,
}

/// Work on copies in a scratch directory.
pub(super) struct Workbench<'a> {
    pub request: &'a Request<'a>,
    pub scratch: Scratch,
    pub monitor: &'a dyn Monitor,
}

impl<'a> Workbench<'a> {
    /// Makes a scratch directory, if there is room for copies of the tables, of the logs from number `from_log` on, and of the files in `inventory`.
    pub fn set_up(
        request: &'a Request<'a>,
        data: &Path,
        from_log: u32,
        inventory: Option<&Inventory>,
        monitor: &'a dyn Monitor,
    ) -> Result<Self, Failure> {
        let cloned = can_clone(data, request.scratch);
        let needed_bytes = estimate(data, from_log, inventory, cloned).map_err(|error| source(data, error))?;
        check_space(request.scratch, needed_bytes)?;
        Ok(Workbench { request, scratch: Scratch::create(request.scratch)?, monitor })
    }

    /// Makes a copy whole, and walks it to its end. The recovery that fits the logs is tried first, then the other one on a copy of its own.
    pub fn settle(&self, copy: &mut Copy<'_>) -> Result<Settled, Failure> {
        let mut attempts = match self.attempt(copy, None)? {
            Outcome::Whole(settled) => return Ok(settled),
            Outcome::Torn(torn) => vec![torn],
        };
        if let Some(kind) = attempts[0].recovery {
            match self.attempt(copy, Some(kind.other()))? {
                Outcome::Whole(settled) => return Ok(settled),
                Outcome::Torn(torn) => attempts.push(torn),
            }
        }
        if !self.request.salvage {
            let tried: Vec<String> = attempts.into_iter().map(|torn| torn.what).collect();
            let failure = SnapshotFailure::Torn { site: self.request.site.root().to_owned(), tried: tried.join("; ") };
            return Err(failure.into());
        }
        for torn in &attempts {
            self.monitor.warning(&torn.what);
        }
        self.salvage(copy, &attempts)
    }

    fn attempt(&self, copy: &mut Copy<'_>, instead: Option<Kind>) -> Result<Outcome, Failure> {
        let data = self.empty(self.scratch.data())?;
        let copied = copy(&data)?;
        let recovery = instead.or(copied.recovery);
        let torn = |recovered, what| Ok(Outcome::Torn(Torn { recovery, recovered, what }));
        let method = described(&copied.method, recovery);
        if let Some(kind) = recovery
            && let Err(failure) = self.recover(&data, kind)?
        {
            return torn(false, self.in_site(&failure.to_string()));
        }
        self.monitor.task("check");
        let walked = walk_tables(&data, self.monitor)?;
        let tables = walked.len();
        if let Some(damage) = walked.into_iter().find_map(|(_, walk)| walk.err()) {
            return torn(true, self.in_site(&format!("{method}: {damage}")));
        }
        let proof = format!("{}; {tables} tables walked from end to end", copied.proof);
        Ok(Outcome::Whole(Settled { data, method, proof, losses: copied.losses, is_salvaged: false }))
    }

    /// Takes what can be had of a copy that can't be made whole: behind the recovery that went through, if one did.
    fn salvage(&self, copy: &mut Copy<'_>, attempts: &[Torn]) -> Result<Settled, Failure> {
        let data = self.empty(self.scratch.data())?;
        let copied = copy(&data)?;
        let recovery = match attempts.iter().find(|torn| torn.recovered) {
            Some(torn) => torn.recovery,
            None => {
                let tried = attempts.iter().map(|torn| torn.what.as_str()).collect::<Vec<_>>().join("; ");
                let method = format!("{}, not recovered", copied.method);
                let losses = [copied.losses, vec![not_replayed(&tried)]].concat();
                return self.salvage_tables(&data, &method, format!("no recovery went through: {tried}"), losses);
            }
        };
        if let Some(kind) = recovery
            && let Err(failure) = self.recover(&data, kind)?
        {
            return Err(Failure::new(Class::Damaged, self.in_site(&failure.to_string())));
        }
        self.salvage_tables(&data, &described(&copied.method, recovery), copied.proof, copied.losses)
    }

    /// Puts salvaged tables into the place of the torn ones in `data`, a directory of copies or of links. What is lost is added to `losses`.
    pub fn salvage_tables(
        &self,
        data: &Path,
        method: &str,
        proof: String,
        mut losses: Vec<(String, String)>,
    ) -> Result<Settled, Failure> {
        self.monitor.task("salvage");
        let into = self.empty(self.scratch.path().join("salvaged"))?;
        let monitor = Renaming { bench: self };
        let salvaged = salvage_site(data, self.request.layout, &into, self.scratch.path(), &monitor)?;
        for table in &salvaged.salvaged_tables {
            let target = data.join(table.file_name().unwrap_or_default());
            std::fs::rename(table, &target).map_err(|error| scratch(&target, error))?;
        }
        losses.extend(salvaged.losses.into_iter().map(|loss| {
            let mut why = self.in_site(&loss.why);
            cut(&mut why);
            (loss.what.to_string(), why)
        }));
        losses.sort();
        let tables = salvaged.salvaged_tables.len();
        let method = match tables {
            0 => method.to_owned(),
            _ => format!("{method}, {tables} tables salvaged"),
        };
        Ok(Settled { data: data.to_owned(), method, proof, losses, is_salvaged: true })
    }

    /// A text that names the tables of the site, not their copies.
    pub fn in_site(&self, text: &str) -> String {
        let (copies, site) = (self.scratch.data(), self.request.site.data());
        text.replace(&*copies.to_string_lossy(), &site.to_string_lossy())
    }

    /// A directory of the scratch directory without anything in it.
    pub fn empty(&self, directory: PathBuf) -> Result<PathBuf, Failure> {
        let made = match std::fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => std::fs::create_dir(&directory),
        };
        match made {
            Ok(()) => Ok(directory),
            Err(error) => Err(scratch(&directory, error)),
        }
    }

    /// Runs recovery; the inner error is one of the logs and tables, the outer one of everything else.
    fn recover(&self, data: &Path, kind: Kind) -> Result<Result<(), recovery::RecoveryError>, Failure> {
        self.monitor.task("recovery");
        let limit = recovery::time_limit(bytes_in(data));
        match recovery::recover(data, kind, self.request.program, limit, self.monitor) {
            Err(error) if !error.is_of_the_copy() => Err(error.into()),
            result => Ok(result),
        }
    }

    /// What does not belong together in the tables and is not told yet: a salvage has made losses of it.
    pub fn check(&self, settled: &Settled) -> Result<Findings, Failure> {
        let findings = references(&settled.data, self.request.layout, self.scratch.path(), self.monitor)?;
        Ok(if settled.is_salvaged { Findings::default() } else { findings })
    }

    /// The snapshot: whole tables, the files beside them. Tells what a check of the tables found.
    pub fn taken(self, settled: Settled, findings: &Findings, rest: Rest) -> Result<Taken, Failure> {
        warn_of(findings, self.monitor);
        let parts = Parts {
            site: self.request.site.clone(),
            data: settled.data,
            inventory: rest.inventory,
            files: rest.files,
            snapshot: snapshot_now(&settled.method, settled.proof),
            layout: self.request.layout,
            watch: rest.watch,
            setting: rest.setting.or_else(|| self.request.own_setting()),
            losses: settled.losses,
        };
        let site = opened(parts, self.monitor)?;
        Ok(Taken { site, scratch: Some(self.scratch) })
    }
}

/// The loss of what only a log has that was not replayed.
pub(super) fn not_replayed(why: &str) -> (String, String) {
    let mut why = format!("they were not brought into the tables: {why}");
    cut(&mut why);
    ("changes that only the log has".into(), why)
}

/// Warns of the site's tables when it is told of their copies.
struct Renaming<'b, 'a> {
    bench: &'b Workbench<'a>,
}

impl Monitor for Renaming<'_, '_> {
    fn task(&self, name: &str) {
        self.bench.monitor.task(name);
    }
    fn progress(&self, bytes: u64, records: u64) {
        self.bench.monitor.progress(bytes, records);
    }
    fn position(&self, done: u64, total: u64) {
        self.bench.monitor.position(done, total);
    }
    fn warning(&self, text: &str) {
        self.bench.monitor.warning(&self.bench.in_site(text));
    }
    fn is_interrupted(&self) -> bool {
        self.bench.monitor.is_interrupted()
    }
}

/// So many findings are named; a person who wants all of them salvages the site.
const MOST_WARNINGS: usize = 20;

/// Warns of what does not belong together. It is carried as it is.
pub(super) fn warn_of(findings: &Findings, monitor: &dyn Monitor) {
    for finding in findings.damage.iter().take(MOST_WARNINGS) {
        monitor.warning(&finding.to_string());
    }
    let rest = findings.damage.len().saturating_sub(MOST_WARNINGS) as u64 + findings.more;
    if rest > 0 {
        monitor.warning(&format!("{rest} more of that kind; an export with --salvage names all of them"));
    }
}

/// What a snapshot has besides its tables.
pub(super) struct Rest {
    pub inventory: Inventory,
    pub files: Option<CopiedFiles>,
    pub watch: Watch,
    pub setting: Option<OwnSetting>,
}

pub(super) fn scratch(path: &Path, source: std::io::Error) -> Failure {
    SnapshotFailure::Scratch { path: path.to_owned(), source }.into()
}

/// A method, and the recovery that followed.
fn described(method: &str, recovery: Option<Kind>) -> String {
    match recovery {
        Some(kind) => format!("{method}, recovered ({kind})"),
        None => method.to_owned(),
    }
}

/// The size of all files in a directory together; what can't be looked at counts nothing.
fn bytes_in(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}
