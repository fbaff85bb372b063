//! What stands behind the last zstd frame (`format-spec/archive.md`, section 9): the digest of the file, and the seek table.

use crate::codec::Digest;

/// Magic number of the skippable frame that holds the digest of every byte before it.
pub const DIGEST_MAGIC: u32 = 0x184D_2A50;
/// Magic number of the skippable frame that holds the seek table.
pub const SEEK_TABLE_MAGIC: u32 = 0x184D_2A5E;
/// Length in bytes of the digest's frame.
pub const DIGEST_FRAME_BYTES: usize = 8 + 32;
/// Length in bytes of the seek table's footer.
pub const FOOTER_BYTES: usize = 9;
/// Length in bytes of a line of the seek table: sizes without checksums.
pub const ENTRY_BYTES: usize = 8;
/// The most lines of a seek table, by its format.
const MOST_LINES: usize = 0x800_0000;
/// The last four bytes of every seekable zstd file.
const FOOTER_MAGIC: u32 = 0x8F92_EAB1;

/// The sizes of a frame. Both fit 32 bits, by the format's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes in the file.
    pub compressed: u32,
    /// Bytes when unpacked; 0 for the digest's frame.
    pub unpacked: u32,
}

/// The frame with the digest.
pub fn digest_frame(digest: &Digest) -> Vec<u8> {
    let mut frame = DIGEST_MAGIC.to_le_bytes().to_vec();
    frame.extend_from_slice(&(digest.len() as u32).to_le_bytes());
    frame.extend_from_slice(digest);
    frame
}

/// The line of the digest's frame in the seek table.
pub fn digest_sizes() -> Sizes {
    Sizes { compressed: DIGEST_FRAME_BYTES as u32, unpacked: 0 }
}

/// Length in bytes of the frame with a seek table of so many lines; `None` for more lines than a seek table can have.
pub fn seek_table_bytes(lines: usize) -> Option<usize> {
    (lines <= MOST_LINES).then_some(8 + lines * ENTRY_BYTES + FOOTER_BYTES)
}

/// The first bytes of a seek table of so many lines; `None` for more lines than a seek table can have.
pub fn seek_table_head(lines: usize) -> Option<[u8; 8]> {
    let [a, b, c, d] = SEEK_TABLE_MAGIC.to_le_bytes();
    let [e, f, g, h] = (seek_table_bytes(lines)? as u32 - 8).to_le_bytes();
    Some([a, b, c, d, e, f, g, h])
}

/// The frame with the seek table; `None` for more lines than a seek table can have.
pub fn seek_table(lines: &[Sizes]) -> Option<Vec<u8>> {
    let bytes = seek_table_bytes(lines.len())?;
    let mut frame = Vec::with_capacity(bytes);
    frame.extend_from_slice(&seek_table_head(lines.len())?);
    for line in lines {
        frame.extend_from_slice(&line.compressed.to_le_bytes());
        frame.extend_from_slice(&line.unpacked.to_le_bytes());
    }
    frame.extend_from_slice(&(lines.len() as u32).to_le_bytes());
    frame.push(0);
    frame.extend_from_slice(&FOOTER_MAGIC.to_le_bytes());
    Some(frame)
}

/// The number of lines that a footer claims, if it is the footer of a seek table without checksums.
pub fn footer_lines(footer: &[u8; FOOTER_BYTES]) -> Option<u32> {
    let [a, b, c, d, descriptor, magic @ ..] = *footer;
    (descriptor == 0 && u32::from_le_bytes(magic) == FOOTER_MAGIC).then(|| u32::from_le_bytes([a, b, c, d]))
}

/// The lines of a seek table, from the bytes between its frame's header and its footer.
pub fn lines(bytes: &[u8]) -> Vec<Sizes> {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    bytes
        .chunks_exact(ENTRY_BYTES)
        .map(|line| Sizes { compressed: number(&line[..4]), unpacked: number(&line[4..]) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seek_table_survives() {
        let sizes = [Sizes { compressed: 70_000, unpacked: 2_097_152 }, digest_sizes()];
        let frame = seek_table(&sizes).unwrap();
        assert_eq!(Some(frame.len()), seek_table_bytes(2));
        let footer: &[u8; FOOTER_BYTES] = frame.last_chunk().unwrap();
        assert_eq!(footer_lines(footer), Some(2));
        assert_eq!(lines(&frame[8..frame.len() - FOOTER_BYTES]), sizes);
        assert_eq!(seek_table_bytes(MOST_LINES + 1), None);
    }
}
