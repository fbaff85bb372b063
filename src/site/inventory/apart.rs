//! What of a site lies in directories beside its root.
//!
//! Others may use these directories too, so only what the class of files has there is taken; whatever else there is, is named.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::rules;
use super::walk::{Seen, Walk, entry};
use super::{InventoryError, What};
use crate::site::arrangement::{Apart, Class};

const KEYS: &[u8] = b"keys";
const NETWORK: &[u8] = b"network";
const ALIASES: &[u8] = b"network/mail.aliases";

impl Walk<'_> {
    /// Walks over all directories beside the root that are there.
    pub(super) fn apart(&mut self) -> Result<(), InventoryError> {
        for apart in self.site.apart() {
            let metadata = match std::fs::metadata(&apart.directory) {
                Ok(metadata) if metadata.is_dir() => metadata,
                Ok(_) => return Err(InventoryError::NotADirectory { path: apart.directory }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(source) => return Err(InventoryError::io(&apart.directory, source)),
            };
            if apart.classes.contains(&Class::Ssl) {
                self.found.entries.push(entry(KEYS.to_vec(), What::Directory, &metadata));
            }
            self.directory(&apart)?;
        }
        self.network();
        Ok(())
    }

    fn directory(&mut self, apart: &Apart) -> Result<(), InventoryError> {
        for seen in self.list(&apart.directory, b"")? {
            match apart.record_of(&seen.path) {
                Some(record) => {
                    let rule = rules::of_record(record);
                    self.entry(Seen { path: record.to_vec(), ..seen }, rule)?;
                }
                None if self.holds_a_directory(&seen) => {}
                None => {
                    let why = rules::beside_the_root(&seen.path, &seen.metadata, &apart.classes);
                    self.leave_out(seen.at.as_os_str().as_bytes().to_vec(), why);
                }
            }
        }
        Ok(())
    }

    /// A site with one root has the aliases in `network/`, so there must be one.
    fn network(&mut self) {
        let entries = &self.found.entries;
        if entries.iter().any(|entry| entry.path == NETWORK) {
            return;
        }
        let aliases = entries.iter().find(|entry| entry.path == ALIASES);
        let made = aliases.map(|aliases| super::Entry {
            path: NETWORK.to_vec(),
            what: What::Directory,
            mode: 0o700,
            ..aliases.clone()
        });
        self.found.entries.extend(made);
    }

    /// Where a link may lead so that what it leads to is carried anyway.
    pub(super) fn own_places(&self, seen: &Seen) -> Vec<PathBuf> {
        let directory = seen.at.parent().and_then(|directory| std::fs::canonicalize(directory).ok());
        let Some(directory) = directory else { return Vec::new() };
        if directory.starts_with(&self.real_root) {
            return vec![self.real_root.clone()];
        }
        let apart = self.site.apart().into_iter().find(|apart| apart.directory == directory);
        let names = std::fs::read_dir(&directory).into_iter().flatten().flatten();
        let own = names
            .filter(|name| apart.as_ref().is_some_and(|apart| apart.record_of(name.file_name().as_bytes()).is_some()));
        own.map(|own| own.path()).collect()
    }
}
