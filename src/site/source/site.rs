//! A site directory that was found settled.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::owners::Owners;
use super::tables::Tables;
use super::{ReadOptions, ReadSiteError, SiteSource};
use crate::monitor::Monitor;
use crate::record::{End, Root, SiteInfo, Snapshot};
use crate::site::inventory::{self, Entry, Inventory, What};
use crate::site::settled::{self, Fingerprint, LogState, ServerState, State, Verdict};

/// A site that can be read: settled, its tables open, its files listed.
pub struct Site {
    root: PathBuf,
    data: PathBuf,
    tables: Tables,
    inventory: Inventory,
    fingerprint: Fingerprint,
    data_owner: (u32, u32),
    info: SiteInfo,
}

impl Site {
    /// Opens a site that is stopped and settled.
    ///
    /// # Errors
    /// When it is no site, when a server runs or has not stopped cleanly, when a table can't be opened, when the release isn't one that is read.
    pub fn open(root: &Path) -> Result<Site, ReadSiteError> {
        let not_a_site = |problem: &str| ReadSiteError::NotASite { path: root.to_owned(), problem: problem.into() };
        let data = root.join("data");
        let metadata = match std::fs::metadata(&data) {
            Ok(metadata) if metadata.is_dir() => metadata,
            Ok(_) => return Err(not_a_site("data is no directory")),
            Err(_) if !root.exists() => return Err(not_a_site("there is no such directory")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(not_a_site("there is no directory data in it"));
            }
            Err(source) => return Err(ReadSiteError::Io { path: data, source }),
        };
        let fingerprint = settled::fingerprint(&data)?;
        let state = settled::examine(&data, root)?;
        if !state.verdict.is_settled() {
            return Err(ReadSiteError::NotSettled { path: root.to_owned(), verdict: state.verdict });
        }
        let tables = Tables::open(&data)?;
        let inventory = inventory::take(root)?;
        let data_owner = (metadata.uid(), metadata.gid());
        let info = site_info(&tables, &inventory.root, &state, data_owner)?;
        Ok(Site { root: root.to_owned(), data, tables, inventory, fingerprint, data_owner, info })
    }

    /// Begins a walk over all records.
    pub fn source<'s>(&'s self, options: ReadOptions, monitor: &'s dyn Monitor) -> SiteSource<'s> {
        SiteSource::begin(self, options, monitor)
    }

    /// What is known of the site from the beginning.
    pub fn info(&self) -> &SiteInfo {
        &self.info
    }

    /// Where the site is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the site has besides its tables, and what of it is not carried.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(super) fn owners(&self) -> Owners {
        Owners::new(self.data_owner.0, self.data_owner.1)
    }

    /// The sum of the sizes of all files outside the tables, in bytes.
    pub(super) fn file_bytes(&self) -> u64 {
        self.inventory
            .entries
            .iter()
            .map(|entry| match entry.what {
                What::File { bytes } | What::Link { content: Some(bytes), .. } => bytes,
                _ => 0,
            })
            .sum()
    }

    /// Whether all is still as it was when the site was opened.
    pub(super) fn look_again(&self) -> Result<End, ReadSiteError> {
        let moved = |what| ReadSiteError::Moved { path: self.root.clone(), what };
        if let Some(what) = self.fingerprint.difference(&settled::fingerprint(&self.data)?) {
            return Err(moved(what));
        }
        // The tables and the log are the same files, unchanged: what the first look found of them still holds.
        if let ServerState::Running { pid, how } = settled::find_server(&self.data, &self.root)? {
            let verdict = Verdict::Running { pid, how };
            return Err(ReadSiteError::NotSettled { path: self.root.clone(), verdict });
        }
        let now = inventory::take(&self.root)?;
        if let Some(what) = first_difference(&self.inventory.entries, &now.entries) {
            return Err(moved(what));
        }
        Ok(End { state_after: "unchanged, and no server runs".into() })
    }
}

/// The first entry that is not the same in both lists, in words.
fn first_difference(before: &[Entry], after: &[Entry]) -> Option<String> {
    let changed = before.iter().zip(after).find(|(before, after)| before != after);
    let extra = before.get(after.len()).or_else(|| after.get(before.len()));
    changed
        .map(|(before, after)| if before.path <= after.path { before } else { after })
        .or(extra)
        .map(|entry| format!("{} came, went or changed", crate::record::printable(&entry.path)))
}

fn site_info(tables: &Tables, root: &Entry, state: &State, data_owner: (u32, u32)) -> Result<SiteInfo, ReadSiteError> {
    let setting = |name| tables.setting(name);
    let mut owners = Owners::new(data_owner.0, data_owner.1);
    let taken = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    Ok(SiteInfo {
        tool: concat!("ctdl-dump ", env!("CARGO_PKG_VERSION")).into(),
        node: setting("c_nodename")?.unwrap_or_default(),
        fqdn: setting("c_fqdn")?.unwrap_or_default(),
        release: tables.release()?,
        layout: tables.layout,
        without: Vec::new(),
        snapshot: Snapshot { method: method(&state.log).into(), proof: state.log.to_string(), taken },
        root: Root { mode: (root.mode & 0o7777) as u16, owner: owners.user(root.uid), group: owners.group(root.gid) },
    })
}

fn method(log: &LogState) -> &'static str {
    match log {
        LogState::None => "never opened",
        _ => "stopped and settled",
    }
}
