//! Copies of the files that a site has besides its tables.
//!
//! The files are listed, copied, and listed again: what is the same file with the same size and time in the last list is whole in its copy.
//! What came, went or changed is copied again, a few times. An upload that goes on all the while is left to the next backup, and named.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::SnapshotError;
use super::block::{Copy, Original, Progress};
use super::open_files::FileId;
use crate::monitor::Monitor;
use crate::site::arrangement::Arrangement;
use crate::site::inventory::{self, Entry, Inventory, InventoryError, What};

/// What was copied.
#[derive(Debug, Clone)]
pub struct CopiedFiles {
    /// The site's files as they were when the last look found them all copied; those of `in_progress` are not in it.
    pub inventory: Inventory,
    /// Paths of files that were being written all the while, and are left out.
    pub in_progress: Vec<Vec<u8>>,
    copies: BTreeMap<Vec<u8>, Copied>,
}

impl CopiedFiles {
    /// Where the copy of an entry's content is; `None` for what has no content.
    pub fn path_of(&self, entry: &Entry) -> Option<&Path> {
        self.copies.get(&entry.path).map(|copied| copied.path.as_path())
    }
}

#[derive(Debug, Clone)]
struct Copied {
    path: PathBuf,
    stamp: Stamp,
}

/// What shows whether a file moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    place: FileId,
    bytes: u64,
    mtime: (i64, i64),
}

/// Rounds of copying before what still moves counts as being in progress.
const MOST_ROUNDS: u32 = 5;
/// Times of files move on in steps of the system's clock tick, at most 10 ms. A file written shorter ago could be written again without
/// a trace in its time.
const YOUNG: Duration = Duration::from_millis(50);

/// Copies the content of all files of a site into the directory `into`, under running numbers.
///
/// `open_for_writing` is asked each time when all is copied, and says which files a server has open for writing then (see
/// [`open_for_writing`](super::open_for_writing); nothing where no server runs): such files in the site's directories are uploads in progress.
/// (Old servers have `citadel.control` open all the time; files at the top and in `data/` are judged by their times alone.)
///
/// # Errors
/// [`SnapshotError::Full`], and when something can't be read or written. A file that vanishes is no error.
pub fn copy_files(
    site: impl Into<Arrangement>,
    into: &Path,
    open_for_writing: &dyn Fn() -> BTreeSet<FileId>,
    monitor: &dyn Monitor,
) -> Result<CopiedFiles, SnapshotError> {
    let site = site.into();
    let mut inventory = look(&site)?;
    let total = inventory.entries.iter().filter_map(content_bytes).fold(0, u64::saturating_add);
    let progress = Progress::begin("copying files", total, monitor);
    let mut work = Work { site: &site, into, progress, copies: BTreeMap::new(), next_number: 0 };
    let mut round = 0;
    loop {
        round += 1;
        work.copy_what_moved(&inventory)?;
        let open = open_for_writing();
        inventory = look(&site)?;
        let unfinished = work.unfinished(&inventory, &open)?;
        // An upload that is still open will not end because it is waited for.
        let waiting_helps = unfinished.iter().any(|entry| !is_upload(entry, &open));
        if waiting_helps && round < MOST_ROUNDS {
            std::thread::sleep(YOUNG);
            continue;
        }
        let in_progress: Vec<Vec<u8>> = unfinished.into_iter().map(|entry| entry.path.clone()).collect();
        inventory.entries.retain(|entry| in_progress.binary_search(&entry.path).is_err());
        let with_content = inventory.entries.iter().filter(|entry| content_bytes(entry).is_some());
        let with_content: BTreeSet<&[u8]> = with_content.map(|entry| entry.path.as_slice()).collect();
        work.copies.retain(|path, _| with_content.contains(path.as_slice()));
        return Ok(CopiedFiles { inventory, in_progress, copies: work.copies });
    }
}

struct Work<'a> {
    site: &'a Arrangement,
    into: &'a Path,
    progress: Progress<'a>,
    copies: BTreeMap<Vec<u8>, Copied>,
    next_number: u64,
}

impl Work<'_> {
    /// Copies every file that has no copy with its present stamp.
    fn copy_what_moved(&mut self, inventory: &Inventory) -> Result<(), SnapshotError> {
        for entry in &inventory.entries {
            if content_bytes(entry).is_none() {
                continue;
            }
            self.progress.check()?;
            if let Some(known) = self.copies.get(&entry.path) {
                if self.stamp_now(entry)? == Some(known.stamp) {
                    continue;
                }
                remove(&known.path)?;
                self.copies.remove(&entry.path);
            }
            // What can't be had now is seen again at the next look.
            if let Some(copied) = self.copy(entry)? {
                self.copies.insert(entry.path.clone(), copied);
            }
        }
        Ok(())
    }

    /// Copies one file; `None` if it is gone, or was written meanwhile, or so shortly before that its time doesn't show whether it was.
    fn copy(&mut self, entry: &Entry) -> Result<Option<Copied>, SnapshotError> {
        let follow = matches!(entry.what, What::Link { .. });
        let Some(original) = Original::open(&self.path(entry), follow)? else { return Ok(None) };
        let before = stamp(&original.metadata()?);
        let settled = !is_young(before);
        self.next_number += 1;
        let path = self.into.join(format!("{:08}", self.next_number));
        let copy = Copy::create(&path, self.progress.total())?;
        let bytes = match copy.clone_of(&original) {
            true => {
                let bytes = copy.bytes()?;
                self.progress.add(bytes)?;
                bytes
            }
            false => original.copy_to(&copy, 0, &mut self.progress)?,
        };
        let whole = settled && bytes == before.bytes && stamp(&original.metadata()?) == before;
        if !whole {
            remove(&path)?;
        }
        Ok(whole.then_some(Copied { path, stamp: before }))
    }

    /// What of the last list has no copy that is whole, in byte order of the paths.
    fn unfinished<'i>(
        &self,
        inventory: &'i Inventory,
        open: &BTreeSet<FileId>,
    ) -> Result<Vec<&'i Entry>, SnapshotError> {
        let mut unfinished = Vec::new();
        for entry in &inventory.entries {
            let Some(bytes) = content_bytes(entry) else { continue };
            let now = self.stamp_now(entry)?;
            let copied = self.copies.get(&entry.path).filter(|copied| Some(copied.stamp) == now);
            if copied.is_none_or(|copied| copied.stamp.bytes != bytes) || is_upload(entry, open) {
                unfinished.push(entry);
            }
        }
        Ok(unfinished)
    }

    /// The stamp of an entry's content: of what the list says, or of the file that a link leads to. `None` if a link leads to no file now.
    fn stamp_now(&self, entry: &Entry) -> Result<Option<Stamp>, SnapshotError> {
        if let What::File { bytes } = entry.what {
            let mtime = (entry.mtime.0, i64::from(entry.mtime.1));
            return Ok(Some(Stamp { place: (entry.dev, entry.inode), bytes, mtime }));
        }
        let original = Original::open(&self.path(entry), true)?;
        original.map(|original| Ok(stamp(&original.metadata()?))).transpose()
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.site.path_of(&entry.path)
    }
}

fn remove(copy: &Path) -> Result<(), SnapshotError> {
    std::fs::remove_file(copy).map_err(|error| SnapshotError::scratch("remove", copy, error))
}

/// Takes the inventory. Something that vanishes between its name and a look at it is a reason to begin anew.
fn look(site: &Arrangement) -> Result<Inventory, SnapshotError> {
    for _ in 0..MOST_ROUNDS {
        match inventory::take(site) {
            Err(InventoryError::Io { source, .. }) if source.kind() == ErrorKind::NotFound && site.root().exists() => {}
            taken => return Ok(taken?),
        }
    }
    Ok(inventory::take(site)?)
}

/// Size of what an entry's copy holds; `None` for what has no content.
fn content_bytes(entry: &Entry) -> Option<u64> {
    match entry.what {
        What::File { bytes } | What::Link { content: Some(bytes), .. } => Some(bytes),
        _ => None,
    }
}

/// Whether a file lies in one of the site's directories and is open for writing.
fn is_upload(entry: &Entry, open: &BTreeSet<FileId>) -> bool {
    let in_a_directory = entry.path.contains(&b'/') && !entry.path.starts_with(b"data/");
    in_a_directory && open.contains(&(entry.dev, entry.inode))
}

fn stamp(metadata: &std::fs::Metadata) -> Stamp {
    Stamp {
        place: (metadata.dev(), metadata.ino()),
        bytes: metadata.len(),
        mtime: (metadata.mtime(), metadata.mtime_nsec()),
    }
}

/// Whether a file was written a moment ago. One whose time lies ahead was not written now.
fn is_young(stamp: Stamp) -> bool {
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(stamp.mtime.0), u32::try_from(stamp.mtime.1)) else { return false };
    let written = UNIX_EPOCH.checked_add(Duration::new(seconds, nanos));
    written.is_some_and(|written| SystemTime::now().duration_since(written).is_ok_and(|age| age < YOUNG))
}
