//! Tokens: what a peer must know that comes over TLS.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::error::usage;
use crate::tls;

/// A shorter one could be guessed.
const LEAST_CHARACTERS: usize = 32;
/// The longest that the protocol allows, in bytes.
const MOST_BYTES: u64 = 512;

/// The token in a file: its one line.
pub fn read(path: &Path) -> Result<String> {
    let what = || format!("--token-file {} can't be read", path.display());
    let found = match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(
                "--token-file {} is not there; `ctdl-dump serve --make-token {0}` makes one, and both ends need the same",
                path.display()
            )
        }
        found => found.with_context(what)?,
    };
    if found.mode() & 0o077 != 0 {
        let mode = found.mode() & 0o777;
        bail!(
            "{} may be read by others (mode {mode:o}); say chmod 600, and make a new token if others live here",
            path.display()
        );
    }
    if !found.is_file() || found.len() > MOST_BYTES + 2 {
        usage!("--token-file {} is no file of at most {MOST_BYTES} bytes", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(what)?;
    let token = text.trim_end_matches(['\r', '\n']);
    if token.chars().count() < LEAST_CHARACTERS {
        usage!(
            "{} holds a token of less than {LEAST_CHARACTERS} characters; `ctdl-dump serve --make-token FILE` makes a good one",
            path.display()
        );
    }
    if token.chars().any(|sign| sign.is_control() || sign == '|') {
        usage!("{} must hold one line without `|`", path.display());
    }
    Ok(token.to_owned())
}

/// Writes a new token into a new file that only its owner may read.
pub fn make(path: &Path) -> Result<()> {
    let what = || format!("{} can't be made", path.display());
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!(
                "{} is there already; name another file, or remove it, and give the new token to all who have the old one",
                path.display()
            )
        }
        file => file.with_context(what)?,
    };
    let digits: String = tls::random::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    file.write_all(format!("{digits}\n").as_bytes()).and_then(|()| file.sync_all()).with_context(what)
}
