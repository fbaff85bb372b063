//! The lines inside of an answer (`format-spec/wire.md`, sections 7 to 9).

use super::reply::{Code, Reply};
use super::totals::Totals;
use super::words::{from_hex, hex, number};
use crate::codec::Digest;
use crate::record::Kind;

/// A line inside of an answer. Those with a count of bytes have so many behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `KIND`: a frame begins, of records of this kind.
    Kind(Kind),
    /// `BODY`: a body of so many bytes follows in segments, from this offset on.
    Body {
        /// Its length in bytes.
        length: u64,
        /// Where the first segment that follows begins.
        offset: u64,
    },
    /// `HEADERS`: so many bytes of headers.
    Headers(u64),
    /// `DATA CHUNK`: the first segment of those that follow.
    DataChunk(u64),
    /// `CHUNK`: another segment.
    Chunk(u64),
    /// `DIGEST`: the frame is complete.
    Digest(Digest),
    /// `COUNT`: what there is of a kind.
    Count(Kind, Totals),
    /// `TOTAL`: what there is of all that was asked for.
    Total(Totals),
    /// `SITE`: what `site.cbor` says.
    Site(u64),
    /// `STATE`: how the source was found at the end.
    State(u64),
    /// `KEEP`: so many of the digests that were sent, from this one on, stand here.
    Keep {
        /// Number of the first.
        from: u64,
        /// How many.
        count: u64,
    },
    /// `SEGMENT`: the identity part of a manifest segment.
    Segment(u64),
    /// `GROUP`: the digests of a group of segments.
    Group(u64),
    /// `000`: the answer is complete.
    End,
    /// A reply of class 5: the answer ends here, incomplete.
    Failed(Reply),
    /// A reply of class 9: it goes on, later.
    AtWork(Reply),
}

impl Item {
    /// Reads a line; `None` if there is no such line inside of an answer.
    pub fn parse(line: &str) -> Option<Self> {
        if line == "000" {
            return Some(Item::End);
        }
        if let Some(reply) = Reply::parse(line) {
            return match reply.code.class() {
                5 => Some(Item::Failed(reply)),
                9 => Some(Item::AtWork(reply)),
                _ => None,
            };
        }
        if let Some(count) = line.strip_prefix("DATA CHUNK ") {
            return number(count).map(Item::DataChunk);
        }
        let (word, rest) = line.split_once(' ')?;
        let fields: Vec<&str> = rest.split('|').collect();
        match (word, fields.as_slice()) {
            ("KIND", [kind]) => kind.parse().ok().map(Item::Kind),
            ("BODY", [length, offset]) => Some(Item::Body { length: number(length)?, offset: number(offset)? }),
            ("HEADERS", [count]) => number(count).map(Item::Headers),
            ("CHUNK", [count]) => number(count).map(Item::Chunk),
            ("DIGEST", [digest]) => from_hex(digest).map(Item::Digest),
            ("COUNT", [kind, totals @ ..]) => Some(Item::Count(kind.parse().ok()?, Totals::parse(totals)?)),
            ("TOTAL", totals) => Totals::parse(totals).map(Item::Total),
            ("SITE", [count]) => number(count).map(Item::Site),
            ("STATE", [count]) => number(count).map(Item::State),
            ("KEEP", [from, count]) => Some(Item::Keep { from: number(from)?, count: number(count)? }),
            ("SEGMENT", [count]) => number(count).map(Item::Segment),
            ("GROUP", [count]) => number(count).map(Item::Group),
            _ => None,
        }
    }

    /// The line.
    pub fn encode(&self) -> String {
        match self {
            Item::Kind(kind) => format!("KIND {kind}"),
            Item::Body { length, offset } => format!("BODY {length}|{offset}"),
            Item::Headers(count) => format!("HEADERS {count}"),
            Item::DataChunk(count) => format!("DATA CHUNK {count}"),
            Item::Chunk(count) => format!("CHUNK {count}"),
            Item::Digest(digest) => format!("DIGEST {}", hex(digest)),
            Item::Count(kind, totals) => format!("COUNT {kind}|{}", totals.encode()),
            Item::Total(totals) => format!("TOTAL {}", totals.encode()),
            Item::Site(count) => format!("SITE {count}"),
            Item::State(count) => format!("STATE {count}"),
            Item::Keep { from, count } => format!("KEEP {from}|{count}"),
            Item::Segment(count) => format!("SEGMENT {count}"),
            Item::Group(count) => format!("GROUP {count}"),
            Item::End => "000".to_owned(),
            Item::Failed(reply) | Item::AtWork(reply) => reply.encode(),
        }
    }

    /// The line of a failure.
    pub fn failed(code: Code, text: impl Into<String>) -> Self {
        Item::Failed(Reply::new(code, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_line_is_an_item_or_is_none(
            line in "\\PC{0,40}|(KIND|BODY|HEADERS|DATA CHUNK|CHUNK|DIGEST|KEEP|GROUP|STATE) [0-9a-z|]{0,70}|[59][0-9]{2} x"
        ) {
            if let Some(item) = Item::parse(&line) {
                let encoded = item.encode();
                prop_assert_eq!(encoded.trim_end(), line.trim_end());
            }
        }
    }

    #[test]
    fn every_item_comes_back() {
        let totals = Totals { records: 1, body_bytes: 2, crc: 3, digest: [4; 32] };
        let items = [
            Item::Kind(Kind::Message),
            Item::Body { length: 70_000, offset: 65_536 },
            Item::Headers(52),
            Item::DataChunk(65_536),
            Item::Chunk(1),
            Item::Digest([255; 32]),
            Item::Count(Kind::User, totals),
            Item::Total(totals),
            Item::Site(200),
            Item::State(9),
            Item::Keep { from: 0, count: 7 },
            Item::Segment(65_536),
            Item::Group(32),
            Item::End,
            Item::failed(Code::FAILED, "no"),
            Item::AtWork(Reply::new(Code::AT_WORK, "12 users are still on")),
        ];
        for item in items {
            assert_eq!(Item::parse(&item.encode()), Some(item));
        }
    }
}
