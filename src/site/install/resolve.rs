//! The real path of a target that may be a link, and may not exist.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::InstallError;
use crate::site::Arrangement;

/// As many links as Linux itself follows.
const MOST_LINKS: usize = 40;

/// The directories of a site without links and dots.
pub(super) fn real_paths(site: &Arrangement) -> Result<Arrangement, InstallError> {
    site.moved(real_path)
}

/// The path without links and dots. The last component need not exist, its directory must; a link to a place that does not
/// exist is followed, so that a site that is away in the middle of an exchange is found where it belongs.
pub(super) fn real_path(given: &Path) -> Result<PathBuf, InstallError> {
    let mut path = given.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::canonicalize(&path) {
            Ok(real) => return Ok(real),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(InstallError::io("find", &path, error)),
        }
        let parent = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(InstallError::NoParent { path }),
        };
        match fs::read_link(&path) {
            Ok(link) => path = parent.join(link),
            Err(_) => {
                let Ok(real) = fs::canonicalize(parent) else {
                    return Err(InstallError::NoParent { path: parent.to_owned() });
                };
                return match path.file_name() {
                    Some(name) => Ok(real.join(name)),
                    None => Err(InstallError::NoParent { path }),
                };
            }
        }
    }
    Err(InstallError::io("find", given, rustix::io::Errno::LOOP))
}
