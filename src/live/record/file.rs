//! Undo records on disk: made whole and locked in one step, found again, removed.
//!
//! Worker and guardian of a lease both hold a shared lock on the record's file (`flock`), so it is locked as long as one of them lives,
//! and there is no moment at which the lock changes hands. Whoever wants to undo what others have left takes an exclusive one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::{Record, Who, guardian_line};
use crate::live::LiveError;

/// A record is a dozen short lines; paths may be long.
const MOST_BYTES: u64 = 65_536;
/// What the name of a record ends with whose server was left closed.
const LEFT: &str = "left";
/// Files that don't have their name yet begin so.
const UNFINISHED: &str = ".unfinished-";
/// Nobody takes so long to name one.
const UNFINISHED_FOR: Duration = Duration::from_secs(60);

/// The file of an undo record, locked.
#[derive(Debug)]
pub(in crate::live) struct RecordFile {
    pub(in crate::live) path: PathBuf,
    pub(in crate::live) record: Record,
    file: File,
}

/// What became of the attempt to take a record that nobody holds.
#[derive(Debug)]
pub(in crate::live) enum Taken {
    /// It is ours to undo.
    Ours(RecordFile),
    /// Somebody who lives holds it.
    Held(PathBuf, Record),
    /// It isn't there (any more).
    Gone,
}

impl RecordFile {
    /// Writes a new record to disk and locks it (shared); `None` if there is one already for the site.
    ///
    /// It is complete and locked from the moment when its name is there.
    pub(in crate::live) fn create(state_dir: &Path, record: &Record) -> Result<Option<Self>, LiveError> {
        make_directory(state_dir)?;
        let path = state_dir.join(Record::file_name(&record.site));
        let unfinished = unfinished(&path, record)?;
        let file = match unfinished.persist_noclobber(&path) {
            Ok(file) => file,
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(LiveError::io("name", &path, error.error)),
        };
        sync_directory(state_dir)?;
        Ok(Some(RecordFile { path, record: record.clone(), file }))
    }

    /// Opens a record whose worker lives, and locks it (shared) beside the worker.
    pub(in crate::live) fn join(path: &Path) -> Result<Self, LiveError> {
        match take(path, FlockOperation::NonBlockingLockShared)? {
            Taken::Ours(record) => Ok(record),
            Taken::Held(..) | Taken::Gone => Err(LiveError::Record {
                path: path.to_owned(),
                what: "it is not there any more, or is being undone".into(),
            }),
        }
    }

    /// Takes a record that nobody holds.
    pub(in crate::live) fn take(path: &Path) -> Result<Taken, LiveError> {
        take(path, FlockOperation::NonBlockingLockExclusive)
    }

    /// Adds who the guardian is.
    pub(in crate::live) fn add_guardian(&mut self, guardian: Who) -> Result<(), LiveError> {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(&self.path)
            .map_err(|error| LiveError::io("open", &self.path, error))?;
        file.write_all(guardian_line(guardian).as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| LiveError::io("write", &self.path, error))?;
        self.record.guardian = Some(guardian);
        Ok(())
    }

    /// Whether it has not been removed.
    pub(in crate::live) fn is_there(&self) -> bool {
        self.file.metadata().is_ok_and(|opened| is_named(&self.path, &opened))
    }

    /// Makes it the record of a server that is left closed. One that is left once more has ours for its own limit: what is known of it stays.
    pub(in crate::live) fn leave(mut self) -> Result<Self, LiveError> {
        if let Some(left) = self.take_over()? {
            self.remove()?;
            return Ok(left);
        }
        let path = Self::left_path(&self.path);
        fs::rename(&self.path, &path).map_err(|error| LiveError::io("rename", &self.path, error))?;
        sync_directory(path.parent().unwrap_or(Path::new("/")))?;
        self.path = path;
        Ok(self)
    }

    /// If this is of a server that was left closed before: puts a copy of that record in its place, with this process as its guardian. Whoever has kept the door sees
    /// that his record is gone, and leaves it to us.
    pub(in crate::live) fn take_over(&self) -> Result<Option<Self>, LiveError> {
        let path = Self::left_path(&self.path);
        if !self.record.holds_our_limit() {
            return Ok(None);
        }
        let Some(left) = Self::read_left(&path)? else { return Ok(None) };
        let record = Record { guardian: Some(Who::this_process()), ..left.record.clone() };
        let failed = |action: &'static str, error| LiveError::io(action, &path, error);
        let unfinished = unfinished(&path, &record)?;
        if !left.is_there() {
            // Somebody has let users in again meanwhile.
            return Ok(None);
        }
        let file = unfinished.persist(&path).map_err(|error| failed("name", error.error))?;
        sync_directory(path.parent().unwrap_or(Path::new("/")))?;
        Ok(Some(RecordFile { path, record, file }))
    }

    /// Gives the lock up.
    pub(in crate::live) fn unlock(&self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }

    /// Whether somebody keeps the door of a server that was left closed.
    pub(in crate::live) fn is_kept(path: &Path) -> bool {
        matches!(take(path, FlockOperation::NonBlockingLockExclusive), Ok(Taken::Held(..)))
    }

    /// The record of a server that was left closed, if there is one under this name.
    pub(in crate::live) fn read_left(path: &Path) -> Result<Option<Self>, LiveError> {
        Ok(match take(path, FlockOperation::NonBlockingLockShared)? {
            Taken::Ours(file) => Some(file),
            Taken::Held(..) | Taken::Gone => None,
        })
    }

    /// The name of a record once its server is left closed.
    pub(in crate::live) fn left_path(path: &Path) -> PathBuf {
        path.with_extension(LEFT)
    }

    /// Removes the record of a server that is not closed any more, unless whoever has opened it has done so.
    pub(in crate::live) fn forget(self) -> Result<(), LiveError> {
        if self.is_there() { self.remove() } else { Ok(()) }
    }

    /// Removes it, once all is undone; it stays locked until it is gone.
    pub(in crate::live) fn remove(self) -> Result<(), LiveError> {
        fs::remove_file(&self.path).map_err(|error| LiveError::io("remove", &self.path, error))?;
        sync_directory(self.path.parent().unwrap_or(Path::new("/")))
    }
}

/// The records of what is to be undone in a state directory, whose they may be, in the order of their names. What a killed run was about to
/// write is removed.
pub(in crate::live) fn records(state_dir: &Path) -> Result<Vec<PathBuf>, LiveError> {
    records_with("undo", state_dir)
}

/// The records of servers that were left closed.
pub(in crate::live) fn left_records(state_dir: &Path) -> Result<Vec<PathBuf>, LiveError> {
    records_with(LEFT, state_dir)
}

fn records_with(wanted: &str, state_dir: &Path) -> Result<Vec<PathBuf>, LiveError> {
    let io = |error| LiveError::io("read", state_dir, error);
    let entries = match fs::read_dir(state_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    check_owner(state_dir, &fs::metadata(state_dir).map_err(io)?)?;
    let mut records = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        if path.extension().is_some_and(|end| end == wanted) {
            records.push(path);
        } else if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) && is_old(&path) {
            // Nobody else's: if it can't be removed, it does no harm.
            let _ = fs::remove_file(&path);
        }
    }
    records.sort();
    Ok(records)
}

/// A record that is going to have this name: complete, and locked.
fn unfinished(path: &Path, record: &Record) -> Result<NamedTempFile, LiveError> {
    let failed = |action: &'static str| move |error: io::Error| LiveError::io(action, path, error);
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory).map_err(failed("create"))?;
    flock(file.as_file(), FlockOperation::NonBlockingLockShared).map_err(|error| failed("lock")(error.into()))?;
    let written = file.write_all(record.text().as_bytes()).and_then(|()| file.as_file().sync_all());
    written.map_err(failed("write"))?;
    Ok(file)
}

fn is_old(path: &Path) -> bool {
    let age = fs::symlink_metadata(path).and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > UNFINISHED_FOR)
}

fn take(path: &Path, lock: FlockOperation) -> Result<Taken, LiveError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = match open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(Taken::Gone),
        Err(error) => return Err(LiveError::io("open", path, error)),
    };
    let opened = file.metadata().map_err(|error| LiveError::io("read", path, error))?;
    check_owner(path, &opened)?;
    if !opened.is_file() {
        return Err(LiveError::Record { path: path.to_owned(), what: "it is no file".into() });
    }
    let is_ours = match flock(&file, lock) {
        Ok(()) => true,
        Err(Errno::WOULDBLOCK) => false,
        Err(error) => return Err(LiveError::io("lock", path, error)),
    };
    // Whoever held the lock a moment ago may have removed the file.
    if !is_named(path, &opened) {
        return Ok(Taken::Gone);
    }
    let mut text = String::new();
    let read = (&mut file).take(MOST_BYTES).read_to_string(&mut text);
    read.map_err(|error| LiveError::io("read", path, error))?;
    let record = Record::parse(&text).map_err(|what| LiveError::Record { path: path.to_owned(), what })?;
    Ok(if is_ours {
        Taken::Ours(RecordFile { path: path.to_owned(), record, file })
    } else {
        Taken::Held(path.to_owned(), record)
    })
}

/// Whether the name still stands for the file that was opened by it.
fn is_named(path: &Path, opened: &fs::Metadata) -> bool {
    fs::symlink_metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino()))
}

/// A record makes us talk to sockets and wake processes, so it must be our own or root's.
fn check_owner(path: &Path, found: &fs::Metadata) -> Result<(), LiveError> {
    let us = rustix::process::geteuid().as_raw();
    if found.uid() == us || found.uid() == 0 {
        return Ok(());
    }
    let what = format!("it belongs to user {}, and this is user {us}", found.uid());
    Err(LiveError::Record { path: path.to_owned(), what })
}

fn make_directory(path: &Path) -> Result<(), LiveError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| LiveError::io("make the directory", path, error))?;
    check_owner(path, &fs::metadata(path).map_err(|error| LiveError::io("read", path, error))?)
}

fn sync_directory(path: &Path) -> Result<(), LiveError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| LiveError::io("sync", path, error))
}

impl Drop for RecordFile {
    fn drop(&mut self) {
        // Closing would do, unless a process that another thread starts in this instant holds a copy of the descriptor.
        self.unlock();
    }
}
