//! The target as one directory.
//!
//! The new site is known by the mark in its root. As long as `site` has it, nothing has been exchanged; a `site` without it is the
//! old one, in the moment after the two changed places.

use crate::site::install::InstallError;
use crate::site::install::journal::Journal;
use crate::site::install::names::{NEW_MARK, SERVER_LOCK};
use crate::site::install::place::Place;
use crate::site::install::steps::exists;
use crate::site::install::workshop::Workshop;

fn is_new(place: &Place) -> bool {
    exists(&place.site().join(NEW_MARK))
}

pub(super) fn begun(place: &Place) -> bool {
    !is_new(place) || exists(&place.old())
}

pub(super) fn forward(workshop: &Workshop, journal: &Journal) -> Result<(), InstallError> {
    let (fs, place) = (&workshop.fs, &workshop.place);
    let (target, site, old) = (place.target(), place.site(), place.old());
    if is_new(place) {
        if !exists(target) {
            fs.rename(&site, target)?;
        } else if exists(&old) {
            return Err(InstallError::Appeared { path: target.to_owned() });
        } else if !fs.exchange(target, &site)? {
            fs.rename(target, &old)?;
            fs.rename(&site, target)?;
        }
    }
    if exists(&site) {
        fs.rename(&site, &old)?;
    }
    if exists(&old) {
        if journal.lock_created {
            fs.unlink(&old.join(SERVER_LOCK))?;
        }
        match &journal.previous {
            Some(name) => fs.rename(&old, &place.around().join(name))?,
            None => fs.remove_dir(&old)?,
        }
    }
    Ok(())
}

pub(super) fn back(workshop: &Workshop) -> Result<(), InstallError> {
    let (fs, place) = (&workshop.fs, &workshop.place);
    let (target, site, old) = (place.target(), place.site(), place.old());
    if !is_new(place) && exists(&target.join(NEW_MARK)) {
        if exists(&site) {
            fs.rename(&site, &old)?;
        }
        fs.rename(target, &site)?;
    }
    if exists(&old) {
        fs.rename(&old, target)?;
    }
    Ok(())
}
