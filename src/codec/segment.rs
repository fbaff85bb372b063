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

/// Bytes that come in any pieces and are given in segments.
#[derive(Debug, Default)]
pub struct Cutter {
    bytes: Vec<u8>,
    given: usize,
}

impl Cutter {
    /// Where the next bytes are to be appended.
    pub fn input(&mut self) -> &mut Vec<u8> {
        // Less than a segment is moved, once for each.
        self.bytes.drain(..self.given);
        self.given = 0;
        &mut self.bytes
    }

    /// Whether there is enough for a segment that may not be the last.
    pub fn has_segment(&self) -> bool {
        self.bytes.len() - self.given >= SEGMENT_BYTES
    }

    /// Puts the next segment into `out`, or the rest if there is less; `false` if there is nothing.
    pub fn segment(&mut self, out: &mut Vec<u8>) -> bool {
        let rest = &self.bytes[self.given..];
        let now = &rest[..rest.len().min(SEGMENT_BYTES)];
        self.given += now.len();
        out.clear();
        out.extend_from_slice(now);
        !now.is_empty()
    }

    /// Forgets what was not given.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.given = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_pieces_become_segments() {
        let bytes: Vec<u8> = (0..200_000u32).map(|number| number as u8).collect();
        for piece in [1, 1000, 65_535, 65_536, 65_537, 131_072, 200_000] {
            let (mut cutter, mut sizes, mut all, mut out) = (Cutter::default(), Vec::new(), Vec::new(), Vec::new());
            let mut pieces = bytes.chunks(piece).peekable();
            while let Some(piece) = pieces.next() {
                cutter.input().extend_from_slice(piece);
                while (cutter.has_segment() || pieces.peek().is_none()) && cutter.segment(&mut out) {
                    sizes.push(out.len());
                    all.extend_from_slice(&out);
                }
            }
            assert_eq!(sizes, [65_536, 65_536, 65_536, 3_392]);
            assert!(all == bytes);
        }
    }

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
