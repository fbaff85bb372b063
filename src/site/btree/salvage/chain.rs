//! What stands on a chain of overflow pages, whatever the item that leads to it says.

use super::{TornTable, lsn_of};
use crate::site::btree::TableError;
use crate::site::btree::error::Damage;
use crate::site::btree::layout::{HEADER_BYTES, header, overflow_capacity, page_type};
use crate::site::btree::window::Window;
use crate::site::settled::Lsn;

/// A chain of overflow pages that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Bytes of the value on it.
    pub bytes: u32,
    /// The latest log position of its pages.
    pub lsn: Lsn,
}

impl TornTable {
    /// Follows the chain that begins on a page. Each page must name the one before it, so this ends, and chains that begin on different pages
    /// have none in common.
    ///
    /// # Errors
    /// When a page is not what it must be, or can't be read.
    pub fn chain(&self, first_page: u32) -> Result<Chain, TableError> {
        self.follow(first_page, |_| {})
    }

    /// What stands on a chain up to where it is broken, `limit` bytes at most, and the reason why it ends there.
    pub fn chain_part(&self, first_page: u32, limit: usize) -> (Vec<u8>, Result<Chain, TableError>) {
        let mut part = Vec::new();
        let followed = self.follow(first_page, |data| {
            let left = limit - part.len();
            part.extend_from_slice(&data[..data.len().min(left)]);
        });
        (part, followed)
    }

    fn follow(&self, first_page: u32, mut each: impl FnMut(&[u8])) -> Result<Chain, TableError> {
        let table = &self.table;
        let capacity = overflow_capacity(table.page_bytes());
        let mut window = Window::default();
        let mut chain = Chain { bytes: 0, lsn: Lsn::BLANK };
        let (mut page, mut previous) = (first_page, 0);
        while page != 0 {
            if let Some(damage) = table.no_such_page(page) {
                return Err(table.damaged(previous, None, damage));
            }
            let bytes = window.page(table, page)?;
            table.check_page(page, bytes, page_type::OVERFLOW)?;
            let order = table.byte_order();
            let found = order.u32(bytes, header::PREVIOUS);
            if found != previous {
                return Err(table.damaged(
                    page,
                    None,
                    Damage::BrokenChain { which: "previous", found, wanted: previous },
                ));
            }
            let data = order.u16(bytes, header::DATA_BYTES);
            if data == 0 || usize::from(data) > capacity {
                return Err(table.damaged(page, None, Damage::OverflowBytes { found: data, capacity }));
            }
            let too_long = Damage::OverflowLength { first: first_page, relation: "more", wanted: u32::MAX };
            chain.bytes = chain.bytes.checked_add(data.into()).ok_or_else(|| table.damaged(page, None, too_long))?;
            each(&bytes[HEADER_BYTES..HEADER_BYTES + usize::from(data)]);
            chain.lsn = chain.lsn.max(lsn_of(table, bytes));
            (previous, page) = (page, order.u32(bytes, header::NEXT));
        }
        Ok(chain)
    }
}
