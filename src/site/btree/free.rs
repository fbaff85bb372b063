//! The free list of a table that may be torn.

use super::Table;
use super::layout::{HEADER_BYTES, header, page_type};
use super::pageset::PageSet;
use super::salvage::lsn_of;

/// The pages that the free list names.
///
/// libdb changes the meta page and the page together, so a page that was freed and not used again has no later position than the meta page.
/// One that has was taken off the list after the meta page was written, and is no free page, whatever the meta page says. One that still
/// looks used but is older was freed later: it is free, but its link is that of its old use and leads nowhere.
pub(super) fn free_pages(table: &Table) -> PageSet {
    let said = table.meta().lsn;
    let (mut free, mut seen) = (PageSet::new(), PageSet::new());
    let order = table.byte_order();
    let mut page = table.meta().free_list;
    let mut head = [0; HEADER_BYTES];
    while table.no_such_page(page).is_none() && seen.insert(page) {
        if table.read(page, &mut head).is_err() || order.u32(&head, header::PAGE) != page {
            break;
        }
        let is_blank = head[header::TYPE] == page_type::FREE;
        if !is_blank && lsn_of(table, &head) > said {
            break;
        }
        free.insert(page);
        if !is_blank {
            break;
        }
        page = order.u32(&head, header::NEXT);
    }
    free
}
