//! What a killed run left: found, and finished or removed.

use std::fmt;
use std::path::{Path, PathBuf};

use super::annex;
use super::exchange;
use super::journal::Journal;
use super::lock::{probe, refuse_running, take};
use super::place::Place;
use super::resolve::{real_path, real_paths};
use super::steps::{Fs, exists};
use super::workshop::{Owner, Workshop, look};
use super::{InstallError, Mode};
use crate::site::Arrangement;
use crate::site::claim::{Identity, Locked};

/// A workshop at a target: of a run that still lives, or of one that was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// The directory.
    pub workshop: PathBuf,
    /// What was imported, in the words given to [`Target::stage`](super::Target::stage).
    pub source: Option<String>,
    /// The process that began it.
    pub pid: Option<u32>,
    /// When, in UTC, as `2026-11-24T08-15-00Z`.
    pub begun: Option<String>,
    /// Whether that process still lives.
    pub alive: bool,
    /// Whether there is a journal: parts of the old and the new site may be mixed.
    pub exchanging: bool,
}

/// What has been done about a leftover.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovered {
    /// Nothing: its process lives.
    Living(Leftover),
    /// The new site has been put in its place.
    Finished {
        /// As it was found.
        leftover: Leftover,
        /// Where the old site is kept.
        previous: Option<PathBuf>,
        /// What a person should know.
        notes: Vec<String>,
    },
    /// The old site was in its place or has been put back; the incomplete or unused new one is removed.
    Removed(Leftover),
}

impl fmt::Display for Recovered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Living(leftover) => write!(formatter, "{leftover} is at work in {}", leftover.workshop.display()),
            Self::Finished { leftover, previous, notes } => {
                write!(
                    formatter,
                    "{leftover} was interrupted while it put the new site in place; that is finished now"
                )?;
                if let Some(previous) = previous {
                    write!(formatter, ", the old one is kept in {}", previous.display())?;
                }
                notes.iter().try_for_each(|note| write!(formatter, "; {note}"))
            }
            Self::Removed(leftover) => write!(
                formatter,
                "{leftover} was interrupted before the new site was in place; the site is as it was before, what was left in {} is removed",
                leftover.workshop.display()
            ),
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an import")?;
        if let Some(source) = &self.source {
            write!(formatter, " ({source})")?;
        }
        if let Some(begun) = &self.begun {
            write!(formatter, " begun {begun}")?;
        }
        if let Some(pid) = self.pid {
            write!(formatter, " by process {pid}")?;
        }
        Ok(())
    }
}

/// Looks for leftovers at a target, and changes nothing: for a site that is only to be read.
///
/// # Errors
/// When the place can't be looked at.
pub fn leftovers(target: impl Into<Arrangement>) -> Result<Vec<Leftover>, InstallError> {
    let mut found = Vec::new();
    for place in places(&real_path(target.into().root())?) {
        match look(&place)? {
            Some(Owner::Alive(identity)) => found.push(leftover(&place, identity, true)),
            Some(Owner::Dead(identity)) => found.push(leftover(&place, identity, false)),
            None => {}
        }
    }
    Ok(found)
}

/// Finishes what a killed run began to exchange, and removes what it had not begun with. Afterwards the target is wholly the old site
/// or wholly the new one. Empty where nothing was left. The staging of a living process is not touched.
///
/// # Errors
/// When a directory of the site that the killed run worked in was not told, when the site is half exchanged and a server has been started on it, or the file system refuses.
pub fn recover(target: impl Into<Arrangement>) -> Result<Vec<Recovered>, InstallError> {
    recover_with(real_paths(&target.into())?, &Fs::default())
}

/// `site` has real paths.
pub(super) fn recover_with(site: impl Into<Arrangement>, fs: &Fs) -> Result<Vec<Recovered>, InstallError> {
    let site = site.into();
    let mut recovered = Vec::new();
    for place in places(site.root()) {
        match look(&place)? {
            None => {}
            Some(Owner::Alive(identity)) => recovered.push(Recovered::Living(leftover(&place, identity, true))),
            Some(Owner::Dead(_)) => {
                if let Some((mut workshop, identity)) = Workshop::claim(fs, place)? {
                    let annexes = annex::left_in(&workshop.place, &site)?;
                    workshop.place = workshop.place.with(annexes);
                    recovered.push(finish(&workshop, identity, &site)?);
                }
            }
        }
    }
    Ok(recovered)
}

fn places(real_target: &Path) -> impl Iterator<Item = Place> {
    [Mode::Whole, Mode::Parts].into_iter().filter_map(|mode| Place::new(real_target, mode))
}

pub(super) fn leftover(place: &Place, identity: Identity, alive: bool) -> Leftover {
    Leftover {
        workshop: place.workshop().to_owned(),
        source: identity.source,
        pid: identity.pid,
        begun: identity.begun,
        alive,
        exchanging: exists(&place.journal()),
    }
}

fn finish(workshop: &Workshop, identity: Identity, site: &Arrangement) -> Result<Recovered, InstallError> {
    let place = &workshop.place;
    let leftover = leftover(place, identity, false);
    let Some(journal) = Journal::read(place)? else {
        workshop.remove()?;
        return Ok(Recovered::Removed(leftover));
    };
    let begun = exchange::begun(workshop, &journal)?;
    // A whole site, old or new, may be used by a server meanwhile; one with parts of both must not.
    let lock = (begun && journal.mode == Mode::Parts).then(|| lock_out(workshop, site)).transpose()?;
    if !begun || exists(&place.back()) {
        exchange::back(workshop, &journal, lock.is_some())?;
        workshop.remove()?;
        return Ok(Recovered::Removed(leftover));
    }
    let mut notes = Vec::new();
    if let Err(cause) = exchange::forward(workshop, &journal, &mut notes) {
        return Err(match exchange::back(workshop, &journal, lock.is_some()).and_then(|()| workshop.remove()) {
            Ok(()) => cause,
            Err(undo) => InstallError::HalfDone {
                workshop: place.workshop().to_owned(),
                cause: Box::new(cause),
                undo: Box::new(undo),
            },
        });
    }
    let previous = exchange::previous(workshop, &journal);
    notes.extend(exchange::kept_beside(workshop, &journal));
    exchange::settle(workshop, &journal, lock.is_some())?;
    Ok(Recovered::Finished { leftover, previous, notes })
}

fn lock_out(workshop: &Workshop, site: &Arrangement) -> Result<Locked, InstallError> {
    let target = workshop.place.target();
    refuse_running(site, ", started in the middle of an interrupted exchange, and uses parts of two sites")?;
    take(&workshop.fs, target, probe(target)?)
}
