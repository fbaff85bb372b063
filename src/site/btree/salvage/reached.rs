//! What the internal pages of a torn table say: which leaves there are, and which keys each of them has.

use std::collections::BTreeMap;

use crate::site::btree::branches::Bounds;
use crate::site::btree::layout::{LEAF_LEVEL, page_type};
use crate::site::btree::page::Page;
use crate::site::btree::pageset::PageSet;
use crate::site::btree::place::Half;
use crate::site::btree::table::Table;

/// Most pages in the place of others that are kept by their number.
const MOST_PAGES: usize = 10_000;

/// The leaves that the internal pages lead to.
pub(super) struct Reached {
    /// Their numbers, as far as internal pages can be followed.
    pub leaves: PageSet,
    /// Those that have none of the keys that the pages above them say, and what these say.
    pub misplaced: BTreeMap<u32, Bounds>,
    /// Whether any leaf has a key that the pages above it don't say.
    pub has_strays: bool,
    /// Whether all internal pages could be followed.
    pub is_whole: bool,
}

impl Reached {
    /// Follows the internal pages. A broken link is passed over: this decides between pages that are equal otherwise, and names what was replaced.
    pub fn of(table: &Table) -> Reached {
        let (leaves, misplaced) = (PageSet::new(), BTreeMap::new());
        let mut reached = Reached { leaves, misplaced, has_strays: false, is_whole: true };
        let mut seen = PageSet::new();
        let root = table.meta().root;
        seen.insert(root);
        // Levels fall by one from page to page, so no more wait at a time than the children of 254 pages.
        let mut waiting = vec![(root, None, Bounds::default())];
        let mut bytes = vec![0; table.page_bytes()];
        while let Some((number, level, bounds)) = waiting.pop() {
            if number > table.meta().last_page || table.read(number, &mut bytes).is_err() {
                reached.is_whole = false;
                continue;
            }
            if table.check_page(number, &bytes, page_type::LEAF).is_ok() {
                reached.leaves.insert(number);
                reached.is_whole &= level.is_none_or(|level| level == LEAF_LEVEL);
                reached.look_at_leaf(Page::new(table, number, &bytes), number, bounds);
                continue;
            }
            let page = Page::new(table, number, &bytes);
            let is_branch = table.check_page(number, &bytes, page_type::INTERNAL).is_ok() && page.level() > LEAF_LEVEL;
            if !is_branch || level.is_some_and(|level| level != page.level()) {
                reached.is_whole = false;
                continue;
            }
            let children = page.children().unwrap_or(0);
            reached.is_whole &= children > 0;
            for item in 0..children {
                let Ok((child, _)) = page.child(item, children) else {
                    reached.is_whole = false;
                    continue;
                };
                if !seen.insert(child) {
                    reached.is_whole = false;
                    continue;
                }
                let next = (item + 1 < children).then(|| page.separator(item + 1)).flatten();
                waiting.push((child, Some(page.level() - 1), bounds.of_child(page.separator(item), next)));
            }
        }
        reached
    }

    fn look_at_leaf(&mut self, page: Page<'_>, number: u32, bounds: Bounds) {
        let items = page.leaf_items().unwrap_or(0);
        let key = |at| match page.half(at, items) {
            Ok((Some(Half::Inline(key)), _)) => Some(key),
            _ => None,
        };
        let (mut at_home, mut strays) = (0, 0);
        for key in (0..items).step_by(2).filter_map(key) {
            *if bounds.have(key) { &mut at_home } else { &mut strays } += 1;
        }
        self.has_strays |= strays > 0;
        if at_home == 0 && strays > 0 && self.misplaced.len() < MOST_PAGES {
            self.misplaced.insert(number, bounds);
        }
    }
}
