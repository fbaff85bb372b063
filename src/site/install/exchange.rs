//! The exchange of an old site for a new one: forward, or back. Every function here may be repeated after a kill at any point:
//! what has been done is read from the names that exist.

mod parts;
mod whole;

use std::path::{Path, PathBuf};

use super::annex::{self, Annex};
use super::journal::{Journal, KeyDirectory};
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
    for annex in place.annexes() {
        fs.sync_dir(annex.directory())?;
        for kept in journal.previous.iter().map(|name| annex.directory().join(name)).filter(|kept| exists(kept)) {
            fs.sync_dir(&kept)?;
        }
    }
    remove_lock(workshop, lock_held)?;
    fs.unlink(&place.target().join(NEW_MARK))?;
    fs.sync_dir(place.target())?;
    place.annexes().iter().try_for_each(|annex| annex.remove(fs, place.target()))?;
    if let Some(KeyDirectory { base, mode, owner, mtime }) = journal.keys
        && let Some(base) = place.directories().get(base)
    {
        // Nothing is renamed in it any more.
        fs.set_attributes(&base.directory, mode, owner, mtime)?;
        fs.sync_dir(&base.directory)?;
    }
    annex::forget_before(fs, place)?;
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
            fs.sync_dir(&place.itself())?;
        }
        match journal.mode {
            Mode::Whole => whole::back(workshop)?,
            Mode::Parts => parts::back(workshop, journal)?,
        }
        fs.sync_dir(&place.itself())?;
    }
    if journal.lock_created {
        remove_lock(workshop, lock_held)?;
    }
    if exists(place.target()) {
        fs.sync_dir(place.target())?;
    }
    fs.sync_dir(place.around())?;
    place.annexes().iter().try_for_each(|annex| fs.sync_dir(annex.directory()))?;
    remove_journal(workshop)
}

/// Where parts of the old site are kept in directories beside its root, if the exchange has come so far: for a reader.
pub(super) fn kept_beside(workshop: &Workshop, journal: &Journal) -> Vec<String> {
    let Some(name) = &journal.previous else { return Vec::new() };
    let directories = workshop.place.annexes().iter().map(Annex::directory).filter(|at| exists(&at.join(name)));
    let note = |at: &Path| format!("what was replaced in {} is kept in {}", at.display(), at.join(name).display());
    directories.map(note).collect()
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
    workshop.fs.sync_dir(&workshop.place.itself())
}
