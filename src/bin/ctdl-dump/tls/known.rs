//! The servers that this machine has seen before, and their fingerprints.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::Fingerprint;

/// A line for each server: its address, a blank, its fingerprint.
const NAME: &str = "known-peers";

/// The file in the state directory.
pub struct KnownPeers(PathBuf);

impl KnownPeers {
    /// The file of this machine. It may not be there yet.
    pub fn of(state_directory: &Path) -> Self {
        KnownPeers(state_directory.join(NAME))
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What a server was known by when it was seen for the first time.
    pub fn find(&self, address: &str) -> Result<Option<Fingerprint>> {
        let text = match std::fs::read_to_string(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| self.0.display().to_string())?,
        };
        let line = text.lines().find_map(|line| line.strip_prefix(address)?.strip_prefix(' '));
        let Some(found) = line else { return Ok(None) };
        match found.trim().parse() {
            Ok(fingerprint) => Ok(Some(fingerprint)),
            Err(problem) => bail!("{}: the line of {address} is damaged: {problem}", self.0.display()),
        }
    }

    /// Remembers a server.
    pub fn add(&self, address: &str, fingerprint: &Fingerprint) -> Result<()> {
        let what = || format!("{} can't be written", self.0.display());
        if let Some(directory) = self.0.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(what)?;
        }
        let file: std::io::Result<File> = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.0);
        let mut file = file.with_context(what)?;
        // One write: two programs that do so at once don't mix their lines.
        file.write_all(format!("{address} {fingerprint}\n").as_bytes()).with_context(what)?;
        file.sync_all().with_context(what)
    }
}
