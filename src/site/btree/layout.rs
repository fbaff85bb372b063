//! Where things stand in a page of a Berkeley DB B-tree, version 9 (libdb 4.2 to 5.3).
//!
//! Every page begins with 26 bytes, in the byte order of the machine that made the table:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | LSN of the last change: log file, offset in it; {0,1} = never logged |
//! | 8 | 4 | the page's own number |
//! | 12 | 4 | previous page of the chain, 0 = none |
//! | 16 | 4 | next page of the chain, 0 = none |
//! | 20 | 2 | leaf, internal: number of items; overflow: number of references |
//! | 22 | 2 | leaf, internal: where the items begin; overflow: bytes of data in the page |
//! | 24 | 1 | level: 1 = leaf, 0 = not in the tree |
//! | 25 | 1 | type |
//!
//! Leaf and internal pages go on with an index of 16-bit offsets, one per item; the items stand at the page's end, each on a multiple of
//! four. On a leaf the items are key, value, key, value ...

pub(super) use crate::record::ByteOrder;

impl ByteOrder {
    /// The 16-bit number at `offset`; 0 beyond the end of `bytes`.
    pub(super) fn u16(self, bytes: &[u8], offset: usize) -> u16 {
        let Some(&[a, b]) = bytes.get(offset..offset + 2) else {
            return 0;
        };
        match self {
            ByteOrder::Little => u16::from_le_bytes([a, b]),
            ByteOrder::Big => u16::from_be_bytes([a, b]),
        }
    }

    /// The 32-bit number at `offset`; 0 beyond the end of `bytes`.
    pub(super) fn u32(self, bytes: &[u8], offset: usize) -> u32 {
        let Some(&[a, b, c, d]) = bytes.get(offset..offset + 4) else {
            return 0;
        };
        match self {
            ByteOrder::Little => u32::from_le_bytes([a, b, c, d]),
            ByteOrder::Big => u32::from_be_bytes([a, b, c, d]),
        }
    }

    pub(super) fn bytes16(self, number: u16) -> [u8; 2] {
        match self {
            ByteOrder::Little => number.to_le_bytes(),
            ByteOrder::Big => number.to_be_bytes(),
        }
    }

    pub(super) fn bytes32(self, number: u32) -> [u8; 4] {
        match self {
            ByteOrder::Little => number.to_le_bytes(),
            ByteOrder::Big => number.to_be_bytes(),
        }
    }
}

/// Bytes before the index of a page.
pub(super) const HEADER_BYTES: usize = 26;
/// Offsets in that header.
pub(super) mod header {
    pub(in crate::site::btree) const LSN: usize = 0;
    pub(in crate::site::btree) const PAGE: usize = 8;
    pub(in crate::site::btree) const PREVIOUS: usize = 12;
    pub(in crate::site::btree) const NEXT: usize = 16;
    pub(in crate::site::btree) const ITEMS: usize = 20;
    pub(in crate::site::btree) const REFERENCES: usize = 20;
    pub(in crate::site::btree) const ITEMS_BEGIN: usize = 22;
    pub(in crate::site::btree) const DATA_BYTES: usize = 22;
    pub(in crate::site::btree) const LEVEL: usize = 24;
    pub(in crate::site::btree) const TYPE: usize = 25;
}

/// Page types.
pub(super) mod page_type {
    /// A page without use; those of the free list are such.
    pub(in crate::site::btree) const FREE: u8 = 0;
    pub(in crate::site::btree) const INTERNAL: u8 = 3;
    pub(in crate::site::btree) const LEAF: u8 = 5;
    pub(in crate::site::btree) const OVERFLOW: u8 = 7;
    pub(in crate::site::btree) const BTREE_META: u8 = 9;
}

/// The LSN of a page whose changes no log knows: file 0, offset 1.
pub(super) const NOT_LOGGED: [u32; 2] = [0, 1];

/// The level of leaf pages; the root has the highest.
pub(super) const LEAF_LEVEL: u8 = 1;

/// Item types: the third byte of every item. On a leaf [`item_type::DELETED`] may be added to it.
pub(super) mod item_type {
    /// 16-bit length, type, the bytes.
    pub(in crate::site::btree) const INLINE: u8 = 1;
    /// Two unused bytes, type, an unused byte, first page, 32-bit length.
    pub(in crate::site::btree) const OVERFLOW: u8 = 3;
    pub(in crate::site::btree) const DELETED: u8 = 0x80;
}

/// Bytes before the data of an inline item.
pub(super) const INLINE_HEADER_BYTES: usize = 3;
/// Bytes of an item that stands on overflow pages.
pub(super) const OVERFLOW_ITEM_BYTES: usize = 12;
/// Bytes before the key of an internal item: 16-bit length, type, an unused byte, child page, record count (0 without RECNUM).
pub(super) const INTERNAL_HEADER_BYTES: usize = 12;
/// Where the child's page number stands in an internal item.
pub(super) const INTERNAL_CHILD: usize = 4;

/// Offsets in the meta page, page 0.
pub(super) mod meta {
    pub(in crate::site::btree) const MAGIC: usize = 12;
    pub(in crate::site::btree) const VERSION: usize = 16;
    pub(in crate::site::btree) const PAGE_SIZE: usize = 20;
    pub(in crate::site::btree) const ENCRYPTION: usize = 24;
    pub(in crate::site::btree) const TYPE: usize = 25;
    pub(in crate::site::btree) const META_FLAGS: usize = 26;
    pub(in crate::site::btree) const FREE_LIST: usize = 28;
    pub(in crate::site::btree) const LAST_PAGE: usize = 32;
    pub(in crate::site::btree) const FLAGS: usize = 48;
    pub(in crate::site::btree) const FILE_ID: usize = 52;
    pub(in crate::site::btree) const MIN_KEYS: usize = 76;
    /// Padding byte of fixed-length records: without use in a B-tree, but libdb writes a space.
    pub(in crate::site::btree) const RECORD_PAD: usize = 84;
    pub(in crate::site::btree) const ROOT: usize = 88;
    /// The meta page uses this much, whatever the page size.
    pub(in crate::site::btree) const BYTES: usize = 512;
}

/// Magic number of B-tree (and recno) files.
pub(super) const BTREE_MAGIC: u32 = 0x05_3162;
/// The version of libdb 4.2 to 5.3.
pub(super) const BTREE_VERSION: u32 = 9;
/// Bytes of the file id.
pub const FILE_ID_BYTES: usize = 20;
/// Least number of keys that fit a page; 2 unless an application sets it (Citadel doesn't).
pub(super) const MIN_KEYS_PER_PAGE: usize = 2;
/// Smallest page, bytes.
pub(super) const MIN_PAGE_BYTES: u32 = 512;
/// Largest page, bytes.
pub(super) const MAX_PAGE_BYTES: u32 = 65_536;

/// Bytes of data that an overflow page holds.
pub(super) fn overflow_capacity(page_bytes: usize) -> usize {
    page_bytes - HEADER_BYTES
}

/// The longest key or value that libdb leaves on a leaf, in bytes; what is longer goes to overflow pages. A quarter of the page (two keys and two values must fit), less the six bytes
/// of an empty item with its index and four for alignment.
pub(super) fn longest_inline(page_bytes: usize) -> usize {
    (page_bytes - HEADER_BYTES) / (2 * MIN_KEYS_PER_PAGE) - 10
}

/// Items begin on multiples of four.
pub(super) fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(4)
}
