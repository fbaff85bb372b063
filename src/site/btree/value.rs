//! Values on overflow pages, read in pieces.

use std::ops::Range;

use super::error::Damage;
use super::layout::{HEADER_BYTES, header, overflow_capacity, page_type};
use super::table::Table;
use super::window::Window;
use super::{Place, TableError};

/// Gives a value piece by piece, each page of its chain checked before a byte of it is given. Each page must name the one
/// before it, so no chain can go round in a circle or share pages with another that begins elsewhere.
pub struct ValueReader<'t> {
    table: &'t Table,
    state: State,
}

enum State {
    Inline { bytes: Vec<u8>, at: usize },
    Chain(Chain),
}

struct Chain {
    first_page: u32,
    length: u32,
    /// Bytes of the value on pages not yet loaded.
    left: u32,
    page: u32,
    next: u32,
    /// What of the current page was not yet given.
    rest: Range<usize>,
    window: Window,
    /// How many pages from the next one on are hoped to be neighbours.
    ahead: u32,
}

impl<'t> ValueReader<'t> {
    pub(super) fn new(table: &'t Table, place: Place) -> ValueReader<'t> {
        let state = match place {
            Place::Inline(bytes) => State::Inline { bytes, at: 0 },
            Place::Overflow { first_page, length } => State::Chain(Chain {
                first_page,
                length,
                left: length,
                page: 0,
                next: first_page,
                rest: 0..0,
                window: Window::default(),
                ahead: u32::MAX,
            }),
        };
        ValueReader { table, state }
    }

    /// Puts the next bytes of the value into `buffer` and says how many; 0 is the end (or an empty buffer).
    ///
    /// # Errors
    /// When a page of the chain is not what it must be, the chain is shorter or longer than the item says, or the file cannot be read.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, TableError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some(piece) = self.peek()? else {
                break;
            };
            let count = piece.len().min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&piece[..count]);
            self.consume(count);
            filled += count;
        }
        Ok(filled)
    }

    /// The next bytes of the value without a copy, never an empty piece; `None` is the end.
    ///
    /// # Errors
    /// As [`ValueReader::read_some`].
    pub fn piece(&mut self) -> Result<Option<&[u8]>, TableError> {
        let Some(count) = self.peek()?.map(<[u8]>::len) else {
            return Ok(None);
        };
        self.consume(count);
        match &mut self.state {
            State::Inline { bytes, at } => Ok(bytes.get(*at - count..*at)),
            State::Chain(chain) => {
                let page = chain.window.page(self.table, chain.page)?;
                Ok(page.get(chain.rest.start - count..chain.rest.start))
            }
        }
    }

    fn peek(&mut self) -> Result<Option<&[u8]>, TableError> {
        match &mut self.state {
            State::Inline { bytes, at } => Ok(bytes.get(*at..).filter(|rest| !rest.is_empty())),
            State::Chain(chain) => {
                if chain.rest.is_empty() && chain.left == 0 {
                    return Ok(None);
                }
                if chain.rest.is_empty() {
                    chain.load(self.table)?;
                }
                let page = chain.window.page(self.table, chain.page)?;
                Ok(page.get(chain.rest.clone()))
            }
        }
    }

    fn consume(&mut self, count: usize) {
        match &mut self.state {
            State::Inline { at, .. } => *at += count,
            State::Chain(chain) => chain.rest.start += count,
        }
    }
}

impl Chain {
    /// Goes to the next page of the chain and checks it.
    fn load(&mut self, table: &Table) -> Result<(), TableError> {
        let (page, previous) = (self.next, self.page);
        if let Some(damage) = table.no_such_page(page) {
            return Err(table.damaged(previous, None, damage));
        }
        let capacity = overflow_capacity(table.page_bytes());
        let wanted = (self.left as usize).div_ceil(capacity) as u32;
        if !self.window.holds(page) {
            // A chain is nearly always one piece of the file; once it jumps, reads begin small again.
            let jumped = previous != 0 && page != previous + 1;
            self.ahead = if jumped { 1 } else { self.ahead.saturating_mul(2) };
        }
        let bytes = self.window.page_expecting(table, page, wanted.min(self.ahead))?;
        table.check_page(page, bytes, page_type::OVERFLOW)?;

        let order = table.byte_order();
        let found = order.u32(bytes, header::PREVIOUS);
        let data_bytes = order.u16(bytes, header::DATA_BYTES);
        let next = order.u32(bytes, header::NEXT);
        if found != previous {
            let damage = Damage::BrokenChain { which: "previous", found, wanted: previous };
            return Err(table.damaged(page, None, damage));
        }
        let data = usize::from(data_bytes);
        if data == 0 || data > capacity {
            let damage = Damage::OverflowBytes { found: data_bytes, capacity };
            return Err(table.damaged(page, None, damage));
        }
        let left = self.left.checked_sub(u32::from(data_bytes));
        let relation = match left {
            None => Some("more"),
            Some(0) if next != 0 => Some("more"),
            Some(1..) if next == 0 => Some("less"),
            Some(_) => None,
        };
        if let Some(relation) = relation {
            let damage = Damage::OverflowLength { first: self.first_page, relation, wanted: self.length };
            return Err(table.damaged(page, None, damage));
        }
        self.left = left.unwrap_or_default();
        (self.page, self.next) = (page, next);
        self.rest = HEADER_BYTES..HEADER_BYTES + data;
        Ok(())
    }
}
