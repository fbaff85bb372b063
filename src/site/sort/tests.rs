use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn sorted(pairs: &Pairs, memory_bytes: usize, fan_in: usize) -> Pairs {
    let scratch = tempfile::tempdir().unwrap();
    let mut sorter = Sorter::new(scratch.path(), memory_bytes);
    sorter.fan_in = fan_in;
    for (key, payload) in pairs {
        sorter.push(key, payload).unwrap();
    }
    let sorted = sorter.finish().unwrap().map(Result::unwrap).collect();
    assert_eq!(scratch.path().read_dir().unwrap().count(), 0);
    sorted
}

/// The obvious sort, which every other must equal.
fn obvious(pairs: &Pairs) -> Pairs {
    let mut pairs = pairs.clone();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    // Few different bytes, so that keys repeat and begin with one another.
    prop_oneof![vec(0u8..3, 0..12), vec(any::<u8>(), 0..40)]
}

proptest! {
    #[test]
    fn the_external_sort_equals_a_stable_sort_in_memory(
        pairs in vec((keys(), vec(any::<u8>(), 0..60)), 0..400),
        memory_bytes in prop_oneof![Just(0usize), 100usize..4000, Just(1 << 20)],
        fan_in in 2usize..6,
    ) {
        prop_assert_eq!(sorted(&pairs, memory_bytes, fan_in), obvious(&pairs));
    }
}

#[test]
fn equal_keys_keep_the_order_in_which_they_came_over_many_levels_of_runs() {
    let pairs: Pairs = (0u32..5000).map(|n| (vec![(n % 7) as u8], n.to_be_bytes().to_vec())).collect();
    for fan_in in [2, 3, 64] {
        assert_eq!(sorted(&pairs, 200, fan_in), obvious(&pairs));
    }
}

#[test]
fn an_item_larger_than_the_memory_bound_is_sorted_all_the_same() {
    let large = vec![7; MAX_PAYLOAD_BYTES];
    let pairs = vec![(vec![2; MAX_KEY_BYTES], vec![]), (vec![1], large.clone()), (vec![], large)];
    assert!(sorted(&pairs, 1000, 64) == obvious(&pairs));
}

#[test]
fn a_key_or_an_item_beyond_the_limits_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let mut sorter = Sorter::new(scratch.path(), 1 << 20);
    let key = vec![0; MAX_KEY_BYTES + 1];
    let payload = vec![0; MAX_PAYLOAD_BYTES + 1];
    assert!(matches!(sorter.push(&key, &[]), Err(SortError::KeyTooLong { .. })));
    assert!(matches!(sorter.push(&[], &payload), Err(SortError::PayloadTooLong { .. })));
}

#[test]
fn a_sort_that_fits_in_memory_needs_no_scratch_directory() {
    let mut sorter = Sorter::new(Path::new("/nowhere"), 1 << 20);
    sorter.push(b"b", b"2").unwrap();
    sorter.push(b"a", b"1").unwrap();
    let keys: Vec<Vec<u8>> = sorter.finish().unwrap().map(|item| item.unwrap().0).collect();
    assert_eq!(keys, [b"a", b"b"]);
}

#[test]
fn a_missing_scratch_directory_is_named_in_the_error_with_the_way_out() {
    let mut sorter = Sorter::new(Path::new("/nowhere"), 10);
    sorter.push(b"b", b"2").unwrap();
    let error = sorter.push(b"a", b"1").unwrap_err().to_string();
    assert!(error.contains("/nowhere") && error.contains("--scratch"), "{error}");
}
