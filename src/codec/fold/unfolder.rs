//! From a folded body to the text.

use super::error::FoldError;
use super::part::{HeadProblem, MAX_HEAD_BYTES, Part};

/// Unfolds one body, given piece by piece. Never gives more than the length that was announced, nor more than twice what was stored.
#[derive(Debug)]
pub struct Unfolder {
    /// How many bytes of text are missing.
    left: u64,
    /// How many stored bytes were taken.
    at: u64,
    part_at: u64,
    head: Vec<u8>,
    part: Option<Part>,
    /// How many bytes of the part are missing.
    missing: usize,
    /// What is there of a part that came in pieces.
    data: Vec<u8>,
}

impl Unfolder {
    /// For a body of which the header says that its text has so many bytes, at least 1.
    pub fn new(text_bytes: u64) -> Self {
        Unfolder {
            left: text_bytes,
            at: 0,
            part_at: 0,
            head: Vec::with_capacity(MAX_HEAD_BYTES),
            part: None,
            missing: 0,
            data: Vec::new(),
        }
    }

    /// Takes the next stored bytes, and appends what they unfold to.
    pub fn push(&mut self, stored: &[u8], text: &mut Vec<u8>) -> Result<(), FoldError> {
        self.take(stored, Some(text))
    }

    /// Takes the next stored bytes, and checks that they are parts which fit the length.
    pub fn skim(&mut self, stored: &[u8]) -> Result<(), FoldError> {
        self.take(stored, None)
    }

    /// Whether the last part has come.
    pub fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// Fails unless the last part has come.
    pub fn finish(&self) -> Result<(), FoldError> {
        if self.is_complete() { Ok(()) } else { Err(FoldError::CutShort { at: self.at, left: self.left }) }
    }

    fn take(&mut self, mut stored: &[u8], mut text: Option<&mut Vec<u8>>) -> Result<(), FoldError> {
        while let [first, behind @ ..] = stored {
            let Some(part) = self.part else {
                self.take_of_head(*first)?;
                stored = behind;
                continue;
            };
            let (now, later) = stored.split_at(self.missing.min(stored.len()));
            self.at += now.len() as u64;
            self.missing -= now.len();
            match part {
                Part::Literal { .. } => {
                    self.left -= now.len() as u64;
                    if let Some(text) = &mut text {
                        text.extend_from_slice(now);
                    }
                }
                Part::Base64 { lines, .. } => {
                    match &mut text {
                        Some(text) if self.missing == 0 && self.data.is_empty() => lines.write(now, text),
                        Some(text) => {
                            self.data.extend_from_slice(now);
                            if self.missing == 0 {
                                lines.write(&self.data, text);
                                self.data.clear();
                            }
                        }
                        None => {}
                    }
                    if self.missing == 0 {
                        self.left -= part.text_bytes() as u64;
                    }
                }
            }
            if self.missing == 0 {
                self.part = None;
            }
            stored = later;
        }
        Ok(())
    }

    fn take_of_head(&mut self, byte: u8) -> Result<(), FoldError> {
        if self.left == 0 {
            return Err(FoldError::Behind { at: self.at });
        }
        if self.head.is_empty() {
            self.part_at = self.at;
        }
        self.head.push(byte);
        self.at += 1;
        let at = self.part_at;
        let part = Part::decode(&self.head).map_err(|problem| match problem {
            HeadProblem::Type(found) => FoldError::Type { at, found },
            HeadProblem::Reference => FoldError::Reference { at },
            HeadProblem::Form(problem) => FoldError::Form { at, problem },
        })?;
        if let Some(part) = part {
            let bytes = part.text_bytes() as u64;
            if bytes > self.left {
                return Err(FoldError::TooLong { at, bytes, left: self.left });
            }
            self.missing = part.bytes();
            self.head.clear();
            self.part = Some(part);
        }
        Ok(())
    }
}
