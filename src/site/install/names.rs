//! Names at the top of a site's directory: whose they are, and which are ours.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::InstallError;
use super::steps::names_in;
use crate::site::inventory::{self, InventoryError, Why};

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

/// What is at the top of a site's directory, in byte order: a part is state exactly if an export would take it along.
pub(super) fn entries(site: &Path) -> Result<Vec<(OsString, Belongs)>, InstallError> {
    let inventory = inventory::take(site).map_err(|error| match error {
        InventoryError::Io { path, source } => InstallError::io("look at", &path, source),
        _ => InstallError::NotADirectory { path: site.to_owned() },
    })?;
    let state = inventory.entries.iter().chain(&inventory.logs).map(|entry| entry.path.as_slice());
    let state: BTreeSet<&[u8]> = state.filter_map(|path| path.split(|&byte| byte == b'/').next()).collect();
    let belongs = |name: &OsStr| {
        let name = name.as_bytes();
        if state.contains(name) {
            return Belongs::State;
        }
        match inventory.left_out.iter().find(|left| left.path == name).map(|left| left.why) {
            // Every ext file system has one in its root.
            _ if name == b"lost+found" => Belongs::Transient,
            Some(Why::Transient | Why::Core | Why::OurOwn) => Belongs::Transient,
            Some(Why::Program) => Belongs::Program,
            // Also what has no entry because it is empty, or came this very moment.
            _ => Belongs::Unknown,
        }
    };
    Ok(names_in(site)?.into_iter().map(|name| (name.clone(), belongs(&name))).collect())
}
