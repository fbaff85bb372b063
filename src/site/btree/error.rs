//! What can go wrong when a table is read.

use std::io;
use std::path::PathBuf;

use crate::site::advice::advice;

/// Why a table, or a part of it, cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file could not be opened or looked at.
    #[error("{path}: cannot open the table: {source}{}", advice(source), path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The name belongs to a directory, a socket or the like.
    #[error("{path}: this is not a regular file, so it is no Berkeley DB table", path = path.display())]
    NotAFile {
        /// What was to be opened.
        path: PathBuf,
    },
    /// The operating system could not read a part of the file.
    #[error("{path}: cannot read {bytes} bytes at byte {offset}: {source}; if it says so again, check the disk, or whether the file is being cut short", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where the read began.
        offset: u64,
        /// How much was wanted.
        bytes: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file has no bytes at all: a server was killed before it wrote the first page, or the file was cut.
    #[error("{path}: the file is empty (0 bytes), not even a table without records; recover the site (start its server and stop it cleanly) or restore the file", path = path.display())]
    ZeroLength {
        /// The file.
        path: PathBuf,
    },
    /// The file is no Berkeley DB B-tree.
    #[error("{path}: this is not a Berkeley DB B-tree: {found}", path = path.display())]
    NotABtree {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        found: String,
    },
    /// A B-tree, but of a version that is not read.
    #[error("{path}: B-tree version {version}; only version 9 (libdb 4.2 to 5.3) is read. {advice}", path = path.display(), advice = version_advice(*version))]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it says.
        version: u32,
    },
    /// A B-tree with a feature that no Citadel table has.
    #[error("{path}: the table {feature}, which no Citadel server makes and this program does not read; dump it with db5.3_dump and load it without", path = path.display())]
    Feature {
        /// The file.
        path: PathBuf,
        /// The feature, as the end of "the table ...".
        feature: &'static str,
    },
    /// The size of the file does not fit what its first page says.
    #[error("{path}: the file has {file_bytes} bytes, but {wanted}; it was cut short, or copied while the server was writing: copy it again from a stopped server, or restore it", path = path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes it has.
        file_bytes: u64,
        /// What they should be, and why.
        wanted: String,
    },
    /// A page says something that cannot be.
    #[error("{path}: the table is damaged at page {page} (byte {offset}){item}: {damage}. If a server uses this site, stop it and try again; if not, recover the site or restore this file from a backup",
        path = path.display(), item = item_text(*item))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The page.
        page: u32,
        /// The item of that page, counted from 0 (on a leaf: keys are even, values odd).
        item: Option<u16>,
        /// Where in the file the page, or the item, begins.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// A value is longer than the caller wanted to hold in memory.
    #[error("{path}: a value of {bytes} bytes on overflow pages from page {page}; here at most {limit} are possible: the table is damaged, or not one of Citadel's", path = path.display())]
    ValueTooLong {
        /// The file.
        path: PathBuf,
        /// First page of the value; 0 when it stands on a leaf.
        page: u32,
        /// Its length.
        bytes: u32,
        /// The greatest length.
        limit: u64,
    },
    /// The user interrupted a walk.
    #[error("interrupted")]
    Interrupted,
}

impl TableError {
    /// The same text without the file, for whoever names it otherwise.
    pub fn without_path(&self) -> String {
        let text = self.to_string();
        let path = match self {
            TableError::Open { path, .. }
            | TableError::NotAFile { path }
            | TableError::Read { path, .. }
            | TableError::ZeroLength { path }
            | TableError::NotABtree { path, .. }
            | TableError::Version { path, .. }
            | TableError::Feature { path, .. }
            | TableError::Size { path, .. }
            | TableError::Damaged { path, .. }
            | TableError::ValueTooLong { path, .. } => path,
            TableError::Interrupted => return text,
        };
        text.strip_prefix(&format!("{}: ", path.display())).map_or(text.clone(), str::to_owned)
    }

    /// Whether the file is there and readable, but not whole or no table that is read; not whether a disk or a permission is the trouble.
    pub fn is_damage(&self) -> bool {
        !matches!(self, TableError::Open { .. } | TableError::Read { .. } | TableError::Interrupted)
    }
}

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// All bytes are zero: the page was never written.
    #[error("the page was never written (all zeros), but the table uses it")]
    NeverWritten,
    /// The page holds another page's number.
    #[error("the page says that it is page {found}")]
    WrongNumber {
        /// The number in the page.
        found: u32,
    },
    /// A leaf page where an internal one must be, or the like.
    #[error("page type {found} where {wanted} must be")]
    WrongType {
        /// The type in the page.
        found: u8,
        /// The type that the link to the page asks for.
        wanted: u8,
    },
    /// The level does not fall by one from page to page.
    #[error("level {found} of the tree where {wanted} must be")]
    WrongLevel {
        /// The level in the page.
        found: u8,
        /// The level that must be.
        wanted: u8,
    },
    /// A link to a page that the table does not have.
    #[error("a link to page {target}; the table has pages 1 to {last}")]
    NoSuchPage {
        /// Where the link leads.
        target: u32,
        /// The last page of the table.
        last: u32,
    },
    /// Two links lead to the same page.
    #[error("a second link to page {target}: pages of the table are mixed up, or go round in a circle")]
    SecondLink {
        /// Where the link leads.
        target: u32,
    },
    /// The chain of leaves, or of overflow pages, does not match.
    #[error("its {which} page is {found}, but {wanted} by what leads to it (0 means none)")]
    BrokenChain {
        /// "previous" or "next".
        which: &'static str,
        /// The link in the page.
        found: u32,
        /// What it must be.
        wanted: u32,
    },
    /// More items than a page holds, keys without values, or an internal page without children.
    #[error("{found} items, which is impossible on such a page")]
    ItemCount {
        /// The number in the page.
        found: u16,
    },
    /// An item does not lie where items can be.
    #[error(
        "the item lies at byte {start} of the page with {bytes} bytes; items lie on multiples of four between {from} and {to}"
    )]
    ItemPlace {
        /// Where it begins in the page.
        start: usize,
        /// Its length.
        bytes: usize,
        /// Where items can begin.
        from: usize,
        /// Where they must end.
        to: usize,
    },
    /// The items of a page, together, are longer or shorter than the page says.
    #[error("its items take {found} bytes, but its header leaves them {wanted}")]
    ItemBytes {
        /// Bytes of all its items.
        found: usize,
        /// Bytes from where the header says that the items begin to the end of the page.
        wanted: usize,
    },
    /// An item of an unknown or impossible type.
    #[error("item type {found:#04x}; only 1 (inline) and 3 (overflow) are possible")]
    ItemType {
        /// The type byte.
        found: u8,
    },
    /// The keys do not rise.
    #[error("keys out of order: {after} comes after {before}")]
    KeyOrder {
        /// The earlier key, readable.
        before: String,
        /// The key that should be greater.
        after: String,
    },
    /// A leaf begins before the keys that the pages above it say.
    #[error(
        "its first key is {key}, and the pages above it say that its keys begin at {least}: it is another page than theirs"
    )]
    KeyBelow {
        /// The key, readable.
        key: String,
        /// The least that it can be.
        least: String,
    },
    /// A leaf ends behind the keys that the pages above it say.
    #[error(
        "its last key is {key}, and the pages above it say that its keys are less than {end}: it is another page than theirs"
    )]
    KeyAbove {
        /// The key, readable.
        key: String,
        /// What it must be less than.
        end: String,
    },
    /// A leaf with pairs that the tree doesn't lead to.
    #[error(
        "nothing leads to this page, which is not free and holds {pairs} pairs, the first with the key {first} (there are {pages} such pages): a page above it was replaced, or a change was written in part"
    )]
    Unreached {
        /// Its pairs.
        pairs: u16,
        /// The first key, readable.
        first: String,
        /// How many such pages the table has.
        pages: u64,
    },
    /// A key longer than any that is read.
    #[error("a key of {bytes} bytes; at most {limit} are read")]
    KeyTooLong {
        /// Its length.
        bytes: u32,
        /// The greatest length.
        limit: u32,
    },
    /// An overflow page with no data, or with more than fits.
    #[error("an overflow page with {found} bytes of data; 1 to {capacity} are possible")]
    OverflowBytes {
        /// Bytes it says.
        found: u16,
        /// Bytes that fit.
        capacity: usize,
    },
    /// An overflow chain ends too early or too late.
    #[error("the chain of overflow pages from page {first} holds {relation} than the {wanted} bytes of its item")]
    OverflowLength {
        /// First page of the chain.
        first: u32,
        /// "less" or "more".
        relation: &'static str,
        /// The length of the item.
        wanted: u32,
    },
}

fn item_text(item: Option<u16>) -> String {
    item.map(|item| format!(", item {item}")).unwrap_or_default()
}

fn version_advice(version: u32) -> &'static str {
    if version > 9 {
        "Version 10 comes from libdb 6 and 18, and its pages are not specified here yet: use a server with libdb 5.3, or dump the table and load it with db5.3_load"
    } else {
        "A copy of the table can be brought to version 9 with db5.3_upgrade"
    }
}

/// A key for a message: text where it is text, else hexadecimal, cut after 40 bytes.
pub(super) fn readable(key: &[u8]) -> String {
    let cut = &key[..key.len().min(40)];
    let more = if key.len() > cut.len() { "..." } else { "" };
    if !cut.is_empty() && cut.iter().all(|b| (0x20..0x7f).contains(b)) {
        return format!("\"{}\"{more}", String::from_utf8_lossy(cut));
    }
    let hex: String = cut.iter().map(|b| format!("{b:02x}")).collect();
    format!("0x{hex}{more}")
}
