//! What can be had of a table that is torn: all leaf pages of the file, whether the tree leads to them or not.
//!
//! Nothing is trusted but the pages themselves. A page counts as a leaf when it bears its own number and the right type and does not stand
//! on the free list. Where several pages hold the same key, the caller decides by the log position of the pages ([`Taken::lsn`]) and by
//! whether the tree still leads to them ([`Taken::is_reached`]).

mod chain;
mod frame;
mod free;
mod order;
mod scan;
mod trouble;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use chain::Chain;
pub use frame::can_be_torn;
pub use scan::{SalvageItems, Taken};
pub use trouble::{PageLoss, PageLosses, Trouble};

use super::layout::{LEAF_LEVEL, header, page_type};
use super::page::Page;
use super::pageset::PageSet;
use super::{Table, TableError};
use crate::site::settled::Lsn;
use frame::Frame;

/// A table file that may be damaged anywhere, its first page included.
pub struct TornTable {
    table: Table,
    /// Pages of the free list.
    free: PageSet,
    /// Leaves that the internal pages lead to, as far as these can be followed.
    reached: PageSet,
    first_page: Option<TableError>,
    missing: Option<(u32, u32)>,
}

impl TornTable {
    /// Opens a table whatever its state. Page size and byte order come from the numbers that the pages bear; the first page is heard only
    /// where they agree with it.
    ///
    /// # Errors
    /// When the file can't be read, no page of it can be recognised, or it is of a version that is not read.
    pub fn open(path: &Path) -> Result<TornTable, TableError> {
        let Frame { table, first_page, free_list, last_page_said } = Frame::find(path)?;
        let last = table.meta().last_page;
        let free = free_list.map_or_else(PageSet::new, |(first, lsn)| free::free_pages(&table, first, lsn));
        let reached = reached(&table);
        let missing = last_page_said.filter(|said| *said > last).map(|said| (last + 1, said));
        Ok(TornTable { table, free, reached, first_page, missing })
    }

    /// The table, for reading the values of its pairs. Its own walk over the pairs is of no use here.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What is wrong with the first page, if anything.
    pub fn first_page(&self) -> Option<&TableError> {
        self.first_page.as_ref()
    }

    /// First and last of the pages that the table should have by what its first page says, but that lie behind the end of the file.
    pub fn missing(&self) -> Option<(u32, u32)> {
        self.missing
    }

    /// All pairs of all leaf pages, in the order of the pages.
    pub fn items(&self) -> SalvageItems<'_> {
        SalvageItems::new(self)
    }
}

/// The log position that a page bears.
fn lsn_of(table: &Table, bytes: &[u8]) -> Lsn {
    let order = table.byte_order();
    Lsn { file: order.u32(bytes, header::LSN), offset: order.u32(bytes, header::LSN + 4) }
}

/// The leaves that the internal pages lead to. A broken link is passed over: this only decides between pages that are equal otherwise.
fn reached(table: &Table) -> PageSet {
    let (mut reached, mut seen) = (PageSet::new(), PageSet::new());
    let root = table.meta().root;
    seen.insert(root);
    let mut waiting = vec![root];
    let mut bytes = vec![0; table.page_bytes()];
    while let Some(number) = waiting.pop() {
        if number > table.meta().last_page || table.read(number, &mut bytes).is_err() {
            continue;
        }
        if table.check_page(number, &bytes, page_type::LEAF).is_ok() {
            reached.insert(number);
        }
        if table.check_page(number, &bytes, page_type::INTERNAL).is_err() {
            continue;
        }
        let page = Page::new(table, number, &bytes);
        let children = page.children().unwrap_or(0);
        for item in 0..children {
            let Ok((child, _)) = page.child(item, children) else { continue };
            if !seen.insert(child) {
                continue;
            }
            // Leaves need no look here: they are looked at one by one later.
            match page.level() == LEAF_LEVEL + 1 {
                true => _ = reached.insert(child),
                false => waiting.push(child),
            }
        }
    }
    reached
}
