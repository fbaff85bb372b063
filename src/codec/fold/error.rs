//! Why a folded body can't be unfolded.

/// What is wrong with a folded body, and at which of its stored bytes. Said of a record: "message record 5 has ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// A part of a type that the format doesn't have.
    #[error("has a part of type {found} at byte {at} of its folded body, which this version doesn't know")]
    Type {
        /// Where the part begins.
        at: u64,
        /// Its type.
        found: u8,
    },
    /// A reference to earlier content: reserved for later versions.
    #[error(
        "has a reference to earlier content at byte {at} of its folded body, which version 1 of the format forbids"
    )]
    Reference {
        /// Where the part begins.
        at: u64,
    },
    /// A form of base64 that can't be.
    #[error("has base64 at byte {at} of its folded body with {problem}")]
    Form {
        /// Where the part begins.
        at: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// The parts give more than the header says.
    #[error("has a part at byte {at} of its folded body that gives {bytes} bytes, {left} before its length is reached")]
    TooLong {
        /// Where the part begins.
        at: u64,
        /// How long its text is.
        bytes: u64,
        /// How many bytes are missing before it.
        left: u64,
    },
    /// Something follows the last part.
    #[error("has a folded body that goes on at byte {at}, though its length is reached")]
    Behind {
        /// Where the last part ends.
        at: u64,
    },
    /// The parts give less than the header says.
    #[error("has a folded body that ends after {at} bytes, {left} before its length is reached")]
    CutShort {
        /// How many bytes were stored.
        at: u64,
        /// How many bytes of text are missing.
        left: u64,
    },
}
