//! Whether a site holds no more than a server makes at its first start.
//!
//! Release 980 makes `data/`, `files/`, `messages/` and `keys/` with a key and a certificate; an installation adds the stock banners;
//! older releases make more directories, all of them empty.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::InstallError;
use super::names::{GENERATED_KEYS, STOCK_BANNERS};
use super::steps::names_in;

/// What the tables of a site say about its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// They hold what the first start of a server makes, and no more.
    Fresh,
    /// They hold more, or can't be read; the text says what, as in "it holds 12 users".
    Used(String),
}

/// Why these parts of a site are no fresh ones; `None` if all are. `data` is left to the caller. `keys` is the directory of the keys, if it lies beside
/// the root.
pub(super) fn used_files(
    parts: impl Iterator<Item = PathBuf>,
    keys: Option<&Path>,
) -> Result<Option<String>, InstallError> {
    for path in parts {
        let kind = fs::symlink_metadata(&path).map_err(|error| InstallError::io("look at", &path, error))?.file_type();
        if kind.is_symlink() {
            return Ok(Some(format!("{} is a link", path.display())));
        }
        let name = path.file_name().and_then(OsStr::to_str);
        let is_key = path.parent() == keys && name.is_some_and(|name| GENERATED_KEYS.contains(&name));
        if is_key && kind.is_file() {
            continue;
        }
        if !kind.is_dir() {
            return Ok(Some(format!("it holds the file {}", path.display())));
        }
        let allowed: &[&str] = match name {
            Some("data") => continue,
            Some("messages") => &STOCK_BANNERS,
            Some("keys") => &GENERATED_KEYS,
            _ => &[],
        };
        if let Some(extra) = extra_file(&path, allowed)? {
            return Ok(Some(extra));
        }
    }
    Ok(None)
}

/// The first thing in a tree that is neither a directory nor a regular file of an allowed name at its top.
fn extra_file(dir: &Path, allowed: &[&str]) -> Result<Option<String>, InstallError> {
    for entry in WalkDir::new(dir).sort_by_file_name() {
        let entry = entry.map_err(|error| InstallError::io("read", dir, error))?;
        let stock =
            entry.depth() == 1 && entry.file_type().is_file() && allowed.iter().any(|name| entry.file_name() == *name);
        if !entry.file_type().is_dir() && !stock {
            return Ok(Some(format!("it holds {}", entry.path().display())));
        }
    }
    Ok(None)
}

/// Whether `data` has anything in it that the caller should look at.
pub(super) fn has_tables(site: &Path) -> Result<bool, InstallError> {
    Ok(!names_in(&site.join("data"))?.is_empty())
}
