//! The meta page: what kind of table this is.

use std::path::Path;

use super::TableError;
use super::layout::{self, BTREE_MAGIC, BTREE_VERSION, ByteOrder, FILE_ID_BYTES, header, meta, page_type};
use crate::site::settled::{Lsn, other_file};

/// What a reader needs from the meta page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) order: ByteOrder,
    pub(super) page_bytes: u32,
    pub(super) last_page: u32,
    pub(super) root: u32,
    /// The first page of the free list; 0 if there is none.
    pub(super) free_list: u32,
    /// The log position of the meta page's last change.
    pub(super) lsn: Lsn,
    pub(super) file_id: [u8; FILE_ID_BYTES],
}

/// Features by bit of the flags, as the end of "the table ...". Names and bits: db.h of libdb 5.3 and its `db_dump` output.
const FEATURES: [(u32, &str); 8] = [
    (0x01, "allows several values for a key"),
    (0x02, "is a recno table"),
    (0x04, "counts its records in the tree (RECNUM)"),
    (0x08, "is a recno table of fixed-length records"),
    (0x10, "is a recno table that renumbers"),
    (0x20, "holds sub-databases"),
    (0x40, "allows several sorted values for a key"),
    (0x80, "is compressed"),
];

impl Meta {
    /// Reads the meta page from the first bytes of a file of `file_bytes` bytes, and refuses what is not a plain B-tree.
    pub(super) fn parse(path: &Path, start: &[u8], file_bytes: u64) -> Result<Meta, TableError> {
        let not_a_btree = |found: String| TableError::NotABtree { path: path.to_path_buf(), found };
        if start.len() < meta::BYTES {
            let found = format!("{file_bytes} bytes are less than the smallest page");
            return Err(not_a_btree(found));
        }
        let order = byte_order(start).ok_or_else(|| not_a_btree(guess(start)))?;
        let version = order.u32(start, meta::VERSION);
        if version != BTREE_VERSION {
            return Err(TableError::Version { path: path.to_path_buf(), version });
        }
        if let Some(feature) = feature(start, order) {
            return Err(TableError::Feature { path: path.to_path_buf(), feature });
        }
        let page_bytes = order.u32(start, meta::PAGE_SIZE);
        if !page_bytes.is_power_of_two() || !(layout::MIN_PAGE_BYTES..=layout::MAX_PAGE_BYTES).contains(&page_bytes) {
            let found = format!("pages of {page_bytes} bytes; 512 to 65,536, a power of two, are possible");
            return Err(not_a_btree(found));
        }
        let kind = start[meta::TYPE];
        if kind != page_type::BTREE_META {
            let found = format!("its first page is of type {kind}, not 9");
            return Err(not_a_btree(found));
        }
        let parsed = Meta {
            order,
            page_bytes,
            last_page: order.u32(start, meta::LAST_PAGE),
            root: order.u32(start, meta::ROOT),
            free_list: order.u32(start, meta::FREE_LIST),
            lsn: Lsn { file: order.u32(start, header::LSN), offset: order.u32(start, header::LSN + 4) },
            file_id: start[meta::FILE_ID..].first_chunk().copied().unwrap_or_default(),
        };
        parsed.check_size(path, file_bytes)?;
        if parsed.root == 0 || parsed.root > parsed.last_page {
            let found = format!("its root is said to be page {}, its last page {}", parsed.root, parsed.last_page);
            return Err(not_a_btree(found));
        }
        Ok(parsed)
    }

    /// A file may be longer than the table (pages of a transaction that never ended), but never shorter.
    fn check_size(&self, path: &Path, file_bytes: u64) -> Result<(), TableError> {
        let size = |wanted: String| TableError::Size { path: path.to_path_buf(), file_bytes, wanted };
        let page_bytes = u64::from(self.page_bytes);
        if !file_bytes.is_multiple_of(page_bytes) {
            return Err(size(format!("that is no multiple of its page size, {page_bytes}")));
        }
        let least = (u64::from(self.last_page) + 1) * page_bytes;
        if file_bytes < least {
            let last = self.last_page;
            return Err(size(format!("its first page says that page {last} is the last, which makes {least}")));
        }
        Ok(())
    }
}

fn byte_order(start: &[u8]) -> Option<ByteOrder> {
    [ByteOrder::Little, ByteOrder::Big].into_iter().find(|order| order.u32(start, meta::MAGIC) == BTREE_MAGIC)
}

fn feature(start: &[u8], order: ByteOrder) -> Option<&'static str> {
    if start[meta::ENCRYPTION] != 0 {
        return Some("is encrypted");
    }
    match start[meta::META_FLAGS] {
        0 => (),
        flags if flags & 1 != 0 => return Some("has checksums in its pages"),
        _ => return Some("is split into partitions"),
    }
    let flags = order.u32(start, meta::FLAGS);
    if flags == 0 {
        return None;
    }
    // Recno before the others, because it comes with several.
    let bit = if flags & 2 != 0 { 2 } else { flags & flags.wrapping_neg() };
    let known = FEATURES.iter().find(|(flag, _)| *flag == bit);
    Some(known.map_or("has unknown flags", |(_, feature)| feature))
}

/// What a file without the magic number seems to be.
fn guess(start: &[u8]) -> String {
    if let Some(other) = other_file(start) {
        return other;
    }
    if start.iter().all(|byte| *byte == 0) {
        return "its first page is all zeros: it was never written, and the site needs recovery".into();
    }
    let magic = ByteOrder::Little.u32(start, meta::MAGIC);
    format!("the magic number at byte 12 is {magic:#x}, not {BTREE_MAGIC:#x}")
}
