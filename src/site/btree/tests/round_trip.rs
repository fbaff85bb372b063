use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_pairs_survive_writer_and_reader_and_libdb_sees_the_same(
        pairs in pairs(),
        page_size in proptest::sample::select(PAGE_SIZES.to_vec()),
        order in proptest::sample::select(ORDERS.to_vec()),
    ) {
        let made = Made::written(&pairs, page_size, order);
        let table = Table::open(&made.path).unwrap();
        prop_assert_eq!(table.page_size(), page_size);
        prop_assert_eq!(table.byte_order(), order);
        assert_same(&read(&made.path).unwrap(), &pairs, "our reader");
        assert_libdb_is_content(&made.path);
        assert_same(&dumped(&made.path), &pairs, "db5.3_dump");
    }

    #[test]
    fn a_place_survives_encoding(bytes in vec(any::<u8>(), 0..50), first_page: u32, length: u32) {
        for place in [Place::Inline(bytes), Place::Overflow { first_page, length }] {
            let mut encoded = Vec::new();
            place.encode(&mut encoded);
            prop_assert_eq!(Place::decode(&encoded), Some(place));
        }
    }
}

fn survives(pairs: &Pairs, what: &str) {
    for page_size in PAGE_SIZES {
        for order in ORDERS {
            let made = Made::written(pairs, page_size, order);
            assert_same(&read(&made.path).unwrap(), pairs, what);
            assert_libdb_is_content(&made.path);
            assert_same(&dumped(&made.path), pairs, what);
        }
    }
}

#[test]
fn an_empty_table_is_a_table() {
    survives(&Pairs::new(), "an empty table");
}

#[test]
fn one_pair_of_no_bytes_is_a_pair() {
    survives(&Pairs::from([(vec![], vec![])]), "an empty pair");
}

#[test]
fn values_around_65_536_bytes_survive() {
    let pairs = [65_535, 65_536, 65_537]
        .into_iter()
        .map(|length| (length.to_string().into_bytes(), noise(1, length)))
        .collect();
    survives(&pairs, "values around 64 KiB");
}

#[test]
fn keys_and_values_around_the_longest_that_stay_on_a_leaf_survive() {
    let mut pairs = Pairs::new();
    for page_size in PAGE_SIZES {
        let longest = layout::longest_inline(page_size as usize);
        for length in longest - 1..=longest + 1 {
            pairs.insert(noise(length as u32, length), noise(2, length));
            pairs.insert(length.to_string().into_bytes(), noise(3, length));
        }
    }
    survives(&pairs, "the longest inline");
}

#[test]
fn a_value_that_fills_its_overflow_pages_to_the_last_byte_survives() {
    let mut pairs = Pairs::new();
    for page_size in PAGE_SIZES {
        let capacity = layout::overflow_capacity(page_size as usize);
        for pages in 1..4 {
            let length = capacity * pages;
            pairs.insert(length.to_string().into_bytes(), noise(4, length));
        }
    }
    survives(&pairs, "full overflow pages");
}

#[test]
fn a_tree_of_many_levels_survives() {
    // Pages of 512 bytes and keys of 100 make a tree of five levels.
    let pairs: Pairs = (0u32..3000).map(|n| (noise(n, 100), n.to_le_bytes().to_vec())).collect();
    let made = Made::written(&pairs, 512, ByteOrder::Little);
    assert_same(&read(&made.path).unwrap(), &pairs, "many levels");
    assert_libdb_is_content(&made.path);
    assert_same(&dumped(&made.path), &pairs, "many levels");
}

#[test]
fn separators_too_long_for_an_internal_page_survive() {
    let key = |n: u32| [&[b'x'; 3000][..], &n.to_be_bytes()].concat();
    let pairs: Pairs = (0..400).map(|n| (key(n), vec![1; 10])).collect();
    let made = Made::written(&pairs, 512, ByteOrder::Little);
    assert_same(&read(&made.path).unwrap(), &pairs, "long separators");
    assert_libdb_is_content(&made.path);
    assert_same(&dumped(&made.path), &pairs, "long separators");
}

#[test]
fn a_value_is_read_the_same_in_pieces_of_any_size() {
    let value = noise(5, 100_000);
    let pairs = Pairs::from([(b"k".to_vec(), value.clone())]);
    let made = Made::written(&pairs, 1024, ByteOrder::Little);
    let table = Table::open(&made.path).unwrap();
    let item = table.items().next().unwrap().unwrap();
    for size in [1, 100, 997, 998, 999, 65_536, 200_000] {
        let mut reader = table.value(&item.value);
        let mut found = Vec::new();
        let mut buffer = vec![0; size];
        loop {
            let count = reader.read_some(&mut buffer).unwrap();
            found.extend_from_slice(&buffer[..count]);
            if count == 0 {
                break;
            }
        }
        assert!(found == value, "pieces of {size}");
    }
}
