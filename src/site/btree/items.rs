//! The walk over all pairs of a table.

use super::branches::{Bounds, Branches};
use super::error::{Damage, readable};
use super::layout::{LEAF_LEVEL, overflow_capacity, page_type};
use super::page::Page;
use super::pageset::PageSet;
use super::place::Half;
use super::table::Table;
use super::window::Window;
use super::{Place, TableError, unreached};

/// Longest key that is read, in bytes. Citadel's longest are below 4,352.
pub const MAX_KEY_BYTES: u32 = 65_536;

/// A pair of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key, whole.
    pub key: Vec<u8>,
    /// The value, or where it stands.
    pub value: Place,
}

impl Default for Item {
    fn default() -> Item {
        Item { key: Vec::new(), value: Place::Inline(Vec::new()) }
    }
}

/// All pairs, keys strictly rising. The walk proves on its way that the table is whole: that the leaves reached through the
/// internal pages are those of the leaf chain, in the same order, that each has the keys that the pages above it say, that no page is used twice, that every page is what it
/// must be, and that no pairs stand on a page which the tree doesn't lead to. After an error it is over. Values on overflow pages are checked when they are read.
pub struct Items<'t> {
    table: &'t Table,
    branches: Branches<'t>,
    seen: PageSet,
    window: Window,
    leaf: Option<Leaf>,
    /// The keys that the present leaf can have.
    bounds: Bounds,
    previous_key: Option<Vec<u8>>,
    /// Pages of long keys and values behind the first page of each, by their lengths.
    overflow_pages: u64,
    empty_leaf: Option<u32>,
    over: bool,
}

#[derive(Clone, Copy)]
struct Leaf {
    page: u32,
    next: u32,
    items: u16,
    /// The key of the next pair.
    at: u16,
    /// What the items so far take of the page.
    bytes: usize,
    /// Whether any of the items so far was a pair.
    has_pair: bool,
}

impl<'t> Items<'t> {
    pub(super) fn new(table: &'t Table) -> Items<'t> {
        Items {
            table,
            branches: Branches::new(table),
            seen: PageSet::new(),
            window: Window::default(),
            leaf: None,
            bounds: Bounds::default(),
            previous_key: None,
            overflow_pages: 0,
            empty_leaf: None,
            over: false,
        }
    }

    /// Puts the next pair into `item`, reusing its memory; `false` is the end.
    ///
    /// # Errors
    /// When the table is damaged or cannot be read.
    pub fn next_into(&mut self, item: &mut Item) -> Result<bool, TableError> {
        if self.over {
            return Ok(false);
        }
        let found = self.find(item);
        self.over = !matches!(found, Ok(true));
        found
    }

    /// The page that the last pair stands on; 0 before the first.
    pub fn page(&self) -> u32 {
        self.leaf.map_or(0, |leaf| leaf.page)
    }

    /// The first page so far that should have pairs and has none, in a table of more than one.
    pub fn empty_leaf(&self) -> Option<u32> {
        self.empty_leaf
    }

    fn find(&mut self, item: &mut Item) -> Result<bool, TableError> {
        loop {
            match self.leaf {
                Some(leaf) if leaf.at < leaf.items => {
                    if self.pair(leaf, item)? {
                        return Ok(true);
                    }
                }
                _ => {
                    if !self.next_leaf()? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Goes to the next leaf that the internal pages name, which must be the one that the chain of leaves names.
    fn next_leaf(&mut self) -> Result<bool, TableError> {
        let next = self.branches.next_leaf(&mut self.seen)?;
        if let Some(leaf) = self.leaf {
            let bytes = self.window.page(self.table, leaf.page)?;
            Page::new(self.table, leaf.page, bytes).check_bytes(leaf.bytes)?;
            self.check_chain(leaf.page, "next", leaf.next, next.as_ref().map_or(0, |(page, _)| *page))?;
            self.check_last_key(leaf)?;
            if !leaf.has_pair && leaf.page != self.table.meta().root {
                self.empty_leaf.get_or_insert(leaf.page);
            }
        }
        let Some((number, bounds)) = next else {
            unreached::check(self.table, &self.seen, self.overflow_pages)?;
            return Ok(false);
        };
        self.bounds = bounds;
        let bytes = self.window.page(self.table, number)?;
        self.table.check_page(number, bytes, page_type::LEAF)?;
        let page = Page::new(self.table, number, bytes);
        let level = page.level();
        if level != LEAF_LEVEL {
            return Err(page.damaged(Damage::WrongLevel { found: level, wanted: LEAF_LEVEL }));
        }
        let leaf =
            Leaf { page: number, next: page.next(), items: page.leaf_items()?, at: 0, bytes: 0, has_pair: false };
        let previous = page.previous();
        let wanted = self.leaf.map_or(0, |leaf| leaf.page);
        self.check_chain(number, "previous", previous, wanted)?;
        self.leaf = Some(leaf);
        Ok(true)
    }

    /// Refuses a leaf whose last key is too great for it; all others are less.
    fn check_last_key(&self, leaf: Leaf) -> Result<(), TableError> {
        match (&self.previous_key, &self.bounds.end) {
            (Some(key), Some(end)) if leaf.has_pair && self.bounds.is_above(key) => {
                let damage = Damage::KeyAbove { key: readable(key), end: readable(end) };
                Err(self.table.damaged(leaf.page, None, damage))
            }
            _ => Ok(()),
        }
    }

    fn check_chain(&self, page: u32, which: &'static str, found: u32, wanted: u32) -> Result<(), TableError> {
        if found == wanted {
            return Ok(());
        }
        let damage = Damage::BrokenChain { which, found, wanted };
        Err(self.table.damaged(page, None, damage))
    }

    /// Reads the pair at the leaf's position; `false` when the server deleted it and only its bytes are left.
    fn pair(&mut self, leaf: Leaf, item: &mut Item) -> Result<bool, TableError> {
        let bytes = self.window.page(self.table, leaf.page)?;
        let page = Page::new(self.table, leaf.page, bytes);
        let (key, key_bytes) = page.half(leaf.at, leaf.items)?;
        let (value, value_bytes) = page.half(leaf.at + 1, leaf.items)?;
        self.leaf = Some(Leaf { at: leaf.at + 2, bytes: leaf.bytes + key_bytes + value_bytes, ..leaf });
        let (Some(key), Some(value)) = (key, value) else {
            return Ok(false);
        };
        if let Some(leaf) = &mut self.leaf {
            leaf.has_pair = true;
        }
        for (half, number) in [(&key, leaf.at), (&value, leaf.at + 1)] {
            if let Half::Overflow { first_page, length } = *half {
                let capacity = overflow_capacity(self.table.page_bytes()) as u64;
                self.overflow_pages += u64::from(length).div_ceil(capacity) - 1;
                // The first page of a chain names none before it and every other page names one: chains that share a page are the same chain.
                if !self.seen.insert(first_page) {
                    let damage = Damage::SecondLink { target: first_page };
                    return Err(page.damaged_item(number, damage));
                }
            }
        }
        item.key.clear();
        match key {
            Half::Inline(bytes) => item.key.extend_from_slice(bytes),
            Half::Overflow { first_page, length } => {
                if length > MAX_KEY_BYTES {
                    let damage = Damage::KeyTooLong { bytes: length, limit: MAX_KEY_BYTES };
                    return Err(page.damaged_item(leaf.at, damage));
                }
                let place = Place::Overflow { first_page, length };
                item.key = self.table.read_all(&place, u64::from(MAX_KEY_BYTES))?;
            }
        }
        match (value, &mut item.value) {
            (Half::Inline(bytes), Place::Inline(old)) => {
                old.clear();
                old.extend_from_slice(bytes);
            }
            (value, old) => *old = value.to_place(),
        }
        if let Some(least) = self.bounds.least.as_ref().filter(|_| !leaf.has_pair && self.bounds.is_below(&item.key)) {
            let damage = Damage::KeyBelow { key: readable(&item.key), least: readable(least) };
            return Err(page.damaged_item(leaf.at, damage));
        }
        if let Some(previous) = &mut self.previous_key {
            if *previous >= item.key {
                let damage = Damage::KeyOrder { before: readable(previous), after: readable(&item.key) };
                return Err(page.damaged_item(leaf.at, damage));
            }
            previous.clone_from(&item.key);
        } else {
            self.previous_key = Some(item.key.clone());
        }
        Ok(true)
    }
}

impl Iterator for Items<'_> {
    type Item = Result<Item, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut item = Item::default();
        match self.next_into(&mut item) {
            Ok(true) => Some(Ok(item)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
