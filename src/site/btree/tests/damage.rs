use super::*;
use std::os::unix::fs::FileExt;

/// A table small enough to damage everywhere, with every kind of page: three levels, keys and values on overflow pages.
fn small() -> (Made, Pairs) {
    let mut pairs: Pairs = (0u32..120).map(|n| (noise(n, 60), noise(n, n as usize))).collect();
    pairs.insert(vec![b'k'; 300], noise(1, 3000));
    pairs.insert(vec![b'l'; 500], vec![]);
    (Made::written(&pairs, 512, ByteOrder::Little), pairs)
}

/// Reads the table with these bytes. What is found is an error or pairs; a panic or an endless loop fails the test.
fn read_bytes(made: &Made, bytes: &[u8]) -> Result<Pairs, TableError> {
    std::fs::write(&made.path, bytes).unwrap();
    read(&made.path)
}

fn page_of_type(bytes: &[u8], page_type: u8) -> usize {
    let pages = bytes.chunks(512);
    pages.enumerate().position(|(number, page)| number > 1 && page[layout::header::TYPE] == page_type).unwrap()
}

fn put32(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

fn damage(error: TableError) -> Damage {
    match error {
        TableError::Damaged { damage, .. } => damage,
        other => panic!("{other}"),
    }
}

#[test]
fn a_table_cut_at_any_page_or_inside_one_is_refused() {
    let (made, _) = small();
    let whole = std::fs::read(&made.path).unwrap();
    for length in (0..whole.len()).step_by(256) {
        assert!(read_bytes(&made, &whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_page_of_zeros_anywhere_in_the_tree_is_refused() {
    let (made, _) = small();
    let whole = std::fs::read(&made.path).unwrap();
    for page in 0..whole.len() / 512 {
        let mut bytes = whole.clone();
        bytes[page * 512..(page + 1) * 512].fill(0);
        let error = read_bytes(&made, &bytes).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("zeros"), "page {page}: {text}");
    }
}

#[test]
fn a_page_that_stands_where_another_must_is_refused() {
    let (made, _) = small();
    let whole = std::fs::read(&made.path).unwrap();
    for page in 1..whole.len() / 512 - 1 {
        let mut bytes = whole.clone();
        bytes.copy_within((page + 1) * 512..(page + 2) * 512, page * 512);
        assert!(read_bytes(&made, &bytes).is_err(), "page {page}");
    }
}

#[test]
fn a_changed_header_byte_of_any_page_gives_an_error_or_the_same_pairs() {
    let (made, pairs) = small();
    let whole = std::fs::read(&made.path).unwrap();
    let header = [8, 9, 11, 12, 15, 16, 19, 20, 21, 22, 23, 24, 25];
    for page in 1..whole.len() / 512 {
        for at in header.map(|at| page * 512 + at) {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                if let Ok(found) = read_bytes(&made, &bytes) {
                    assert_same(&found, &pairs, &format!("byte {at} ^ {change:#x}"));
                }
            }
        }
    }
}

#[test]
fn any_changed_byte_gives_an_error_or_pairs_but_no_panic() {
    let (made, _) = small();
    let whole = std::fs::read(&made.path).unwrap();
    let file = std::fs::File::options().write(true).open(&made.path).unwrap();
    for (at, byte) in whole.iter().enumerate().step_by(3) {
        for change in [0x01, 0x80, 0xff] {
            file.write_all_at(&[byte ^ change], at as u64).unwrap();
            let _ = read(&made.path);
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
}

#[test]
fn a_leaf_chain_that_goes_round_in_a_circle_is_refused() {
    let (made, _) = small();
    let mut bytes = std::fs::read(&made.path).unwrap();
    let leaf = page_of_type(&bytes, layout::page_type::LEAF);
    put32(&mut bytes, leaf * 512 + layout::header::NEXT, leaf as u32);
    let error = damage(read_bytes(&made, &bytes).unwrap_err());
    assert!(matches!(error, Damage::BrokenChain { which: "next", .. }), "{error}");
}

#[test]
fn two_links_to_one_page_are_refused() {
    let (made, _) = small();
    let mut bytes = std::fs::read(&made.path).unwrap();
    let internal = page_of_type(&bytes, layout::page_type::INTERNAL) * 512;
    let item = |index: usize| {
        let at = internal + layout::HEADER_BYTES + 2 * index;
        internal + usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]])) + 4
    };
    let (first, second) = (item(0), item(1));
    bytes.copy_within(first..first + 4, second);
    let error = damage(read_bytes(&made, &bytes).unwrap_err());
    assert!(matches!(error, Damage::SecondLink { .. }), "{error}");
}

#[test]
fn an_overflow_chain_that_goes_round_in_a_circle_is_refused() {
    let pairs = Pairs::from([(vec![1], noise(1, 100_000))]);
    let made = Made::written(&pairs, 512, ByteOrder::Little);
    let whole = std::fs::read(&made.path).unwrap();
    for (page, next) in [(2, 2), (3, 2), (9, 3), (100, 50)] {
        let mut bytes = whole.clone();
        put32(&mut bytes, page * 512 + layout::header::NEXT, next);
        let error = damage(read_bytes(&made, &bytes).unwrap_err());
        assert!(matches!(error, Damage::BrokenChain { .. }), "{error}");
    }
}

#[test]
fn an_item_that_lies_about_its_length_is_refused() {
    let pairs = Pairs::from([(vec![1], noise(1, 100_000))]);
    let made = Made::written(&pairs, 512, ByteOrder::Little);
    let whole = std::fs::read(&made.path).unwrap();
    // The value is the second item of the root, and the lowest.
    let item = 512 + usize::from(u16::from_le_bytes([whole[512 + 28], whole[512 + 29]]));
    for length in [0, 1, 99_999, 100_001, u32::MAX] {
        let mut bytes = whole.clone();
        put32(&mut bytes, item + 8, length);
        let error = read_bytes(&made, &bytes).unwrap_err();
        let refused =
            matches!(error, TableError::ValueTooLong { .. }) || matches!(damage(error), Damage::OverflowLength { .. });
        assert!(refused, "{length}");
    }
}

#[test]
fn keys_out_of_order_are_refused_with_both_keys_named() {
    let pairs = Pairs::from([(b"aa".to_vec(), vec![]), (b"bb".to_vec(), vec![])]);
    let made = Made::written(&pairs, 512, ByteOrder::Little);
    let mut bytes = std::fs::read(&made.path).unwrap();
    let key = bytes.windows(2).position(|two| two == b"bb").unwrap();
    bytes[key] = b'a';
    bytes[key + 1] = b'a';
    let text = read_bytes(&made, &bytes).unwrap_err().to_string();
    assert!(text.contains("\"aa\" comes after \"aa\""), "{text}");
    assert!(text.contains("page 1 (byte "), "{text}");
}

#[test]
fn a_deleted_half_hides_its_pair() {
    let pairs = Pairs::from([(b"aa".to_vec(), b"1".to_vec()), (b"bb".to_vec(), vec![])]);
    for half in 0..2 {
        let made = Made::written(&pairs, 512, ByteOrder::Little);
        let mut bytes = std::fs::read(&made.path).unwrap();
        let index = 512 + layout::HEADER_BYTES + 2 * half;
        let item = 512 + usize::from(u16::from_le_bytes([bytes[index], bytes[index + 1]]));
        bytes[item + 2] |= layout::item_type::DELETED;
        let found = read_bytes(&made, &bytes).unwrap();
        assert_eq!(found, Pairs::from([(b"bb".to_vec(), vec![])]));
    }
}

#[test]
fn the_walk_is_over_after_an_error() {
    let (made, _) = small();
    let mut bytes = std::fs::read(&made.path).unwrap();
    let leaf = page_of_type(&bytes, layout::page_type::LEAF);
    bytes[leaf * 512..(leaf + 1) * 512].fill(0);
    std::fs::write(&made.path, bytes).unwrap();
    let table = Table::open(&made.path).unwrap();
    assert!(table.items().count() <= 200);
    assert_eq!(table.items().filter(Result::is_err).count(), 1);
}
