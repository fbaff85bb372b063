//! Files, directories and links of a site that is being written.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use super::adapt::Adapter;
use super::{WriteSiteError, links};
use crate::record::{Header, Kind, Root, Value};
use crate::site::Arrangement;
use crate::site::arrangement::Class;

/// Writes files as they come; directories get their attributes, and links are made, when all files are there.
pub(super) struct FileWriter {
    site: Arrangement,
    owner: Option<(u32, u32)>,
    directories: HashSet<Vec<u8>>,
    later: Vec<Later>,
    present: Option<(File, PathBuf, Attributes)>,
}

struct Later {
    path: PathBuf,
    attributes: Attributes,
    target: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct Attributes {
    mode: Option<u32>,
    mtime: Option<(i64, i64)>,
    owner: Option<(u32, u32)>,
}

impl FileWriter {
    /// A writer into an empty directory, which gets its `data/`. Directories beside it are made, but that of the keys, which is a record.
    pub fn create(site: &Arrangement, owner: Option<(u32, u32)>) -> Result<Self, WriteSiteError> {
        let mut writer =
            FileWriter { site: site.clone(), owner, directories: HashSet::new(), later: Vec::new(), present: None };
        for apart in site.apart().iter().filter(|apart| !apart.classes.iter().all(|class| *class == Class::Ssl)) {
            make_directory(&apart.directory)?;
        }
        let data = site.data();
        make_directory(&data)?;
        writer.later(data, Attributes { mode: Some(0o700), mtime: None, owner }, None);
        Ok(writer)
    }

    /// Mode and owner of the root directory.
    pub fn set_root(&mut self, root: &Root, adapter: &Adapter) -> Result<(), WriteSiteError> {
        let owner = adapter.ids_for(root.owner.as_ref(), root.group.as_ref());
        let attributes = Attributes { mode: Some(u32::from(root.mode & 0o777)), mtime: None, owner };
        self.later(self.site.root().to_owned(), attributes, None);
        Ok(())
    }

    /// Begins a file, directory, link or log. The content that comes with a link is written in its place.
    pub fn begin(&mut self, header: &Header) -> Result<(), WriteSiteError> {
        let key = header.key.last_name().unwrap_or_default();
        let (below, path) = match header.kind {
            Kind::Log => ([b"logs/".as_slice(), key].concat(), true),
            _ => (key.to_vec(), false),
        };
        self.check_path(header, &below)?;
        if let Some(directory) = self.site.key_directory().filter(|_| self.site.is_strange_key(&below)) {
            let directory = directory.to_owned();
            return Err(WriteSiteError::StrangeKey { key: header.key.to_string(), directory });
        }
        if path {
            self.make_parents(&below)?;
        }
        let path = self.site.path_of(&below);
        let attributes = self.attributes(header);
        let is_key_directory = Some(path.as_path()) == self.site.key_directory();
        match header.fields.bytes("type") {
            Some(b"directory") => {
                let is_there = below == b"data" || (is_key_directory && path.is_dir());
                if !is_there {
                    make_directory(&path)?;
                }
                self.directories.insert(below);
                self.later(path, attributes, None);
            }
            // What it leads to would be taken for the new keys, and moved.
            _ if is_key_directory => {
                let problem = "it is no directory, and the keys are to lie in a directory of their own";
                return Err(WriteSiteError::BadPath { key: header.key.to_string(), problem });
            }
            Some(b"link") if header.body.is_none() => {
                let target = header.fields.bytes("target").unwrap_or_default();
                self.later(path, attributes, Some(PathBuf::from(OsStr::from_bytes(target))));
            }
            _ => {
                let file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(|source| WriteSiteError::Io { path: path.clone(), source })?;
                self.present = Some((file, path, attributes));
            }
        }
        Ok(())
    }

    /// The next bytes of the file.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteSiteError> {
        match &mut self.present {
            None => Ok(()),
            Some((file, path, _)) => {
                file.write_all(bytes).map_err(|source| WriteSiteError::Io { path: path.clone(), source })
            }
        }
    }

    /// The file is complete.
    pub fn end(&mut self) -> Result<(), WriteSiteError> {
        let Some((file, path, attributes)) = self.present.take() else { return Ok(()) };
        drop(file);
        attributes.set(&path, false)
    }

    /// The content of a link is complete. `true` if the link leads to the same here, so that it is made later; else the content stays in its place.
    pub fn end_link(&mut self, header: &Header) -> Result<bool, WriteSiteError> {
        let Some((_, path, attributes)) = &self.present else { return Ok(true) };
        let target = Path::new(OsStr::from_bytes(header.fields.bytes("target").unwrap_or_default()));
        // From where it is built a relative path leads elsewhere than from its place.
        if !target.is_absolute() || !links::are_same(path, target) {
            return Ok(false);
        }
        std::fs::remove_file(path).map_err(|source| WriteSiteError::Io { path: path.clone(), source })?;
        let (path, attributes) = (path.clone(), attributes.clone());
        self.later(path, attributes, Some(target.to_owned()));
        self.present = None;
        Ok(true)
    }

    /// The file is complete, and gets the attributes of this record in the place of its own. Where it is.
    pub fn end_as(&mut self, header: &Header) -> Result<PathBuf, WriteSiteError> {
        let attributes = self.attributes(header);
        let Some((file, path, _)) = self.present.take() else { return Ok(PathBuf::new()) };
        drop(file);
        attributes.set(&path, false)?;
        Ok(path)
    }

    /// Makes links and gives directories their attributes, the deepest first.
    pub fn finish(&mut self) -> Result<(), WriteSiteError> {
        for later in &self.later {
            if let Some(target) = &later.target {
                std::os::unix::fs::symlink(target, &later.path)
                    .map_err(|source| WriteSiteError::Io { path: later.path.clone(), source })?;
                later.attributes.set(&later.path, true)?;
            }
        }
        let mut directories: Vec<&Later> = self.later.iter().filter(|later| later.target.is_none()).collect();
        // What comes later in the list wins where a directory is named twice: `data` has its own record.
        directories.sort_by_key(|later| std::cmp::Reverse(later.path.components().count()));
        directories.iter().try_for_each(|later| later.attributes.set(&later.path, false))
    }

    fn later(&mut self, path: PathBuf, attributes: Attributes, target: Option<PathBuf>) {
        self.later.push(Later { path, attributes, target });
    }

    fn attributes(&self, header: &Header) -> Attributes {
        let number = |field| match header.fields.get(field) {
            Some(Value::Owner(owner)) => Some(owner.number),
            _ => None,
        };
        Attributes {
            mode: header.fields.int("mode").map(|mode| mode as u32),
            mtime: header.fields.int("mtime").map(|mtime| (mtime, header.fields.int("mtime_ns").unwrap_or(0))),
            owner: self.owner.map(|(uid, gid)| (number("owner").unwrap_or(uid), number("group").unwrap_or(gid))),
        }
    }

    fn make_parents(&mut self, below: &[u8]) -> Result<(), WriteSiteError> {
        for (index, _) in below.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let parent = below[..index].to_vec();
            if self.directories.insert(parent.clone()) {
                let path = self.site.path_of(&parent);
                make_directory(&path)?;
                self.later(path, Attributes { mode: Some(0o700), mtime: None, owner: self.owner }, None);
            }
        }
        Ok(())
    }

    /// A path of a record must lie below the root, in a directory that came before it, and be none that tables or imports use.
    fn check_path(&self, header: &Header, below: &[u8]) -> Result<(), WriteSiteError> {
        let problem = if below.split(|byte| *byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
            "its path is absolute, or has an empty, \".\" or \"..\" part"
        } else if below.contains(&0) {
            "its path has a NUL"
        } else if is_reserved(below) {
            "its path is one that tables, logs, locks or imports use"
        } else if header.kind == Kind::File && !self.has_parent(below) {
            "its directory did not come before it"
        } else {
            return Ok(());
        };
        Err(WriteSiteError::BadPath { key: header.key.to_string(), problem })
    }

    fn has_parent(&self, below: &[u8]) -> bool {
        match below.iter().rposition(|byte| *byte == b'/') {
            None => true,
            Some(end) => self.directories.contains(&below[..end]),
        }
    }
}

fn is_reserved(below: &[u8]) -> bool {
    let first = below.split(|byte| *byte == b'/').next().unwrap_or_default();
    first == b"citadel.lock"
        || first.starts_with(b".ctdl-dump")
        || below.strip_prefix(b"data/").is_some_and(|name| {
            name.starts_with(b"cdb.") || name.starts_with(b"log.") || name.starts_with(b"__db") || name == b"DB_CONFIG"
        })
}

fn make_directory(path: &Path) -> Result<(), WriteSiteError> {
    DirBuilder::new().mode(0o700).create(path).map_err(|source| WriteSiteError::Io { path: path.to_owned(), source })
}

impl Attributes {
    fn set(&self, path: &Path, is_link: bool) -> Result<(), WriteSiteError> {
        let io = |source: std::io::Error| WriteSiteError::Io { path: path.to_owned(), source };
        // The owner first: giving a file away clears bits of its mode.
        if let Some((uid, gid)) = self.owner {
            std::os::unix::fs::lchown(path, Some(uid), Some(gid)).map_err(io)?;
        }
        if let (Some(mode), false) = (self.mode, is_link) {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io)?;
        }
        if let Some((seconds, nanoseconds)) = self.mtime {
            let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
            let times = Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| io(error.into()))?;
        }
        Ok(())
    }
}
