//! The parts of a target one by one, each by two renames: the old one into `old/`, the new one into its place.
//!
//! Two renames rather than one exchange, because then the names alone tell how far it has come, on every file system.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::site::install::InstallError;
use crate::site::install::journal::{Journal, Part, Side};
use crate::site::install::place::Place;
use crate::site::install::steps::{Fs, exists, free_name, names_in};
use crate::site::install::workshop::Workshop;

pub(super) fn begun(place: &Place, journal: &Journal) -> Result<bool, InstallError> {
    let new_gone = journal.parts.iter().any(|part| part.side != Side::Old && !exists(&place.site().join(&part.name)));
    Ok(new_gone || !exists(&place.old()) || !names_in(&place.old())?.is_empty())
}

pub(super) fn forward(workshop: &Workshop, journal: &Journal, notes: &mut Vec<String>) -> Result<(), InstallError> {
    let (fs, place) = (&workshop.fs, &workshop.place);
    // Without `old` all parts are done: it has just become the previous site.
    if !exists(&place.old()) {
        return Ok(());
    }
    for Part { side, name } in &journal.parts {
        let (here, new, old) = (place.target().join(name), place.site().join(name), place.old().join(name));
        if *side != Side::New && !exists(&old) && exists(&here) {
            fs.rename(&here, &old)?;
        }
        if *side != Side::Old && exists(&new) {
            if let Some(aside) = put_aside(fs, place, name, &here)? {
                notes.push(format!(
                    "{} appeared while the exchange was interrupted (was the server started?); it is kept with the previous site as {}",
                    here.display(),
                    aside.display()
                ));
            }
            fs.rename(&new, &here)?;
        }
    }
    keep_old(fs, place, journal)
}

pub(super) fn back(workshop: &Workshop, journal: &Journal) -> Result<(), InstallError> {
    let (fs, place) = (&workshop.fs, &workshop.place);
    for Part { side, name } in journal.parts.iter().rev() {
        let (here, new, old) = (place.target().join(name), place.site().join(name), place.old().join(name));
        if *side != Side::Old && !exists(&new) && exists(&here) {
            fs.rename(&here, &new)?;
        }
        if *side != Side::New && exists(&old) {
            put_aside(fs, place, name, &here)?;
            fs.rename(&old, &here)?;
        }
    }
    fs.sync_dir(&place.site())?;
    keep_old(fs, place, journal)
}

/// Moves what nobody expected out of the way, and says under which name it will be found in the previous site.
fn put_aside(fs: &Fs, place: &Place, name: &OsStr, here: &Path) -> Result<Option<OsString>, InstallError> {
    if !exists(here) {
        return Ok(None);
    }
    let mut unexpected = name.to_owned();
    unexpected.push(".unexpected");
    let aside = free_name(&place.old(), &unexpected);
    fs.rename(here, &aside)?;
    Ok(aside.file_name().map(OsStr::to_owned))
}

/// Gives `old` the name under which it is kept, or removes it if nothing is in it.
fn keep_old(fs: &Fs, place: &Place, journal: &Journal) -> Result<(), InstallError> {
    let old = place.old();
    if !exists(&old) {
        return Ok(());
    }
    fs.sync_dir(&old)?;
    match &journal.previous {
        Some(name) if !names_in(&old)?.is_empty() => fs.rename(&old, &place.around().join(name)),
        _ => fs.remove_dir(&old),
    }
}
