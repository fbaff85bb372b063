//! The items of leaf and internal pages, checked one by one.

use super::TableError;
use super::error::Damage;
use super::layout::{
    ByteOrder, HEADER_BYTES, INLINE_HEADER_BYTES, INTERNAL_CHILD, INTERNAL_HEADER_BYTES, OVERFLOW_ITEM_BYTES, aligned,
    header, item_type,
};
use super::place::Half;
use super::table::Table;

/// A page of the tree whose number and type were checked.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    table: &'a Table,
    number: u32,
    bytes: &'a [u8],
}

impl<'a> Page<'a> {
    pub(super) fn new(table: &'a Table, number: u32, bytes: &'a [u8]) -> Page<'a> {
        Page { table, number, bytes }
    }

    fn order(&self) -> ByteOrder {
        self.table.byte_order()
    }

    pub(super) fn level(&self) -> u8 {
        self.bytes[header::LEVEL]
    }

    pub(super) fn previous(&self) -> u32 {
        self.order().u32(self.bytes, header::PREVIOUS)
    }

    pub(super) fn next(&self) -> u32 {
        self.order().u32(self.bytes, header::NEXT)
    }

    /// The number of items of a leaf: keys and values.
    pub(super) fn leaf_items(&self) -> Result<u16, TableError> {
        let found = self.order().u16(self.bytes, header::ITEMS);
        // A value of no bytes still takes a header of three, aligned.
        let least_bytes = usize::from(found) * 2;
        if !found.is_multiple_of(2) || HEADER_BYTES + least_bytes > self.bytes.len() {
            return Err(self.damaged(Damage::ItemCount { found }));
        }
        Ok(found)
    }

    /// The number of children of an internal page: at least one.
    pub(super) fn children(&self) -> Result<u16, TableError> {
        let found = self.order().u16(self.bytes, header::ITEMS);
        let least_bytes = usize::from(found) * (2 + INTERNAL_HEADER_BYTES);
        if found == 0 || HEADER_BYTES + least_bytes > self.bytes.len() {
            return Err(self.damaged(Damage::ItemCount { found }));
        }
        Ok(found)
    }

    /// An item of a leaf with `items` items, and the bytes that it takes; `None` when the server deleted it and only these are left.
    pub(super) fn half(&self, item: u16, items: u16) -> Result<(Option<Half<'a>>, usize), TableError> {
        let start = self.start(item, items, INLINE_HEADER_BYTES)?;
        let found = self.bytes[start + 2];
        let deleted = found & item_type::DELETED != 0;
        match found & !item_type::DELETED {
            item_type::INLINE => {
                let length = usize::from(self.order().u16(self.bytes, start));
                let data = start + INLINE_HEADER_BYTES;
                let bytes = self.slice(item, items, start, data..data + length)?;
                let half = (!deleted).then_some(Half::Inline(bytes));
                Ok((half, aligned(INLINE_HEADER_BYTES + length)))
            }
            item_type::OVERFLOW => {
                let bytes = self.slice(item, items, start, start..start + OVERFLOW_ITEM_BYTES)?;
                let half = match deleted {
                    true => None,
                    false => Some(self.overflow(item, bytes)?),
                };
                Ok((half, OVERFLOW_ITEM_BYTES))
            }
            _ => Err(self.damaged_item(item, Damage::ItemType { found })),
        }
    }

    fn overflow(&self, item: u16, bytes: &[u8]) -> Result<Half<'a>, TableError> {
        let first_page = self.order().u32(bytes, 4);
        let length = self.order().u32(bytes, 8);
        self.check_link(item, first_page)?;
        if length == 0 {
            // libdb never puts nothing on a page of its own, and an empty chain could not be checked.
            let damage = Damage::OverflowLength { first: first_page, relation: "more", wanted: 0 };
            return Err(self.damaged_item(item, damage));
        }
        Ok(Half::Overflow { first_page, length })
    }

    /// A child of an internal page with `items` children, and the bytes that the item takes. Its separator key is checked for its place only.
    pub(super) fn child(&self, item: u16, items: u16) -> Result<(u32, usize), TableError> {
        let start = self.start(item, items, INTERNAL_HEADER_BYTES)?;
        let length = usize::from(self.order().u16(self.bytes, start));
        let found = self.bytes[start + 2];
        let fits = match found {
            item_type::INLINE => true,
            item_type::OVERFLOW => length == OVERFLOW_ITEM_BYTES,
            _ => false,
        };
        if !fits {
            return Err(self.damaged_item(item, Damage::ItemType { found }));
        }
        let end = start + INTERNAL_HEADER_BYTES + length;
        self.slice(item, items, start, start..end)?;
        let child = self.order().u32(self.bytes, start + INTERNAL_CHILD);
        self.check_link(item, child)?;
        Ok((child, aligned(INTERNAL_HEADER_BYTES + length)))
    }

    /// The key of an item that [`Page::child`] has checked: the least that the child can have. Nothing for the first item, whose key libdb doesn't heed, and for a key on
    /// overflow pages, which are not read for it: Citadel has no keys of that length.
    pub(super) fn separator(&self, item: u16) -> Option<&'a [u8]> {
        let start = self.index(item);
        let length = usize::from(self.order().u16(self.bytes, start));
        let is_inline = self.bytes.get(start + 2) == Some(&item_type::INLINE);
        let key = self.bytes.get(start + INTERNAL_HEADER_BYTES..start + INTERNAL_HEADER_BYTES + length)?;
        (item > 0 && is_inline).then_some(key)
    }

    /// Refuses a page whose items, all of them, don't take the bytes from where its header says that they begin up to its end. libdb leaves
    /// no gaps, so this finds items that the number of items leaves out, and lengths that lie.
    pub(super) fn check_bytes(&self, found: usize) -> Result<(), TableError> {
        // 65,536, on an empty page of 64 KiB, stands there as 0.
        let wanted = match self.order().u16(self.bytes, header::ITEMS_BEGIN) {
            0 => 0,
            begin => self.bytes.len().saturating_sub(usize::from(begin)),
        };
        if found != wanted {
            return Err(self.damaged(Damage::ItemBytes { found, wanted }));
        }
        Ok(())
    }

    /// Where an item begins: behind the index, on a multiple of four, with room for a header before the page's end.
    fn start(&self, item: u16, items: u16, header_bytes: usize) -> Result<usize, TableError> {
        let start = self.index(item);
        let from = items_from(items);
        if start < from || !start.is_multiple_of(4) || start + header_bytes > self.bytes.len() {
            return Err(self.misplaced(item, items, start, header_bytes));
        }
        Ok(start)
    }

    fn slice(
        &self,
        item: u16,
        items: u16,
        start: usize,
        range: std::ops::Range<usize>,
    ) -> Result<&'a [u8], TableError> {
        let bytes = range.end - start;
        self.bytes.get(range).ok_or_else(|| self.misplaced(item, items, start, bytes))
    }

    fn misplaced(&self, item: u16, items: u16, start: usize, bytes: usize) -> TableError {
        let damage = Damage::ItemPlace { start, bytes, from: items_from(items), to: self.bytes.len() };
        self.damaged_item(item, damage)
    }

    /// Refuses a link to a page that the table cannot have.
    fn check_link(&self, item: u16, target: u32) -> Result<(), TableError> {
        match self.table.no_such_page(target) {
            Some(damage) => Err(self.damaged_item(item, damage)),
            None => Ok(()),
        }
    }

    pub(super) fn damaged(&self, damage: Damage) -> TableError {
        self.table.damaged(self.number, None, damage)
    }

    pub(super) fn damaged_item(&self, item: u16, damage: Damage) -> TableError {
        let start = self.index(item);
        self.table.damaged(self.number, Some((item, start)), damage)
    }

    /// What the index says about an item.
    pub(super) fn index(&self, item: u16) -> usize {
        let index = HEADER_BYTES + 2 * usize::from(item);
        usize::from(self.order().u16(self.bytes, index))
    }
}

fn items_from(items: u16) -> usize {
    HEADER_BYTES + 2 * usize::from(items)
}
