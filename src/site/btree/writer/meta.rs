//! The meta page of a new table.

use std::hash::{BuildHasher, RandomState};

use super::output::Output;
use super::tree::ROOT;
use crate::site::btree::layout::{
    BTREE_MAGIC, BTREE_VERSION, FILE_ID_BYTES, MIN_KEYS_PER_PAGE, NOT_LOGGED, header, meta, page_type,
};

/// The meta page for a table whose pages are all appended.
pub(super) fn meta_page(output: &Output) -> Vec<u8> {
    let order = output.order();
    let mut page = vec![0; output.page_bytes()];
    let mut put = |at: usize, field: &[u8]| page[at..at + field.len()].copy_from_slice(field);
    put(header::LSN, &NOT_LOGGED.map(|n| order.bytes32(n)).concat());
    put(meta::MAGIC, &order.bytes32(BTREE_MAGIC));
    put(meta::VERSION, &order.bytes32(BTREE_VERSION));
    put(meta::PAGE_SIZE, &order.bytes32(output.page_bytes() as u32));
    put(meta::TYPE, &[page_type::BTREE_META]);
    put(meta::LAST_PAGE, &order.bytes32(output.next_page() - 1));
    put(meta::FILE_ID, &file_id());
    put(meta::MIN_KEYS, &order.bytes32(MIN_KEYS_PER_PAGE as u32));
    put(meta::RECORD_PAD, &order.bytes32(u32::from(b' ')));
    put(meta::ROOT, &order.bytes32(ROOT));
    page
}

/// libdb tells open files apart by this id alone, so no two tables may share one: a copied id would make two tables one in its cache.
fn file_id() -> [u8; FILE_ID_BYTES] {
    let mut hasher = blake3::Hasher::new();
    // The keys of std's hash maps come from the system's random numbers, and no two maps of a process have the same.
    for number in 0..2 {
        let random = RandomState::new().hash_one(number);
        hasher.update(&random.to_le_bytes());
    }
    if let Ok(now) = std::time::UNIX_EPOCH.elapsed() {
        hasher.update(&now.as_nanos().to_le_bytes());
    }
    let mut id = [0; FILE_ID_BYTES];
    hasher.finalize_xof().fill(&mut id);
    id
}
