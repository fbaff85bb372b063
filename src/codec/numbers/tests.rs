use proptest::prelude::*;

use super::*;

fn body(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn stored(numbers: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    differences(&body(numbers), &mut out);
    out
}

fn problem(stored: &[u8], most: usize) -> &'static str {
    list(stored, most, &mut Vec::new()).unwrap_err().problem
}

/// Lists as sites have them, and others.
fn any_numbers() -> impl Strategy<Value = Vec<i64>> {
    let any_step = prop_oneof![5 => 0i64..3, 3 => -300i64..70_000, 1 => any::<i64>()];
    let any_number = prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(0), Just(-1)];
    let rising = prop::collection::vec(any_step, 0..2_000).prop_map(|steps| {
        let sum = |sum: &mut i64, step: i64| {
            *sum = sum.wrapping_add(step);
            Some(*sum)
        };
        steps.into_iter().scan(0, sum).collect()
    });
    prop_oneof![rising, prop::collection::vec(any_number, 0..300)]
}

proptest! {
    #[test]
    fn a_list_comes_out_of_its_differences(numbers in any_numbers()) {
        let (body, stored) = (body(&numbers), stored(&numbers));
        let mut again = Vec::new();
        prop_assert_eq!(list(&stored, numbers.len(), &mut again), Ok(numbers.len()));
        prop_assert_eq!(&again, &body);
        prop_assert_eq!(zigzags(&body).map(stored_bytes).sum::<usize>(), stored.len());
    }

    #[test]
    fn a_segment_comes_out_of_what_is_stored_and_is_never_stored_in_more(numbers in any_numbers()) {
        let segment = body(&numbers);
        let (mut stored, mut again) = (vec![1], vec![2]);
        store_segment(&segment, &mut stored);
        prop_assert!(stored.len() <= segment.len());
        prop_assert_eq!(restore_segment(&stored, segment.len(), &mut again), Ok(()));
        prop_assert_eq!(again, segment);
    }

    #[test]
    fn what_is_taken_for_differences_is_what_the_list_has(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x7eu8..0x82, 0u8..2], 0..40)) {
        let mut body = Vec::new();
        if list(&bytes, 100, &mut body).is_ok() {
            let mut again = Vec::new();
            differences(&body, &mut again);
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn what_is_taken_for_a_segment_is_what_the_segment_is_stored_as(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..2], 0..40), numbers in 0usize..5) {
        let mut segment = Vec::new();
        if restore_segment(&bytes, numbers * 8, &mut segment).is_ok() {
            let mut again = Vec::new();
            store_segment(&segment, &mut again);
            prop_assert_eq!(again, bytes);
        }
    }
}

#[test]
fn the_example_of_the_specification_is_stored_as_it_says() {
    assert_eq!(stored(&[1000, 1001, 1003, 900]), [0xd0, 0x0f, 0x02, 0x04, 0xcd, 0x01]);
}

#[test]
fn the_largest_step_takes_ten_bytes() {
    assert_eq!(stored(&[i64::MIN]), [[0xff; 9].as_slice(), &[1]].concat());
    assert_eq!(stored(&[i64::MAX, i64::MIN]).len(), 10 + 1);
}

#[test]
fn every_other_way_to_write_a_difference_is_refused() {
    assert_eq!(problem(&[0x80, 0x00], 1), "a difference in more bytes than necessary");
    assert_eq!(problem(&[0x80], 1), "a difference that is not complete");
    assert_eq!(problem(&[[0xff; 9].as_slice(), &[2]].concat(), 1), "a difference of more than 64 bits");
    assert_eq!(problem(&[0xff; 11], 1), "a difference of more than 64 bits");
}

#[test]
fn a_list_is_given_up_at_the_first_number_too_many() {
    let mut body = Vec::new();
    assert_eq!(list(&[0; 1000], 3, &mut body), Err(NumbersError { problem: "more numbers than there must be", at: 3 }));
    assert_eq!(body.len(), 24);
}

#[test]
fn a_segment_with_fewer_numbers_or_stored_at_length_is_refused() {
    let problem = |stored: &[u8], bytes| restore_segment(stored, bytes, &mut Vec::new()).unwrap_err().problem;
    assert_eq!(problem(&[2; 9], 80), "fewer numbers than there must be");
    assert_eq!(problem(&[2; 11], 80), "more numbers than there must be");
    assert!(problem(&[0; 80], 80).contains("stored as it is"));
}
