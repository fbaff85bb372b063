//! The pages of a table that were read last, with read-ahead.

use super::TableError;
use super::table::Table;

/// Most bytes that one read fetches.
const READ_BYTES: usize = 256 << 10;

/// Neighbouring pages in memory. Reads grow while pages are asked for one after the other, and shrink to one page after a jump.
#[derive(Default)]
pub(super) struct Window {
    buffer: Vec<u8>,
    first: u32,
    pages: u32,
}

impl Window {
    /// The bytes of a page that the table has.
    pub(super) fn page(&mut self, table: &Table, page: u32) -> Result<&[u8], TableError> {
        // One page between two leaves is an internal one, in a table that was filled in order.
        let end = self.first.saturating_add(self.pages);
        let ahead = if page == end || page == end.saturating_add(1) { self.pages.saturating_mul(2) } else { 1 };
        self.page_expecting(table, page, ahead)
    }

    /// The same, where `ahead` pages from this one on are likely to be wanted.
    pub(super) fn page_expecting(&mut self, table: &Table, page: u32, ahead: u32) -> Result<&[u8], TableError> {
        let page_bytes = table.page_bytes();
        if !self.holds(page) {
            let left = table.meta().last_page - page + 1;
            let most = (READ_BYTES / page_bytes) as u32;
            let pages = ahead.min(most).min(left).max(1);
            let bytes = pages as usize * page_bytes;
            if self.buffer.len() < bytes {
                self.buffer.resize(bytes, 0);
            }
            self.pages = 0;
            table.read(page, &mut self.buffer[..bytes])?;
            (self.first, self.pages) = (page, pages);
        }
        let start = (page - self.first) as usize * page_bytes;
        Ok(&self.buffer[start..start + page_bytes])
    }

    /// Whether asking for this page costs no read.
    pub(super) fn holds(&self, page: u32) -> bool {
        page.checked_sub(self.first).is_some_and(|distance| distance < self.pages)
    }
}
