//! Pages in the place of others: their numbers are right, and every one of them is a page of some table.

use super::*;

const PAGE: usize = 512;

/// Three levels, with nothing on overflow pages; and the same with other keys.
fn tables(order: ByteOrder) -> [(Made, Pairs); 2] {
    [0u32, 1000].map(|from| {
        let pairs: Pairs = (from..from + 90).map(|n| (noise(n, 30), noise(n, 40))).collect();
        (Made::written(&pairs, PAGE as u32, order), pairs)
    })
}

/// A page of `other` in the place of page `number`: its number, and if told its links in the chain of leaves, are those of the page there.
fn replaced(whole: &[u8], number: usize, other: &[u8], with_links: bool) -> Vec<u8> {
    let (mut bytes, at) = (whole.to_vec(), number * PAGE);
    bytes[at..at + PAGE].copy_from_slice(other);
    let kept = layout::header::PAGE..if with_links { layout::header::ITEMS } else { layout::header::PREVIOUS };
    bytes[at + kept.start..at + kept.end].copy_from_slice(&whole[at + kept.start..at + kept.end]);
    bytes
}

fn pages(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    bytes.chunks(PAGE).enumerate().skip(1)
}

fn is_leaf(page: &[u8]) -> bool {
    page[layout::header::TYPE] == layout::page_type::LEAF
}

#[test]
fn a_page_replaced_by_another_of_its_table_or_of_another_table_is_refused_whatever_is_put_right_in_it() {
    for order in ORDERS {
        let [(made, pairs), (other, _)] = tables(order);
        let [whole, foreign] = [&made.path, &other.path].map(|path| std::fs::read(path).unwrap());
        for (number, page) in pages(&whole) {
            for (place, other) in pages(&whole).filter(|(place, _)| *place != number).chain(pages(&foreign)) {
                for with_links in [false, true] {
                    let bytes = replaced(&whole, number, other, with_links);
                    std::fs::write(&made.path, &bytes).unwrap();
                    let Ok(found) = read(&made.path) else { continue };
                    // A leaf of the other table can have keys that may stand here: nothing in a page says of which table it is.
                    let what = format!("page {number} replaced by {place}, links put right: {with_links}");
                    assert!(is_leaf(page) && is_leaf(other), "{what}");
                    assert!(found.keys().any(|key| !pairs.contains_key(key)), "of the same table: {what}");
                }
            }
        }
    }
}

#[test]
fn a_root_replaced_by_a_leaf_that_stands_alone_is_refused_with_the_pairs_that_nothing_leads_to() {
    let [(made, pairs), _] = tables(ByteOrder::Little);
    let alone = Made::written(&[(b"a".to_vec(), b"b".to_vec())].into(), PAGE as u32, ByteOrder::Little);
    let [whole, alone] = [&made.path, &alone.path].map(|path| std::fs::read(path).unwrap());
    std::fs::write(&made.path, replaced(&whole, 1, &alone[PAGE..2 * PAGE], false)).unwrap();
    let text = read(&made.path).unwrap_err().to_string();
    let leaves = pages(&whole).filter(|(_, page)| is_leaf(page)).count();
    assert!(
        text.contains("nothing leads to this page") && text.contains(&format!("there are {leaves} such")),
        "{text}"
    );

    let torn = TornTable::open(&made.path).unwrap();
    assert!(torn.is_tree_whole());
    let found: Pairs = torn.items().map(|taken| (taken.key, vec![u8::from(taken.is_reached)])).collect();
    assert_eq!(found.len(), pairs.len() + 1);
    assert_eq!(found.iter().filter(|(_, reached)| reached[0] == 1).map(|(key, _)| key).collect::<Vec<_>>(), [b"a"]);
}

#[test]
fn a_salvage_names_a_leaf_that_stands_in_the_place_of_another() {
    for order in ORDERS {
        let [(made, pairs), (other, _)] = tables(order);
        let [whole, foreign] = [&made.path, &other.path].map(|path| std::fs::read(path).unwrap());
        let leaves: Vec<usize> = pages(&whole).filter(|(_, page)| is_leaf(page)).map(|(number, _)| number).collect();
        assert!(leaves.len() > 10);
        for number in &leaves {
            let copies = leaves.iter().filter(|other| *other != number).map(|other| &whole[other * PAGE..][..PAGE]);
            let foreigners = pages(&foreign).filter(|(_, page)| is_leaf(page)).map(|(_, page)| page);
            for page in copies.chain(foreigners) {
                std::fs::write(&made.path, replaced(&whole, *number, page, false)).unwrap();
                let torn = TornTable::open(&made.path).unwrap();
                let mut items = torn.items();
                let found: Pairs = items.by_ref().map(|taken| (taken.key, Vec::new())).collect();
                let lost: Vec<_> = pairs.keys().filter(|key| !found.contains_key(*key)).collect();
                let is_chain_whole = items.is_chain_whole();
                let losses = items.into_losses();
                let Some(loss) = losses.pages.get(&(*number as u32)) else {
                    assert!(
                        found.keys().any(|key| !pairs.contains_key(key)),
                        "page {number}: a loss that nothing tells"
                    );
                    continue;
                };
                assert!(!is_chain_whole, "page {number}");
                assert!(loss.troubles.contains(&Trouble::Misplaced), "{loss:?}");
                assert!(lost.iter().all(|key| loss.after.as_ref().is_none_or(|after| after <= *key)));
                assert!(lost.iter().all(|key| loss.before.as_ref().is_none_or(|before| before > *key)));
            }
        }
    }
}

#[test]
fn tables_that_libdb_has_filled_and_emptied_have_nothing_that_their_trees_dont_lead_to() {
    // Pages of a table that libdb has split and given back: keys in no order, the middle deleted by loading it anew.
    for order in ORDERS {
        let pairs: Pairs = (0u32..3000).map(|n| (noise(n, 5 + n as usize % 90), noise(n, n as usize % 700))).collect();
        for page_size in PAGE_SIZES {
            let made = Made::loaded(&pairs, page_size, order);
            assert_same(&read(&made.path).unwrap(), &pairs, "read");
            let torn = TornTable::open(&made.path).unwrap();
            let mut items = torn.items();
            assert!(items.by_ref().all(|taken| taken.is_reached) && torn.is_tree_whole() && items.is_chain_whole());
            assert_eq!(items.into_losses(), PageLosses::default());
        }
    }
}
