//! What a folded body is made of: a head, and the bytes that it speaks of.

use super::lines::Lines;

const LITERAL: u8 = 1;
const BASE64: u8 = 2;
const REFERENCE: u8 = 3;

const CRLF: u8 = 1;
const LAST_ENDS: u8 = 2;
const UNPADDED: u8 = 4;

/// The most bytes that a part holds, its head not counted.
pub const MAX_PART_BYTES: usize = 65_536;
/// The longest head.
pub const MAX_HEAD_BYTES: usize = 6;

/// A part, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Literal {
        /// How many bytes it has.
        bytes: usize,
    },
    /// What lines of base64 decode to.
    Base64 {
        /// How many bytes that is.
        bytes: usize,
        /// The form of the lines.
        lines: Lines,
    },
}

/// Why a head is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadProblem {
    Type(u8),
    Reference,
    Form(&'static str),
}

impl Part {
    /// How many bytes of content follow the head.
    pub fn bytes(&self) -> usize {
        match self {
            Part::Literal { bytes } | Part::Base64 { bytes, .. } => *bytes,
        }
    }

    /// How many bytes of text it stands for: at least one, and fewer than twice those that are stored.
    pub fn text_bytes(&self) -> usize {
        match self {
            Part::Literal { bytes } => *bytes,
            Part::Base64 { bytes, lines } => lines.text_bytes(*bytes),
        }
    }

    /// Appends the head. A part has 1 to `MAX_PART_BYTES` bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Part::Literal { .. } => out.push(LITERAL),
            Part::Base64 { lines, .. } => {
                let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
                let form = flag(lines.crlf, CRLF) | flag(lines.last_ends, LAST_ENDS) | flag(lines.unpadded, UNPADDED);
                out.extend_from_slice(&[BASE64, form]);
                out.extend_from_slice(&lines.groups.to_le_bytes());
            }
        }
        // The length less one fits 16 bits.
        out.extend_from_slice(&((self.bytes() - 1) as u16).to_le_bytes());
    }

    /// Decodes a head; `None` if more bytes of it are needed.
    pub fn decode(head: &[u8]) -> Result<Option<Part>, HeadProblem> {
        match *head {
            [] | [LITERAL] | [LITERAL, _] => Ok(None),
            [LITERAL, a, b, ..] => Ok(Some(Part::Literal { bytes: length(a, b) })),
            [BASE64, form, c, d, a, b, ..] => {
                let bytes = length(a, b);
                let lines = Lines {
                    groups: u16::from_le_bytes([c, d]),
                    crlf: form & CRLF != 0,
                    last_ends: form & LAST_ENDS != 0,
                    unpadded: form & UNPADDED != 0,
                };
                if form > (CRLF | LAST_ENDS | UNPADDED) {
                    return Err(HeadProblem::Form("a bit set that means nothing"));
                }
                if lines.groups == 0 {
                    return Err(HeadProblem::Form("lines of no characters"));
                }
                if lines.unpadded && bytes.is_multiple_of(3) {
                    return Err(HeadProblem::Form("a remark on = where there is none to be written"));
                }
                Ok(Some(Part::Base64 { bytes, lines }))
            }
            [BASE64, ..] => Ok(None),
            [REFERENCE, ..] => Err(HeadProblem::Reference),
            [other, ..] => Err(HeadProblem::Type(other)),
        }
    }
}

fn length(a: u8, b: u8) -> usize {
    usize::from(u16::from_le_bytes([a, b])) + 1
}
