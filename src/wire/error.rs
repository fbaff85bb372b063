//! What can go wrong between the two ends of a wire.

use std::io;

use super::reply::Code;
use crate::codec::CodecError;
use crate::codec::numbers::NumbersError;
use crate::endpoint::{Class, Failure};
use crate::record::Kind;

/// Why a conversation ended, or an answer of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The stream could not be read or written.
    #[error("the connection broke: {source}")]
    Io {
        /// What the system says.
        source: io::Error,
    },
    /// No connection could be made, and another attempt would end likewise.
    #[error("{problem}")]
    Unreachable {
        /// Which peer, and why.
        problem: String,
    },
    /// The peer did nothing for too long.
    #[error("the peer has been silent for too long; it hangs, or the network between does")]
    Silent,
    /// The stream ended, and nothing had been begun.
    #[error("the peer closed the connection")]
    Closed,
    /// The stream ended in the middle of something.
    #[error("the connection was cut in the middle of {what}")]
    Cut {
        /// Of what.
        what: &'static str,
    },
    /// A line that no line can be.
    #[error("the peer sent a line that {problem}; it does not speak this protocol, or something changes what it sends")]
    Line {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Something where the protocol has something else.
    #[error(
        "the peer sent \"{found}\" where {expected} must come; it does not speak this protocol, or another version of it"
    )]
    Unexpected {
        /// The line that came, as far as it fits a message.
        found: String,
        /// What must come here.
        expected: &'static str,
    },
    /// It doesn't begin as the protocol does.
    #[error(
        "there is no ctdl-dump at the other end: it begins with \"{found}\"; if this is a login script that prints something, let it be silent"
    )]
    NoGreeting {
        /// The first line.
        found: String,
    },
    /// A counted piece that is longer than the protocol allows.
    #[error("the peer announced {bytes} bytes of {what}; there are never more than {limit}")]
    TooLong {
        /// Of what.
        what: &'static str,
        /// How many it announced.
        bytes: u64,
        /// The most that there may be.
        limit: usize,
    },
    /// A counted piece that is not encoded as the format demands.
    #[error("the peer sent something that is damaged or not ours: {0}")]
    Codec(#[from] CodecError),
    /// A record that doesn't come as or where it must.
    #[error("the peer sent {kind} record {key}, which {problem}")]
    Record {
        /// Kind of the record.
        kind: Kind,
        /// Key of the record.
        key: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A digest that is not that of what came before it.
    #[error("{what} did not arrive as the peer sent it: its digest is another; try again, over a better connection")]
    Digest {
        /// Of what.
        what: &'static str,
    },
    /// What the peer sent doesn't fit together.
    #[error("what the peer sent does not fit together: {problem}")]
    Disagreement {
        /// What doesn't.
        problem: &'static str,
    },
    /// The peer has another snapshot by now.
    #[error(
        "the peer no longer has the snapshot that this transfer began with; what has arrived still helps: only the difference is left"
    )]
    SnapshotGone,
    /// Message numbers that can't be.
    #[error("the peer sent {kind} record {key}, which {source}")]
    Numbers {
        /// Kind of the record.
        kind: Kind,
        /// Its key.
        key: String,
        /// What is wrong with them.
        source: NumbersError,
    },
    /// A folded body, which the wire doesn't have.
    #[error("a body was to be sent folded, but the wire takes bodies as they are; this is a bug in ctdl-dump")]
    FoldedBody,
    /// Something was asked ahead, and then something else was wanted.
    #[error("the answer to another question is on its way; this is a bug in ctdl-dump")]
    AskedAhead,
    /// The peer said no.
    #[error("the peer says: {text} ({})", code.number())]
    Refused {
        /// Its code.
        code: Code,
        /// Its words.
        text: String,
    },
}

impl WireError {
    /// Whether only the connection is at fault, so that another one may go on where this one stopped.
    pub fn is_of_the_connection(&self) -> bool {
        matches!(self, WireError::Io { .. } | WireError::Silent | WireError::Closed | WireError::Cut { .. })
    }

    /// Whether a later attempt may succeed without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        let is_passing = |code: &Code| [Code::GOING_DOWN, Code::TOO_MANY, Code::BUSY].contains(code);
        self.is_of_the_connection() || matches!(self, WireError::Refused { code, .. } if is_passing(code))
    }

    /// What the system said, in the words of the protocol.
    pub(super) fn of_stream(source: io::Error, what: &'static str) -> Self {
        match source.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => WireError::Silent,
            io::ErrorKind::UnexpectedEof => WireError::Cut { what },
            _ => WireError::Io { source },
        }
    }

    pub(super) fn unexpected(found: &str, expected: &'static str) -> Self {
        WireError::Unexpected { found: shortened(found), expected }
    }
}

/// A line of the peer's, short enough for a message.
pub(super) fn shortened(line: &str) -> String {
    const MOST: usize = 80;
    if line.chars().count() <= MOST {
        return line.to_owned();
    }
    line.chars().take(MOST).chain(['.', '.', '.']).collect()
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Failure::new(Class::Peer, error)
    }
}
