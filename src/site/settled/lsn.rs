//! Log sequence numbers, and a survey of those that the pages of the tables carry.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::byte_order::{ByteOrder, other_file};
use super::error::SettledError;
use crate::site::regular::open_regular;

/// The least that a page can have.
const LEAST_PAGE_BYTES: usize = 512;

/// Where a log record begins: the number of its log file and the byte in that file.
///
/// Every page of a table carries the number of the record that changed it last. Printed as Berkeley DB's tools do: `[file][offset]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn {
    /// Number of the log file, counted from 1 (`log.0000000001`).
    pub file: u32,
    /// Byte in that file.
    pub offset: u32,
}

impl Lsn {
    /// What a page carries that was written without a log: by `db_load`, after `db_load -r lsn`, or by an import.
    pub const NOT_LOGGED: Lsn = Lsn { file: 0, offset: 1 };

    /// What a page of zeros carries: room that was set aside and never written.
    pub const BLANK: Lsn = Lsn { file: 0, offset: 0 };
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}][{}]", self.file, self.offset)
    }
}

/// What Berkeley DB calls a file, whatever its name is: 20 bytes of the meta page, and of the log's records about the table.
pub type TableId = [u8; 20];

/// Where the id stands in the meta page.
const ID_AT: usize = 52;

/// What the pages of one table say about the log they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLsns {
    /// File name: `cdb.00` to `cdb.ff`.
    pub name: String,
    /// Its id.
    pub id: TableId,
    /// Pages looked at; a last page that the file holds only in part counts.
    pub pages: u64,
    /// Pages with [`Lsn::NOT_LOGGED`].
    pub not_logged: u64,
    /// Pages with [`Lsn::BLANK`].
    pub blank: u64,
    /// Highest number found.
    pub highest: Lsn,
    /// The page that carries it.
    pub highest_page: u64,
}

impl TableLsns {
    /// Whether no page was ever written under a log.
    pub fn never_logged(&self) -> bool {
        self.not_logged + self.blank == self.pages
    }
}

/// Names of the tables in `data`, in order: `cdb.` and two lower-case hexadecimal digits, as every release names them. An empty file that no server of the
/// site has made is none.
///
/// # Errors
/// When the directory can't be listed.
pub fn table_names(data: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str()
            && is_table_name(name)
            && !is_void(&entry.path())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a file in `data` is a table by its name.
pub(crate) fn is_table_name(name: &str) -> bool {
    name.strip_prefix("cdb.")
        .is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// Whether a file with the name of a table has nothing in it, and no server of the site has had such a table: one above those of release 980, or
/// `cdb.0d`, which came with release 902, beside the `citadel.config` that it takes the place of. An empty file in place of any other is a table that is lost.
pub(crate) fn is_void(path: &Path) -> bool {
    const SETTINGS: &str = "cdb.0d";
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let is_before_settings = || {
        let data = path.parent().unwrap_or(Path::new("."));
        [data, &data.join("..")].iter().any(|directory| directory.join("citadel.config").is_file())
    };
    let is_empty = || path.metadata().is_ok_and(|found| found.is_file() && found.len() == 0);
    is_table_name(name) && name >= SETTINGS && is_empty() && (name > SETTINGS || is_before_settings())
}

/// Reads the first eight bytes of every page of a table, from the first page to the last, and nothing else of it: to copy whole pages out of the
/// system's cache took a tenth of an export's time.
///
/// # Errors
/// [`SettledError::NotATable`] if the first page is not the meta page of a Berkeley DB B-tree, [`SettledError::Io`] if it can't be read.
pub fn survey(path: &Path) -> Result<TableLsns, SettledError> {
    let io = |source| SettledError::io(path, source);
    let Some(mut file) = open_regular(path).map_err(io)? else {
        let found = "it is no regular file".to_owned();
        return Err(SettledError::NotATable { path: path.to_owned(), found });
    };
    let mut found = TableLsns {
        name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        id: TableId::default(),
        pages: 0,
        not_logged: 0,
        blank: 0,
        highest: Lsn::BLANK,
        highest_page: 0,
    };
    let mut beginning = [0; LEAST_PAGE_BYTES];
    let filled = fill(&mut file, &mut beginning).map_err(io)?;
    let (order, page_size) = read_meta(path, beginning.get(..filled).unwrap_or_default())?;
    if let Some(id) = beginning.get(ID_AT..).and_then(<[u8]>::first_chunk) {
        found.id = *id;
    }
    loop {
        let mut start = [0; 8];
        match file.read_exact_at(&mut start, found.pages * page_size as u64) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(found),
            result => result.map_err(io)?,
        }
        let (Some(log), Some(offset)) = (order.u32_at(&start, 0), order.u32_at(&start, 4)) else {
            return Ok(found);
        };
        let lsn = Lsn { file: log, offset };
        match lsn {
            Lsn::NOT_LOGGED => found.not_logged += 1,
            Lsn::BLANK => found.blank += 1,
            _ => {}
        }
        if lsn > found.highest {
            found.highest = lsn;
            found.highest_page = found.pages;
        }
        found.pages += 1;
    }
}

/// Byte order and page size, from the meta page (magic at byte 12, page size at byte 20).
fn read_meta(path: &Path, block: &[u8]) -> Result<(ByteOrder, usize), SettledError> {
    const BTREE_MAGIC: u32 = 0x0005_3162;
    let not_a_table = |found: String| SettledError::NotATable { path: PathBuf::from(path), found };
    let magic = block
        .get(12..16)
        .ok_or_else(|| not_a_table(format!("it has only {} bytes, a meta page has at least 512", block.len())))?;
    let order = ByteOrder::of_magic(magic, BTREE_MAGIC).ok_or_else(|| {
        let unknown = || format!("bytes 12 to 15 are {magic:02x?}, not 62 31 05 00 or its reverse");
        not_a_table(other_file(block).unwrap_or_else(unknown))
    })?;
    match order.u32_at(block, 20) {
        Some(size) if size.is_power_of_two() && (512..=65_536).contains(&size) => Ok((order, size as usize)),
        size => Err(not_a_table(format!(
            "the page size at byte 20 is {}, not a power of two from 512 to 65,536",
            size.unwrap_or_default()
        ))),
    }
}

/// Reads until the buffer is full or the file ends; returns the bytes read.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
