//! Pages that hold pairs and that the tree doesn't lead to.

use super::error::{Damage, readable};
use super::free::free_pages;
use super::layout::{HEADER_BYTES, LEAF_LEVEL, header, page_type};
use super::page::Page;
use super::pageset::PageSet;
use super::place::Half;
use super::{Table, TableError};

/// Refuses a table that has a leaf with pairs which was not `seen` and is not free: where a page of the tree is replaced by another that fits, nothing else
/// shows it. `overflow_pages` are the pages behind the first ones of all long keys and values; with these and those that were seen, most
/// tables have no page left, and none is read.
pub(super) fn check(table: &Table, seen: &PageSet, overflow_pages: u64) -> Result<(), TableError> {
    let last_page = table.meta().last_page;
    if seen.count() + overflow_pages >= u64::from(last_page) {
        return Ok(());
    }
    let free = free_pages(table);
    let mut first = None;
    let mut pages = 0;
    let mut head = [0; HEADER_BYTES];
    for number in (1..=last_page).filter(|number| !seen.contains(*number) && !free.contains(*number)) {
        table.read(number, &mut head)?;
        let order = table.byte_order();
        let is_leaf = head[header::TYPE] == page_type::LEAF && head[header::LEVEL] == LEAF_LEVEL;
        if !is_leaf || order.u32(&head, header::PAGE) != number || order.u16(&head, header::ITEMS) == 0 {
            continue;
        }
        if let Some((pairs, key)) = pairs_of(table, number)? {
            pages += 1;
            first.get_or_insert((number, pairs, key));
        }
    }
    let Some((number, pairs, first)) = first else { return Ok(()) };
    Err(table.damaged(number, None, Damage::Unreached { pairs, first, pages }))
}

/// How many pairs of a leaf were not deleted, and the first key; `None` where there is none that can be read.
fn pairs_of(table: &Table, number: u32) -> Result<Option<(u16, String)>, TableError> {
    let mut bytes = vec![0; table.page_bytes()];
    table.read(number, &mut bytes)?;
    let page = Page::new(table, number, &bytes);
    let items = page.leaf_items().unwrap_or(0);
    let half = |at| page.half(at, items).ok().and_then(|(half, _)| half);
    // What was deleted has a mark on one of its halves.
    let mut keys = (0..items).step_by(2).filter_map(|at| half(at + 1).and(half(at)));
    let Some(first) = keys.next() else { return Ok(None) };
    let first = match first {
        Half::Inline(key) => readable(key),
        Half::Overflow { first_page, .. } => format!("on page {first_page}"),
    };
    Ok(Some((keys.count() as u16 + 1, first)))
}
