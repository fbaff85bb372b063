//! Cutting a body into segments: all but the last are exactly `SEGMENT_BYTES` long, the last has 1 to `SEGMENT_BYTES`.

/// Size in bytes of every segment but the last of a body.
pub const SEGMENT_BYTES: usize = 65_536;

/// How many segments a body of so many bytes has.
pub fn count(body_bytes: u64) -> u64 {
    body_bytes.div_ceil(SEGMENT_BYTES as u64)
}

/// Size in bytes of the segment that comes after `done_bytes` of a body of `body_bytes`; 0 when the body is complete.
pub fn next_bytes(body_bytes: u64, done_bytes: u64) -> usize {
    // The minimum is at most SEGMENT_BYTES, so it fits.
    body_bytes.saturating_sub(done_bytes).min(SEGMENT_BYTES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_around_the_edge_are_cut_right() {
        let cut = |length: u64| {
            let mut sizes = Vec::new();
            let mut done = 0;
            while next_bytes(length, done) > 0 {
                sizes.push(next_bytes(length, done));
                done += next_bytes(length, done) as u64;
            }
            assert_eq!(sizes.len() as u64, count(length));
            sizes
        };
        assert_eq!(cut(0), [0; 0]);
        assert_eq!(cut(1), [1]);
        assert_eq!(cut(65_535), [65_535]);
        assert_eq!(cut(65_536), [65_536]);
        assert_eq!(cut(65_537), [65_536, 1]);
        assert_eq!(cut(131_072), [65_536, 65_536]);
    }
}
