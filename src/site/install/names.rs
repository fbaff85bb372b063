//! Names at the top of a site's directory: whose they are, and which are ours.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::InstallError;
use super::steps::names_in;
use crate::site::Arrangement;
use crate::site::inventory::{self, InventoryError, Why};
use crate::site::settled::is_table_name;

/// Begins every name that ctdl-dump makes in a site or beside it.
const OURS: &str = ".ctdl-dump-";
/// The workshop inside a target whose parts are exchanged.
pub(super) const PARTS_WORKSHOP: &str = ".ctdl-dump-staging";
/// Lies in the root of a new site until its exchange is over.
pub(super) const NEW_MARK: &str = ".ctdl-dump-new";
/// The server's own lock (`flock`, exclusive, while it runs; unlinked at a clean stop).
pub(super) const SERVER_LOCK: &str = "citadel.lock";
/// What an installation puts into `messages/`.
pub(super) const STOCK_BANNERS: [&str; 7] =
    ["hello", "goodbye", "newuser", "changepw", "register", "roomaccess", "unlisted"];
/// What a server makes in `keys/` when there is nothing.
pub(super) const GENERATED_KEYS: [&str; 3] = ["citadel.key", "citadel.cer", "citadel.csr"];

/// What only a directory of Citadel has at its top.
const TELLING: [&str; 4] = ["citserver", "citadel.config", "citadel.control", SERVER_LOCK];
/// What a site has at its top, and other directories may have as well, though hardly two of it.
const USUAL: [&str; 7] = ["data", "files", "messages", "keys", "bio", "userpics", "netconfigs"];

/// To what an entry at the top of a site's directory belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// To the site: exchanged, and kept with the previous one.
    State,
    /// To nobody: sockets, lock files, core dumps. Left where they are, and no reason to call a directory used.
    Transient,
    /// To the server's installation: stays when a site is exchanged.
    Program,
    /// Not known: stays too.
    Unknown,
}

/// Whether ctdl-dump itself made the entry of this name at the top of a site (staging, kept previous parts): no part of the site.
pub fn is_ours(name: &OsStr) -> bool {
    name.as_bytes().starts_with(OURS.as_bytes())
}

/// Whether a directory is one of Citadel's: a site, be it one that has lost its tables, or a server's installation.
pub(super) fn is_citadels(dir: &Path) -> Result<bool, InstallError> {
    let names = names_in(dir)?;
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if TELLING.iter().any(|name| has(name)) || USUAL.iter().filter(|name| has(name)).count() > 1 {
        return Ok(true);
    }
    let is_table = |name: &OsString| name.to_str().is_some_and(is_table_name);
    Ok(dir.join("data").is_dir() && names_in(&dir.join("data"))?.iter().any(is_table))
}

/// Something at the top of one of a site's directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// In which of them: 0 is the root.
    pub(super) base: usize,
    pub(super) name: OsString,
    pub(super) belongs: Belongs,
}

/// What is at the top of a site's directories, in their order and in byte order: a part is state exactly if an export would take it along.
pub(super) fn entries(site: &Arrangement) -> Result<Vec<Entry>, InstallError> {
    let inventory = inventory::take(site).map_err(|error| match error {
        InventoryError::Io { path, source } => InstallError::io("look at", &path, source),
        InventoryError::NotADirectory { path } => InstallError::NotADirectory { path },
    })?;
    let places = site.places();
    let state = inventory.entries.iter().chain(&inventory.logs).map(|entry| site.path_of(&entry.path));
    let state: BTreeSet<PathBuf> = state.filter_map(|path| top_of(&places, &path)).collect();
    let left_out: BTreeMap<PathBuf, Why> =
        inventory.left_out.iter().map(|left| (site.root().join(OsStr::from_bytes(&left.path)), left.why)).collect();
    let belongs = |path: &Path| {
        if state.contains(path) {
            return Belongs::State;
        }
        match left_out.get(path) {
            // Every ext file system has one in its root.
            _ if path.ends_with("lost+found") => Belongs::Transient,
            // Another directory of the site lies in it.
            _ if places.iter().any(|place| place.starts_with(path)) => Belongs::Transient,
            Some(Why::Transient | Why::Core | Why::OurOwn) => Belongs::Transient,
            Some(Why::Program) => Belongs::Program,
            // Also what has no entry because it is empty, or came this very moment.
            _ => Belongs::Unknown,
        }
    };
    let mut entries = Vec::new();
    for (base, place) in places.iter().enumerate() {
        let names = names_in(place)?.into_iter();
        entries.extend(names.map(|name| Entry { base, belongs: belongs(&place.join(&name)), name }));
    }
    Ok(entries)
}

/// The path of the part in which something lies; `None` for a directory of the site itself.
fn top_of(places: &[PathBuf], path: &Path) -> Option<PathBuf> {
    // Where one of the directories lies in another, the inner one counts.
    let place = places.iter().filter(|place| path.starts_with(place)).max_by_key(|place| place.components().count())?;
    let name = path.strip_prefix(place).ok()?.components().next()?;
    Some(place.join(name))
}
