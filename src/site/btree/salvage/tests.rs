//! Torn tables against the true pairs.

use std::path::Path;

use super::*;
use crate::record::ByteOrder;
use crate::site::btree::layout::{header, page_type};
use crate::site::btree::tests::{Made, Pairs, noise};

/// A table with every kind of page: three levels, keys and values on overflow pages.
fn table(order: ByteOrder) -> (Made, Pairs) {
    let mut pairs: Pairs = (0u32..200).map(|n| (noise(n, 40), noise(n, n as usize))).collect();
    pairs.insert(vec![b'k'; 300], noise(1, 3000));
    pairs.insert(vec![b'l'; 500], vec![]);
    (Made::written(&pairs, 512, order), pairs)
}

type Found = Vec<(Vec<u8>, Vec<u8>)>;

/// All pairs whose values can be read, the pages that gave less than they should, and how many values were out of reach.
fn salvage(path: &Path) -> (Found, PageLosses, usize) {
    let torn = TornTable::open(path).unwrap();
    let (mut pairs, mut unread) = (Vec::new(), 0);
    let mut items = torn.items();
    for taken in items.by_ref() {
        match taken.value.map(|place| torn.table().read_all(&place, 1 << 30)) {
            Ok(Ok(value)) => pairs.push((taken.key, value)),
            _ => unread += 1,
        }
    }
    (pairs, items.into_losses(), unread)
}

/// A row of numbers that is the same in each run.
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn a_whole_table_gives_exactly_its_pairs() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let (made, pairs) = table(order);
        let torn = TornTable::open(&made.path).unwrap();
        assert!(torn.first_page().is_none() && torn.missing().is_none());
        assert!(torn.items().all(|taken| taken.is_reached));
        let (found, losses, unread) = salvage(&made.path);
        assert_eq!((found.len(), unread), (pairs.len(), 0));
        assert_eq!(found.into_iter().collect::<Pairs>(), pairs);
        assert_eq!(losses, PageLosses::default());
    }
}

#[test]
fn a_table_without_its_first_page_gives_all_pairs() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let (made, pairs) = table(order);
        let mut bytes = std::fs::read(&made.path).unwrap();
        for change in [0, 20, 12, 88] {
            match change {
                0 => bytes[..512].fill(0),
                // Page size, magic number, root.
                at => bytes[at] ^= 0x24,
            }
            std::fs::write(&made.path, &bytes).unwrap();
            let torn = TornTable::open(&made.path).unwrap();
            assert!(torn.first_page().is_some());
            assert_eq!((torn.table().byte_order(), torn.table().page_size()), (order, 512));
            assert_eq!(salvage(&made.path).0.into_iter().collect::<Pairs>(), pairs);
        }
    }
}

#[test]
fn a_root_of_zeros_is_a_loss_if_it_was_the_only_leaf_and_else_loses_nothing() {
    let few: Pairs = (0u32..3).map(|n| (noise(n, 10), noise(n, 20))).collect();
    let made = Made::written(&few, 512, ByteOrder::Little);
    let root_of_zeros = |path: &Path| {
        let root = Table::open(path).unwrap().meta().root as usize;
        let mut bytes = std::fs::read(path).unwrap();
        bytes[root * 512..(root + 1) * 512].fill(0);
        std::fs::write(path, bytes).unwrap();
        root as u32
    };
    let root = root_of_zeros(&made.path);
    let (found, losses, _) = salvage(&made.path);
    assert!(found.is_empty());
    assert_eq!(losses.pages.keys().copied().collect::<Vec<_>>(), [root]);

    let (made, pairs) = table(ByteOrder::Little);
    root_of_zeros(&made.path);
    let (found, losses, _) = salvage(&made.path);
    assert_eq!(found.into_iter().collect::<Pairs>(), pairs);
    assert_eq!(losses, PageLosses::default());
}

#[test]
fn a_leaf_of_zeros_is_a_loss_between_the_keys_of_its_neighbours() {
    let (made, pairs) = table(ByteOrder::Little);
    let mut bytes = std::fs::read(&made.path).unwrap();
    let is_leaf = |page: &[u8]| page[header::TYPE] == page_type::LEAF && page[header::NEXT] != 0;
    let page = bytes.chunks(512).rposition(is_leaf).unwrap();
    bytes[page * 512..(page + 1) * 512].fill(0);
    std::fs::write(&made.path, bytes).unwrap();
    let (found, losses, _) = salvage(&made.path);
    let found: Pairs = found.into_iter().collect();
    let lost: Vec<_> = pairs.keys().filter(|key| !found.contains_key(*key)).collect();
    assert!(!lost.is_empty());
    let loss = &losses.pages[&(page as u32)];
    assert!(loss.troubles[0].to_string().contains("all zeros"), "{loss:?}");
    assert!(loss.after.as_ref().unwrap() < lost[0] && loss.before.as_ref().unwrap() > lost[lost.len() - 1]);
    assert_eq!(losses.pages.len(), 1);
}

#[test]
fn pages_of_the_free_list_are_not_taken() {
    let (made, pairs) = table(ByteOrder::Little);
    let mut bytes = std::fs::read(&made.path).unwrap();
    // A page of rubbish at the end: a leaf that was freed. Its own link must not be followed.
    let last = bytes.len() / 512;
    let leaf = bytes.chunks(512).position(|page| page[header::TYPE] == page_type::LEAF).unwrap();
    let mut page = bytes[leaf * 512..(leaf + 1) * 512].to_vec();
    page[header::PAGE..header::PAGE + 4].copy_from_slice(&(last as u32).to_le_bytes());
    page[header::NEXT..header::NEXT + 4].copy_from_slice(&(leaf as u32).to_le_bytes());
    bytes.extend_from_slice(&page);
    let count = |bytes: &[u8]| {
        std::fs::write(&made.path, bytes).unwrap();
        salvage(&made.path).0.len()
    };
    assert!(count(&bytes) > pairs.len(), "an unknown leaf is taken");
    bytes[28..32].copy_from_slice(&(last as u32).to_le_bytes());
    assert_eq!(count(&bytes), pairs.len(), "one of the free list is not");
    // The first page is older than the leaf: it was taken off the list since.
    bytes[last * 512..last * 512 + 8].copy_from_slice(&[1, 0, 0, 0, 99, 0, 0, 0]);
    assert!(count(&bytes) > pairs.len());
}

#[test]
fn a_free_list_that_goes_round_in_a_circle_ends() {
    let (made, pairs) = table(ByteOrder::Little);
    let mut bytes = std::fs::read(&made.path).unwrap();
    let first = bytes.len() / 512;
    for page in [first, first + 1] {
        let mut free = vec![0; 512];
        let next = if page == first { first + 1 } else { first };
        free[header::PAGE..header::PAGE + 4].copy_from_slice(&(page as u32).to_le_bytes());
        free[header::NEXT..header::NEXT + 4].copy_from_slice(&(next as u32).to_le_bytes());
        bytes.extend_from_slice(&free);
    }
    bytes[28..32].copy_from_slice(&(first as u32).to_le_bytes());
    std::fs::write(&made.path, bytes).unwrap();
    assert_eq!(salvage(&made.path).0.len(), pairs.len());
}

#[test]
fn a_file_cut_anywhere_gives_true_pairs_and_says_what_is_missing() {
    let (made, pairs) = table(ByteOrder::Little);
    let whole = std::fs::read(&made.path).unwrap();
    for length in (1024..whole.len()).step_by(700) {
        std::fs::write(&made.path, &whole[..length]).unwrap();
        let (found, ..) = salvage(&made.path);
        assert!(found.iter().all(|(key, value)| pairs.get(key) == Some(value)), "{length}");
        assert_eq!(TornTable::open(&made.path).unwrap().missing().unwrap().0 as usize, length / 512);
    }
    for length in [0, 1, 300] {
        std::fs::write(&made.path, &whole[..length]).unwrap();
        assert!(TornTable::open(&made.path).is_err(), "{length}");
    }
}

#[test]
fn pages_of_zeros_take_only_what_stood_on_them() {
    let (made, pairs) = table(ByteOrder::Big);
    let whole = std::fs::read(&made.path).unwrap();
    let mut below = numbers(1);
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..1 + below(5) {
            let page = below(whole.len() / 512);
            bytes[page * 512..(page + 1) * 512].fill(0);
        }
        std::fs::write(&made.path, &bytes).unwrap();
        let (found, losses, unread) = salvage(&made.path);
        assert!(found.iter().all(|(key, value)| pairs.get(key) == Some(value)));
        assert!(found.len() == pairs.len() || !losses.pages.is_empty() || unread > 0, "a loss that nothing tells");
    }
}

#[test]
fn flipped_bits_never_end_the_scan_and_change_nothing_but_the_pairs_they_hit() {
    let (made, pairs) = table(ByteOrder::Little);
    let whole = std::fs::read(&made.path).unwrap();
    let mut below = numbers(2);
    for _ in 0..400 {
        let mut bytes = whole.clone();
        let flips = 1 + below(4);
        for _ in 0..flips {
            let at = below(whole.len());
            bytes[at] ^= 1 << below(8);
        }
        std::fs::write(&made.path, &bytes).unwrap();
        let (found, ..) = salvage(&made.path);
        // Nothing tells a changed byte of a key or a value from a true one; but each flip can change one pair at most.
        let false_pairs = found.iter().filter(|(key, value)| pairs.get(key) != Some(value)).count();
        assert!(false_pairs <= flips, "{false_pairs} false pairs after {flips} flips");
        assert!(found.len() <= pairs.len());
    }
}
