//! A receipt: a pushed site is in place, and its peer was not told yet. The connection may have broken in that moment; then the peer comes again,
//! and must not be refused because there is a site.
//!
//! `DIR.ctdl-dump-received.ctz.done` is lines of text: what was pushed, its site digest, and what tells the directory of its tables from others, which
//! it takes along to its place: so the receipt is true from the very moment of the exchange, and not before. A server that is started changes that
//! directory, and whatever was done since then counts more than the receipt.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ctdl_dump::codec::Digest;
use ctdl_dump::codec::identity::hex;
use ctdl_dump::site::data_directory;
use ctdl_dump::wire::SnapshotId;
use rustix::fs::OFlags;

use crate::partial::beside;

/// The first line.
const MAGIC: &str = "ctdl-dump received 1";

/// A receipt in its file.
pub struct Receipt {
    path: PathBuf,
    id: SnapshotId,
    site_digest: Digest,
}

impl Receipt {
    /// Writes down that a site is going to be put in place, the directory of whose tables is this as yet.
    pub fn begin(received: &Path, id: SnapshotId, site_digest: Digest, data: &Path) -> Result<Self> {
        let receipt = Receipt { path: beside(received, ".done"), id, site_digest };
        receipt.write(&state_of(data).unwrap_or_default())?;
        Ok(receipt)
    }

    /// It is in place. Where that is a mount point the directory is another one now.
    pub fn complete(&self, site: &Path) -> Result<()> {
        let state = state_of_tables(site).unwrap_or_default();
        // Who is killed while he writes it again has none.
        match read(&self.path) {
            Some((_, written)) if written == state => Ok(()),
            _ => self.write(&state),
        }
    }

    /// What the peer does not know: that this is in place. With `is_finished` it has just been put in place, by finishing what was begun.
    pub fn find(received: &Path, id: SnapshotId, site: &Path, is_finished: bool) -> Result<Option<Self>> {
        let path = beside(received, ".done");
        let Some((receipt, state)) = read(&path) else { return Ok(None) };
        if receipt.id == id && (is_finished || state_of_tables(site) == Some(state)) {
            receipt.complete(site)?;
            return Ok(Some(receipt));
        }
        receipt.remove();
        Ok(None)
    }

    /// Of the site that is in place.
    pub fn site_digest(&self) -> Digest {
        self.site_digest
    }

    /// The peer knows, or it is not true.
    pub fn remove(self) {
        // One that stays is true only as long as nobody touches the site.
        let _ = std::fs::remove_file(&self.path);
    }

    fn write(&self, state: &str) -> Result<()> {
        let what = || format!("{} can't be written", self.path.display());
        let mut options = File::options();
        // Not through a link that somebody has put there.
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
        let mut file = options.open(&self.path).with_context(what)?;
        let text = format!("{MAGIC}\npush {}\nsite {}\ndata {state}\n", self.id, hex(&self.site_digest));
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(what)
    }
}

fn read(path: &Path) -> Option<(Receipt, String)> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    if lines.next()? != MAGIC {
        return None;
    }
    let id = SnapshotId::parse(lines.next()?.strip_prefix("push ")?)?;
    let digits = lines.next()?.strip_prefix("site ")?;
    let mut site_digest = Digest::default();
    for (at, byte) in site_digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    let state = lines.next()?.strip_prefix("data ")?.to_owned();
    Some((Receipt { path: path.to_owned(), id, site_digest }, state))
}

fn state_of_tables(site: &Path) -> Option<String> {
    state_of(&data_directory(site).ok()?)
}

/// Tells the directory of the tables, and what files are in it, from what they are later.
fn state_of(data: &Path) -> Option<String> {
    let found = data.metadata().ok()?;
    Some(format!("{} {} {}.{:09}", found.dev(), found.ino(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_true_for_its_push_until_the_site_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (site, received) = (folder.path().join("site"), folder.path().join("site.received"));
        std::fs::create_dir_all(site.join("data")).unwrap();
        let (id, other) = (SnapshotId([1; 16]), SnapshotId([2; 16]));
        let find = |id, is_finished| Receipt::find(&received, id, &site, is_finished).unwrap();
        let staged = folder.path().join("staged");
        let begin = || {
            std::fs::create_dir_all(staged.join("data")).unwrap();
            Receipt::begin(&received, id, [7; 32], &staged.join("data")).unwrap()
        };
        begin();
        assert!(find(id, false).is_none(), "killed before it was in place");
        begin();
        assert_eq!(find(id, true).map(|receipt| receipt.site_digest()), Some([7; 32]));
        assert_eq!(find(id, false).map(|receipt| receipt.site_digest()), Some([7; 32]));
        begin();
        std::fs::rename(&site, folder.path().join("before")).unwrap();
        std::fs::rename(&staged, &site).unwrap();
        assert_eq!(find(id, false).map(|receipt| receipt.site_digest()), Some([7; 32]), "killed when it was in place");
        assert!(find(other, false).is_none());
        assert!(find(id, false).is_none(), "another push makes it void");
        begin().complete(&site).unwrap();
        std::fs::write(site.join("data/log.0000000001"), "a server").unwrap();
        assert!(find(id, false).is_none(), "a server was started");
    }
}
