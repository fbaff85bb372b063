//! What was at a target at the first look, to see later whether anybody has used it since.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::InstallError;
use super::names::{SERVER_LOCK, is_ours};
use super::steps::names_in;

/// The entries at the top of a site and in its `data`, and what it has in other directories: every use of a site by a server changes some of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: PathBuf,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Seen {
    /// Looks at the root, and at what of the site lies beside it. A site that does not exist has no entries.
    pub(super) fn new(site: &Path, beside: &[PathBuf]) -> Result<Self, InstallError> {
        let top = names_in(site)?.into_iter().filter(|name| !is_ours(name) && name != SERVER_LOCK);
        let data = names_in(&site.join("data")).unwrap_or_default();
        let names = top.map(PathBuf::from).chain(data.into_iter().map(|name| Path::new("data").join(name)));
        let names = names.chain(beside.iter().cloned());
        let entries = names.map(|name| {
            let path = site.join(&name);
            let found = fs::symlink_metadata(&path).map_err(|error| InstallError::io("look at", &path, error))?;
            Ok(Entry { name, inode: found.ino(), bytes: found.size(), modified: (found.mtime(), found.mtime_nsec()) })
        });
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// Refuses when the site is not what it was.
    pub(super) fn check(&self, site: &Path, beside: &[PathBuf]) -> Result<(), InstallError> {
        let now = Self::new(site, beside)?;
        let differs = now.0.iter().find(|entry| !self.0.contains(entry));
        let gone = self.0.iter().find(|entry| !now.0.iter().any(|other| other.name == entry.name));
        let what = match (differs, gone) {
            (Some(entry), _) => format!("{} is new or different", site.join(&entry.name).display()),
            (None, Some(entry)) => format!("{} is gone", site.join(&entry.name).display()),
            (None, None) => return Ok(()),
        };
        Err(InstallError::Changed { path: site.to_owned(), what })
    }
}
