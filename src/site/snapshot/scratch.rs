//! The directory that the copies lie in: private, locked while its owner lives, and gone with him.
//!
//! `PARENT/.ctdl-dump-scratch-PID-RANDOM`, mode 0700, holds a file `owner`: its first line is `ctdl-dump scratch`, then come `pid`, `started`
//! (clock ticks after boot), `boot` (the kernel's boot id) and `begun` (UTC), a word and a value on each line. `owner` is locked by `flock`
//! from the first moment to the last; it is also the last thing to be removed. So a directory of this name is
//!
//! - *alive* if somebody holds the lock, or the process named in `owner` runs (for file systems whose locks say nothing);
//! - *dead* if not, and `owner` begins with that line: removed with all that is in it;
//! - *half made or half removed* if `owner` is missing or empty: removed if there's nothing else in it. Should its maker live and be about to
//!   lock it, he finds his file gone, and makes another directory.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, fstat, open, unlinkat};
use rustix::io::Errno;

use super::SnapshotError;
use crate::site::claim::{Identity, Locked, same_file};

const PREFIX: &str = ".ctdl-dump-scratch-";
const OWNER: &str = "owner";
const KIND: &str = "ctdl-dump scratch";
/// An owner file has a few short lines.
const MOST_OWNER_BYTES: u64 = 4096;
/// Directories made anew because somebody tidied up in the same instant.
const MOST_TRIES: usize = 20;

/// A scratch directory of this process. Dropped, it vanishes with all that is in it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Held until the directory is gone.
    owner: Option<Locked>,
}

impl Scratch {
    /// Makes a new one in `parent`, with an empty directory for tables and logs and one for files in it.
    ///
    /// # Errors
    /// [`SnapshotError::Scratch`] if the file system refuses.
    pub fn create(parent: &Path) -> Result<Scratch, SnapshotError> {
        for _ in 0..MOST_TRIES {
            let path = tempfile::Builder::new()
                .prefix(&format!("{PREFIX}{}-", std::process::id()))
                .rand_bytes(10)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent)
                .map_err(|error| SnapshotError::scratch("make a scratch directory in", parent, error))?
                .keep();
            let Some(owner) = sign(&path)? else { continue };
            let scratch = Scratch { path, owner: Some(owner) };
            for directory in [scratch.data(), scratch.files()] {
                rustix::fs::mkdir(&directory, Mode::RWXU)
                    .map_err(|error| SnapshotError::scratch("make", &directory, error))?;
            }
            return Ok(scratch);
        }
        let busy = std::io::Error::other("another process removes what is made there");
        Err(SnapshotError::scratch("make a scratch directory in", parent, busy))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where copies of tables and logs go.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where copies of files go.
    pub fn files(&self) -> PathBuf {
        self.path.join("files-copy")
    }

    /// Removes the directory and says if that fails, which dropping can't.
    ///
    /// # Errors
    /// [`SnapshotError::Scratch`] if something in it can't be removed.
    pub fn remove(mut self) -> Result<(), SnapshotError> {
        let removed = clear(&self.path);
        self.owner = None;
        removed
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.owner.is_some() {
            // What stays is found by the next run.
            let _ = clear(&self.path);
        }
    }
}

/// Removes the scratch directories in `parent` whose owners are dead, and says which. Only those of this user and of root count; what can't
/// be looked at because it is root's is left to root.
///
/// # Errors
/// [`SnapshotError::Scratch`] if `parent` can't be read, or a dead directory can't be removed.
pub fn remove_leftovers(parent: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let read = |error| SnapshotError::scratch("read", parent, error);
    let mut removed = Vec::new();
    for entry in std::fs::read_dir(parent).map_err(read)? {
        let entry = entry.map_err(read)?;
        let path = entry.path();
        if is_scratch_name(&entry.file_name()) && is_trusted(&path) && remove_if_dead(&path)? {
            removed.push(path);
        }
    }
    removed.sort();
    Ok(removed)
}

fn is_scratch_name(name: &OsStr) -> bool {
    name.as_bytes().starts_with(PREFIX.as_bytes())
}

/// Whether it is a directory, no link to one, of this user or of root.
fn is_trusted(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
        .and_then(fstat)
        .is_ok_and(|found| found.st_uid == 0 || found.st_uid == rustix::process::geteuid().as_raw())
}

/// Writes and locks the owner file of a directory just made; `None` if somebody has taken the directory for a dead one in between.
fn sign(directory: &Path) -> Result<Option<Locked>, SnapshotError> {
    let path = directory.join(OWNER);
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match open(&path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(SnapshotError::scratch("make", &path, error)),
    };
    let locked = Locked::try_new(file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| SnapshotError::scratch("lock", &path, error))?;
    let Some(locked) = locked.filter(|locked| same_file(locked.file(), &path)) else { return Ok(None) };
    let text = Identity::of_this_process(None).text(KIND);
    let written = locked.file().try_clone().and_then(|file| File::from(file).write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(Some(locked)),
        Err(error) => {
            // The first error is the one to tell.
            let _ = clear(directory);
            Err(SnapshotError::scratch("write", &path, error))
        }
    }
}

fn remove_if_dead(directory: &Path) -> Result<bool, SnapshotError> {
    let path = directory.join(OWNER);
    let file = match open(&path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
    {
        Ok(file) => file,
        Err(Errno::NOENT) => return remove_empty(directory),
        Err(Errno::ACCESS) => return Ok(false),
        Err(error) => return Err(SnapshotError::scratch("open", &path, error)),
    };
    let io = |error: std::io::Error| SnapshotError::scratch("read", &path, error);
    // Shared, because network file systems allow that on a file that is open for reading only; it meets the owner's exclusive one.
    let locked = Locked::try_new(file, FlockOperation::NonBlockingLockShared).map_err(|error| io(error.into()))?;
    let Some(locked) = locked.filter(|locked| same_file(locked.file(), &path)) else { return Ok(false) };
    let mut text = String::new();
    let file = File::from(locked.file().try_clone().map_err(io)?);
    if file.take(MOST_OWNER_BYTES).read_to_string(&mut text).is_err() {
        return Ok(false);
    }
    if text.is_empty() {
        let only_owner = std::fs::read_dir(directory).map_err(io)?.count() == 1;
        return if only_owner { clear(directory).map(|()| true) } else { Ok(false) };
    }
    if text.lines().next() != Some(KIND) || Identity::parse(&text).lives_elsewhere() {
        return Ok(false);
    }
    clear(directory).map(|()| true)
}

/// Removes the tree, the owner file last. Links in it are removed, never followed. What somebody else has just removed is fine.
fn clear(directory: &Path) -> Result<(), SnapshotError> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| SnapshotError::scratch("read", directory, error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| SnapshotError::scratch("read", directory, error))?;
        if entry.file_name() != OWNER {
            remove(&entry.path())?;
        }
    }
    remove(&directory.join(OWNER))?;
    remove_empty(directory).map(drop)
}

fn remove(path: &Path) -> Result<(), SnapshotError> {
    let removed = std::fs::symlink_metadata(path).and_then(|metadata| match metadata.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    });
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(SnapshotError::scratch("remove", path, error)),
        _ => Ok(()),
    }
}

/// Removes a directory that has nothing in it; `false` if it has.
fn remove_empty(directory: &Path) -> Result<bool, SnapshotError> {
    match unlinkat(CWD, directory, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(SnapshotError::scratch("remove", directory, error)),
    }
}
