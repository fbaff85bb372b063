//! The parts of a target one by one, each by two renames: the old one into `old/`, the new one into its place. Each of the directories of a site that is
//! spread over several has its own `old/`; that of the root gets its final name last.
//!
//! Two renames rather than one exchange, because then the names alone tell how far it has come, on every file system.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::site::install::InstallError;
use crate::site::install::journal::{Journal, Part, Side};
use crate::site::install::place::{Base, Place};
use crate::site::install::steps::{Fs, exists, free_name, names_in};
use crate::site::install::workshop::Workshop;

pub(super) fn begun(place: &Place, journal: &Journal) -> Result<bool, InstallError> {
    let bases = place.directories();
    let is_gone = |part: &Part| base_of(&bases, part).is_some_and(|base| !exists(&base.site.join(&part.name)));
    if journal.parts.iter().any(|part| part.side != Side::Old && is_gone(part)) {
        return Ok(true);
    }
    for Base { old, .. } in &bases {
        if !exists(old) || !names_in(old)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn forward(workshop: &Workshop, journal: &Journal, notes: &mut Vec<String>) -> Result<(), InstallError> {
    let (fs, place) = (&workshop.fs, &workshop.place);
    let bases = place.directories();
    for part in &journal.parts {
        // Without `old` all parts of a directory are done: it has just become what is kept of it.
        let Some(base) = base_of(&bases, part).filter(|base| exists(&base.old)) else { continue };
        let (here, new, old) = paths(base, part);
        if part.side != Side::New && !exists(&old) && exists(&here) {
            fs.rename(&here, &old)?;
        }
        if part.side != Side::Old && exists(&new) {
            if let Some(aside) = put_aside(fs, base, &part.name, &here)? {
                notes.push(format!(
                    "{} appeared while the exchange was interrupted (was the server started?); it is kept with the previous site as {}",
                    here.display(),
                    aside.display()
                ));
            }
            fs.rename(&new, &here)?;
        }
    }
    bases.iter().rev().try_for_each(|base| keep_old(fs, base, journal))
}

pub(super) fn back(workshop: &Workshop, journal: &Journal) -> Result<(), InstallError> {
    let (fs, place) = (&workshop.fs, &workshop.place);
    let bases = place.directories();
    for base in &bases {
        take_back(fs, base, journal)?;
    }
    for part in journal.parts.iter().rev() {
        let Some(base) = base_of(&bases, part) else { continue };
        let (here, new, old) = paths(base, part);
        if part.side != Side::Old && !exists(&new) && exists(&here) {
            fs.rename(&here, &new)?;
        }
        if part.side != Side::New && exists(&old) {
            put_aside(fs, base, &part.name, &here)?;
            fs.rename(&old, &here)?;
        }
    }
    for base in bases.iter().rev() {
        if exists(&base.site) {
            fs.sync_dir(&base.site)?;
        }
        keep_old(fs, base, journal)?;
    }
    Ok(())
}

/// The directory of a part. The journal was compared with the list of directories when it was read.
fn base_of<'b>(bases: &'b [Base], part: &Part) -> Option<&'b Base> {
    bases.get(part.base)
}

/// Where a part belongs, where its new one waits, and where its old one goes.
fn paths(base: &Base, part: &Part) -> (PathBuf, PathBuf, PathBuf) {
    (base.directory.join(&part.name), base.site.join(&part.name), base.old.join(&part.name))
}

/// Moves what nobody expected out of the way, and says under which name it will be found in the previous site.
fn put_aside(fs: &Fs, base: &Base, name: &OsStr, here: &Path) -> Result<Option<OsString>, InstallError> {
    if !exists(here) {
        return Ok(None);
    }
    let mut unexpected = name.to_owned();
    unexpected.push(".unexpected");
    let aside = free_name(&base.old, &unexpected);
    fs.rename(here, &aside)?;
    Ok(aside.file_name().map(OsStr::to_owned))
}

/// Gives `old` the name under which it is kept, or removes it if nothing is in it.
fn keep_old(fs: &Fs, base: &Base, journal: &Journal) -> Result<(), InstallError> {
    if !exists(&base.old) {
        return Ok(());
    }
    fs.sync_dir(&base.old)?;
    match &journal.previous {
        Some(name) if !names_in(&base.old)?.is_empty() => fs.rename(&base.old, &base.directory.join(name)),
        _ => fs.remove_dir(&base.old),
    }
}

/// The contrary of [`keep_old`], for a directory that was done when another one failed.
fn take_back(fs: &Fs, base: &Base, journal: &Journal) -> Result<(), InstallError> {
    if exists(&base.old) {
        return Ok(());
    }
    match journal.previous.as_ref().map(|name| base.directory.join(name)).filter(|kept| exists(kept)) {
        Some(kept) => fs.rename(&kept, &base.old),
        None => fs.make_dir(&base.old),
    }
}
