//! A lock that lives as long as its holder.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, flock, fstat, lstat};
use rustix::io::Errno;

/// A file that is locked by `flock` until this is dropped.
#[derive(Debug)]
pub(in crate::site) struct Locked(OwnedFd);

impl Locked {
    /// Locks without waiting; `None` if somebody else has the lock.
    pub(in crate::site) fn try_new(file: OwnedFd, operation: FlockOperation) -> Result<Option<Self>, Errno> {
        match flock(&file, operation) {
            Ok(()) => Ok(Some(Self(file))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(in crate::site) fn file(&self) -> &OwnedFd {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing would do, unless a process that another thread starts in this instant holds a copy of the descriptor.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Whether the name still stands for the file that was opened by it: one that was unlinked in between locks nobody out.
pub(in crate::site) fn same_file(file: &OwnedFd, path: &Path) -> bool {
    match (fstat(file), lstat(path)) {
        (Ok(opened), Ok(named)) => (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino),
        _ => false,
    }
}
