//! Keys that stand out of their order.

/// Which of the keys to keep so that the rest rises and as few as possible are given up: of a page on which one key was changed, all but that.
pub(super) fn rising(keys: &[&[u8]]) -> Vec<bool> {
    if keys.is_sorted_by(|a, b| a < b) {
        return vec![true; keys.len()];
    }
    // The end of the best rising row of each length, and for each key the one before it in its row.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; keys.len()];
    for (at, key) in keys.iter().enumerate() {
        let length = ends.partition_point(|end| keys[*end] < *key);
        before[at] = length.checked_sub(1).map(|shorter| ends[shorter]);
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut keep = vec![false; keys.len()];
    let mut at = ends.last().copied();
    while let Some(key) = at {
        keep[key] = true;
        at = before[key];
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::rising;

    #[test]
    fn one_key_out_of_order_is_given_up_wherever_it_stands() {
        let kept = |keys: [&str; 4]| rising(&keys.map(str::as_bytes));
        assert_eq!(kept(["a", "b", "c", "d"]), [true, true, true, true]);
        assert_eq!(kept(["z", "b", "c", "d"]), [false, true, true, true]);
        assert_eq!(kept(["a", "z", "c", "d"]), [true, false, true, true]);
        assert_eq!(kept(["a", "b", "c", "A"]), [true, true, true, false]);
        assert_eq!(kept(["a", "b", "b", "d"]).iter().filter(|kept| **kept).count(), 3);
    }
}
