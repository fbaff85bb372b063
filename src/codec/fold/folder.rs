//! From a body to its folded form.

use super::lines::Lines;
use super::part::Part;
use super::run::{self, Run};

/// How much of the text is looked at together. A part never has more.
const WINDOW_BYTES: usize = 65_536;
/// Shorter runs stay as they are: it is not worth a part of its own.
const LEAST_RUN_BYTES: usize = 256;

/// Folds one body, given piece by piece. The result depends on the body alone, and not on how it was cut into pieces.
#[derive(Debug, Default)]
pub struct Folder {
    /// Text that is in no part yet.
    text: Vec<u8>,
    data: Vec<u8>,
    again: Vec<u8>,
    has_folded: bool,
}

impl Folder {
    /// Forgets the body and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.has_folded = false;
    }

    /// Whether there was any base64 in what came so far.
    pub fn has_folded(&self) -> bool {
        self.has_folded
    }

    /// Takes the next bytes of the body, and appends to `out` what is decided.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(WINDOW_BYTES - self.text.len()));
            self.text.extend_from_slice(now);
            if self.text.len() == WINDOW_BYTES {
                self.fold(false, out);
            }
            bytes = later;
        }
    }

    /// The body is complete.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.fold(true, out);
    }

    fn fold(&mut self, ends: bool, out: &mut Vec<u8>) {
        let mut text = std::mem::take(&mut self.text);
        let mut done = self.fold_lines(&text, ends, out);
        if done == 0 {
            // A line that is longer than what is looked at together can't wait for its end.
            done = self.fold_lines(&text, true, out);
        }
        text.drain(..done);
        self.text = text;
    }

    /// Makes parts of the text, up to its last line, which has not ended, or a run that may go on behind it. Tells how far it came.
    fn fold_lines(&mut self, text: &[u8], ends: bool, out: &mut Vec<u8>) -> usize {
        let (mut done, mut line) = (0, 0);
        while line < text.len() {
            match run::at_start(&text[line..], ends, &mut self.data) {
                Some(run)
                    if run.text_bytes >= LEAST_RUN_BYTES
                        && self.gives_again(&run.lines, &text[line..][..run.text_bytes]) =>
                {
                    literal(&text[done..line], out);
                    Part::Base64 { bytes: self.data.len(), lines: run.lines }.encode(out);
                    out.extend_from_slice(&self.data);
                    self.has_folded = true;
                    line += run.text_bytes;
                    done = line;
                }
                Some(Run { is_open: true, .. }) => break,
                Some(run) => line += run.text_bytes,
                None => match memchr::memchr(b'\n', &text[line..]) {
                    Some(end) => line += end + 1,
                    None => break,
                },
            }
        }
        let end = if ends { text.len() } else { line };
        literal(&text[done..end], out);
        end
    }

    /// Whether unfolding will give the identical text. What was decoded strictly always does; but nothing is stored on the word of a decoder.
    fn gives_again(&mut self, lines: &Lines, text: &[u8]) -> bool {
        self.again.clear();
        lines.write(&self.data, &mut self.again);
        self.again == text
    }
}

fn literal(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() {
        Part::Literal { bytes: text.len() }.encode(out);
        out.extend_from_slice(text);
    }
}
