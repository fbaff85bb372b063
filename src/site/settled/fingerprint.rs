//! What a site's tables and logs look like from outside, to see whether they moved during a read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::SettledError;
use super::log_end::read_log_end;
use super::log_state::LogState;

/// Names, sizes, times and places of all files in `data`, and how the log ends. Taken before and after an export, two that are equal
/// say that nothing was written in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    files: BTreeMap<OsString, Stamp>,
    pub(super) log: LogState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    bytes: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

/// Takes the fingerprint of `data`; reads only the directory and the last log file (10 MiB).
pub fn fingerprint(data: &Path) -> Result<Fingerprint, SettledError> {
    let io = |source| SettledError::io(data, source);
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(data).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        let metadata = std::fs::symlink_metadata(&path).map_err(|source| SettledError::io(&path, source))?;
        files.insert(
            entry.file_name(),
            Stamp {
                place: (metadata.dev(), metadata.ino()),
                bytes: metadata.len(),
                mtime: (metadata.mtime(), metadata.mtime_nsec()),
                ctime: (metadata.ctime(), metadata.ctime_nsec()),
            },
        );
    }
    let log = read_log_end(data).map_err(io)?;
    Ok(Fingerprint { files, log })
}

impl Fingerprint {
    /// What moved between this fingerprint and a later one, in words; `None` if nothing did.
    pub fn difference(&self, later: &Fingerprint) -> Option<String> {
        for (name, before) in &self.files {
            let name_shown = name.display();
            let Some(after) = later.files.get(name) else {
                return Some(format!("data/{name_shown} is gone"));
            };
            if before.place != after.place {
                return Some(format!("data/{name_shown} was replaced by another file of that name"));
            }
            if before.bytes != after.bytes {
                return Some(format!("data/{name_shown} had {} bytes and has {} now", before.bytes, after.bytes));
            }
            if before.mtime != after.mtime {
                return Some(format!("data/{name_shown} was written"));
            }
            if before.ctime != after.ctime {
                return Some(format!("the owner, the mode or the times of data/{name_shown} were changed"));
            }
        }
        if let Some(name) = later.files.keys().find(|name| !self.files.contains_key(*name)) {
            return Some(format!("data/{} is new", name.display()));
        }
        if self.log != later.log {
            let place = |log: &LogState| log.end().map_or("nowhere".to_owned(), |lsn| lsn.to_string());
            return Some(format!("the log ended at {} and ends at {} now", place(&self.log), place(&later.log)));
        }
        None
    }
}
