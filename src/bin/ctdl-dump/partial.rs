//! A file that appears under its name when it is complete; until then it is `FILE.partial`.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use crate::place::parent_of;

/// What an archive begins with, and so what a `.partial` of ours begins with: the magic number of zstd.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// An archive while it is not complete: locked while its writer lives, removed unless it is completed.
pub struct Partial {
    target: PathBuf,
    path: PathBuf,
    file: File,
    replaces: bool,
    is_complete: bool,
}

impl Partial {
    /// Makes `TARGET.partial`, for its owner only. What a killed export left is replaced.
    pub fn create(target: &Path, replaces: bool) -> Result<Partial> {
        check_target(target, replaces)?;
        let path = beside(target, ".partial");
        let what = || format!("{} can't be made", path.display());
        remove_leftover(&path)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).with_context(what)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).with_context(what)?;
        Ok(Partial { target: target.to_owned(), path, file, replaces, is_complete: false })
    }

    /// The file to write to.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Gives the file its name, after everything in it is safe on the disk.
    pub fn complete(mut self) -> Result<()> {
        let what = || format!("{} can't be completed", self.target.display());
        self.file.sync_all().with_context(what)?;
        self.rename().with_context(what)?;
        self.is_complete = true;
        let what = || format!("{} is complete but may not be safe on the disk yet", self.target.display());
        File::open(parent_of(&self.target)).and_then(|directory| directory.sync_all()).with_context(what)
    }

    /// Leaves the file as it is, for a later run to go on with.
    pub fn keep(mut self) {
        self.is_complete = true;
    }

    /// Whether the name still stands for the file that was made: two that replace a leftover at the same time could take each other's.
    fn is_ours(&self) -> bool {
        let id = |found: std::fs::Metadata| (found.dev(), found.ino());
        match (self.file.metadata(), self.path.symlink_metadata()) {
            (Ok(ours), Ok(found)) => id(ours) == id(found),
            _ => false,
        }
    }

    fn rename(&self) -> io::Result<()> {
        if !self.is_ours() {
            return Err(io::Error::other(format!("{} was taken away meanwhile", self.path.display())));
        }
        if self.replaces {
            return std::fs::rename(&self.path, &self.target);
        }
        match renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::NOREPLACE) {
            // Not every file system has it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if self.target.symlink_metadata().is_err() => {
                std::fs::rename(&self.path, &self.target)
            }
            Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                Err(io::Error::other("it has appeared meanwhile and was not replaced"))
            }
            result => Ok(result?),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_complete && self.is_ours() {
            // It is of no use, and the error that led here is the one to report.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Fails if there is something under this name that can't or must not be replaced.
pub fn check_target(target: &Path, replaces: bool) -> Result<()> {
    match std::fs::symlink_metadata(target) {
        Ok(found) if !found.is_file() => {
            bail!("{} is no regular file; give another name, or redirect standard output to it", target.display())
        }
        Ok(_) if !replaces => bail!(
            "{} exists; give another name, or --force to replace it once the new archive is complete",
            target.display()
        ),
        _ => Ok(()),
    }
}

/// The path with something behind its name.
pub fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Removes what a killed export left under this name; anything else that has it is left alone.
fn remove_leftover(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{} can't be made", path.display())),
        Ok(found) if found.is_file() => {}
        Ok(_) => bail!("{} is in the way; move it, or give another name", path.display()),
    }
    let what = || format!("{} is in the way", path.display());
    let file = File::open(path).with_context(what)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!("{} is being written by another export; wait for it, or give another name", path.display());
    }
    let mut begin = Vec::new();
    file.take(ZSTD_MAGIC.len() as u64).read_to_end(&mut begin).with_context(what)?;
    if !ZSTD_MAGIC.starts_with(&begin) {
        bail!("{} is in the way, and no export made it; move it, or give another name", path.display());
    }
    std::fs::remove_file(path).with_context(what)
}
