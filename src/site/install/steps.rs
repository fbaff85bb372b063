//! Every change of the file system that an installation makes, one function each.
//!
//! They are together so that a test can stop the work before any of them, as a kill would, or let any of them fail.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;
use walkdir::WalkDir;

use super::InstallError;
use super::anchor::shown;

/// Called before each step with what is to be done and on which path; an error takes the step's place.
type Watcher = dyn Fn(&'static str, &Path) -> io::Result<()> + Send + Sync;

/// The file system, through which all steps go.
#[derive(Clone, Default)]
pub(super) struct Fs {
    watcher: Option<Arc<Watcher>>,
    /// Behave as a file system without `renameat2` flags.
    plain_rename: bool,
}

impl fmt::Debug for Fs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fs").field("watched", &self.watcher.is_some()).finish_non_exhaustive()
    }
}

impl Fs {
    #[cfg(test)]
    pub(super) fn watched(
        watcher: impl Fn(&'static str, &Path) -> io::Result<()> + Send + Sync + 'static,
        plain_rename: bool,
    ) -> Self {
        Self { watcher: Some(Arc::new(watcher)), plain_rename }
    }

    /// Announces a step that is not one of those below.
    pub(super) fn before(&self, action: &'static str, path: &Path) -> Result<(), InstallError> {
        match &self.watcher {
            Some(watcher) => watcher(action, &shown(path)).map_err(|error| InstallError::io(action, path, error)),
            None => Ok(()),
        }
    }

    fn step<E: Into<io::Error>>(
        &self,
        action: &'static str,
        path: &Path,
        act: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), InstallError> {
        self.before(action, path)?;
        act().map_err(|error| InstallError::io(action, path, error))
    }

    /// Makes a directory of mode 0700.
    pub(super) fn make_dir(&self, path: &Path) -> Result<(), InstallError> {
        self.step("make directory", path, || rustix::fs::mkdir(path, Mode::RWXU))
    }

    /// Makes a directory with the permissions of another one, and, if this process may give it away, its owner and group.
    pub(super) fn make_dir_like(&self, path: &Path, other: &Path) -> Result<(), InstallError> {
        self.step("make directory", path, || {
            let like = fs::metadata(other)?;
            rustix::fs::mkdir(path, Mode::RWXU)?;
            let made = open_dir(path)?;
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::fchown(&made, Some(like.uid()), Some(like.gid()))?;
            }
            Ok::<_, io::Error>(rustix::fs::fchmod(&made, Mode::from_raw_mode(like.mode() & 0o777))?)
        })
    }

    /// Makes a new file of mode 0600 with these bytes, and syncs it.
    pub(super) fn make_file(&self, path: &Path, bytes: &[u8]) -> Result<(), InstallError> {
        self.step("write", path, || {
            let mut file = fs::File::from(rustix::fs::open(
                path,
                OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::RUSR | Mode::WUSR,
            )?);
            file.write_all(bytes)?;
            file.sync_all()
        })
    }

    /// Replaces the contents of an open file, and syncs it.
    pub(super) fn rewrite(&self, path: &Path, file: &OwnedFd, bytes: &[u8]) -> Result<(), InstallError> {
        self.step("write", path, || {
            let mut file = fs::File::from(file.try_clone()?);
            file.set_len(0)?;
            io::Seek::rewind(&mut file)?;
            file.write_all(bytes)?;
            file.sync_all()
        })
    }

    /// Renames, replacing a file that has the new name.
    pub(super) fn rename_over(&self, from: &Path, to: &Path) -> Result<(), InstallError> {
        self.step("rename", from, || fs::rename(from, to))
    }

    /// Renames to a name that must be free.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), InstallError> {
        self.before("rename", from)?;
        if !self.plain_rename {
            match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {
                    return Err(InstallError::Appeared { path: shown(to) });
                }
                Err(error) if !unsupported(error) => {
                    return Err(InstallError::io("rename", from, error));
                }
                Err(_) => {}
            }
        }
        if exists(to) {
            return Err(InstallError::Appeared { path: shown(to) });
        }
        fs::rename(from, to).map_err(|error| InstallError::io("rename", from, error))
    }

    /// Lets two names change places; `false` where the file system or the kernel has no such thing.
    pub(super) fn exchange(&self, one: &Path, other: &Path) -> Result<bool, InstallError> {
        self.before("exchange", one)?;
        if self.plain_rename {
            return Ok(false);
        }
        match rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(error) if unsupported(error) => Ok(false),
            Err(error) => Err(InstallError::io("exchange", one, error)),
        }
    }

    /// Removes a file; one that is not there is fine.
    pub(super) fn unlink(&self, path: &Path) -> Result<(), InstallError> {
        self.step("remove", path, || match rustix::fs::unlink(path) {
            Err(Errno::NOENT) => Ok(()),
            result => result,
        })
    }

    /// Removes an empty directory; one that is not there is fine.
    pub(super) fn remove_dir(&self, path: &Path) -> Result<(), InstallError> {
        self.step("remove", path, || match rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR) {
            Err(Errno::NOENT) => Ok(()),
            result => result,
        })
    }

    /// Removes a directory and all that is in it; one that is not there is fine. Links are not followed.
    pub(super) fn remove_tree(&self, path: &Path) -> Result<(), InstallError> {
        self.step("remove", path, || match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // Directories of the site may be read-only; they were made with the modes they are to have.
                for entry in WalkDir::new(path).into_iter().flatten().filter(|entry| entry.file_type().is_dir()) {
                    fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700))?;
                }
                fs::remove_dir_all(path)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        })
    }

    /// Gives a directory its mode (bits), owner and group (numbers) and time of its last change (seconds and nanoseconds).
    pub(super) fn set_attributes(
        &self,
        path: &Path,
        mode: u32,
        (uid, gid): (u32, u32),
        time: (i64, i64),
    ) -> Result<(), InstallError> {
        self.step("set the attributes of", path, || {
            let directory = open_dir(path)?;
            std::os::unix::fs::fchown(&directory, Some(uid), Some(gid))?;
            rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode))?;
            set_time_of(&directory, time)
        })
    }

    /// Gives a directory the time of its last change (seconds and nanoseconds).
    pub(super) fn set_time(&self, path: &Path, time: (i64, i64)) -> Result<(), InstallError> {
        self.step("set the time of", path, || set_time_of(&open_dir(path)?, time))
    }

    /// Syncs a directory: the names in it.
    pub(super) fn sync_dir(&self, path: &Path) -> Result<(), InstallError> {
        self.step("sync", path, || sync(open_dir(path)?))
    }

    /// Syncs every file and directory of a tree, the contents of a directory before it. `root` has been open since the tree
    /// was begun: so its `syncfs` reports the errors of all that was written meanwhile, and leaves little to do for the rest.
    pub(super) fn sync_tree(&self, path: &Path, root: &OwnedFd) -> Result<(), InstallError> {
        self.step("sync the file system of", path, || match rustix::fs::syncfs(root.as_fd()) {
            Err(error) if unsupported(error) => Ok(()),
            result => result,
        })?;
        for entry in WalkDir::new(path).contents_first(true).follow_links(false) {
            let entry = entry.map_err(|error| InstallError::io("read", path, error))?;
            let kind = entry.file_type();
            if kind.is_dir() {
                self.sync_dir(entry.path())?;
            } else if kind.is_file() {
                self.step("sync", entry.path(), || {
                    match rustix::fs::open(
                        entry.path(),
                        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                        Mode::empty(),
                    ) {
                        // A file that its owner may not read has been synced by syncfs.
                        Err(Errno::ACCESS) => Ok(()),
                        file => sync(file?),
                    }
                })?;
            }
        }
        Ok(())
    }
}

/// Some file systems have nothing to sync, and say so by EINVAL (fsync(2)).
fn sync(file: OwnedFd) -> Result<(), Errno> {
    match rustix::fs::fsync(file) {
        Err(Errno::INVAL) => Ok(()),
        result => result,
    }
}

/// Opens a directory, no link to one: whoever may write to the one around it could have put that in its place.
fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

fn set_time_of(directory: &OwnedFd, (seconds, nanoseconds): (i64, i64)) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::futimens(directory, &times)?)
}

fn unsupported(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

/// Whether the name is there, as whatever, also as a link to nothing.
pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The names in a directory, sorted; none if it does not exist.
pub(super) fn names_in(path: &Path) -> Result<Vec<OsString>, InstallError> {
    let read = |error| InstallError::io("read", path, error);
    let mut names = match fs::read_dir(path) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>().map_err(read)?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(read(error)),
    };
    names.sort();
    Ok(names)
}

/// `NAME` or, where that is taken, `NAME-2`, `NAME-3` ... in a directory.
pub(super) fn free_name(dir: &Path, name: &OsStr) -> PathBuf {
    dir.join(free_in_all(&[dir], name))
}

/// The same in all of these directories.
pub(super) fn free_in_all(directories: &[&Path], name: &OsStr) -> OsString {
    let mut free = name.to_owned();
    let mut number = 1_u64;
    while directories.iter().any(|directory| exists(&directory.join(&free))) {
        number += 1;
        free = name.to_owned();
        free.push(format!("-{number}"));
    }
    free
}
