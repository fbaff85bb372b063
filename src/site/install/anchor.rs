//! A directory that is held open, and paths that lead into it whatever its name stands for meanwhile.
//!
//! A workshop in a target lies in a directory that is its owner's to rename things in, and root builds a site in there. If he put something else under its name,
//! a link of his would lead root's files anywhere. `/proc/self/fd/N` leads to the directory itself, into which nobody else can get.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{fstat, stat};

/// Where the system shows the open files of this process.
const OPEN_FILES: &str = "/proc/self/fd";

/// A directory that is held open.
#[derive(Debug)]
pub(super) struct Anchor(OwnedFd);

impl Anchor {
    /// Of a directory that was opened; `None` where the system shows no open files, as in a `chroot` without `/proc`.
    pub(super) fn of(directory: OwnedFd) -> Option<Self> {
        let anchor = Self(directory);
        let (opened, found) = (fstat(&anchor.0).ok()?, stat(anchor.path()).ok()?);
        ((opened.st_dev, opened.st_ino) == (found.st_dev, found.st_ino)).then_some(anchor)
    }

    /// The directory, as a path to which names can be joined.
    pub(super) fn path(&self) -> PathBuf {
        Path::new(OPEN_FILES).join(self.0.as_raw_fd().to_string())
    }
}

/// A path as a person reads it: through an anchor, the one that its directory has now.
pub(super) fn shown(path: &Path) -> PathBuf {
    let Some((number, rest)) = split(path) else { return path.to_owned() };
    let real = std::fs::read_link(Path::new(OPEN_FILES).join(number));
    // Without a slash at the end, where nothing comes behind.
    real.map_or_else(|_| path.to_owned(), |real| real.join(rest).components().collect())
}

/// The number of an open file, and what comes behind it.
fn split(path: &Path) -> Option<(&Path, &Path)> {
    let behind = path.strip_prefix(OPEN_FILES).ok()?;
    let number = Path::new(behind.components().next()?.as_os_str());
    Some((number, behind.strip_prefix(number).ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_path_through_an_anchor_leads_to_its_directory_whatever_has_its_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let (name, other) = (dir.path().join("name"), dir.path().join("other"));
        fs::create_dir(&name).expect("made");
        let anchor = Anchor::of(fs::File::open(&name).expect("open").into()).expect("with /proc");
        fs::rename(&name, &other).expect("renamed");
        fs::create_dir(&name).expect("made");
        fs::write(anchor.path().join("file"), "x").expect("written");
        assert!(other.join("file").exists() && !name.join("file").exists());
        assert_eq!(shown(&anchor.path().join("file")), fs::canonicalize(&other).expect("there").join("file"));
        assert_eq!(shown(&anchor.path().join(".")).as_os_str(), fs::canonicalize(&other).expect("there").as_os_str());
        assert_eq!(shown(&name), name);
    }
}
