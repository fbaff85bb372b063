//! Lines of base64: from the decoded bytes back to the text.

use base64_simd::{Base64, STANDARD, STANDARD_NO_PAD};

/// So many bytes of data are encoded together, or a line that is longer: a usual line alone is too short for what processors have for long texts.
const TOGETHER_BYTES: usize = 6 << 10;

/// How the base64 of some bytes stands in lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// Groups of four characters in each line but the last, which may have fewer. At least 1.
    pub groups: u16,
    /// Whether lines end with CR and LF; else with LF alone.
    pub crlf: bool,
    /// Whether the last line has a line end.
    pub last_ends: bool,
    /// Whether the last group is left as it is where other base64 is filled up with `=`.
    pub unpadded: bool,
}

impl Lines {
    /// What stands at the end of a line.
    pub fn line_end(&self) -> &'static [u8] {
        if self.crlf { b"\r\n" } else { b"\n" }
    }

    /// Which base64 it is.
    pub fn base64(&self) -> Base64 {
        if self.unpadded { STANDARD_NO_PAD } else { STANDARD }
    }

    /// The length of the text of so many bytes.
    pub fn text_bytes(&self, data_bytes: usize) -> usize {
        let characters = if self.unpadded { (data_bytes * 4).div_ceil(3) } else { data_bytes.div_ceil(3) * 4 };
        let lines = characters.div_ceil(usize::from(self.groups) * 4);
        let ends = if self.last_ends { lines } else { lines.saturating_sub(1) };
        characters + ends * self.line_end().len()
    }

    /// Appends the text of `data`.
    pub fn write(&self, data: &[u8], text: &mut Vec<u8>) {
        text.reserve(self.text_bytes(data.len()));
        let (base64, groups) = (self.base64(), usize::from(self.groups));
        let lines_together = (TOGETHER_BYTES / (groups * 3)).max(1);
        let mut encoded = Vec::new();
        let mut pieces = data.chunks(lines_together * groups * 3).peekable();
        while let Some(piece) = pieces.next() {
            encoded.clear();
            base64.encode_append(piece, &mut encoded);
            let mut lines = encoded.chunks(groups * 4).peekable();
            while let Some(line) = lines.next() {
                text.extend_from_slice(line);
                if self.last_ends || lines.peek().is_some() || pieces.peek().is_some() {
                    text.extend_from_slice(self.line_end());
                }
            }
        }
    }
}
