//! The walk over a site directory.

use std::fs::Metadata;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::rules::{Rule, begins_like_a_program, in_data, in_root};
use super::{Entry, Inventory, InventoryError, LARGEST_UNKNOWN_FILE, LeftOut, Note, What, Why, links};
use crate::site::arrangement::Arrangement;
use crate::site::settled::is_void;

/// Takes the inventory of a site. Links are never followed, except for those that stand in place of one of the site's own
/// directories (`files` on another disk), and to find the content of keys.
///
/// # Errors
/// [`InventoryError`] if a directory can't be listed, or something that was listed can't be looked at.
pub fn take(site: impl Into<Arrangement>) -> Result<Inventory, InventoryError> {
    let site = site.into();
    let root = site.root();
    let metadata = std::fs::metadata(root).map_err(|source| InventoryError::io(root, source))?;
    if !metadata.is_dir() {
        return Err(InventoryError::NotADirectory { path: root.to_owned() });
    }
    let mut walk = Walk {
        site: &site,
        real_root: std::fs::canonicalize(root).map_err(|source| InventoryError::io(root, source))?,
        directories: site.directories().iter().filter_map(|directory| std::fs::canonicalize(directory).ok()).collect(),
        found: Inventory {
            root: entry(Vec::new(), What::Directory, &metadata),
            entries: Vec::new(),
            logs: Vec::new(),
            left_out: Vec::new(),
            notes: Vec::new(),
        },
    };
    walk.root_directory()?;
    walk.apart()?;
    let mut found = walk.found;
    found.entries.sort_by(|a, b| a.path.cmp(&b.path));
    found.logs.sort_by(|a, b| a.path.cmp(&b.path));
    found.left_out.sort_by(|a, b| a.path.cmp(&b.path));
    // What a spread site should have elsewhere may be left out there, too, and is one record.
    found.left_out.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

pub(super) struct Walk<'a> {
    pub(super) site: &'a Arrangement,
    pub(super) real_root: PathBuf,
    /// All directories of the site without links.
    pub(super) directories: Vec<PathBuf>,
    pub(super) found: Inventory,
}

/// Something listed, and what lstat says of it.
pub(super) struct Seen {
    /// The key of its record: below the site directory, if all of the site is there.
    pub(super) path: Vec<u8>,
    pub(super) at: PathBuf,
    pub(super) metadata: Metadata,
}

impl Walk<'_> {
    fn root_directory(&mut self) -> Result<(), InventoryError> {
        for seen in self.list(self.site.root(), b"")? {
            let rule = in_root(&seen.path);
            if matches!(rule, Rule::Tree | Rule::State) && self.is_elsewhere(&seen) {
                self.leave_out(seen.path, Why::Elsewhere);
            } else if !self.holds_a_directory(&seen) {
                self.entry(seen, rule)?;
            }
        }
        Ok(())
    }

    /// Something at the top of one of the site's directories.
    pub(super) fn entry(&mut self, seen: Seen, rule: Rule) -> Result<(), InventoryError> {
        match rule {
            Rule::Data => {
                if let Some(directory) = self.own_directory(seen)? {
                    self.data(&directory)?;
                }
            }
            Rule::Tree => {
                if let Some(directory) = self.own_directory(seen)? {
                    let keys = directory.path == b"keys";
                    self.tree(directory, keys)?;
                }
            }
            Rule::Log if seen.metadata.is_dir() => self.logs(&seen)?,
            Rule::Log => self.log(seen),
            rule => self.single(seen, rule)?,
        }
        Ok(())
    }

    /// Whether the server has what this would be in another place.
    fn is_elsewhere(&self, seen: &Seen) -> bool {
        self.site.is_spread() && self.site.path_of(&seen.path) != seen.at
    }

    /// Whether another directory of the site is this one, or lies in it.
    pub(super) fn holds_a_directory(&self, seen: &Seen) -> bool {
        seen.metadata.is_dir()
            && self.directories.len() > 1
            && std::fs::canonicalize(&seen.at).is_ok_and(|at| self.directories.iter().any(|own| own.starts_with(&at)))
    }

    /// One of the directories that make up a site. Moving one of them to another disk and leaving a link is common, and without what is there
    /// the site would not be whole.
    fn own_directory(&mut self, mut seen: Seen) -> Result<Option<Seen>, InventoryError> {
        if seen.metadata.is_symlink() {
            if !links::leads_to_a_directory_of_its_own(&seen.at, &self.real_root) {
                let why = match seen.at.is_dir() {
                    true => Why::LoopingLink,
                    false => Why::UnknownLink,
                };
                self.leave_out(seen.path, why);
                return Ok(None);
            }
            self.found.notes.push(Note::LinkedDirectory { path: seen.path.clone(), target: links::target(&seen.at)? });
            seen.metadata = std::fs::metadata(&seen.at).map_err(|source| InventoryError::io(&seen.at, source))?;
        }
        if !seen.metadata.is_dir() {
            self.single(seen, Rule::Unknown)?;
            return Ok(None);
        }
        self.keep(&seen, What::Directory);
        Ok(Some(seen))
    }

    fn data(&mut self, directory: &Seen) -> Result<(), InventoryError> {
        for seen in self.list(&directory.at, &directory.path)? {
            // The name in data/ follows "data/".
            let name = seen.path.get(directory.path.len() + 1..).unwrap_or_default();
            let rule = match is_void(&seen.at) {
                true => Rule::LeftOut(Why::EmptyTable),
                false => in_data(name),
            };
            let path = self.site.record_in_data(name).unwrap_or_else(|| seen.path.clone());
            self.single(Seen { path, ..seen }, rule)?;
        }
        Ok(())
    }

    /// Everything below a directory that is state.
    fn tree(&mut self, directory: Seen, keys: bool) -> Result<(), InventoryError> {
        let mut directories = vec![directory];
        while let Some(directory) = directories.pop() {
            for seen in self.list(&directory.at, &directory.path)? {
                let kind = seen.metadata.file_type();
                if kind.is_dir() {
                    self.keep(&seen, What::Directory);
                    directories.push(seen);
                } else if self.is_elsewhere(&seen) {
                    self.leave_out(seen.path, Why::Elsewhere);
                } else if kind.is_file() {
                    self.keep_file(&seen);
                } else if kind.is_symlink() {
                    let what = match keys {
                        true => links::key(&seen.at, &seen.path, &[&self.real_root], &mut self.found.notes)?,
                        false => links::plain(&seen.at)?,
                    };
                    self.keep(&seen, what);
                } else {
                    self.leave_out(seen.path, Why::Special);
                }
            }
        }
        Ok(())
    }

    /// `logs/`, which an import makes.
    fn logs(&mut self, directory: &Seen) -> Result<(), InventoryError> {
        let mut directories = self.list(&directory.at, &directory.path)?;
        while let Some(seen) = directories.pop() {
            if seen.metadata.is_dir() {
                directories.extend(self.list(&seen.at, &seen.path)?);
            } else {
                self.log(seen);
            }
        }
        Ok(())
    }

    fn log(&mut self, seen: Seen) {
        if seen.metadata.is_file() {
            let what = What::File { bytes: seen.metadata.len() };
            self.found.logs.push(entry(seen.path, what, &seen.metadata));
        } else if seen.metadata.is_symlink() {
            self.leave_out(seen.path, Why::UnknownLink);
        } else {
            self.leave_out(seen.path, Why::Special);
        }
    }

    /// Something in the root or in `data/` that is none of the site's directories.
    fn single(&mut self, seen: Seen, rule: Rule) -> Result<(), InventoryError> {
        let kind = seen.metadata.file_type();
        match rule {
            Rule::Elsewhere => {}
            Rule::LeftOut(why) => self.leave_out(seen.path, why),
            _ if kind.is_socket() => self.leave_out(seen.path, Why::Transient),
            Rule::State if kind.is_file() => self.keep_file(&seen),
            Rule::State if kind.is_symlink() => {
                let own = self.own_places(&seen);
                let own: Vec<&Path> = own.iter().map(PathBuf::as_path).collect();
                let what = links::key(&seen.at, &seen.path, &own, &mut self.found.notes)?;
                self.keep(&seen, what);
            }
            _ if kind.is_dir() => self.leave_out(seen.path, Why::UnknownDirectory),
            _ if kind.is_symlink() => self.leave_out(seen.path, Why::UnknownLink),
            _ if !kind.is_file() => self.leave_out(seen.path, Why::Special),
            _ if is_program(&seen)? => self.leave_out(seen.path, Why::Program),
            _ if seen.metadata.len() > LARGEST_UNKNOWN_FILE => self.leave_out(seen.path, Why::UnknownLargeFile),
            _ => self.keep_file(&seen),
        }
        Ok(())
    }

    fn keep_file(&mut self, seen: &Seen) {
        let bytes = seen.metadata.len();
        self.keep(seen, What::File { bytes });
    }

    pub(super) fn keep(&mut self, seen: &Seen, what: What) {
        self.found.entries.push(entry(seen.path.clone(), what, &seen.metadata));
    }

    pub(super) fn leave_out(&mut self, path: Vec<u8>, why: Why) {
        self.found.left_out.push(LeftOut { path, why });
    }

    /// What is in a directory. What lies too deep is left out.
    pub(super) fn list(&mut self, directory: &Path, path: &[u8]) -> Result<Vec<Seen>, InventoryError> {
        let io = |source| InventoryError::io(directory, source);
        let mut listed = Vec::new();
        for item in std::fs::read_dir(directory).map_err(io)? {
            let item = item.map_err(io)?;
            let at = item.path();
            let name = item.file_name().into_vec();
            let path = match path {
                b"" => name,
                path => [path, b"/", &name].concat(),
            };
            match std::fs::symlink_metadata(&at) {
                Ok(metadata) => listed.push(Seen { path, at, metadata }),
                Err(error) if is_too_long(&error) => self.leave_out(path, Why::TooDeep),
                Err(error) => return Err(InventoryError::io(&at, error)),
            }
        }
        Ok(listed)
    }
}

/// Whether something lies so deep that the system takes no path to it: one has 4,095 bytes at most.
fn is_too_long(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidFilename
}

pub(super) fn entry(path: Vec<u8>, what: What, metadata: &Metadata) -> Entry {
    Entry {
        path,
        what,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        // Always below 1,000,000,000.
        mtime: (metadata.mtime(), metadata.mtime_nsec() as u32),
        dev: metadata.dev(),
        inode: metadata.ino(),
    }
}

/// Whether an unknown file is a program: it may be run, or begins as one does.
fn is_program(seen: &Seen) -> Result<bool, InventoryError> {
    if seen.metadata.mode() & 0o111 != 0 {
        return Ok(true);
    }
    // Without waiting, should the file have become a FIFO since it was listed.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file =
        rustix::fs::open(&seen.at, flags, Mode::empty()).map_err(|error| InventoryError::io(&seen.at, error.into()))?;
    let mut head = Vec::with_capacity(4);
    std::fs::File::from(file).take(4).read_to_end(&mut head).map_err(|source| InventoryError::io(&seen.at, source))?;
    Ok(begins_like_a_program(&head))
}
