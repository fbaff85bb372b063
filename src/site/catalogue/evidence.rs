//! What shows that a body is the one that was read some other time, without reading it.
//!
//! Of a message on chains of overflow pages these are: the file id of the table, which every table that is written gets anew, since pages
//! of an imported table bear no LSN; inode and birth of the table's file; number and length of the chain; and the whole first page of it, with
//! the LSN of its last change. A page that was freed and used again has another LSN, and so has the leaf that names it; a table that was put back
//! from a backup is another file, and if it goes on differently to the very same LSNs, the first page of a message still holds its time and its
//! number. libdb changes a chain only by writing another.
//!
//! Of a file they are its size, times, inode and device, if both times lie so long before the look that nothing can have been
//! written since in the same tick of the clock. A clock that is set back makes times that lie ahead; those prove nothing either.
//!
//! What stands in the header is part of the evidence, for it is part of the digest.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::codec::RecordHasher;
use crate::record::{Body, Header};
use crate::site::Site;
use crate::site::btree::{FILE_ID_BYTES, Place};
use crate::site::inventory::What;
use crate::site::source::{Located, LogFile};

/// A digest over all that shows what a record is.
pub(super) type Evidence = [u8; 32];

/// Keeps evidence apart from every other use of blake3.
const CONTEXT: &str = "ctdl-dump evidence of a stored body v1";

/// Times so shortly before the look prove nothing: the coarsest file systems keep two seconds.
const YOUNG: Duration = Duration::from_secs(5);

/// Looks at stored bodies.
pub(super) struct Examiner<'s> {
    site: &'s Site,
    /// Files whose times lie before this were not written since the snapshot was begun.
    settled_by: SystemTime,
    tables: HashMap<u8, TableIdentity>,
    hasher: RecordHasher,
    page: Vec<u8>,
}

/// What tells a table from all others that had its name.
#[derive(Clone, Copy)]
struct TableIdentity {
    file_id: [u8; FILE_ID_BYTES],
    inode: u64,
    born: u128,
}

impl<'s> Examiner<'s> {
    /// Looks at the bodies of a snapshot that was begun at this moment.
    pub fn new(site: &'s Site, begun: SystemTime) -> Self {
        Examiner {
            site,
            settled_by: begun.checked_sub(YOUNG).unwrap_or(UNIX_EPOCH),
            tables: HashMap::new(),
            hasher: RecordHasher::default(),
            page: Vec::new(),
        }
    }

    /// The evidence of a record whose body lies there and has this length; `None` where it would cost as much to look as to read, or proves nothing.
    pub fn evidence(&mut self, header: &Header, located: &Located, length: u64, logs: &[LogFile]) -> Option<Evidence> {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        match located {
            Located::Parts(parts) => {
                let has_chain = parts.iter().any(|(table, place)| self.is_chain(*table, place));
                if !has_chain {
                    return None;
                }
                for (table, place) in parts {
                    self.look_at_value(*table, place, &mut hasher)?;
                }
            }
            Located::File(number, _) => {
                let entry = self.site.inventory().entries.get(*number as usize)?;
                if !matches!(entry.what, What::File { .. }) {
                    return None;
                }
                let path = self.site.arrangement().path_of(&entry.path);
                let found = self.look_at_file(&path, length, &mut hasher)?;
                // A private copy was made of the file with these.
                let is_same = (found.dev(), found.ino()) == (entry.dev, entry.inode)
                    && (found.mtime(), found.mtime_nsec()) == (entry.mtime.0, i64::from(entry.mtime.1));
                if !is_same {
                    return None;
                }
            }
            Located::Log(number, _) => {
                self.look_at_file(&logs.get(*number as usize)?.path, length, &mut hasher)?;
            }
            _ => return None,
        }
        self.hasher.begin(&Header { body: Some(Body::Segments(length)), ..header.clone() });
        hasher.update(&self.hasher.digest());
        Some(hasher.finalize().into())
    }

    /// Whether a value is longer than the page that would have to be looked at.
    fn is_chain(&self, table: u8, place: &Place) -> bool {
        let page_bytes = self.site.tables().get(table).map_or(u32::MAX, |pairs| pairs.page_size());
        place.first_page().is_some() && place.len() > page_bytes
    }

    fn look_at_value(&mut self, table: u8, place: &Place, hasher: &mut blake3::Hasher) -> Option<()> {
        match place {
            Place::Inline(bytes) => {
                hasher.update(&[0]);
                hasher.update(&(bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
            Place::Overflow { first_page, length } => {
                let TableIdentity { file_id, inode, born } = self.table(table)?;
                // Whatever is wrong with the page is said by whoever reads the value.
                self.site.tables().get(table)?.first_page_of(place, &mut self.page).ok()?;
                hasher.update(&[1]);
                hasher.update(&file_id);
                hasher.update(&inode.to_le_bytes());
                hasher.update(&born.to_le_bytes());
                hasher.update(&first_page.to_le_bytes());
                hasher.update(&length.to_le_bytes());
                // By itself, for blake3 is fastest where what it is given begins with a piece of 1,024 bytes.
                hasher.update(blake3::hash(&self.page).as_bytes());
            }
        }
        Some(())
    }

    /// What the table in the site is: its copy, if it is read from one, has an inode of its own.
    fn table(&mut self, number: u8) -> Option<TableIdentity> {
        if let Some(known) = self.tables.get(&number) {
            return Some(*known);
        }
        let pairs = self.site.tables().get(number)?;
        let original = self.site.root().join("data").join(pairs.path().file_name()?);
        let found = std::fs::metadata(original).ok()?;
        let born = found.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let identity = TableIdentity {
            file_id: pairs.file_id(),
            inode: found.ino(),
            // Not every file system keeps it.
            born: born.map_or(0, |born| born.as_nanos()),
        };
        self.tables.insert(number, identity);
        Some(identity)
    }

    fn look_at_file(&self, path: &Path, length: u64, hasher: &mut blake3::Hasher) -> Option<std::fs::Metadata> {
        let found = std::fs::symlink_metadata(path).ok()?;
        let times = [(found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec())];
        if !found.is_file() || found.len() != length || !times.iter().all(|time| self.is_settled(*time)) {
            return None;
        }
        hasher.update(&[2]);
        for number in [found.dev(), found.ino(), found.len()] {
            hasher.update(&number.to_le_bytes());
        }
        for (seconds, nanos) in times {
            hasher.update(&seconds.to_le_bytes());
            hasher.update(&nanos.to_le_bytes());
        }
        Some(found)
    }

    fn is_settled(&self, (seconds, nanos): (i64, i64)) -> bool {
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else {
            // Before 1970, and so long ago.
            return true;
        };
        UNIX_EPOCH.checked_add(Duration::new(seconds, nanos)).is_some_and(|time| time <= self.settled_by)
    }
}
