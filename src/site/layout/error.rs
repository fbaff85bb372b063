//! Why a record can't become a pair of a table.

use crate::record::{Key, Kind, Layout};

/// A record that can't be written into a table of the target's layout.
#[derive(Debug, thiserror::Error)]
#[error("{kind} record {key}: {problem}")]
pub struct LayoutError {
    /// Kind of the record.
    pub kind: Kind,
    /// Its key, as a person reads it.
    pub key: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A number is wider than the C type that should hold it.
    #[error("{field} is {value}, but a {layout} server keeps it in {bytes} bytes, from {least} to {most}{}", wider(*layout, *bytes))]
    NumberTooWide {
        /// The field, or "the key".
        field: &'static str,
        /// The number.
        value: i64,
        /// The target's layout.
        layout: Layout,
        /// Size of the C type in that layout.
        bytes: usize,
        /// The least number that fits.
        least: i64,
        /// The greatest number that fits.
        most: i64,
    },
    /// A text is longer than its place in the struct.
    #[error(
        "{field} has {bytes} bytes, but its place in the struct has {limit}; no server wrote this, so check the archive with \"verify\""
    )]
    TextTooLong {
        /// The field.
        field: &'static str,
        /// Length of the text.
        bytes: usize,
        /// Size of its place.
        limit: usize,
    },
    /// A text has a NUL inside, where the server would take it to end.
    #[error(
        "{field} has a NUL at byte {offset}, where the server would take it to end; no server wrote this, so check the archive with \"verify\""
    )]
    NulInText {
        /// The field, or "the body".
        field: &'static str,
        /// Where the NUL is.
        offset: usize,
    },
    /// A field is missing, or has a value of another type.
    #[error("{field} is missing or not of its type; no server wrote this, so check the archive with \"verify\"")]
    FieldMissing {
        /// The field, or "the key".
        field: &'static str,
    },
    /// The struct of the release has no such member.
    #[error("{field} is set, but servers of release {release} keep no such thing; import into a newer release")]
    NotInRelease {
        /// The field.
        field: &'static str,
        /// The release that is written.
        release: i64,
    },
    /// Bytes that nobody could interpret fit only the layout that they come from.
    #[error(
        "its bytes could not be interpreted, so they can't be converted to {target}; import onto a server of the layout that the site had, or leave this record out"
    )]
    NotPortable {
        /// The target's layout.
        target: Layout,
    },
    /// The residue has a patch beyond the value.
    #[error(
        "its residue doesn't fit its value of {bytes} bytes; no program of ours wrote this, so check the archive with \"verify\""
    )]
    ResidueMisfit {
        /// Length of the value without the residue.
        bytes: usize,
    },
    /// The body of a number list isn't made of 64-bit numbers.
    #[error("its body ends inside a number ({bytes} bytes are left); check the archive with \"verify\"")]
    CutNumber {
        /// How many bytes are left behind the last whole number.
        bytes: usize,
    },
    /// Records of this kind don't become pairs, or not here.
    #[error("no pair of a table is made of records of this kind here")]
    NoPair,
}

impl Problem {
    /// The error of the record that has the problem.
    pub(super) fn of(self, kind: Kind, key: &Key) -> LayoutError {
        LayoutError { kind, key: key.to_string(), problem: self }
    }
}

fn wider(layout: Layout, bytes: usize) -> &'static str {
    if layout.word_bytes() == 4 && bytes == 4 { "; import onto a 64-bit server" } else { "" }
}
