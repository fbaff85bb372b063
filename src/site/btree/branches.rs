//! The walk over the internal pages of a table, which gives its leaves in order.

use std::num::NonZeroU64;

use rustix::fs::{Advice, fadvise};

use super::TableError;
use super::error::Damage;
use super::layout::{LEAF_LEVEL, header, page_type};
use super::page::Page;
use super::pageset::PageSet;
use super::table::Table;

/// The internal pages from the root to where the walk stands. Levels fall by one at each step and are bytes, so there are at most 254.
pub(super) struct Branches<'t> {
    table: &'t Table,
    stack: Vec<Branch>,
    started: bool,
}

struct Branch {
    page: u32,
    level: u8,
    children: Vec<Child>,
    /// The child that comes next.
    at: usize,
    /// The keys that all its children together have.
    bounds: Bounds,
}

struct Child {
    page: u32,
    /// Where its item begins in the page of its parent.
    start: usize,
    /// The least key that it can have; `None` for the first of its page, and where the item doesn't hold it.
    separator: Option<Vec<u8>>,
}

/// The keys that a page can have by what the pages above it say; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The least key.
    pub least: Option<Vec<u8>>,
    /// The first key that is too great.
    pub end: Option<Vec<u8>>,
}

impl Bounds {
    /// Whether a key is one of them.
    pub fn have(&self, key: &[u8]) -> bool {
        !self.is_below(key) && !self.is_above(key)
    }

    /// Whether a key is less than all of them.
    pub fn is_below(&self, key: &[u8]) -> bool {
        self.least.as_ref().is_some_and(|least| key < least.as_slice())
    }

    /// Whether a key is greater than all of them.
    pub fn is_above(&self, key: &[u8]) -> bool {
        self.end.as_ref().is_some_and(|end| key >= end.as_slice())
    }

    /// Those of a child that begins at `separator`, and ends where the next one begins.
    pub fn of_child(&self, separator: Option<&[u8]>, next: Option<&[u8]>) -> Bounds {
        let or =
            |own: Option<&[u8]>, inherited: &Option<Vec<u8>>| own.map(<[u8]>::to_vec).or_else(|| inherited.clone());
        Bounds { least: or(separator, &self.least), end: or(next, &self.end) }
    }
}

impl<'t> Branches<'t> {
    pub(super) fn new(table: &'t Table) -> Branches<'t> {
        Branches { table, stack: Vec::new(), started: false }
    }

    /// The next leaf, whose page the caller checks, and the keys that it can have; `None` at the end. Every page on the way is added to `seen`.
    pub(super) fn next_leaf(&mut self, seen: &mut PageSet) -> Result<Option<(u32, Bounds)>, TableError> {
        if !self.started {
            self.started = true;
            let root = self.table.meta().root;
            seen.insert(root);
            let bytes = self.read(root)?;
            if bytes[header::TYPE] == page_type::LEAF {
                return Ok(Some((root, Bounds::default())));
            }
            let level = bytes[header::LEVEL];
            self.enter(root, &bytes, level, Bounds::default())?;
        }
        while let Some(branch) = self.stack.last_mut() {
            let Some(&Child { page: child, start, ref separator }) = branch.children.get(branch.at) else {
                self.stack.pop();
                continue;
            };
            if !seen.insert(child) {
                let damage = Damage::SecondLink { target: child };
                // No page has more than 65,535 items.
                let item = Some((branch.at as u16, start));
                return Err(self.table.damaged(branch.page, item, damage));
            }
            let next = branch.children.get(branch.at + 1).and_then(|next| next.separator.as_deref());
            let bounds = branch.bounds.of_child(separator.as_deref(), next);
            branch.at += 1;
            let level = branch.level - 1;
            if level == LEAF_LEVEL {
                return Ok(Some((child, bounds)));
            }
            let bytes = self.read(child)?;
            self.enter(child, &bytes, level, bounds)?;
        }
        Ok(None)
    }

    fn read(&self, page: u32) -> Result<Vec<u8>, TableError> {
        let mut bytes = vec![0; self.table.page_bytes()];
        self.table.read(page, &mut bytes)?;
        Ok(bytes)
    }

    fn enter(&mut self, number: u32, bytes: &[u8], wanted: u8, bounds: Bounds) -> Result<(), TableError> {
        self.table.check_page(number, bytes, page_type::INTERNAL)?;
        let page = Page::new(self.table, number, bytes);
        let level = page.level();
        if level != wanted || level <= LEAF_LEVEL {
            return Err(page.damaged(Damage::WrongLevel { found: level, wanted: wanted.max(LEAF_LEVEL + 1) }));
        }
        let items = page.children()?;
        let mut children = Vec::with_capacity(usize::from(items));
        let mut bytes_found = 0;
        for item in 0..items {
            let (child, item_bytes) = page.child(item, items)?;
            bytes_found += item_bytes;
            let separator = page.separator(item).map(<[u8]>::to_vec);
            children.push(Child { page: child, start: page.index(item), separator });
        }
        page.check_bytes(bytes_found)?;
        if level == LEAF_LEVEL + 1 {
            self.announce(&children);
        }
        self.stack.push(Branch { page: number, level, children, at: 0, bounds });
        Ok(())
    }

    /// Tells the system which leaves come next. In a table filled in random order they lie anywhere in the file; asked for one by one, each
    /// would cost a whole turn of the disk.
    fn announce(&self, children: &[Child]) {
        let mut leaves: Vec<u32> = children.iter().map(|child| child.page).collect();
        leaves.sort_unstable();
        let page_bytes = u64::from(self.table.page_size());
        for run in leaves.chunk_by(|a, b| b - a <= 1) {
            let Some(first) = run.first() else {
                continue;
            };
            // A hint: where the system takes none, the walk is only slower.
            let _ = fadvise(
                self.table.file(),
                self.table.offset(*first),
                NonZeroU64::new(run.len() as u64 * page_bytes),
                Advice::WillNeed,
            );
        }
    }
}
