//! A staging of which all is safe on disk: what is left is renaming.

use std::path::{Path, PathBuf};

use super::exchange;
use super::journal::Journal;
use super::staging::Staging;
use super::{InstallError, Mode};
use crate::site::claim::Locked;

/// A site that has been put in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Installed {
    /// Where the new site is.
    pub path: PathBuf,
    /// Where the old one is kept, or its parts; none if there was nothing to keep.
    pub previous: Option<PathBuf>,
    /// How they were exchanged.
    pub mode: Mode,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// The server's locks that this process holds during an exchange.
#[derive(Debug, Default)]
pub(super) struct Locks {
    pub(super) old: Option<Locked>,
    pub(super) new: Option<Locked>,
}

/// A staging that is about to change places with the target. Dropped without [`exchange`](Ready::exchange), all is as it was before.
#[derive(Debug)]
pub struct Ready {
    pub(super) staging: Staging,
    pub(super) journal: Journal,
    pub(super) locks: Locks,
    pub(super) is_over: bool,
}

impl Ready {
    /// Where the new site is until it is in its place.
    pub fn path(&self) -> &Path {
        &self.staging.path
    }

    /// Exchanges old for new, syncs, removes the staging.
    ///
    /// # Errors
    /// As those of [`Staging::commit`].
    pub fn exchange(mut self) -> Result<Installed, InstallError> {
        let mut notes = std::mem::take(&mut self.staging.target.notes);
        if let Err(cause) = exchange::forward(&self.staging.workshop, &self.journal, &mut notes) {
            return Err(self.back(cause));
        }
        self.is_over = true;
        let Staging { target, workshop, removable, .. } = &mut self.staging;
        *removable = false;
        let previous = exchange::previous(workshop, &self.journal);
        notes.extend(exchange::kept_beside(workshop, &self.journal));
        exchange::settle(workshop, &self.journal, true).map_err(|cause| InstallError::Untidy {
            workshop: workshop.place.workshop().to_owned(),
            cause: Box::new(cause),
        })?;
        Ok(Installed { path: target.path.clone(), previous, mode: self.journal.mode, notes })
    }

    /// Undoes what was done, because of this error.
    pub(super) fn back(&mut self, cause: InstallError) -> InstallError {
        self.is_over = true;
        match exchange::back(&self.staging.workshop, &self.journal, self.locks.old.is_some()) {
            Ok(()) => cause,
            Err(undo) => {
                self.staging.removable = false;
                let workshop = self.staging.workshop.place.workshop().to_owned();
                InstallError::HalfDone { workshop, cause: Box::new(cause), undo: Box::new(undo) }
            }
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if !self.is_over && exchange::back(&self.staging.workshop, &self.journal, self.locks.old.is_some()).is_err() {
            // Nobody is left to tell; the next run does it.
            self.staging.removable = false;
        }
    }
}
