//! One leaf or internal page being filled.

use crate::site::btree::layout::{
    ByteOrder, HEADER_BYTES, INLINE_HEADER_BYTES, INTERNAL_CHILD, INTERNAL_HEADER_BYTES, NOT_LOGGED,
    OVERFLOW_ITEM_BYTES, aligned, header, item_type,
};
use crate::site::btree::place::Half;

/// Items grow from the end of the page downwards, their index from the header upwards.
pub(super) struct PageBuilder {
    order: ByteOrder,
    bytes: Vec<u8>,
    items: u16,
    /// Where the lowest item begins.
    low: usize,
}

/// What a page says about itself, besides its items.
pub(super) struct PageHeader {
    pub(super) page: u32,
    pub(super) previous: u32,
    pub(super) level: u8,
    pub(super) page_type: u8,
}

impl PageBuilder {
    pub(super) fn new(page_bytes: usize, order: ByteOrder) -> PageBuilder {
        PageBuilder { order, bytes: vec![0; page_bytes], items: 0, low: page_bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Adds a pair to a leaf; `false` when it has no room. An empty page has room for any pair whose long halves stand on overflow pages.
    pub(super) fn add_pair(&mut self, key: Half<'_>, value: Half<'_>) -> bool {
        if !self.has_room(2, leaf_bytes(key) + leaf_bytes(value)) {
            return false;
        }
        self.add_half(key);
        self.add_half(value);
        true
    }

    fn add_half(&mut self, half: Half<'_>) {
        let start = self.take(leaf_bytes(half));
        match half {
            Half::Inline(bytes) => {
                self.put(start, &self.order.bytes16(bytes.len() as u16));
                self.put(start + 2, &[item_type::INLINE]);
                self.put(start + INLINE_HEADER_BYTES, bytes);
            }
            Half::Overflow { first_page, length } => self.put_overflow(start, first_page, length),
        }
    }

    /// Whether an internal page takes one more child with this key, which stands on overflow pages when it `is_long`.
    pub(super) fn has_room_for_child(&self, separator: &[u8], is_long: bool) -> bool {
        let body = match is_long {
            true => Half::Overflow { first_page: 0, length: 0 },
            false => Half::Inline(separator),
        };
        self.has_room(1, internal_bytes(body))
    }

    /// Adds a child to an internal page that has room for it, with the least key that leads to it.
    pub(super) fn add_child(&mut self, separator: Half<'_>, child: u32) {
        let start = self.take(internal_bytes(separator));
        let key_at = start + INTERNAL_HEADER_BYTES;
        let (length, kind) = match separator {
            Half::Inline(bytes) => {
                self.put(key_at, bytes);
                (bytes.len(), item_type::INLINE)
            }
            Half::Overflow { first_page, length } => {
                self.put_overflow(key_at, first_page, length);
                (OVERFLOW_ITEM_BYTES, item_type::OVERFLOW)
            }
        };
        self.put(start, &self.order.bytes16(length as u16));
        self.put(start + 2, &[kind]);
        self.put(start + INTERNAL_CHILD, &self.order.bytes32(child));
    }

    fn put_overflow(&mut self, start: usize, first_page: u32, length: u32) {
        self.put(start + 2, &[item_type::OVERFLOW]);
        self.put(start + 4, &self.order.bytes32(first_page));
        self.put(start + 8, &self.order.bytes32(length));
    }

    fn has_room(&self, items: usize, bytes: usize) -> bool {
        let index_end = HEADER_BYTES + 2 * (usize::from(self.items) + items);
        index_end + bytes <= self.low
    }

    fn take(&mut self, bytes: usize) -> usize {
        self.low -= bytes;
        let index = HEADER_BYTES + 2 * usize::from(self.items);
        self.put(index, &self.order.bytes16(self.low as u16));
        self.items += 1;
        self.low
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The whole page. Its next page is 0 until someone knows better.
    pub(super) fn finish(&mut self, header: &PageHeader) -> &[u8] {
        let order = self.order;
        self.put(header::LSN, &NOT_LOGGED.map(|n| order.bytes32(n)).concat());
        self.put(header::PAGE, &order.bytes32(header.page));
        self.put(header::PREVIOUS, &order.bytes32(header.previous));
        self.put(header::ITEMS, &order.bytes16(self.items));
        // On an empty page of 64 KiB this is 65,536, which libdb writes as 0.
        self.put(header::ITEMS_BEGIN, &order.bytes16(self.low as u16));
        self.put(header::LEVEL, &[header.level]);
        self.put(header::TYPE, &[header.page_type]);
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.fill(0);
        self.items = 0;
        self.low = self.bytes.len();
    }
}

/// Bytes of an item on a leaf, aligned.
fn leaf_bytes(half: Half<'_>) -> usize {
    match half {
        Half::Inline(bytes) => aligned(INLINE_HEADER_BYTES + bytes.len()),
        Half::Overflow { .. } => OVERFLOW_ITEM_BYTES,
    }
}

/// Bytes of an item on an internal page, aligned.
fn internal_bytes(separator: Half<'_>) -> usize {
    let key = match separator {
        Half::Inline(bytes) => bytes.len(),
        Half::Overflow { .. } => OVERFLOW_ITEM_BYTES,
    };
    aligned(INTERNAL_HEADER_BYTES + key)
}
