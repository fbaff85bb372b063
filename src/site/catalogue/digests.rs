//! Digests of long bodies, kept from one snapshot of a site to the next.
//!
//! One file for each site, in a directory of this machine's own: a line of text, then what follows in binary, numbers little-endian.
//!
//! | size | field |
//! |---|---|
//! | 32 | blake3 of the site's path, device and inode |
//! | 8 | when all bodies were read for the last time, in seconds since 1970 |
//! | ... | entries in canonical order: kind (1), length of the key (2), key as it is sorted, evidence (32), digest (32) |
//! | 1 | 255 |
//! | 32 | blake3 of all before |
//!
//! It holds nothing that can't be found out again. A file that is damaged, of another site or of another version counts as none, and so does one
//! from so long ago that it is time to read everything again.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use tempfile::NamedTempFile;

use super::evidence::Evidence;
use crate::codec::Digest;
use crate::record::{Key, Kind, MAX_KEY_BYTES};
use crate::site::claim::Locked;

const MAGIC: &[u8] = b"ctdl-dump digests 1\n";
const END: u8 = 255;
const DIGEST_BYTES: u64 = 32;
/// After so many seconds every body is read again, whatever the evidence says: 30 days.
const LONGEST_TRUST: u64 = 30 * 86_400;
/// How a file is called until it is complete. Whoever writes it holds its lock.
const UNFINISHED: &str = ".unfinished-";
/// One that nobody has locked by then was left by somebody who was killed.
const LOCKED_WITHIN: Duration = Duration::from_secs(60);
/// A key as it is sorted has a byte more for each of at most three parts.
const MAX_SORTED_KEY_BYTES: usize = MAX_KEY_BYTES + 3;

/// The digests of the last time and those of this time.
pub(super) struct Digests {
    old: Option<OldDigests>,
    new: NewDigests,
    key: Vec<u8>,
}

/// The file of a site in a directory of such files.
pub(super) fn path_in(directory: &Path, site: &Path) -> PathBuf {
    let site = site.canonicalize().unwrap_or_else(|_| site.to_owned());
    let name = blake3::hash(site.as_os_str().as_encoded_bytes()).to_hex();
    directory.join(format!("{}.digests", &name[..32]))
}

impl Digests {
    /// Opens those of the last time, if there are any, and begins those of this time.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn open(directory: &Path, site: &Path) -> std::io::Result<Digests> {
        // The state directory above it, too, if it is not there yet.
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        std::fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        remove_unfinished(directory)?;
        let (path, identity, now) = (path_in(directory, site), identity(site)?, now());
        let old = OldDigests::open(&path, &identity, now);
        let since = old.as_ref().map_or(now, |old| old.since);
        Ok(Digests { old, new: NewDigests::create(directory, path, &identity, since)?, key: Vec::new() })
    }

    /// The digest that a record had when there was the same evidence. Records are asked for in canonical order.
    pub fn find(&mut self, kind: Kind, key: &Key, evidence: &Evidence) -> Option<Digest> {
        self.key.clear();
        key.sort_bytes(&mut self.key);
        self.old.as_mut()?.find(kind as u8, &self.key, evidence)
    }

    /// Keeps the digest of a record for the next time.
    pub fn add(&mut self, kind: Kind, key: &Key, evidence: &Evidence, digest: &Digest) -> std::io::Result<()> {
        self.key.clear();
        key.sort_bytes(&mut self.key);
        self.new.add(kind as u8, &self.key, evidence, digest)
    }

    /// Puts those of this time in the place of the others.
    pub fn finish(self) -> std::io::Result<()> {
        self.new.finish()
    }
}

/// Removes what was left by those who were killed while they wrote.
fn remove_unfinished(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) && is_left(&entry.path()) {
            // If it can't be removed, it does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn is_left(path: &Path) -> bool {
    let age = path.symlink_metadata().and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
    let is_old = age.is_some_and(|age| age > LOCKED_WITHIN);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let lock = || Locked::try_new(open(path, flags, Mode::empty())?, FlockOperation::NonBlockingLockShared);
    is_old && matches!(lock(), Ok(Some(_)))
}

/// Tells a site from another one that is or was at the same path.
fn identity(site: &Path) -> std::io::Result<Digest> {
    let (path, found) = (site.canonicalize()?, std::fs::metadata(site)?);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&found.dev().to_le_bytes());
    hasher.update(&found.ino().to_le_bytes());
    hasher.update(path.as_os_str().as_encoded_bytes());
    Ok(hasher.finalize().into())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A file of digests that was found whole.
struct OldDigests {
    file: BufReader<File>,
    since: u64,
    present: Option<Entry>,
}

#[derive(Default)]
struct Entry {
    kind: u8,
    key: Vec<u8>,
    evidence: Evidence,
    digest: Digest,
}

impl OldDigests {
    /// `None` if there is no file that is any good.
    fn open(path: &Path, identity: &Digest, now: u64) -> Option<OldDigests> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let file = File::options().read(true).custom_flags(flags.bits() as i32).open(path).ok()?;
        let found = file.metadata().ok()?;
        // Somebody else's word is not taken.
        if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() || !is_whole(&file, found.len())? {
            return None;
        }
        let mut file = BufReader::with_capacity(1 << 16, file);
        file.rewind().ok()?;
        let mut start = [0; MAGIC.len() + 32 + 8];
        file.read_exact(&mut start).ok()?;
        let (magic, rest) = start.split_at(MAGIC.len());
        let (of_site, since) = rest.split_at(32);
        let since = u64::from_le_bytes(since.try_into().ok()?);
        // One from the future was written by another clock.
        let is_trusted = since <= now && now - since < LONGEST_TRUST;
        if magic != MAGIC || of_site != identity || !is_trusted {
            return None;
        }
        let mut digests = OldDigests { file, since, present: None };
        digests.advance();
        Some(digests)
    }

    fn find(&mut self, kind: u8, key: &[u8], evidence: &Evidence) -> Option<Digest> {
        while let Some(entry) = &self.present {
            match (entry.kind, entry.key.as_slice()).cmp(&(kind, key)) {
                std::cmp::Ordering::Less => self.advance(),
                std::cmp::Ordering::Equal => return (entry.evidence == *evidence).then_some(entry.digest),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }

    fn advance(&mut self) {
        let mut entry = self.present.take().unwrap_or_default();
        // The file was found whole; were it to end early, all that is left would be read anew.
        self.present = self.read(&mut entry).map(|()| entry);
    }

    fn read(&mut self, entry: &mut Entry) -> Option<()> {
        let mut kind = [0];
        self.file.read_exact(&mut kind).ok()?;
        if kind[0] == END {
            return None;
        }
        let mut length = [0; 2];
        self.file.read_exact(&mut length).ok()?;
        let length = usize::from(u16::from_le_bytes(length));
        if length > MAX_SORTED_KEY_BYTES {
            return None;
        }
        entry.kind = kind[0];
        entry.key.resize(length, 0);
        self.file.read_exact(&mut entry.key).ok()?;
        self.file.read_exact(&mut entry.evidence).ok()?;
        self.file.read_exact(&mut entry.digest).ok()
    }
}

/// Whether a file ends with the digest of all before it.
fn is_whole(file: &File, length: u64) -> Option<bool> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file.take(length.checked_sub(DIGEST_BYTES)?)).ok()?;
    let mut digest = [0; 32];
    let mut end = file;
    end.read_exact(&mut digest).ok()?;
    Some(hasher.finalize() == digest)
}

struct NewDigests {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
    hasher: blake3::Hasher,
    entry: Vec<u8>,
}

impl NewDigests {
    fn create(directory: &Path, path: PathBuf, identity: &Digest, since: u64) -> std::io::Result<Self> {
        // Of mode 0600, and gone if it doesn't get its name.
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(directory)?;
        // Where there are no locks, nothing is ever taken for left behind.
        let _ = flock(file.as_file(), FlockOperation::NonBlockingLockExclusive);
        let file = BufWriter::with_capacity(1 << 16, file);
        let mut digests = NewDigests { file, path, hasher: blake3::Hasher::new(), entry: Vec::new() };
        digests.write(MAGIC)?;
        digests.write(identity)?;
        digests.write(&since.to_le_bytes())?;
        Ok(digests)
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }

    fn add(&mut self, kind: u8, key: &[u8], evidence: &Evidence, digest: &Digest) -> std::io::Result<()> {
        let length = u16::try_from(key.len()).map_err(std::io::Error::other)?;
        let mut entry = std::mem::take(&mut self.entry);
        entry.clear();
        entry.push(kind);
        entry.extend_from_slice(&length.to_le_bytes());
        entry.extend_from_slice(key);
        entry.extend_from_slice(evidence);
        entry.extend_from_slice(digest);
        let written = self.write(&entry);
        self.entry = entry;
        written
    }

    /// A machine that stops now may leave an empty file under the name, which is seen by its digest: nothing waits for the disk.
    fn finish(mut self) -> std::io::Result<()> {
        self.write(&[END])?;
        let digest = self.hasher.finalize();
        self.file.write_all(digest.as_bytes())?;
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}
