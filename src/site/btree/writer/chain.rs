//! Chains of overflow pages, written as their bytes arrive.

use super::TableWriteError;
use super::output::Output;
use crate::site::btree::layout::{HEADER_BYTES, NOT_LOGGED, header, overflow_capacity, page_type};
use crate::site::btree::place::Half;

/// A chain being written. Its length is known from the start, so its pages are neighbours and each header is complete when it is written.
pub(super) struct Chain {
    first: u32,
    page: u32,
    last: u32,
    length: u32,
    /// Bytes of the value still to come.
    left: u32,
    /// Bytes of the value that the current page still takes; 0 = the next page must be begun.
    room: usize,
    /// Bytes behind them, up to the page's end.
    unused: usize,
}

impl Chain {
    /// Begins a chain for `length` bytes, at least one.
    pub(super) fn begin(output: &mut Output, length: u32) -> Result<Chain, TableWriteError> {
        let capacity = overflow_capacity(output.page_bytes());
        let pages = length.div_ceil(capacity as u32);
        let first = output.take_pages(pages)?;
        Ok(Chain { first, page: first, last: first + (pages - 1), length, left: length, room: 0, unused: 0 })
    }

    /// Writes a chain whole.
    pub(super) fn write_all(output: &mut Output, bytes: &[u8]) -> Result<Chain, TableWriteError> {
        let mut chain = Chain::begin(output, bytes.len() as u32)?;
        chain.write(output, bytes)?;
        Ok(chain)
    }

    pub(super) fn first_page(&self) -> u32 {
        self.first
    }

    /// How an item names the chain.
    pub(super) fn item<'a>(&self) -> Half<'a> {
        Half::Overflow { first_page: self.first, length: self.length }
    }

    /// Adds bytes, not more than are left.
    pub(super) fn write(&mut self, output: &mut Output, mut bytes: &[u8]) -> Result<(), TableWriteError> {
        let capacity = overflow_capacity(output.page_bytes());
        while !bytes.is_empty() {
            if self.room == 0 {
                let data = capacity.min(self.left as usize);
                self.header(output, data as u16)?;
                (self.room, self.unused) = (data, capacity - data);
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.room));
            output.append(now)?;
            bytes = later;
            self.room -= now.len();
            self.left -= now.len() as u32;
            if self.room == 0 {
                output.append_zeros(self.unused)?;
                self.page = self.page.wrapping_add(1);
            }
        }
        Ok(())
    }

    fn header(&self, output: &mut Output, data_bytes: u16) -> Result<(), TableWriteError> {
        let neighbour = |is_end: bool, page: u32| if is_end { 0 } else { page };
        let previous = neighbour(self.page == self.first, self.page.wrapping_sub(1));
        let next = neighbour(self.page == self.last, self.page.wrapping_add(1));
        let order = output.order();
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(header::LSN, &NOT_LOGGED.map(|n| order.bytes32(n)).concat());
        put(header::PAGE, &order.bytes32(self.page));
        put(header::PREVIOUS, &order.bytes32(previous));
        put(header::NEXT, &order.bytes32(next));
        put(header::REFERENCES, &order.bytes16(1));
        put(header::DATA_BYTES, &order.bytes16(data_bytes));
        put(header::TYPE, &[page_type::OVERFLOW]);
        output.append(&bytes)
    }
}
