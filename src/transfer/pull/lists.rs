//! Lists of records that don't stay in memory: a site of millions of records may differ in every one of them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::manifest::{Identity, decode_identities, encode_identities};
use crate::endpoint::{Class, Failure};

/// So many bytes stay in memory, and go to the file in one write.
const MEMORY_BYTES: usize = 256 << 10;
/// Bytes that are read back in one go.
const READ_BYTES: usize = 64 << 10;
/// Before each record: its length, and the number of the archive that has it.
const HEAD_BYTES: usize = 5;

/// Records of a peer in the order in which they were added, and for each the number of the archive that has it, if one has. What doesn't fit into a
/// little memory stands in a file without a name, which vanishes with its owner.
#[derive(Debug)]
pub(super) struct Lists {
    scratch: PathBuf,
    file: Option<File>,
    /// How many bytes stand in the file; the others are in memory.
    filed_bytes: u64,
    memory: Vec<u8>,
    found: Found,
}

/// How many records are here, and how many are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub here: u64,
    pub missing: u64,
}

/// How far the lists were at some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    bytes: u64,
    found: Found,
}

/// Why the lists can't be kept.
#[derive(Debug, thiserror::Error)]
#[error(
    "the list of what differs: cannot {action} in {directory}, where {bytes_needed} bytes are needed so far: {source}; make room there, or let the archive be written elsewhere",
    directory = directory.display()
)]
struct ListsError {
    directory: PathBuf,
    action: &'static str,
    bytes_needed: u64,
    source: io::Error,
}

impl Lists {
    /// Empty lists. `scratch` is an existing directory for what doesn't fit into memory.
    pub fn new(scratch: &Path) -> Self {
        let (scratch, memory) = (scratch.to_owned(), Vec::new());
        Lists { scratch, file: None, filed_bytes: 0, memory, found: Found::default() }
    }

    /// Adds a record.
    pub fn push(&mut self, record: &Identity, place: Option<usize>) -> Result<(), Failure> {
        let content = encode_identities(std::slice::from_ref(record));
        // A record fits a piece of the wire, and nobody compares with 254 archives.
        self.memory.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.memory.push(place.map_or(0, |place| u8::try_from(place + 1).unwrap_or(u8::MAX)));
        self.memory.extend_from_slice(&content);
        *(if place.is_some() { &mut self.found.here } else { &mut self.found.missing }) += 1;
        if self.memory.len() >= MEMORY_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// How many records there are.
    pub fn found(&self) -> Found {
        self.found
    }

    /// How far the lists are.
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes(), found: self.found }
    }

    /// Forgets what was added since.
    pub fn cut(&mut self, mark: Mark) {
        match mark.bytes.checked_sub(self.filed_bytes).and_then(|rest| usize::try_from(rest).ok()) {
            Some(rest) => self.memory.truncate(rest),
            None => {
                self.memory.clear();
                self.filed_bytes = mark.bytes;
            }
        }
        self.found = mark.found;
    }

    /// All records, from the first on.
    pub fn records(self: &Arc<Self>) -> Records {
        Records { lists: Arc::clone(self), at: 0, buffer: Vec::new(), used: 0 }
    }

    fn bytes(&self) -> u64 {
        self.filed_bytes + self.memory.len() as u64
    }

    fn write(&mut self) -> Result<(), Failure> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.scratch)
                .map_err(|error| self.failure("make a file without a name", error))?,
        };
        file.write_all_at(&self.memory, self.filed_bytes).map_err(|error| self.failure("write", error))?;
        self.file = Some(file);
        self.filed_bytes += self.memory.len() as u64;
        self.memory.clear();
        Ok(())
    }

    /// Puts what stands from a byte on behind what `buffer` has.
    fn read(&self, at: u64, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        let (start, left) = (buffer.len(), self.filed_bytes.saturating_sub(at));
        match &self.file {
            Some(file) if left > 0 => {
                let wanted = usize::try_from(left).map_or(READ_BYTES, |left| left.min(READ_BYTES));
                buffer.resize(start + wanted, 0);
                file.read_exact_at(&mut buffer[start..], at).map_err(|error| self.failure("read back", error))
            }
            _ => {
                let rest = usize::try_from(at - self.filed_bytes).ok().and_then(|skipped| self.memory.get(skipped..));
                let rest = rest.unwrap_or_default();
                buffer.extend_from_slice(&rest[..rest.len().min(READ_BYTES)]);
                Ok(())
            }
        }
    }

    fn failure(&self, action: &'static str, source: io::Error) -> Failure {
        let (directory, bytes_needed) = (self.scratch.clone(), self.bytes());
        Failure::new(Class::Failed, ListsError { directory, action, bytes_needed, source })
    }
}

/// The records of lists, one after the other.
#[derive(Debug)]
pub(super) struct Records {
    lists: Arc<Lists>,
    /// Behind what is in the buffer.
    at: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Records {
    fn next_record(&mut self) -> Result<Option<(Identity, Option<usize>)>, Failure> {
        let Some(head) = self.take(HEAD_BYTES)? else { return Ok(None) };
        let [a, b, c, d, place] = head[..] else { return Err(self.damaged()) };
        let bytes = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(content) = self.take(bytes)? else { return Err(self.damaged()) };
        let record = decode_identities(content).ok().and_then(|records| records.into_iter().next());
        let record = record.ok_or_else(|| self.damaged())?;
        Ok(Some((record, usize::from(place).checked_sub(1))))
    }

    /// The next bytes; `None` where the lists end.
    fn take(&mut self, bytes: usize) -> Result<Option<&[u8]>, Failure> {
        while self.buffer.len() - self.used < bytes {
            self.buffer.drain(..self.used);
            self.used = 0;
            let before = self.buffer.len();
            self.lists.read(self.at, &mut self.buffer)?;
            self.at += (self.buffer.len() - before) as u64;
            if self.buffer.len() == before {
                return Ok(None);
            }
        }
        let taken = self.used..self.used + bytes;
        self.used = taken.end;
        Ok(self.buffer.get(taken))
    }

    fn damaged(&self) -> Failure {
        self.lists.failure("read back", io::Error::new(io::ErrorKind::InvalidData, "it holds something else by now"))
    }
}

impl Iterator for Records {
    type Item = Result<(Identity, Option<usize>), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Key, Kind};

    fn record(number: i64) -> Identity {
        Identity { kind: Kind::Message, key: Key::number(number), length: Some(number.unsigned_abs()), digest: [7; 32] }
    }

    /// Every third is in the first archive.
    fn place(number: i64) -> Option<usize> {
        (number % 3 == 0).then_some(0)
    }

    #[test]
    fn what_was_added_comes_back_also_where_lists_were_cut() {
        let scratch = tempfile::tempdir().unwrap();
        for (kept, all) in [(0, 10), (10, 20), (5_000, 30_000), (20_000, 20_001), (9_000, 9_000)] {
            let mut lists = Lists::new(scratch.path());
            (1..=kept).for_each(|number| lists.push(&record(number), place(number)).unwrap());
            let mark = lists.mark();
            // What comes of a connection that breaks is forgotten.
            (1..=all - kept).for_each(|_| lists.push(&record(-1), None).unwrap());
            lists.cut(mark);
            (kept + 1..=all).for_each(|number| lists.push(&record(number), place(number)).unwrap());
            assert!(lists.memory.len() < MEMORY_BYTES && lists.memory.capacity() <= 2 * MEMORY_BYTES);
            assert_eq!(lists.found(), Found { here: all.unsigned_abs() / 3, missing: (all - all / 3).unsigned_abs() });
            let lists = Arc::new(lists);
            let expected = (1..=all).map(|number| (record(number), place(number)));
            assert!(lists.records().map(Result::unwrap).eq(expected), "{kept} of {all}");
        }
        assert_eq!(scratch.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_takes_no_file_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let mut lists = Lists::new(&scratch.path().join("not there"));
        let failure = (1..100_000).find_map(|number| lists.push(&record(number), None).err()).unwrap();
        assert_eq!(failure.class, Class::Failed);
        assert!(failure.to_string().contains("not there") && failure.to_string().contains("make room"), "{failure}");
    }
}
