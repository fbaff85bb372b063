//! Reading from the site and writing to the copy, block by block.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::SnapshotError;
use crate::monitor::Monitor;

/// What is read at once: a multiple of every page size.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
/// Zeros of this length, at a multiple of it, are left out of a copy: a hole reads alike and takes no room.
const HOLE_BYTES: usize = 1 << 16;
static ZEROS: [u8; HOLE_BYTES] = [0; HOLE_BYTES];

/// How far a step is, and how much it needs in all.
pub(super) struct Progress<'m> {
    monitor: &'m dyn Monitor,
    done: u64,
    total: u64,
}

impl<'m> Progress<'m> {
    pub(super) fn begin(task: &str, total: u64, monitor: &'m dyn Monitor) -> Self {
        monitor.task(task);
        Progress { monitor, done: 0, total }
    }

    /// So many bytes more are done.
    pub(super) fn add(&mut self, bytes: u64) -> Result<(), SnapshotError> {
        self.done = self.done.saturating_add(bytes);
        self.total = self.total.max(self.done);
        self.monitor.position(self.done, self.total);
        self.check()
    }

    pub(super) fn check(&self) -> Result<(), SnapshotError> {
        match self.monitor.is_interrupted() {
            true => Err(SnapshotError::Interrupted),
            false => Ok(()),
        }
    }

    /// What the step needs in all, as far as it is known.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// More than was expected is to be done.
    pub(super) fn expect(&mut self, bytes: u64) {
        self.total = self.total.saturating_add(bytes);
    }
}

/// A file of the site, open for reading.
pub(super) struct Original {
    pub(super) file: File,
    path: PathBuf,
}

impl Original {
    /// Opens a regular file, which may be found at the end of a link if `follow` says so; `None` if there's none (any more).
    pub(super) fn open(path: &Path, follow: bool) -> Result<Option<Self>, SnapshotError> {
        let nofollow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        // Not to wait for a FIFO that has taken the file's place.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | nofollow;
        let file = match open(path, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(SnapshotError::source(path, error)),
        };
        let original = Original { file, path: path.to_owned() };
        let is_file = original.metadata()?.is_file();
        Ok(is_file.then_some(original))
    }

    pub(super) fn metadata(&self) -> Result<std::fs::Metadata, SnapshotError> {
        self.file.metadata().map_err(|error| SnapshotError::source(&self.path, error))
    }

    pub(super) fn bytes(&self) -> Result<u64, SnapshotError> {
        Ok(self.metadata()?.len())
    }

    /// Fills `block` from `offset` on as far as the file goes; returns the bytes read.
    pub(super) fn read_at(&self, block: &mut [u8], offset: u64) -> Result<usize, SnapshotError> {
        fill(&self.file, block, offset).map_err(|error| SnapshotError::source(&self.path, error))
    }

    /// Copies from `offset` to the end, which may move meanwhile; returns where that was.
    pub(super) fn copy_to(
        &self,
        copy: &Copy,
        mut offset: u64,
        progress: &mut Progress<'_>,
    ) -> Result<u64, SnapshotError> {
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let filled = self.read_at(&mut block, offset)?;
            let read = block.get(..filled).unwrap_or_default();
            copy.append(read, offset)?;
            offset = offset.saturating_add(filled as u64);
            progress.add(filled as u64)?;
            if filled < BLOCK_BYTES {
                copy.set_len(offset)?;
                return Ok(offset);
            }
        }
    }
}

/// A copy in the scratch directory: mode 0600, nothing of the original but its content.
pub(super) struct Copy {
    file: File,
    path: PathBuf,
    needed_bytes: u64,
}

impl Copy {
    /// Makes an empty file, in place of the one that may be there. `needed_bytes` is what the step needs in all, to be told if it doesn't fit.
    pub(super) fn create(path: &Path, needed_bytes: u64) -> Result<Self, SnapshotError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match open(path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Ok(Copy { file: file.into(), path: path.to_owned(), needed_bytes }),
            Err(error) => Err(failed(path, needed_bytes, error.into())),
        }
    }

    /// Opens a copy that is there.
    pub(super) fn reopen(path: &Path, needed_bytes: u64) -> Result<Self, SnapshotError> {
        match open(path, OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => Ok(Copy { file: file.into(), path: path.to_owned(), needed_bytes }),
            Err(error) => Err(SnapshotError::scratch("open", path, error)),
        }
    }

    pub(super) fn bytes(&self) -> Result<u64, SnapshotError> {
        let metadata = self.file.metadata().map_err(|error| SnapshotError::scratch("look at", &self.path, error))?;
        Ok(metadata.len())
    }

    /// Lets the copy share the blocks of the original; `false` if the file system can't. A clone is made between two writes to the original,
    /// never in the middle of one: the file systems that have clones hold the original's lock meanwhile, which its writers take too.
    pub(super) fn clone_of(&self, original: &Original) -> bool {
        rustix::fs::ioctl_ficlone(&self.file, &original.file).is_ok()
    }

    /// Writes where nothing was written before, and leaves holes for zeros; the file gets its length by [`Copy::set_len`].
    pub(super) fn append(&self, bytes: &[u8], offset: u64) -> Result<(), SnapshotError> {
        let mut at = offset;
        for piece in bytes.chunks(HOLE_BYTES) {
            if ZEROS.get(..piece.len()) != Some(piece) {
                self.write_at(piece, at)?;
            }
            at = at.saturating_add(piece.len() as u64);
        }
        Ok(())
    }

    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), SnapshotError> {
        self.file.write_all_at(bytes, offset).map_err(|error| failed(&self.path, self.needed_bytes, error))
    }

    pub(super) fn read_at(&self, block: &mut [u8], offset: u64) -> Result<usize, SnapshotError> {
        fill(&self.file, block, offset).map_err(|error| SnapshotError::scratch("read", &self.path, error))
    }

    pub(super) fn set_len(&self, bytes: u64) -> Result<(), SnapshotError> {
        self.file.set_len(bytes).map_err(|error| failed(&self.path, self.needed_bytes, error))
    }
}

fn failed(path: &Path, needed_bytes: u64, error: io::Error) -> SnapshotError {
    match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT) => SnapshotError::Full { path: path.to_owned(), needed_bytes },
        _ => SnapshotError::scratch("write", path, error),
    }
}

fn fill(file: &File, block: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
