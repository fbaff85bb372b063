//! One table: which of several values is taken, and which value has which pages.

use super::*;

fn long(number: i64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// A list of messages that takes a chain of overflow pages.
fn list(count: i64) -> Vec<u8> {
    (1..=count).flat_map(|number: i64| (number * 3).to_le_bytes()).collect()
}

/// Changes a value of four bytes that stands on a leaf.
fn replace(page: &mut [u8], old: &[u8; 4], new: &[u8; 4]) {
    let at = page.windows(4).position(|window| window == old).unwrap();
    page[at..at + 4].copy_from_slice(new);
}

#[test]
fn of_two_values_the_one_on_the_later_page_is_taken() {
    let pairs = Pairs::from([(b"a".to_vec(), b"old!".to_vec()), (b"b".to_vec(), b"same".to_vec())]);
    for (first, second, expected) in [(5, 9, "new!"), (9, 5, "old!")] {
        let single = Single::written(13, &pairs);
        single.tear(|bytes| {
            let copy = append_copy(bytes, 1);
            replace(page(bytes, copy), b"old!", b"new!");
            set_lsn(page(bytes, 1), first);
            set_lsn(page(bytes, copy), second);
        });
        let (found, losses) = single.salvage();
        assert_eq!((found.len(), found[&b"a"[..]].as_slice()), (2, expected.as_bytes()));
        assert!(losses.is_empty(), "{losses:?}");
    }
}

#[test]
fn of_equally_old_pages_the_one_in_the_tree_wins_and_else_the_first() {
    let pairs = Pairs::from([(b"a".to_vec(), b"tree".to_vec())]);
    let single = Single::written(13, &pairs);
    single.tear(|bytes| {
        for new in [b"two!", b"thr!"] {
            let copy = append_copy(bytes, 1);
            replace(page(bytes, copy), b"tree", new);
        }
    });
    assert_eq!(single.salvage().0[&b"a"[..]], b"tree");
    // Without the root both copies are out of the tree.
    single.tear(|bytes| page(bytes, 1).fill(0));
    assert_eq!(single.salvage().0[&b"a"[..]], b"two!");
}

#[test]
fn pages_of_a_value_go_to_the_later_of_two_keys() {
    let body = vec![7; 10_000];
    let pairs = Pairs::from([(long(3), body.clone()), (long(9), b"1234".to_vec())]);
    let single = Single::written(8, &pairs);
    single.tear(|bytes| {
        // A page from before: then message 5 had these pages.
        let copy = append_copy(bytes, 1);
        let stale = page(bytes, copy);
        let key = stale.windows(8).position(|window| window == long(3)).unwrap();
        stale[key] = 5;
        replace(stale, b"1234", b"0000");
        set_lsn(page(bytes, 1), 70);
        set_lsn(page(bytes, copy), 60);
    });
    let (found, losses) = single.salvage();
    assert_eq!(found, pairs);
    assert_eq!(losses, ["message 5: its value's pages were given to another key since"]);
}

#[test]
fn a_list_that_was_stored_again_after_its_page_is_taken_as_it_is_and_told() {
    let pairs = Pairs::from([(long(1), list(300))]);
    let lengthened = |table: u8| {
        let single = Single::written(table, &pairs);
        single.tear(|bytes| {
            let chain = pages_of_type(bytes, OVERFLOW);
            // One number more on the only page of the chain.
            let overflow = page(bytes, chain[0]);
            let length = usize::from(u16::from_le_bytes([overflow[22], overflow[23]]));
            overflow[26 + length..26 + length + 8].copy_from_slice(&long(903));
            overflow[22..24].copy_from_slice(&(length as u16 + 8).to_le_bytes());
            set_lsn(overflow, 80);
            set_lsn(page(bytes, 1), 60);
        });
        single.salvage()
    };
    let (found, losses) = lengthened(4);
    assert_eq!(found[&long(1)], list(301));
    assert_eq!(
        losses,
        [
            "room number 1: it was stored again after its page was written: 2408 bytes were taken where the page says 2400"
        ]
    );
    // A body never changes: what stands there is another one's.
    let (found, losses) = lengthened(8);
    assert!(found.is_empty());
    assert_eq!(losses.len(), 1);
    assert!(losses[0].starts_with("message 1: its value has 2400 bytes, but 2408 stand on its pages"), "{losses:?}");
}

#[test]
fn a_list_that_breaks_off_is_taken_up_to_there() {
    let pairs = Pairs::from([(long(1), list(2000))]);
    for (table, numbers) in [(4, 508), (8, 0)] {
        let single = Single::written(table, &pairs);
        single.tear(|bytes| {
            let chain = pages_of_type(bytes, OVERFLOW);
            page(bytes, chain[1]).fill(0);
        });
        let (found, losses) = single.salvage();
        assert_eq!(found.get(&long(1)), (numbers > 0).then(|| list(numbers)).as_ref());
        assert_eq!(losses.len(), 1, "{losses:?}");
        assert!(losses[0].contains("can't be read at page 3"), "{losses:?}");
    }
}

#[test]
fn an_older_value_is_taken_where_the_last_one_cannot_be_read() {
    let body = vec![7; 3000];
    let single = Single::written(4, &Pairs::from([(long(1), body.clone()), (long(2), b"1234".to_vec())]));
    single.tear(|bytes| {
        let chain = pages_of_type(bytes, OVERFLOW)[0];
        let chain_copy = append_copy(bytes, chain);
        let leaf_copy = append_copy(bytes, 1);
        let old = page(bytes, leaf_copy);
        let link = old.windows(4).rposition(|window| window == (chain as u32).to_le_bytes()).unwrap();
        old[link..link + 4].copy_from_slice(&(chain_copy as u32).to_le_bytes());
        set_lsn(old, 40);
        set_lsn(page(bytes, 1), 60);
        page(bytes, chain).fill(0);
    });
    let (found, losses) = single.salvage();
    assert_eq!(found[&long(1)], body);
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert!(losses[0].contains("an older state, of page 4, was taken"), "{losses:?}");
}

#[test]
fn a_table_that_was_cut_says_what_is_missing() {
    let pairs: Pairs = (0..300).map(|number| (format!("key {number:03}").into_bytes(), vec![1; 100])).collect();
    let single = Single::written(13, &pairs);
    single.tear(|bytes| bytes.truncate(5 * PAGE_BYTES + 100));
    let (found, losses) = single.salvage();
    assert!(!found.is_empty() && found.iter().all(|(key, value)| pairs.get(key) == Some(value)));
    assert!(losses.iter().any(|loss| loss.starts_with("table cdb.0d: the file was cut: pages 5 to ")), "{losses:?}");
    let page = losses.iter().find(|loss| loss.starts_with("table cdb.0d, page 5: ")).unwrap();
    assert!(page.contains("by the order of the table it stood after setting key "), "{page}");
}

#[test]
fn what_is_no_table_or_of_another_version_is_refused() {
    let single = Single::written(13, &Pairs::from([(b"a".to_vec(), vec![])]));
    let salvage = |source: &Path| {
        let into = single.directory.path().join("refused");
        salvage_table(source, &into, single.directory.path(), &Silent).unwrap_err()
    };
    let other = single.directory.path().join("other");
    std::fs::write(&other, b"something else").unwrap();
    assert!(matches!(salvage(&other), SalvageError::Name { .. }));
    single.tear(|bytes| bytes[16] = 10);
    assert!(matches!(salvage(&single.source), SalvageError::Table(TableError::Version { version: 10, .. })));
    single.tear(|bytes| bytes.fill(b'x'));
    assert!(matches!(salvage(&single.source), SalvageError::Table(TableError::NotABtree { .. })));
}

/// Leads all long values of a table to the chain that begins on page `first`, and says of each that it has so many bytes.
fn lead_all_to(bytes: &mut [u8], first: u32, length: u32) {
    for leaf in pages_of_type(bytes, LEAF) {
        let page = page(bytes, leaf);
        for item in 0..usize::from(u16::from_le_bytes([page[20], page[21]])) {
            let at = usize::from(u16::from_le_bytes([page[26 + 2 * item], page[27 + 2 * item]]));
            if page[at + 2] == 3 {
                page[at + 4..at + 8].copy_from_slice(&first.to_le_bytes());
                page[at + 8..at + 12].copy_from_slice(&length.to_le_bytes());
            }
        }
    }
}

#[test]
fn a_chain_to_which_thousands_of_items_lead_is_read_once_whether_it_is_broken_or_only_no_list() {
    // To read it for each of them would be to read 20 GB.
    let long_list = list(1_000_000);
    let mut pairs: Pairs = (1..2500i64).map(|room| (long(room), list(if room == 1 { 1 } else { 200 }))).collect();
    pairs.insert(long(9999), long_list.clone());
    for is_broken in [true, false] {
        let single = Single::written(4, &pairs);
        single.tear(|bytes| {
            // The chain whose second page goes on as well: all others have one page.
            let chain = pages_of_type(bytes, OVERFLOW).windows(3).find_map(|pages| {
                let next =
                    |at: usize| u32::from_le_bytes(*bytes[at * PAGE_BYTES + 16..].first_chunk().unwrap()) as usize;
                let first = pages[0];
                let previous = u32::from_le_bytes(*bytes[first * PAGE_BYTES + 12..].first_chunk().unwrap());
                (previous == 0 && next(first) == first + 1).then_some(first)
            });
            let first = chain.unwrap();
            if is_broken {
                page(bytes, first + 1900).fill(0);
            } else {
                page(bytes, first + 1900)[100..300].fill(0);
                set_lsn(page(bytes, first), 7);
            }
            lead_all_to(bytes, first as u32, long_list.len() as u32 - 8);
        });
        let (found, losses) = single.salvage();
        // The pair of the short value, and the one that gets what a broken chain holds of a list.
        assert_eq!(found.len(), 1 + usize::from(is_broken), "broken: {is_broken}");
        assert!(losses.len() > 2400, "{} losses", losses.len());
    }
}
