//! What of a site directory is state, outside the tables: files, directories and links with their modes, owners and times.
//!
//! The tables and logs in `data/` have readers of their own; here `data/` counts as a directory only, with the few files that old sites keep
//! there. Everything that is seen and not carried is named in [`Inventory::left_out`] with the reason; [`Why::is_expected`] tells what nobody
//! would miss (sockets, programs, core dumps) from what somebody might.
//!
//! The whole list is held in memory, about 200 bytes and its path for each entry. Nothing is opened but unknown files in the root, of which the
//! first bytes are read to tell programs from data.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::record::printable;
use crate::site::advice::advice;

mod apart;
mod links;
mod rules;
#[cfg(test)]
mod tests;
mod walk;

pub use walk::take;

/// Largest unknown file in a site's root that is carried, in bytes: banners that a 980 server writes under names of random bytes, never more.
pub const LARGEST_UNKNOWN_FILE: u64 = 1 << 20;

/// Everything that a site directory holds besides its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The site directory itself; its path is empty.
    pub root: Entry,
    /// What is state, in byte order of the paths.
    pub entries: Vec<Entry>,
    /// Log files that old sites and imports have, in byte order of the paths.
    pub logs: Vec<Entry>,
    /// What is not carried, in byte order of the paths.
    pub left_out: Vec<LeftOut>,
    /// What a person may want to know.
    pub notes: Vec<Note>,
}

/// One file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path below the site directory, parts separated by `/`, as the bytes that the file system has. Of a site in several directories the path
    /// that it has where all is in one ([`Arrangement::path_of`](super::Arrangement::path_of) is the way back).
    pub path: Vec<u8>,
    /// What it is.
    pub what: What,
    /// Permission bits, including set-user-id, set-group-id and sticky (0o7777).
    pub mode: u32,
    /// Number of the owner.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// Time of the last change of the contents: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Device that it lies on.
    pub dev: u64,
    /// Inode number: with [`Entry::dev`], [`Entry::mtime`] and the size it shows whether something moved.
    pub inode: u64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A regular file.
    File {
        /// Its size.
        bytes: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Link {
        /// Where it points to, as it stands in the link.
        target: Vec<u8>,
        /// Size of the file that it leads to, for a link below `keys/` that leaves the site: its content is carried too, so that no key is
        /// lost.
        content: Option<u64>,
    },
}

/// Something that is not carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Path below the site directory; the whole path of what is in a directory beside it.
    pub path: Vec<u8>,
    /// The reason.
    pub why: Why,
}

/// Why something is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// A socket, a lock or a file with a process number, made anew at each start.
    Transient,
    /// A core dump.
    Core,
    /// Part of the server, not of the site.
    Program,
    /// A region file that a Berkeley DB tool left.
    Region,
    /// `DB_CONFIG`, settings of the database library that Citadel never writes.
    DbConfig,
    /// A leftover of an import, or the site that it replaced.
    OurOwn,
    /// A device, a FIFO or a socket among files.
    Special,
    /// A directory that no release of Citadel has.
    UnknownDirectory,
    /// A link in the root with a name that no release has.
    UnknownLink,
    /// An unknown file larger than [`LARGEST_UNKNOWN_FILE`].
    UnknownLargeFile,
    /// A link from a directory of the site back to the site itself.
    LoopingLink,
    /// A file that a server was writing while the site was copied.
    Upload,
    /// Something that lies so deep that the system takes no path to it.
    TooDeep,
    /// An empty file in place of a table that no server of the site has made, as far as is known.
    EmptyTable,
    /// Something in the root that a server with this arrangement has in another directory.
    Elsewhere,
    /// Something in a directory beside the root that none of the files of a site there is called.
    Foreign,
}

impl Inventory {
    /// Names files that were being written while the site was copied among what is left out.
    pub fn leave_out_uploads(&mut self, paths: &[Vec<u8>]) {
        self.left_out.extend(paths.iter().map(|path| LeftOut { path: path.clone(), why: Why::Upload }));
        self.left_out.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

impl Why {
    /// Whether nobody would miss it: it is made anew, or belongs to the server and not to the site.
    pub fn is_expected(self) -> bool {
        matches!(self, Why::Transient | Why::Core | Why::Program | Why::Region | Why::OurOwn)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Transient => "made anew at each start of the server",
            Why::Core => "a core dump",
            Why::Program => "a program, part of the server and not of the site",
            Why::Region => "left by a Berkeley DB tool",
            Why::DbConfig => "settings of the database library, which name places on this machine",
            Why::OurOwn => "left by an import",
            Why::Special => "neither file nor directory nor link",
            Why::UnknownDirectory => "a directory that Citadel doesn't know; move what belongs to the site into files/ or copy it by hand",
            Why::UnknownLink => "a link that Citadel doesn't know; copy it by hand if it is needed",
            Why::UnknownLargeFile => {
                "a file that Citadel doesn't know, larger than 1 MiB; copy it by hand, or take it along with --log if it is a log"
            }
            Why::LoopingLink => "a link to the site itself or to a directory above it",
            Why::TooDeep => "it lies deeper than any path leads; move it, with its directory, to a place above",
            Why::EmptyTable => "a table that the site's release doesn't have, with nothing in it; look whether it was ever more, or remove it",
            Why::Elsewhere => "the server has it in another directory, as the arrangement of the site says",
            Why::Foreign => "nothing of a site has this name in this directory; copy it by hand if it is needed",
            Why::Upload => "it was being uploaded while the site was copied; the next backup takes it",
        })
    }
}

/// Something seen in passing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// One of the site's own directories is a link; what it leads to is carried as if it were in place.
    LinkedDirectory {
        /// Path of the link.
        path: Vec<u8>,
        /// Where it points to.
        target: Vec<u8>,
    },
    /// A link below `keys/` leads nowhere.
    DanglingKey {
        /// Path of the link.
        path: Vec<u8>,
        /// Where it points to.
        target: Vec<u8>,
    },
    /// A link below `keys/` leaves the site and leads to something else than a file: the link is carried, not what it leads to.
    KeyIsNoFile {
        /// Path of the link.
        path: Vec<u8>,
        /// Where it points to.
        target: Vec<u8>,
    },
    /// A link below `keys/` leaves the site, and the content of the file that it leads to is carried: whoever owns the site could have made it lead to anything.
    KeyFromElsewhere {
        /// Path of the link.
        path: Vec<u8>,
        /// Where it points to.
        target: Vec<u8>,
    },
}

impl Note {
    /// Whether what a link leads to is not carried, though it may be a key.
    pub fn is_of_a_key_that_is_missing(&self) -> bool {
        matches!(self, Note::DanglingKey { .. } | Note::KeyIsNoFile { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::LinkedDirectory { path, target } => write!(
                f,
                "{} is a link to {}; what is there is carried as a directory of the site",
                printable(path),
                printable(target)
            ),
            Note::DanglingKey { path, target } => write!(
                f,
                "{} is a link to {}, which is not there; the link alone is carried",
                printable(path),
                printable(target)
            ),
            Note::KeyIsNoFile { path, target } => write!(
                f,
                "{} is a link to {}, which is outside the site and no regular file; the link alone is carried",
                printable(path),
                printable(target)
            ),
            Note::KeyFromElsewhere { path, target } => write!(
                f,
                "{} is a link to {}, which is outside the site; the content of that file is carried too, and where a machine has no such file, an import gives it to the owner of the site",
                printable(path),
                printable(target)
            ),
        }
    }
}

/// Why the inventory could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// The system can't read something.
    #[error(
        "{path}: can't be read: {source}{}", advice(source),
        path = path.display()
    )]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The site directory is something else.
    #[error("{path}: this is not a directory; name the site's directory", path = path.display())]
    NotADirectory {
        /// The path given.
        path: PathBuf,
    },
}

impl InventoryError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        InventoryError::Io { path: path.to_owned(), source }
    }
}
