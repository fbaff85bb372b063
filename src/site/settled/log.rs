//! Reader for Berkeley DB log files of versions 12 to 19 (libdb 4.5 to 5.3), one record after the other.
//!
//! A log file is a chain of records, then zeros to its full size, which it has from birth. Each record begins with 12 bytes:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | where the record before it begins; in a file's first record: the last one of the file before, 0 if there's none |
//! | 4 | 4 | length of the record with these 12 bytes; 0 ends the file |
//! | 8 | 4 | check sum: h over the rest of the record, h = 33 h + byte from h = 0, then xor with the two fields above |
//!
//! The first record of a file is its header: magic number 0x040988, version, size that a full file has, and 4 unused bytes. All
//! others begin with the record's kind, transaction, and the LSN of that transaction's record before (file, offset). Numbers are
//! little-endian in every log seen, also in those of big-endian machines; the magic number decides. (Seen in the logs of nine
//! sites of three kinds of machine, all of version 19, and compared with `db5.3_printlog`.)
//!
//! Version 12 brought the two fields in front into the check sum. Since then frames have not changed, nor have the records that are looked
//! into here: `db5.3_printlog`, which knows what each version brought, reads a log whose header says 12 to 18 in the same way.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::byte_order::ByteOrder;
pub use super::log_record::{LogRecord, RecordKind, TableUse};
use super::lsn::Lsn;
use crate::site::regular::open_regular;

/// The log versions read here.
pub const LOG_VERSIONS: std::ops::RangeInclusive<u32> = 12..=19;

/// The log versions that recovery replays, of libdb 5.0 to 5.3, between which no record has changed. Of older ones libdb 5.3 misreads some
/// records: recovery fails, or ends early without a word (seen for 16).
pub const REPLAYED_VERSIONS: std::ops::RangeInclusive<u32> = 17..=19;

const MAGIC: u32 = 0x0004_0988;
const HEADER: usize = 12;
const PREFIX: usize = HEADER + 16;
/// Longer records don't fit into the 10 MiB files that Citadel's environments have.
const LONGEST_RECORD: u32 = 16 << 20;

/// Why a log can't be read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The system can't read the file.
    #[error("{path}: can't be read: {source}", path = path.display())]
    Io {
        /// The log file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file does not begin as a log file does.
    #[error("{path}: this is not a Berkeley DB log file: {found}", path = path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// What stands in it.
        found: String,
    },
    /// The log was written by another version of libdb.
    #[error(
        "{path}: the log has version {found}, which is not read (versions {} to {} are, of libdb 4.5 to 5.3)",
        LOG_VERSIONS.start(), LOG_VERSIONS.end(), path = path.display()
    )]
    Version {
        /// The log file.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
    /// There are zeros, or nothing, where the header of the file should be.
    #[error("{path}: nothing was written to this log file since it was made", path = path.display())]
    Unwritten {
        /// The log file.
        path: PathBuf,
    },
    /// Something that is neither a whole record nor the zeros behind the last one.
    #[error("{path}: at byte {offset}, behind the record at {last}: {what}", path = path.display(), offset = at.offset)]
    Broken {
        /// The log file.
        path: PathBuf,
        /// Where it stands.
        at: Lsn,
        /// The last whole record.
        last: Lsn,
        /// What is wrong.
        what: String,
    },
}

/// A log file, read record by record from its beginning. The iterator ends behind the last record if nothing but zeros follows, and after
/// the first error.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    number: u32,
    version: u32,
    order: ByteOrder,
    reader: BufReader<File>,
    size: u64,
    prev_file_last: u32,
    last: u32,
    at: u32,
    finished: bool,
}

impl LogFile {
    /// Opens log file `number` as the one that follows the record at `before`, if there's one.
    ///
    /// # Errors
    /// Those of [`LogFile::open`] and [`LogFile::must_follow`].
    pub fn open_after(path: &Path, number: u32, before: Option<Lsn>) -> Result<LogFile, LogError> {
        let log = LogFile::open(path, number)?;
        before.map_or(Ok(()), |before| log.must_follow(before))?;
        Ok(log)
    }

    /// Checks that this file follows the record at `before`.
    ///
    /// # Errors
    /// [`LogError::Broken`], with byte 0 as the place, if it follows another one.
    pub fn must_follow(&self, before: Lsn) -> Result<(), LogError> {
        if (before.file.checked_add(1), before.offset) == (Some(self.number), self.prev_file_last) {
            return Ok(());
        }
        Err(LogError::Broken {
            path: self.path.clone(),
            at: self.lsn(0),
            last: before,
            what: format!(
                "this file doesn't follow that record: its own header names byte {} of file {}",
                self.prev_file_last,
                self.number.saturating_sub(1)
            ),
        })
    }

    /// Opens log file `number` for reading and checks its header record.
    ///
    /// # Errors
    /// [`LogError::Unwritten`], [`LogError::NotALog`] and [`LogError::Version`] as said there; [`LogError::Broken`] if the header's check sum is wrong.
    pub fn open(path: &Path, number: u32) -> Result<LogFile, LogError> {
        let io = |source| LogError::Io { path: path.to_owned(), source };
        let not_a_log = |found: String| LogError::NotALog { path: path.to_owned(), found };
        let file = open_regular(path).map_err(io)?.ok_or_else(|| not_a_log("it is no regular file".to_owned()))?;
        let size = file.metadata().map_err(io)?.len();
        if size > u64::from(u32::MAX) {
            return Err(not_a_log(format!("it has {size} bytes, a log file at most 4 GiB")));
        }
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut head = Vec::with_capacity(PREFIX);
        reader.by_ref().take(PREFIX as u64).read_to_end(&mut head).map_err(io)?;
        if head.iter().all(|&byte| byte == 0) {
            return Err(LogError::Unwritten { path: path.to_owned() });
        }
        let magic = head
            .get(HEADER..HEADER + 4)
            .ok_or_else(|| not_a_log(format!("it has only {} bytes, the header alone has {PREFIX}", head.len())))?;
        let order = ByteOrder::of_magic(magic, MAGIC)
            .ok_or_else(|| not_a_log(format!("bytes 12 to 15 are {magic:02x?}, not 88 09 04 00 or its reverse")))?;
        let field = |at| order.u32_at(&head, at).unwrap_or_default();
        let version = field(16);
        if !LOG_VERSIONS.contains(&version) {
            return Err(LogError::Version { path: path.to_owned(), found: version });
        }
        let (prev, len, sum) = (field(0), field(4), field(8));
        if len as usize != PREFIX || sum != checksum(head.get(HEADER..).unwrap_or_default(), prev, len) {
            let start = Lsn { file: number, offset: 0 };
            return Err(LogError::Broken {
                path: path.to_owned(),
                at: start,
                last: start,
                what: "the check sum of the file's header is wrong".to_owned(),
            });
        }
        Ok(LogFile {
            path: path.to_owned(),
            number,
            version,
            order,
            reader,
            size,
            prev_file_last: prev,
            last: 0,
            at: len,
            finished: false,
        })
    }

    /// The version in its header.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Where the last record read begins.
    pub fn last_record(&self) -> Lsn {
        self.lsn(self.last)
    }

    /// Where the next record begins: after the iterator's end, the end of the log.
    pub fn next_record(&self) -> Lsn {
        self.lsn(self.at)
    }

    /// Where the last record of the file before begins, as this file has it; 0 in a log's first file.
    pub fn prev_file_last(&self) -> u32 {
        self.prev_file_last
    }

    fn lsn(&self, offset: u32) -> Lsn {
        Lsn { file: self.number, offset }
    }

    fn io(&self, source: std::io::Error) -> LogError {
        LogError::Io { path: self.path.clone(), source }
    }

    fn broken(&self, what: String) -> LogError {
        LogError::Broken { path: self.path.clone(), at: self.next_record(), last: self.last_record(), what }
    }

    fn read_record(&mut self) -> Result<Option<LogRecord>, LogError> {
        let mut head = Vec::with_capacity(HEADER);
        self.take_into(&mut head, HEADER as u64)?;
        let (Some(prev), Some(len), Some(sum)) =
            (self.order.u32_at(&head, 0), self.order.u32_at(&head, 4), self.order.u32_at(&head, 8))
        else {
            return self.only_zeros(&head);
        };
        if len == 0 {
            return self.only_zeros(&head);
        }
        if prev != self.last {
            return Err(self.broken(format!("a record that says it follows the one at byte {prev}")));
        }
        let room = self.size.saturating_sub(u64::from(self.at));
        if (len as usize) < PREFIX || len > LONGEST_RECORD || u64::from(len) > room {
            return Err(
                self.broken(format!("a record that says it is {len} bytes long, in a file that has {room} left"))
            );
        }
        let mut rest = Vec::new();
        self.take_into(&mut rest, u64::from(len) - HEADER as u64)?;
        if rest.len() + HEADER != len as usize || checksum(&rest, prev, len) != sum {
            return Err(self.broken(format!(
                "a record of {len} bytes whose check sum is wrong: it was only written in part, or changed later"
            )));
        }
        let field = |at| self.order.u32_at(&rest, at).unwrap_or_default();
        let lsn = self.next_record();
        let kind = RecordKind::of_number(field(0));
        let txn = field(4);
        let txn_prev = Lsn { file: field(8), offset: field(12) };
        self.last = self.at;
        // Can't overflow: the record fits into a file that has at most 4 GiB.
        self.at = self.at.saturating_add(len);
        Ok(Some(LogRecord { lsn, kind, txn, txn_prev, body: rest.split_off(PREFIX - HEADER), order: self.order }))
    }

    fn take_into(&mut self, into: &mut Vec<u8>, len: u64) -> Result<(), LogError> {
        let read = self.reader.by_ref().take(len).read_to_end(into);
        read.map(drop).map_err(|source| self.io(source))
    }

    /// The end of the file, if nothing but zeros stands in what was read and what comes.
    fn only_zeros(&mut self, head: &[u8]) -> Result<Option<LogRecord>, LogError> {
        let mut clean = head.iter().all(|&byte| byte == 0);
        while clean {
            let block = self.reader.fill_buf();
            let (count, zeros) = match block {
                Ok(block) => (block.len(), block.iter().all(|&byte| byte == 0)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.io(error)),
            };
            if count == 0 {
                return Ok(None);
            }
            clean = zeros;
            self.reader.consume(count);
        }
        Err(self.broken("bytes that are no record; after the last record there should be nothing but zeros".to_owned()))
    }
}

impl Iterator for LogFile {
    type Item = Result<LogRecord, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let record = self.read_record().transpose();
        self.finished = !matches!(record, Some(Ok(_)));
        record
    }
}

/// The check sum of a record: over everything behind the 12 bytes, then the first two of those.
pub(super) fn checksum(rest: &[u8], prev: u32, len: u32) -> u32 {
    rest.iter().fold(0_u32, |sum, &byte| sum.wrapping_mul(33).wrapping_add(u32::from(byte))) ^ prev ^ len
}
