//! What can be had of a table that is torn: all leaf pages of the file, whether the tree leads to them or not.
//!
//! Nothing is trusted but the pages themselves. A page counts as a leaf when it bears its own number and the right type and does not stand
//! on the free list. Where several pages hold the same key, the caller decides by the log position of the pages ([`Taken::lsn`]) and by
//! whether the tree still leads to them ([`Taken::is_reached`]).

mod chain;
mod frame;
mod order;
mod reached;
mod scan;
mod trouble;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use chain::Chain;
pub use frame::can_be_torn;
pub use scan::{SalvageItems, Taken};
pub use trouble::{PageLoss, PageLosses, Trouble};

use super::free::free_pages;
use super::layout::header;
use super::pageset::PageSet;
use super::{Table, TableError};
use crate::site::settled::Lsn;
use frame::Frame;
use reached::Reached;

/// A table file that may be damaged anywhere, its first page included.
pub struct TornTable {
    table: Table,
    /// Pages of the free list.
    free: PageSet,
    reached: Reached,
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
        let Frame { table, first_page, last_page_said } = Frame::find(path)?;
        let last = table.meta().last_page;
        let free = free_pages(&table);
        let reached = Reached::of(&table);
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

    /// Whether the tree can be followed from its root to all leaves that it has, so that others are none of its own.
    pub fn is_tree_whole(&self) -> bool {
        self.reached.is_whole
    }

    /// All pairs of all leaf pages, in the order of the pages.
    pub fn items(&self) -> SalvageItems<'_> {
        SalvageItems::new(self)
    }
}

/// The log position that a page bears.
pub(super) fn lsn_of(table: &Table, bytes: &[u8]) -> Lsn {
    let order = table.byte_order();
    Lsn { file: order.u32(bytes, header::LSN), offset: order.u32(bytes, header::LSN + 4) }
}
