//! The scan over all pages of a torn table.

use super::{PageLoss, PageLosses, TornTable, Trouble, lsn_of, order};
use crate::site::btree::error::Damage;
use crate::site::btree::layout::{HEADER_BYTES, LEAF_LEVEL, header, page_type};
use crate::site::btree::page::Page;
use crate::site::btree::place::Half;
use crate::site::btree::window::Window;
use crate::site::btree::{MAX_KEY_BYTES, Place, Table, TableError};
use crate::site::settled::Lsn;

/// A pair as it stands on some leaf page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The key, whole.
    pub key: Vec<u8>,
    /// The value, or where it should stand, or what is wrong with the item that should tell.
    pub value: Result<Place, String>,
    /// The page.
    pub page: u32,
    /// The log position of the last change of that page.
    pub lsn: Lsn,
    /// Whether the tree still leads to that page.
    pub is_reached: bool,
}

/// A key, and its value or what is wrong with it.
type Pair = (Vec<u8>, Result<Place, String>);

/// All pairs that stand on leaf pages, in the order of the pages; a key may come several times. Values on overflow pages are checked when
/// they are read.
pub struct SalvageItems<'t> {
    torn: &'t TornTable,
    window: Window,
    bytes: Vec<u8>,
    next_page: u32,
    pairs: std::vec::IntoIter<Taken>,
    losses: PageLosses,
    /// Whether any page was a leaf.
    has_leaf: bool,
    /// Leaves that say that they are the first.
    first_leaves: u32,
    /// Whether a leaf names a neighbour that doesn't name it.
    has_loose_link: bool,
    /// How many bytes of long keys are read at most: those of a whole table are in the file once, and once more on pages that are stale.
    long_keys_left: u64,
}

impl<'t> SalvageItems<'t> {
    pub(super) fn new(torn: &'t TornTable) -> SalvageItems<'t> {
        SalvageItems {
            torn,
            window: Window::default(),
            bytes: vec![0; torn.table.page_bytes()],
            next_page: 1,
            pairs: Vec::new().into_iter(),
            losses: PageLosses::default(),
            has_leaf: false,
            first_leaves: 0,
            has_loose_link: false,
            long_keys_left: torn.table.file_bytes().saturating_mul(2),
        }
    }

    /// The pages that gave nothing or less than they should, once all pairs were taken.
    pub fn into_losses(self) -> PageLosses {
        self.losses
    }

    /// Whether the leaves, once all pairs were taken, are one chain, and have the keys that the pages above them say: then none is missing, and none stands in the place of another.
    pub fn is_chain_whole(&self) -> bool {
        self.first_leaves == 1 && !self.has_loose_link && !self.torn.reached.has_strays
    }

    /// Copies a page, so that values can be read while its items are looked at.
    fn load(&mut self, page: u32) -> Result<(), TableError> {
        let table = &self.torn.table;
        let bytes = match self.window.page(table, page) {
            Ok(bytes) => bytes,
            // Several pages were asked for; after a failure it is this one alone.
            Err(_) => self.window.page(table, page)?,
        };
        self.bytes.copy_from_slice(bytes);
        Ok(())
    }

    fn scan_page(&mut self, page: u32) {
        if let Err(error) = self.load(page) {
            let why = match error {
                TableError::Read { source, .. } => source.to_string(),
                other => other.without_path(),
            };
            self.losses.add(page, Trouble::Unread(why));
            return;
        }
        let table = &self.torn.table;
        if table.byte_order().u32(&self.bytes, header::PAGE) != page {
            if self.bytes.iter().any(|byte| *byte != 0) {
                self.losses.add(page, Trouble::Unrecognised);
            }
            return;
        }
        match self.bytes[header::TYPE] {
            page_type::LEAF if self.torn.free.contains(page) => {}
            page_type::LEAF => self.scan_leaf(page),
            page_type::INTERNAL if self.bytes[header::LEVEL] == LEAF_LEVEL + 1 => self.scan_branch(page),
            page_type::FREE | page_type::INTERNAL | page_type::OVERFLOW => {}
            _ => _ = self.losses.add(page, Trouble::Unrecognised),
        }
    }

    fn scan_leaf(&mut self, number: u32) {
        let table = &self.torn.table;
        let bytes = std::mem::take(&mut self.bytes);
        let page = Page::new(table, number, &bytes);
        let lsn = lsn_of(table, &bytes);
        self.has_leaf = true;
        match page.leaf_items() {
            Ok(_) if page.level() != LEAF_LEVEL => {
                let damage = Damage::WrongLevel { found: page.level(), wanted: LEAF_LEVEL };
                self.losses.add(number, Trouble::NoLeaf(damage.to_string()));
            }
            Ok(items) => {
                let pairs = self.pairs_of(&page, number, items);
                self.check_links(&page, number);
                self.check_neighbours(&page, lsn, &pairs);
                self.check_bounds(number);
                let is_reached = self.torn.reached.leaves.contains(number);
                let taken: Vec<Taken> =
                    pairs.into_iter().map(|(key, value)| Taken { key, value, page: number, lsn, is_reached }).collect();
                self.pairs = taken.into_iter();
            }
            Err(error) => _ = self.losses.add(number, Trouble::NoLeaf(damage_of(error))),
        }
        self.bytes = bytes;
    }

    /// The pairs of a leaf that can be read and whose keys rise.
    fn pairs_of(&mut self, page: &Page<'_>, number: u32, items: u16) -> Vec<Pair> {
        let mut pairs = Vec::new();
        let (mut bad, mut first_bad, mut item_bytes, mut is_sound) = (0, None, 0, true);
        for at in (0..items).step_by(2) {
            let key = page.half(at, items).and_then(|(key, key_bytes)| {
                item_bytes += key_bytes;
                key.map(|key| self.key(key)).transpose()
            });
            let value = page.half(at + 1, items).map(|(value, value_bytes)| {
                item_bytes += value_bytes;
                value.map(Half::to_place)
            });
            match (key, value) {
                // The server deleted it.
                (Ok(None), _) | (_, Ok(None)) => {}
                (Ok(Some(key)), Ok(Some(value))) => pairs.push((key, Ok(value))),
                (Ok(Some(key)), Err(error)) => {
                    is_sound = false;
                    pairs.push((key, Err(damage_of(error))));
                }
                (Err(error), _) => {
                    bad += 1;
                    first_bad.get_or_insert_with(|| damage_of(error));
                }
            }
        }
        if let Some(damage) = first_bad {
            self.losses.add(number, Trouble::Pairs(bad, damage));
        } else if let (true, Err(error)) = (is_sound, page.check_bytes(item_bytes)) {
            self.losses.add(number, Trouble::Incomplete(damage_of(error)));
        }
        let keys: Vec<&[u8]> = pairs.iter().map(|(key, _)| key.as_slice()).collect();
        let keep = order::rising(&keys);
        let out_of_order = keep.iter().filter(|keep| !**keep).count();
        if out_of_order > 0 {
            self.losses.add(number, Trouble::Order(out_of_order as u32));
            let mut keep = keep.into_iter();
            pairs.retain(|_| keep.next().unwrap_or(true));
        }
        pairs
    }

    fn key(&mut self, key: Half<'_>) -> Result<Vec<u8>, TableError> {
        match key {
            Half::Inline(bytes) => Ok(bytes.to_vec()),
            Half::Overflow { first_page, length } => {
                let table = &self.torn.table;
                let too_long = |limit| {
                    let damage = Damage::KeyTooLong { bytes: length, limit };
                    table.damaged(first_page, None, damage)
                };
                if length > MAX_KEY_BYTES {
                    return Err(too_long(MAX_KEY_BYTES));
                }
                self.long_keys_left = self
                    .long_keys_left
                    .checked_sub(u64::from(length))
                    .ok_or_else(|| too_long(self.long_keys_left as u32))?;
                table.read_all(&Place::Overflow { first_page, length }, u64::from(MAX_KEY_BYTES))
            }
        }
    }

    /// Notes a leaf that stands in the place of another one.
    fn check_bounds(&mut self, number: u32) {
        if let Some(bounds) = self.torn.reached.misplaced.get(&number)
            && let Some(loss) = self.losses.add(number, Trouble::Misplaced)
        {
            (loss.after, loss.before) = (bounds.least.clone(), bounds.end.clone());
        }
    }

    /// Looks whether the neighbours of a leaf have it for theirs.
    fn check_links(&mut self, page: &Page<'_>, number: u32) {
        self.first_leaves = self.first_leaves.saturating_add(u32::from(page.previous() == 0));
        let table = &self.torn.table;
        for (target, back) in [(page.next(), header::PREVIOUS), (page.previous(), header::NEXT)] {
            let mut head = [0; HEADER_BYTES];
            let is_answered = target <= table.meta().last_page
                && table.read(target, &mut head).is_ok()
                && head[header::TYPE] == page_type::LEAF
                && table.byte_order().u32(&head, back) == number;
            self.has_loose_link |= target != 0 && !is_answered;
        }
    }

    /// Notes the neighbours of a leaf that should be leaves and are not.
    fn check_neighbours(&mut self, page: &Page<'_>, lsn: Lsn, pairs: &[Pair]) {
        if let Some(loss) = self.check_leaf(page.next(), lsn) {
            loss.after = pairs.last().map(|(key, _)| key.clone());
        }
        if let Some(loss) = self.check_leaf(page.previous(), lsn) {
            loss.before = pairs.first().map(|(key, _)| key.clone());
        }
    }

    /// Notes the children of an internal page that should be leaves and are not.
    fn scan_branch(&mut self, number: u32) {
        let bytes = std::mem::take(&mut self.bytes);
        let page = Page::new(&self.torn.table, number, &bytes);
        let lsn = lsn_of(&self.torn.table, &bytes);
        let children = page.children().unwrap_or(0);
        for item in 0..children {
            if let Ok((child, _)) = page.child(item, children) {
                self.check_leaf(child, lsn);
            }
        }
        self.bytes = bytes;
    }

    /// Notes the root of a table that has no leaf: in a small table it is the only one, and nothing but the first page leads to it.
    fn check_root(&mut self) {
        if !self.has_leaf {
            self.check_leaf(self.torn.table.meta().root, Lsn::BLANK);
        }
    }

    /// Notes a page if the link to it, on a page of position `lsn`, says that a leaf must stand there and none does. What is newer than the
    /// link is no loss: the page was put to another use since.
    fn check_leaf(&mut self, target: u32, lsn: Lsn) -> Option<&mut PageLoss> {
        let trouble = no_leaf(&self.torn.table, target, lsn)?;
        self.losses.add(target, trouble)
    }
}

fn no_leaf(table: &Table, target: u32, lsn: Lsn) -> Option<Trouble> {
    if target == 0 {
        return None;
    }
    if target > table.meta().last_page {
        return Some(Trouble::BehindEnd);
    }
    let mut head = [0; HEADER_BYTES];
    // The scan itself tells of a page that can't be read.
    table.read(target, &mut head).ok()?;
    let found = table.byte_order().u32(&head, header::PAGE);
    if found != target {
        let is_blank = head.iter().all(|byte| *byte == 0);
        let damage = if is_blank { Damage::NeverWritten } else { Damage::WrongNumber { found } };
        return Some(Trouble::NoLeaf(damage.to_string()));
    }
    let found = head[header::TYPE];
    let is_other = found != page_type::LEAF && lsn_of(table, &head) <= lsn;
    is_other.then(|| Trouble::NoLeaf(Damage::WrongType { found, wanted: page_type::LEAF }.to_string()))
}

/// What is wrong, without file and page, which the reader of a loss knows.
fn damage_of(error: TableError) -> String {
    match error {
        TableError::Damaged { damage, .. } => damage.to_string(),
        other => other.without_path(),
    }
}

impl Iterator for SalvageItems<'_> {
    type Item = Taken;

    fn next(&mut self) -> Option<Taken> {
        loop {
            if let Some(pair) = self.pairs.next() {
                return Some(pair);
            }
            if self.next_page > self.torn.table.meta().last_page {
                self.check_root();
                return None;
            }
            self.next_page += 1;
            self.scan_page(self.next_page - 1);
        }
    }
}
