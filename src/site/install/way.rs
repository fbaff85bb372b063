//! Which way of exchange a target allows.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::names::{Belongs, Entry};
use super::place::LONGEST_NAME;
use super::{InstallError, mounts};

/// Refuses a part that no rename can exchange. `root` is the metadata of the site's directory.
pub(super) fn check_part(path: &Path, root: &Metadata, mounts: &[PathBuf]) -> Result<(), InstallError> {
    if let Some(mount) = mounts.iter().find(|mount| mount.starts_with(path)) {
        return Err(InstallError::PartElsewhere { path: mount.clone(), why: "is a mount point".to_owned() });
    }
    let why = match (fs::metadata(path), fs::read_link(path)) {
        (Ok(part), Err(_)) if part.dev() != root.dev() => "lies on another file system".to_owned(),
        (Ok(part), Ok(link)) if part.dev() != root.dev() => {
            format!("is a link to another file system ({})", link.display())
        }
        (Err(error), Err(_)) => return Err(InstallError::io("look at", path, error)),
        _ => return Ok(()),
    };
    Err(InstallError::PartElsewhere { path: path.to_owned(), why })
}

/// Why a site can't be exchanged as one directory; `None` if it can.
pub(super) fn why_parts(site: &Path, root: &Metadata, entries: &[Entry], mounts: &[PathBuf]) -> Option<String> {
    let foreign = entries.iter().find(|entry| matches!(entry.belongs, Belongs::Program | Belongs::Unknown));
    if let Some(Entry { name, .. }) = foreign {
        return Some(format!("it holds what is no part of a site and stays ({})", name.display()));
    }
    if mounts.iter().any(|mount| mount == site) {
        return Some("it is a mount point".to_owned());
    }
    if mounts::inside(mounts, site).next().is_some() {
        return Some("there are mount points in it".to_owned());
    }
    let (Some(parent), Some(name)) = (site.parent(), site.file_name()) else {
        return Some("there is no directory around it".to_owned());
    };
    let Ok(around) = fs::metadata(parent) else {
        return Some(format!("{} can't be looked at", parent.display()));
    };
    if around.dev() != root.dev() {
        return Some("it is a volume of its own".to_owned());
    }
    if name.len() > LONGEST_NAME {
        return Some("its name is too long for another one made from it".to_owned());
    }
    let me = rustix::process::geteuid().as_raw();
    // In a sticky directory like /tmp only the owner renames (and root).
    let sticky = around.mode() & 0o1000 != 0 && ![0, around.uid(), root.uid()].contains(&me);
    (writable(parent).is_err() || sticky).then(|| format!("nothing can be renamed in {}", parent.display()))
}

/// Refuses a site that does not exist where none can be made.
pub(super) fn check_absent(site: &Path) -> Result<(), InstallError> {
    let parent = site.parent().unwrap_or(site);
    if site.file_name().map_or(0, OsStr::len) > LONGEST_NAME {
        return Err(InstallError::io("make", site, rustix::io::Errno::NAMETOOLONG));
    }
    writable(parent)
}

fn writable(dir: &Path) -> Result<(), InstallError> {
    accessat(CWD, dir, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|error| InstallError::io("make a directory in", dir, error))
}
