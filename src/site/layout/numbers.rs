//! Number lists (tables 04 and 09): `long`s of the machine in the table, big-endian 64-bit numbers in a record's body. They pass by in
//! pieces of any length, for a list may be longer than memory.

use super::{Problem, bytes};
use crate::record::{ByteOrder, Layout};

/// Length of the body that a list of so many bytes becomes; `None` if the list isn't made of whole `long`s.
pub fn list_body_bytes(layout: Layout, value_bytes: u64) -> Option<u64> {
    let word = layout.word_bytes() as u64;
    value_bytes.is_multiple_of(word).then(|| (value_bytes / word).checked_mul(8)).flatten()
}

/// Length of the list that a body of so many bytes becomes; `None` if the body isn't made of whole numbers.
pub fn list_value_bytes(layout: Layout, body_bytes: u64) -> Option<u64> {
    body_bytes.is_multiple_of(8).then(|| body_bytes / 8 * layout.word_bytes() as u64)
}

/// Cuts a stream of bytes into words: what is left of the last piece waits for the next one.
#[derive(Debug, Default)]
struct Words {
    waiting: Vec<u8>,
}

impl Words {
    /// Whether the next piece begins with a whole word, of as many bytes in the table as in a record's body.
    fn are_whole(&self, layout: Layout) -> bool {
        self.waiting.is_empty() && layout.word_bytes() == 8
    }

    /// Appends all words of such a piece, which differ between table and body in their byte order if at all.
    fn turn(&mut self, layout: Layout, piece: &[u8], out: &mut Vec<u8>) {
        let (words, rest) = piece.as_chunks::<8>();
        let start = out.len();
        out.extend_from_slice(words.as_flattened());
        if layout.order == ByteOrder::Little {
            out[start..].as_chunks_mut::<8>().0.iter_mut().for_each(|word| word.reverse());
        }
        self.waiting.extend_from_slice(rest);
    }

    fn each<E>(
        &mut self,
        word: usize,
        mut piece: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.waiting.is_empty() {
            let missing = (word - self.waiting.len()).min(piece.len());
            let (first, rest) = piece.split_at(missing);
            self.waiting.extend_from_slice(first);
            piece = rest;
            if self.waiting.len() < word {
                return Ok(());
            }
            take(&self.waiting)?;
            self.waiting.clear();
        }
        let words = piece.chunks_exact(word);
        self.waiting.extend_from_slice(words.remainder());
        for bytes in words {
            take(bytes)?;
        }
        Ok(())
    }
}

/// From a list in a table to the body of a record.
#[derive(Debug)]
pub struct ToBody {
    layout: Layout,
    words: Words,
}

impl ToBody {
    /// For lists of a site of that layout.
    pub fn new(layout: Layout) -> Self {
        ToBody { layout, words: Words::default() }
    }

    /// Appends the numbers that are complete by now to `body`. `list_body_bytes` tells beforehand whether the list ends with a whole one.
    pub fn push(&mut self, piece: &[u8], body: &mut Vec<u8>) {
        let order = self.layout.order;
        if self.words.are_whole(self.layout) {
            return self.words.turn(self.layout, piece, body);
        }
        let never: Result<(), std::convert::Infallible> = self.words.each(self.layout.word_bytes(), piece, |word| {
            body.extend_from_slice(&bytes::read_signed(word, order).to_be_bytes());
            Ok(())
        });
        match never {
            Ok(()) => {}
        }
    }
}

/// From the body of a record to a list in a table.
#[derive(Debug)]
pub struct FromBody {
    layout: Layout,
    words: Words,
}

impl FromBody {
    /// For lists of a site of that layout.
    pub fn new(layout: Layout) -> Self {
        FromBody { layout, words: Words::default() }
    }

    /// Appends the numbers that are complete by now to `value`. A number that no `long` of the layout holds is an error.
    pub fn push(&mut self, piece: &[u8], value: &mut Vec<u8>) -> Result<(), Problem> {
        let layout = self.layout;
        if self.words.are_whole(layout) {
            // Whatever 64 bits hold, a `long` of 64 bits does.
            self.words.turn(layout, piece, value);
            return Ok(());
        }
        self.words.each(8, piece, |word| {
            let number = bytes::read_signed(word, ByteOrder::Big);
            bytes::push(value, "a number of the list", number, layout.word_bytes(), layout)
        })
    }

    /// Ends the list; an error if the body ended inside a number.
    pub fn finish(self) -> Result<(), Problem> {
        match self.words.waiting.len() {
            0 => Ok(()),
            bytes => Err(Problem::CutNumber { bytes }),
        }
    }
}
