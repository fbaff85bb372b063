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
}

struct Child {
    page: u32,
    /// Where its item begins in the page of its parent.
    start: usize,
}

impl<'t> Branches<'t> {
    pub(super) fn new(table: &'t Table) -> Branches<'t> {
        Branches { table, stack: Vec::new(), started: false }
    }

    /// The next leaf, whose page the caller checks; `None` at the end. Every page on the way is added to `seen`.
    pub(super) fn next_leaf(&mut self, seen: &mut PageSet) -> Result<Option<u32>, TableError> {
        if !self.started {
            self.started = true;
            let root = self.table.meta().root;
            seen.insert(root);
            let bytes = self.read(root)?;
            if bytes[header::TYPE] == page_type::LEAF {
                return Ok(Some(root));
            }
            let level = bytes[header::LEVEL];
            self.enter(root, &bytes, level)?;
        }
        while let Some(branch) = self.stack.last_mut() {
            let Some(&Child { page: child, start }) = branch.children.get(branch.at) else {
                self.stack.pop();
                continue;
            };
            if !seen.insert(child) {
                let damage = Damage::SecondLink { target: child };
                // No page has more than 65,535 items.
                let item = Some((branch.at as u16, start));
                return Err(self.table.damaged(branch.page, item, damage));
            }
            branch.at += 1;
            let level = branch.level - 1;
            if level == LEAF_LEVEL {
                return Ok(Some(child));
            }
            let bytes = self.read(child)?;
            self.enter(child, &bytes, level)?;
        }
        Ok(None)
    }

    fn read(&self, page: u32) -> Result<Vec<u8>, TableError> {
        let mut bytes = vec![0; self.table.page_bytes()];
        self.table.read(page, &mut bytes)?;
        Ok(bytes)
    }

    fn enter(&mut self, number: u32, bytes: &[u8], wanted: u8) -> Result<(), TableError> {
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
            children.push(Child { page: child, start: page.index(item) });
        }
        page.check_bytes(bytes_found)?;
        if level == LEAF_LEVEL + 1 {
            self.announce(&children);
        }
        self.stack.push(Branch { page: number, level, children, at: 0 });
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
