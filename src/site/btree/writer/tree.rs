//! The tree of a new table, built from its leaves upwards out of sorted pairs.

use super::TableWriteError;
use super::chain::Chain;
use super::output::Output;
use super::page::{PageBuilder, PageHeader};
use crate::site::btree::error::readable;
use crate::site::btree::layout::{LEAF_LEVEL, header, longest_inline, page_type};
use crate::site::btree::place::Half;

/// The page that libdb wants the root of a table on.
pub(super) const ROOT: u32 = 1;

/// The open leaf, and one open internal page for each level above it: memory does not grow with the table.
pub(super) struct Tree {
    leaf: PageBuilder,
    /// The leaf that was written last, 0 = none.
    last_leaf: u32,
    /// The least key that leads to the open leaf; empty on the first.
    separator: Vec<u8>,
    branches: Vec<Branch>,
    previous_key: Vec<u8>,
}

struct Branch {
    page: PageBuilder,
    separator: Vec<u8>,
}

impl Tree {
    pub(super) fn new(output: &Output) -> Tree {
        Tree {
            leaf: PageBuilder::new(output.page_bytes(), output.order()),
            last_leaf: 0,
            separator: Vec::new(),
            branches: Vec::new(),
            previous_key: Vec::new(),
        }
    }

    /// Adds a pair. Its whole key must not be less than the one before, and is refused when it is the same.
    pub(super) fn add(
        &mut self,
        output: &mut Output,
        full_key: &[u8],
        key: Half<'_>,
        value: Half<'_>,
    ) -> Result<(), TableWriteError> {
        let is_first = self.last_leaf == 0 && self.leaf.is_empty();
        if !is_first && self.previous_key == full_key {
            return Err(TableWriteError::DuplicateKey { path: output.path().to_path_buf(), key: readable(full_key) });
        }
        if !self.leaf.add_pair(key, value) {
            self.finish_leaf(output)?;
            self.separator = separator(&self.previous_key, full_key).to_vec();
            self.leaf.add_pair(key, value);
        }
        self.previous_key.clear();
        self.previous_key.extend_from_slice(full_key);
        Ok(())
    }

    fn finish_leaf(&mut self, output: &mut Output) -> Result<(), TableWriteError> {
        let page = output.take_pages(1)?;
        let bytes = self.leaf.finish(&PageHeader {
            page,
            previous: self.last_leaf,
            level: LEAF_LEVEL,
            page_type: page_type::LEAF,
        });
        output.append(bytes)?;
        self.leaf.clear();
        if self.last_leaf != 0 {
            let next = output.order().bytes32(page);
            output.patch(self.last_leaf, header::NEXT, &next)?;
        }
        self.last_leaf = page;
        let separator = std::mem::take(&mut self.separator);
        self.add_child(output, 0, separator, page)
    }

    /// Adds a page to the open internal page of a level (0 = the one above the leaves), and the pages that this fills to the levels above.
    fn add_child(
        &mut self,
        output: &mut Output,
        level: usize,
        separator: Vec<u8>,
        child: u32,
    ) -> Result<(), TableWriteError> {
        if self.branches.len() == level {
            self.branches
                .push(Branch { page: PageBuilder::new(output.page_bytes(), output.order()), separator: Vec::new() });
        }
        let is_long = separator.len() > longest_inline(output.page_bytes());
        let branch = &mut self.branches[level];
        if branch.page.has_room_for_child(&separator, is_long) && !branch.page.is_empty() {
            let key = if is_long { Chain::write_all(output, &separator)?.item() } else { Half::Inline(&separator) };
            branch.page.add_child(key, child);
            return Ok(());
        }
        if !branch.page.is_empty() {
            self.finish_branch(output, level)?;
        }
        // The first key of an internal page is never looked at; libdb leaves it empty.
        let branch = &mut self.branches[level];
        branch.page.add_child(Half::Inline(&[]), child);
        branch.separator = separator;
        Ok(())
    }

    fn finish_branch(&mut self, output: &mut Output, level: usize) -> Result<(), TableWriteError> {
        let page = output.take_pages(1)?;
        let branch = &mut self.branches[level];
        output.append(branch.page.finish(&branch_header(level, page)))?;
        branch.page.clear();
        let separator = std::mem::take(&mut branch.separator);
        self.add_child(output, level + 1, separator, page)
    }

    /// Writes the open pages, the highest as the root.
    pub(super) fn finish(mut self, output: &mut Output) -> Result<(), TableWriteError> {
        if self.last_leaf == 0 {
            let bytes = self.leaf.finish(&PageHeader {
                page: ROOT,
                previous: 0,
                level: LEAF_LEVEL,
                page_type: page_type::LEAF,
            });
            return output.patch(ROOT, 0, bytes);
        }
        self.finish_leaf(output)?;
        let mut level = 0;
        while level + 1 < self.branches.len() {
            self.finish_branch(output, level)?;
            level += 1;
        }
        match self.branches.pop() {
            Some(mut root) => output.patch(ROOT, 0, root.page.finish(&branch_header(level, ROOT))),
            None => Ok(()),
        }
    }
}

fn branch_header(level: usize, page: u32) -> PageHeader {
    PageHeader {
        page,
        previous: 0,
        // With two children a page at least, a table has fewer than 32 levels.
        level: LEAF_LEVEL + 1 + level as u8,
        page_type: page_type::INTERNAL,
    }
}

/// The shortest beginning of `after` that is greater than `before`, a lesser key: enough to tell two leaves apart, as in libdb's own trees.
fn separator<'k>(before: &[u8], after: &'k [u8]) -> &'k [u8] {
    let common = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    &after[..after.len().min(common + 1)]
}
