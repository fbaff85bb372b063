//! A staging directory from its making to the moment when it is the site.

use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode as Permissions, OFlags, open};

use super::anchor::shown;
use super::annex::{self, Annex};
use super::journal::{Journal, KeyDirectory, in_order};
use super::lock::{LockState, probe, refuse_running, take};
use super::names::{NEW_MARK, SERVER_LOCK, is_ours};
use super::place::Place;
use super::ready::{Installed, Locks, Ready};
use super::recover::{Recovered, leftover};
use super::steps::{exists, free_in_all, names_in};
use super::target::Target;
use super::workshop::Workshop;
use super::{InstallError, Mode};
use crate::endpoint::Failure;
use crate::site::Arrangement;
use crate::site::claim::stamp;

/// A directory to be filled with a site. Dropped without [`commit`](Staging::commit), it vanishes with all that is in it.
#[derive(Debug)]
pub struct Staging {
    pub(super) target: Target,
    pub(super) workshop: Workshop,
    pub(super) path: PathBuf,
    /// Where what belongs into each directory of the site is to be made.
    site: Arrangement,
    /// Its directories, open from the beginning, so that every failed write since then shows at the sync.
    roots: Vec<OwnedFd>,
    /// Whether the workshop is to be removed when this is dropped.
    pub(super) removable: bool,
}

impl Staging {
    pub(super) fn begin(mut target: Target, source: &str) -> Result<Self, InstallError> {
        let place = Place::new(&target.path, target.mode)
            .ok_or_else(|| InstallError::NoParent { path: target.path.clone() })?
            .with(Annex::of(&target.site));
        let (workshop, left) = Workshop::enter(&target.fs, place)?;
        if let Some(identity) = left {
            // It has come since the target was opened, and its process is gone already.
            if exists(&workshop.place.journal()) || exists(&workshop.place.bases()) {
                let what = "another import was interrupted in the middle of its exchange".to_owned();
                return Err(InstallError::Changed { path: target.path, what });
            }
            workshop.clear()?;
            target.notes.push(Recovered::Removed(leftover(&workshop.place, identity, false)).to_string());
        }
        let path = workshop.place.site();
        let place = &workshop.place;
        let made = workshop
            .sign(source)
            .and_then(|()| target.fs.make_dir(&path))
            .and_then(|()| annex::make_all(&target.fs, place))
            .and_then(|()| {
                let root = open_directory(&path)?;
                let beside = place.annexes().iter().map(|annex| open_directory(&annex.itself()));
                std::iter::once(Ok(root)).chain(beside).collect()
            });
        match made {
            Ok(roots) => {
                let Ok(site) = target.site.moved(|directory| {
                    let annex = place.annexes().iter().find(|annex| annex.directory() == directory);
                    Ok::<_, Infallible>(annex.map_or_else(|| path.clone(), Annex::site))
                });
                Ok(Self { target, workshop, path, site, roots, removable: true })
            }
            Err(error) => {
                // The first error is the one to tell; the next run removes what this leaves.
                let _ = workshop.remove();
                Err(error)
            }
        }
    }

    /// The directory to be filled: it becomes the root of the site. In [`Mode::Whole`] it keeps its mode (0700 at first) and owner,
    /// in [`Mode::Parts`] only what is in it counts. It is a path through the open workshop, and of use while this is there.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where what belongs into each directory of the site is to be made; the directories beside the root don't exist yet.
    pub fn arrangement(&self) -> &Arrangement {
        &self.site
    }

    /// What went wrong with the filling of it, told with paths as a person reads them.
    pub fn explained(&self, failure: Failure) -> Failure {
        let mut told = failure.to_string();
        let mut anchors = self.workshop.place.anchors();
        // The path of one may begin another's.
        anchors.sort_by_key(|anchor| std::cmp::Reverse(anchor.as_os_str().len()));
        if !anchors.iter().any(|anchor| told.contains(&*anchor.to_string_lossy())) {
            return failure;
        }
        for anchor in anchors {
            told = told.replace(&*anchor.to_string_lossy(), &shown(&anchor).to_string_lossy());
        }
        Failure::new(failure.class, told)
    }

    /// The place that it is for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Has the system begin to write to the disk what the staging holds, while the caller does something else, so that [`commit`](Staging::commit)
    /// has less to wait for. What goes wrong with it shows there: each open descriptor of a file system is told of every error.
    pub fn begin_sync(&self) {
        if let Ok(root) = open_directory(&self.path) {
            // Without a thread everything is left to `commit`.
            let _ = std::thread::Builder::new().spawn(move || rustix::fs::syncfs(root));
        }
    }

    /// Has all that the staging holds on the disk when it returns.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&self) -> Result<(), InstallError> {
        let (fs, bases) = (&self.target.fs, self.workshop.place.directories());
        let mut synced = bases.iter().zip(&self.roots).filter(|(base, _)| exists(&base.site));
        synced.try_for_each(|(base, root)| fs.sync_tree(&base.site, root))
    }

    /// Removes the staging and says what went wrong with that, which a drop can't.
    ///
    /// # Errors
    /// When the file system refuses; the next run removes the rest.
    pub fn abandon(mut self) -> Result<(), InstallError> {
        self.removable = false;
        self.workshop.remove()
    }

    /// Puts the site in its place: syncs everything, exchanges old for new, syncs again, removes the staging.
    /// All that the site is to hold must be in the staging.
    ///
    /// # Errors
    /// After any error but [`InstallError::HalfDone`] and [`InstallError::Untidy`] the target is as it was and the staging is gone.
    pub fn commit(self) -> Result<Installed, InstallError> {
        self.ready()?.exchange()
    }

    /// Does all of [`commit`](Staging::commit) that can go wrong for long: the new site is safe on disk, the journal too, and no server can be started at the
    /// target. What is left is renaming.
    ///
    /// # Errors
    /// After any but [`InstallError::HalfDone`] the target is as it was and the staging is gone.
    pub fn ready(mut self) -> Result<Ready, InstallError> {
        let journal = self.prepare()?;
        let mut ready = Ready { staging: self, journal, locks: Locks::default(), is_over: false };
        let Ready { staging, journal, locks, .. } = &mut ready;
        let place = &staging.workshop.place;
        match journal.write(&staging.target.fs, place).and_then(|()| staging.lock(journal, locks)) {
            Ok(()) => Ok(ready),
            Err(cause) => Err(ready.back(cause)),
        }
    }

    /// All that can be done before the journal: afterwards the new site is safe on disk and it is known what is to be exchanged.
    fn prepare(&mut self) -> Result<Journal, InstallError> {
        let fs = &self.target.fs;
        let place = &self.workshop.place;
        let bases = place.directories();
        let mut parts = Vec::new();
        for (number, base) in bases.iter().enumerate() {
            let new = names_in(&base.site)?;
            if let Some(name) = new.iter().find(|name| is_ours(name) || *name == SERVER_LOCK) {
                let why = "a name that the exchange itself needs".to_owned();
                return Err(InstallError::BadName { name: name.clone(), why });
            }
            if place.mode() == Mode::Parts {
                parts.extend(self.target.parts(number, &new)?);
            }
        }
        in_order(&mut parts);
        self.target.seen.check(&self.target.path, &self.target.beside())?;
        let keys = self.key_directory()?;
        if keys.is_none()
            && self.site.key_directory().is_some_and(exists)
            && let Some(directory) = self.target.site.key_directory()
        {
            self.target.notes.push(format!(
                "{} keeps its mode, owner and time: others have files in it too, or it is not yours",
                directory.display()
            ));
        }
        match place.mode() {
            Mode::Whole => fs.make_file(&self.path.join(NEW_MARK), b"")?,
            Mode::Parts => bases.iter().try_for_each(|base| fs.make_dir(&base.old))?,
        }
        self.sync()?;
        place.annexes().iter().try_for_each(|annex| fs.sync_dir(&annex.itself()))?;
        refuse_running(&self.target.site, ", started since the import began")?;
        let found = probe(place.target())?;
        Ok(Journal {
            mode: place.mode(),
            previous: self.previous_name(),
            lock_created: found == LockState::Absent,
            parts,
            keys,
        })
    }

    /// What the directory of the keys is to be, if it lies beside the root, is a record of the site, and belongs to it alone.
    fn key_directory(&self) -> Result<Option<KeyDirectory>, InstallError> {
        let (Some(directory), Some(staged)) = (self.target.site.key_directory(), self.site.key_directory()) else {
            return Ok(None);
        };
        let bases = self.workshop.place.directories();
        let Some(base) = bases.iter().position(|base| base.directory == directory) else { return Ok(None) };
        let look = |path: &Path| path.metadata().map_err(|error| InstallError::io("look at", path, error));
        let me = rustix::process::geteuid().as_raw();
        if !exists(staged) || self.target.is_shared(base) || (me != 0 && look(directory)?.uid() != me) {
            return Ok(None);
        }
        let keys = look(staged)?;
        Ok(Some(KeyDirectory {
            base,
            mode: keys.mode() & 0o7777,
            owner: (keys.uid(), keys.gid()),
            mtime: (keys.mtime(), keys.mtime_nsec()),
        }))
    }

    fn previous_name(&self) -> Option<std::ffi::OsString> {
        let place = &self.workshop.place;
        let mut name = std::ffi::OsString::new();
        if place.mode() == Mode::Whole {
            if self.target.is_bare() {
                return None;
            }
            name.push(place.target().file_name()?);
        }
        name.push(format!(".ctdl-dump-before-{}", stamp(SystemTime::now())));
        let mut directories = vec![place.around()];
        directories.extend(place.annexes().iter().map(Annex::directory));
        Some(free_in_all(&directories, &name))
    }

    /// Locks the server out of the old site and, where that is another directory, of the new one.
    fn lock(&self, journal: &Journal, locks: &mut Locks) -> Result<(), InstallError> {
        let fs = &self.target.fs;
        let target = self.workshop.place.target();
        if journal.mode == Mode::Parts || exists(target) {
            let found = if journal.lock_created { LockState::Absent } else { LockState::Free };
            locks.old = Some(take(fs, target, found)?);
        }
        if journal.mode == Mode::Whole {
            locks.new = Some(take(fs, &self.path, LockState::Absent)?);
        }
        Ok(())
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, InstallError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    open(path, flags, Permissions::empty()).map_err(|error| InstallError::io("open", path, error))
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.removable {
            // Nobody is left to tell; the next run removes what this leaves.
            let _ = self.workshop.remove();
        }
    }
}
