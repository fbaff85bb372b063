//! The directory in which one run works, and the file in it that says who does.

use std::fs;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode as Permissions, OFlags, fstat, open};
use rustix::io::Errno;

use super::InstallError;
use super::anchor::shown;
use super::annex;
use super::place::Place;
use super::steps::{Fs, exists};
use crate::site::claim::{Identity, Locked, same_file};

/// A state file is far shorter, but for the source, which is one line that a person gave.
const MOST_STATE_BYTES: u64 = 1 << 20;

/// First line of a state file: what it is, and its version.
const STATE_KIND: &str = "ctdl-dump-staging 1";

/// A workshop that this process holds.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) place: Place,
    pub(super) fs: Fs,
    state: Locked,
}

impl Workshop {
    /// Takes over a workshop that nobody lives in, with what its last owner wrote; `None` if there is none.
    pub(super) fn claim(fs: &Fs, place: Place) -> Result<Option<(Self, Identity)>, InstallError> {
        let Some(dir) = own_dir(place.workshop())? else { return Ok(None) };
        let place = place.anchored(dir);
        let path = place.state();
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        fs.before("claim", &path)?;
        let state = match open(&path, flags, Permissions::RUSR | Permissions::WUSR) {
            Ok(state) => state,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(InstallError::io("open", &path, error)),
        };
        match lock_of(state, &path, FlockOperation::NonBlockingLockExclusive)? {
            (None, identity) => Err(living(&place, identity)),
            // Its owner was just removing it.
            (Some(state), _) if !same_file(state.file(), &path) => Ok(None),
            (Some(state), identity) => Ok(Some((Self { place, fs: fs.clone(), state }, identity))),
        }
    }

    /// Makes a workshop, or takes over a dead one; says who left it, if it is not new.
    pub(super) fn enter(fs: &Fs, place: Place) -> Result<(Self, Option<Identity>), InstallError> {
        for _ in 0..3 {
            let made = match fs.make_dir(place.workshop()) {
                Ok(()) => true,
                Err(InstallError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => false,
                Err(error) => return Err(error),
            };
            match Self::claim(fs, place.clone()) {
                Ok(Some((workshop, identity))) => {
                    return Ok((workshop, (!made).then_some(identity)));
                }
                Ok(None) => {}
                Err(error) => {
                    if made {
                        // The first error is the one to tell; the next run removes what this leaves.
                        let _ = fs.remove_dir(place.workshop());
                    }
                    return Err(error);
                }
            }
        }
        Err(living(&place, Identity::default()))
    }

    /// Writes down that this process works here now, and makes sure that it is found after a power cut.
    pub(super) fn sign(&self, source: &str) -> Result<(), InstallError> {
        self.fs.rewrite(
            &self.place.state(),
            self.state.file(),
            Identity::of_this_process(Some(source)).text(STATE_KIND).as_bytes(),
        )?;
        self.fs.sync_dir(&self.place.itself())?;
        self.fs.sync_dir(self.place.around())
    }

    /// Removes what is left of a staging without a journal: `site` is new or empty, `old` is empty or `remove_dir` refuses.
    pub(super) fn clear(&self) -> Result<(), InstallError> {
        annex::remove_all(&self.fs, &self.place)?;
        self.fs.remove_tree(&self.place.site())?;
        self.fs.remove_dir(&self.place.old())?;
        self.fs.unlink(&self.place.inside("journal.new"))?;
        self.fs.unlink(&self.place.back())
    }

    /// Removes the workshop. Its lock goes last, and with it this process's claim.
    pub(super) fn remove(&self) -> Result<(), InstallError> {
        self.clear()?;
        self.fs.unlink(&self.place.state())?;
        match self.fs.remove_dir(self.place.workshop()) {
            // Somebody else has moved in between the two steps; it is his now.
            Err(InstallError::Io { source, .. }) if source.kind() == std::io::ErrorKind::DirectoryNotEmpty => Ok(()),
            result => result,
        }?;
        self.fs.sync_dir(self.place.around())
    }
}

/// Whether the owner of a workshop lives.
pub(super) enum Owner {
    Alive(Identity),
    Dead(Identity),
}

/// Looks who a workshop belongs to, without claiming it or writing anything; `None` if there is none.
pub(super) fn look(place: &Place) -> Result<Option<Owner>, InstallError> {
    open_dir(place.workshop())?;
    let path = place.state();
    match open(&path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Permissions::empty()) {
        Ok(state) => match lock_of(state, &path, FlockOperation::NonBlockingLockShared)? {
            (None, identity) => Ok(Some(Owner::Alive(identity))),
            (Some(_), identity) => Ok(Some(Owner::Dead(identity))),
        },
        Err(Errno::NOENT) if exists(place.workshop()) => Ok(Some(Owner::Dead(Identity::default()))),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(InstallError::io("open", &path, error)),
    }
}

/// What a state file says, and the lock on it; no lock if the one who wrote it lives.
fn lock_of(state: OwnedFd, path: &Path, operation: FlockOperation) -> Result<(Option<Locked>, Identity), InstallError> {
    let mut text = Vec::new();
    let file = fs::File::from(state.try_clone().map_err(|error| InstallError::io("read", path, error))?);
    file.take(MOST_STATE_BYTES).read_to_end(&mut text).map_err(|error| InstallError::io("read", path, error))?;
    let identity = Identity::parse(&String::from_utf8_lossy(&text));
    let lock = Locked::try_new(state, operation).map_err(|error| InstallError::io("lock", path, error))?;
    Ok((lock.filter(|_| !identity.lives_elsewhere()), identity))
}

fn living(place: &Place, identity: Identity) -> InstallError {
    InstallError::Living { path: place.workshop().to_owned(), pid: identity.pid, source_name: identity.source }
}

/// Refuses a directory with things of ours in it that is a link, or belongs to neither this user nor root. What stands there is obeyed, so it must come from
/// one who could do the same without it. The owner of the site is not enough, whom a fault of his server may let others be: with links of his in a
/// workshop root would rename files of the whole machine for him.
///
/// Opens it otherwise; `None` if it is not there.
pub(super) fn own_dir(path: &Path) -> Result<Option<OwnedFd>, InstallError> {
    let dir = open_dir(path)?;
    dir.as_ref().map_or(Ok(()), |dir| check_uid(dir, path))?;
    Ok(dir)
}

/// Opens a directory that ctdl-dump has made; `None` if it is not there.
fn open_dir(path: &Path) -> Result<Option<OwnedFd>, InstallError> {
    match open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Permissions::empty()) {
        Ok(dir) => Ok(Some(dir)),
        Err(Errno::NOENT) => Ok(None),
        // NOTDIR is also what a target says that is no directory: nothing of ours is there.
        Err(Errno::LOOP | Errno::NOTDIR) if !exists(path) => Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => Err(InstallError::NotOurs {
            path: path.to_owned(),
            why: "it is no directory; look at it, remove it by hand, and run this again".to_owned(),
        }),
        Err(error) => Err(InstallError::io("open", path, error)),
    }
}

fn check_uid(opened: &OwnedFd, path: &Path) -> Result<(), InstallError> {
    let uid = fstat(opened).map_err(|error| InstallError::io("look at", path, error))?.st_uid;
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let why = format!(
        "it belongs to user {uid}: if an import of his was interrupted, run it again as that user, for parts of the site may lie there; else look at it, and remove it by hand"
    );
    Err(InstallError::NotOurs { path: shown(path), why })
}

/// What stands in a file of the workshop that says what is to be done; `None` if there is none. A workshop's name may stand for a directory of the site that was
/// renamed, so each of them must be from one who is obeyed.
pub(super) fn read_orders(path: &Path) -> Result<Option<Vec<u8>>, InstallError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open(path, flags, Permissions::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(InstallError::io("read", path, error)),
    };
    check_uid(&file, path)?;
    let mut text = Vec::new();
    fs::File::from(file).read_to_end(&mut text).map_err(|error| InstallError::io("read", path, error))?;
    Ok(Some(text))
}
