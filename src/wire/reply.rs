//! Replies: three digits, a blank, words (`format-spec/wire.md`, section 4).

use std::fmt;

use super::error::WireError;

/// The code of a reply. The first digit is the class, as in Citadel's own protocol; errors have its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u16);

impl Code {
    /// Done.
    pub const OK: Code = Code(200);
    /// The peer sends frames now.
    pub const SEND: Code = Code(400);
    /// It could not be done.
    pub const FAILED: Code = Code(510);
    /// More than the protocol allows.
    pub const TOO_BIG: Code = Code(511);
    /// Arguments that can't be meant.
    pub const ILLEGAL: Code = Code(512);
    /// A token is wanted first.
    pub const LOGIN_FIRST: Code = Code(520);
    /// No such command.
    pub const UNKNOWN: Code = Code(530);
    /// The server goes down.
    pub const GOING_DOWN: Code = Code(531);
    /// The wrong token.
    pub const WRONG_TOKEN: Code = Code(540);
    /// Something that can be said only once was said before.
    pub const ALREADY: Code = Code(541);
    /// This peer may not.
    pub const NOT_ALLOWED: Code = Code(550);
    /// There are too many peers.
    pub const TOO_MANY: Code = Code(551);
    /// Somebody else is at it.
    pub const BUSY: Code = Code(552);
    /// There is no lease.
    pub const NO_LEASE: Code = Code(553);
    /// This server does no such thing.
    pub const NOT_HERE: Code = Code(560);
    /// Something is there already.
    pub const EXISTS: Code = Code(574);
    /// There is no such record.
    pub const NO_RECORD: Code = Code(575);
    /// Frames follow.
    pub const FRAMES: Code = Code(600);
    /// Still at work; the reply is yet to come.
    pub const AT_WORK: Code = Code(900);
    /// Something about what is being done that a person must know; the reply is yet to come.
    pub const NOTICE: Code = Code(901);

    /// The number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The class: the first digit.
    pub fn class(self) -> u16 {
        self.0 / 100
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code.
    pub code: Code,
    /// What follows it.
    pub text: String,
}

impl Reply {
    /// A reply.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Reply { code, text: text.into() }
    }

    /// Reads a line that is a reply; `None` if it is none.
    pub fn parse(line: &str) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        let code = digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())??;
        let text = match rest {
            "" => "",
            rest => rest.strip_prefix(' ')?,
        };
        (100..=999).contains(&code).then(|| Reply::new(Code(code), text))
    }

    /// The line.
    pub fn encode(&self) -> String {
        format!("{} {}", self.code, self.text)
    }

    /// What follows the code, cut at its bars.
    pub fn fields(&self) -> Vec<&str> {
        self.text.split('|').collect()
    }

    /// This reply if it has this code; the peer's refusal if it is one.
    pub(super) fn expect(self, code: Code, expected: &'static str) -> Result<Self, WireError> {
        if self.code == code {
            return Ok(self);
        }
        if self.code.class() == 5 {
            return Err(WireError::Refused { code: self.code, text: self.text });
        }
        Err(WireError::unexpected(&self.encode(), expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_line_is_a_reply_or_is_none(line in "\\PC{0,40}|[0-9]{3}( \\PC{0,20})?") {
            if let Some(reply) = Reply::parse(&line) {
                let encoded = reply.encode();
                prop_assert_eq!(encoded.trim_end(), line.trim_end());
            }
        }
    }

    #[test]
    fn an_end_mark_is_no_reply() {
        assert_eq!(Reply::parse("000"), None);
        assert_eq!(Reply::parse("200"), Some(Reply::new(Code::OK, "")));
        assert_eq!(Reply::parse("200x"), None);
        assert_eq!(Reply::parse("\u{fc}00 x"), None);
    }
}
