use super::*;
use crate::site::settled::{Lsn, survey};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_table_that_libdb_loads_is_read_the_same(
        pairs in pairs(),
        page_size in proptest::sample::select(PAGE_SIZES.to_vec()),
        order in proptest::sample::select(ORDERS.to_vec()),
    ) {
        let made = Made::loaded(&pairs, page_size, order);
        let table = Table::open(&made.path).unwrap();
        prop_assert_eq!(table.page_size(), page_size);
        prop_assert_eq!(table.byte_order(), order);
        assert_same(&read(&made.path).unwrap(), &pairs, "our reader");
    }
}

#[test]
fn our_tables_are_not_longer_than_those_of_libdb() {
    let pairs: Pairs = (0u32..5000).map(|n| (n.to_be_bytes().to_vec(), noise(n, n as usize % 300))).collect();
    let ours = Made::written(&pairs, 4096, ByteOrder::Little);
    let theirs = Made::loaded(&pairs, 4096, ByteOrder::Little);
    let bytes = |made: &Made| made.path.metadata().unwrap().len();
    assert!(bytes(&ours) <= bytes(&theirs));
}

#[test]
fn libdb_goes_on_with_a_table_that_we_wrote() {
    let mut pairs: Pairs = (0u32..500).map(|n| (noise(n, 20), noise(n, n as usize % 3000))).collect();
    let made = Made::written(&pairs, 512, ByteOrder::Little);
    let more: Pairs = (500u32..2000).map(|n| (noise(n, 20), vec![7; 30])).collect();
    // Without a page size the text is loaded into the table that is there.
    let mut text = "VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n".to_owned();
    push_pairs(&mut text, &more);
    made.load(&text);
    pairs.extend(more);
    assert_libdb_is_content(&made.path);
    assert_same(&read(&made.path).unwrap(), &pairs, "after libdb went on");
}

#[test]
fn the_survey_of_a_table_that_we_wrote_finds_no_log() {
    let pairs: Pairs = (0u32..500).map(|n| (noise(n, 20), noise(n, 2000))).collect();
    let made = Made::written(&pairs, 512, ByteOrder::Big);
    let survey = survey(&made.path).unwrap();
    assert!(survey.never_logged());
    assert_eq!(survey.blank, 0);
    assert_eq!(survey.not_logged, survey.pages);
    assert_eq!(survey.pages, made.path.metadata().unwrap().len() / 512);
}

#[test]
fn the_survey_finds_the_highest_lsn_and_pages_never_written() {
    let pairs: Pairs = (0u32..500).map(|n| (noise(n, 20), noise(n, 2000))).collect();
    for order in ORDERS {
        let made = Made::written(&pairs, 512, order);
        let mut bytes = std::fs::read(&made.path).unwrap();
        for (page, file, offset) in [(3, 2, 9), (7, 3, 5), (9, 3, 4)] {
            bytes[page * 512..][..4].copy_from_slice(&order.bytes32(file));
            bytes[page * 512 + 4..][..4].copy_from_slice(&order.bytes32(offset));
        }
        bytes[20 * 512..21 * 512].fill(0);
        std::fs::write(&made.path, bytes).unwrap();
        let survey = survey(&made.path).unwrap();
        assert_eq!((survey.highest, survey.highest_page), (Lsn { file: 3, offset: 5 }, 7));
        assert_eq!(survey.blank, 1);
        assert!(!survey.never_logged());
    }
}
