//! Where the parts of a site are read from: in place, or from a private copy.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::ReadSiteError;
use crate::record::{End, Layout, Snapshot};
use crate::site::arrangement::Arrangement;
use crate::site::btree::Place;
use crate::site::inventory::{self, Entry, Inventory};
use crate::site::settled::{self, Fingerprint, ServerState, State, Verdict};
use crate::site::snapshot::CopiedFiles;

/// What a site is read from, when its tables have been settled.
pub struct Parts {
    /// The site's own directories.
    pub site: Arrangement,
    /// The directory that holds the tables that are read: the site's `data/`, or a copy that was made whole.
    pub data: PathBuf,
    /// What the site has besides its tables.
    pub inventory: Inventory,
    /// The copies of its files; `None` if they are read in place.
    pub files: Option<CopiedFiles>,
    /// How the snapshot was taken.
    pub snapshot: Snapshot,
    /// The layout of the tables, where it was told; else they show it.
    pub layout: Option<Layout>,
    /// What of the site must stand still while it is read.
    pub watch: Watch,
    /// The site's own value of a setting that holds another one for the time of the snapshot.
    pub setting: Option<OwnSetting>,
    /// What could not be had, by name, and why; no name twice, in order.
    pub losses: Vec<(String, String)>,
}

/// A setting whose record is to stand in a copy as it was before it was changed for the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSetting {
    /// Its key in the table of settings.
    pub name: String,
    /// Its value; `None` if the site had no such record.
    pub value: Option<Vec<u8>>,
    /// What it was changed into, if that was long ago: whatever else stands there is the site's own by now, and stays.
    pub instead_of: Option<Vec<u8>>,
}

impl OwnSetting {
    /// The pair's value in the table of settings: name and value, each with a NUL at its end.
    pub(super) fn pair_value(&self) -> Option<Vec<u8>> {
        self.value.as_ref().map(|value| self.pair_of(value))
    }

    /// Whether it stands in a pair with this value.
    pub(super) fn is_in(&self, value: &Place) -> bool {
        let instead_of = self.instead_of.as_ref().map(|ours| Place::Inline(self.pair_of(ours)));
        instead_of.is_none_or(|ours| ours == *value)
    }

    fn pair_of(&self, value: &[u8]) -> Vec<u8> {
        [self.name.as_bytes(), &[0], value, &[0]].concat()
    }
}

/// What of a site must not move while a copy is read.
pub enum Watch {
    /// Nothing: all that is read was copied before.
    Nothing,
    /// The whole site: no server may start, and no table, log or file may change.
    Site(Fingerprint),
}

impl Parts {
    /// A stopped and settled site, read where it is.
    ///
    /// # Errors
    /// When it is no site, when a server runs or has not stopped cleanly, when it can't be read.
    pub fn in_place(site: impl Into<Arrangement>) -> Result<Parts, ReadSiteError> {
        let site = site.into();
        let data = data_directory(site.root())?;
        let before = settled::fingerprint(&data)?;
        let state = settled::examine(&data, &site)?;
        Parts::examined(&site, before, state)
    }

    /// The same for a site that was examined already, after the fingerprint was taken: an examination looks at every page.
    ///
    /// # Errors
    /// As [`Parts::in_place`].
    pub fn examined(site: &Arrangement, before: Fingerprint, state: State) -> Result<Parts, ReadSiteError> {
        if !state.verdict.is_settled() {
            return Err(ReadSiteError::NotSettled { path: site.root().to_owned(), verdict: state.verdict });
        }
        let method = match state.verdict {
            Verdict::NeverOpened => "never opened",
            _ => "stopped and settled",
        };
        Ok(Parts {
            site: site.clone(),
            data: data_directory(site.root())?,
            inventory: inventory::take(site)?,
            files: None,
            snapshot: snapshot_now(method, state.log.to_string()),
            layout: None,
            watch: Watch::Site(before),
            setting: None,
            losses: Vec::new(),
        })
    }

    /// Whether all is still as it was when reading began.
    pub(super) fn look_again(&self) -> Result<End, ReadSiteError> {
        let Watch::Site(fingerprint) = &self.watch else {
            return Ok(End { state_after: "not looked at: all was read from a copy".into() });
        };
        let root = self.site.root();
        let moved = |what| ReadSiteError::Moved { path: root.to_owned(), what };
        let data = self.site.data();
        if let Some(what) = fingerprint.difference(&settled::fingerprint(&data)?) {
            return Err(moved(what));
        }
        // The tables and the log are the same files, unchanged: what the first look found of them still holds.
        if let ServerState::Running { pid, how } = settled::find_server(&data, &self.site)? {
            let verdict = Verdict::Running { pid, how };
            return Err(ReadSiteError::NotSettled { path: root.to_owned(), verdict });
        }
        let now = inventory::take(&self.site)?;
        if let Some(what) = first_difference(&self.inventory.entries, &now.entries) {
            return Err(moved(what));
        }
        Ok(End { state_after: "unchanged, and no server runs".into() })
    }
}

const DATA: &str = "data";

/// The directory of a site's tables.
///
/// # Errors
/// [`ReadSiteError::NotASite`] if it isn't there.
pub fn data_directory(root: &Path) -> Result<PathBuf, ReadSiteError> {
    let not_a_site = |problem: &str| ReadSiteError::NotASite { path: root.to_owned(), problem: problem.into() };
    let data = root.join(DATA);
    match std::fs::metadata(&data) {
        Ok(metadata) if metadata.is_dir() => Ok(data),
        Ok(_) => Err(not_a_site("data is no directory")),
        Err(_) if !root.exists() => Err(not_a_site("there is no such directory")),
        Err(_) if !root.is_dir() => Err(not_a_site("it is no directory")),
        Err(_) if root.join("cdb.00").exists() => Err(not_a_site("it is the directory data of one")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(not_a_site("there is no directory data in it"))
        }
        Err(source) => Err(ReadSiteError::Io { path: data, source }),
    }
}

/// User and group of the site: whoever owns its `data/`.
pub(super) fn data_owner(root: &Path) -> Result<(u32, u32), ReadSiteError> {
    let data = root.join(DATA);
    let metadata = std::fs::metadata(&data).map_err(|source| ReadSiteError::Io { path: data, source })?;
    Ok((metadata.uid(), metadata.gid()))
}

/// A snapshot of this moment.
pub fn snapshot_now(method: &str, proof: String) -> Snapshot {
    let taken = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    Snapshot { method: method.into(), proof, taken }
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
