//! The exchange of an old site for a new one: forward, or back. Every function here may be repeated after a kill at any point:
//! what has been done is read from the names that exist.

mod parts;
mod whole;

use std::path::PathBuf;

use super::journal::Journal;
use super::lock::{LockState, probe, take};
use super::names::{NEW_MARK, SERVER_LOCK};
use super::steps::exists;
use super::workshop::Workshop;
use super::{InstallError, Mode};

/// Whether any part of the exchange has been done.
pub(super) fn begun(workshop: &Workshop, journal: &Journal) -> Result<bool, InstallError> {
    match journal.mode {
        Mode::Whole => Ok(whole::begun(&workshop.place)),
        Mode::Parts => parts::begun(&workshop.place, journal),
    }
}

/// Does what is left to do: afterwards the new site is the target, and the old one has the name under which it is kept.
/// What a reader should know beyond that is added to the notes.
pub(super) fn forward(workshop: &Workshop, journal: &Journal, notes: &mut Vec<String>) -> Result<(), InstallError> {
    match journal.mode {
        Mode::Whole => whole::forward(workshop, journal),
        Mode::Parts => parts::forward(workshop, journal, notes),
    }
}

/// Syncs what [`forward`] has done and removes all that was made for it. `lock_held`: whether this process holds the `citadel.lock`
/// of the site that is now the target.
pub(super) fn settle(workshop: &Workshop, journal: &Journal, lock_held: bool) -> Result<(), InstallError> {
    let (fs, place) = (&workshop.fs, &workshop.place);
    fs.sync_dir(place.target())?;
    fs.sync_dir(place.around())?;
    if let Some(previous) = previous(workshop, journal) {
        fs.sync_dir(&previous)?;
    }
    if exists(&place.site()) {
        fs.sync_dir(&place.site())?;
    }
    remove_lock(workshop, lock_held)?;
    fs.unlink(&place.target().join(NEW_MARK))?;
    fs.sync_dir(place.target())?;
    remove_journal(workshop)?;
    workshop.remove()
}

/// Undoes what has been done. Afterwards there is no journal, and the workshop holds nothing but the new site. `lock_held`: whether
/// this process holds the `citadel.lock` of the old site.
pub(super) fn back(workshop: &Workshop, journal: &Journal, lock_held: bool) -> Result<(), InstallError> {
    let (fs, place) = (&workshop.fs, &workshop.place);
    if begun(workshop, journal)? {
        if !exists(&place.back()) {
            fs.make_file(&place.back(), b"")?;
            fs.sync_dir(place.workshop())?;
        }
        match journal.mode {
            Mode::Whole => whole::back(workshop)?,
            Mode::Parts => parts::back(workshop, journal)?,
        }
        fs.sync_dir(place.workshop())?;
    }
    if journal.lock_created {
        remove_lock(workshop, lock_held)?;
    }
    if exists(place.target()) {
        fs.sync_dir(place.target())?;
    }
    fs.sync_dir(place.around())?;
    remove_journal(workshop)
}

/// Where the old site is kept, if the exchange has come so far.
pub(super) fn previous(workshop: &Workshop, journal: &Journal) -> Option<PathBuf> {
    let path = workshop.place.around().join(journal.previous.as_ref()?);
    exists(&path).then_some(path)
}

/// Removes the target's `citadel.lock`, unless a server holds it.
fn remove_lock(workshop: &Workshop, held_by_us: bool) -> Result<(), InstallError> {
    let target = workshop.place.target();
    let mut lock = None;
    if !held_by_us {
        if probe(target)? != LockState::Free {
            return Ok(());
        }
        lock = Some(take(&workshop.fs, target, LockState::Free)?);
    }
    let removed = workshop.fs.unlink(&target.join(SERVER_LOCK));
    drop(lock);
    removed
}

fn remove_journal(workshop: &Workshop) -> Result<(), InstallError> {
    workshop.fs.unlink(&workshop.place.journal())?;
    workshop.fs.sync_dir(workshop.place.workshop())
}
