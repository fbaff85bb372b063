//! Nodes of the tree over a snapshot's records, as they are listed.

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;

use crate::codec::Digest;
use crate::codec::manifest::{Group, Identity, decode_identities};
use crate::record::{Key, Kind};
use crate::wire::command::Level;
use crate::wire::error::WireError;
use crate::wire::frame::{next_item, piece};
use crate::wire::item::Item;
use crate::wire::line::Input;
use crate::wire::{MAX_DIGEST_BYTES, words};

/// A node, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Here stand the nodes with these numbers among the digests that were sent.
    Keep(Range<usize>),
    /// A manifest segment: its digest, and the records that it lists.
    Segment(Digest, Vec<Identity>),
    /// A group of segments.
    Group(Group),
}

/// The nodes of an answer, in canonical order. Must be read to its end before anything else is asked.
pub struct Listing<'a, R: Read> {
    input: &'a mut Input<R>,
    wanted: Wanted,
    /// The last record of the last segment that came.
    last: Option<(Kind, Key)>,
    /// The digests of all groups that came, in bytes.
    group_bytes: usize,
    has_ended: bool,
}

enum Wanted {
    /// All nodes but so many, which are kept in rising order, from this number on.
    Since { level: Level, known: usize, next: usize },
    /// The segments that have not come yet.
    Chosen(HashSet<Digest>),
}

impl<'a, R: Read> Listing<'a, R> {
    pub(super) fn since(input: &'a mut Input<R>, level: Level, known: usize) -> Self {
        Listing { input, wanted: Wanted::Since { level, known, next: 0 }, last: None, group_bytes: 0, has_ended: false }
    }

    pub(super) fn chosen(input: &'a mut Input<R>, chosen: &[Digest]) -> Self {
        Listing {
            input,
            wanted: Wanted::Chosen(chosen.iter().copied().collect()),
            last: None,
            group_bytes: 0,
            has_ended: false,
        }
    }

    /// The next node; `None` at the end.
    pub fn next_node(&mut self) -> Result<Option<Listed>, WireError> {
        const EXPECTED: &str = "KEEP, SEGMENT, GROUP or the end of the answer";
        if self.has_ended {
            return Ok(None);
        }
        match (next_item(self.input, EXPECTED)?, &mut self.wanted) {
            (Item::End, Wanted::Chosen(left)) if !left.is_empty() => {
                Err(WireError::Disagreement { problem: "not all segments came that were asked for" })
            }
            (Item::End, _) => {
                self.has_ended = true;
                Ok(None)
            }
            (Item::Keep { from, count }, Wanted::Since { known, next, .. }) => {
                let range = usize::try_from(from).ok().zip(usize::try_from(count).ok());
                let range = range.and_then(|(from, count)| Some(from..from.checked_add(count)?));
                match range {
                    Some(range) if *next <= range.start && range.start < range.end && range.end <= *known => {
                        *next = range.end;
                        Ok(Some(Listed::Keep(range)))
                    }
                    _ => Err(WireError::Disagreement { problem: "it keeps what was not sent, or out of order" }),
                }
            }
            (Item::Segment(bytes), Wanted::Since { level: Level::Segments, .. } | Wanted::Chosen(_)) => {
                self.segment(bytes).map(Some)
            }
            (Item::Group(bytes), Wanted::Since { level: Level::Groups, .. }) => self.group(bytes).map(Some),
            (item, _) => Err(WireError::unexpected(&item.encode(), EXPECTED)),
        }
    }

    fn segment(&mut self, bytes: u64) -> Result<Listed, WireError> {
        let mut content = Vec::new();
        piece(self.input, bytes, "a manifest segment", &mut content)?;
        let digest: Digest = blake3::hash(&content).into();
        if let Wanted::Chosen(left) = &mut self.wanted
            && !left.remove(&digest)
        {
            return Err(WireError::Digest { what: "a manifest segment" });
        }
        let records = decode_identities(&content)?;
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Err(WireError::Disagreement { problem: "a manifest segment lists no records" });
        };
        if self.last.as_ref().is_some_and(|(kind, key)| (*kind, key) >= (first.kind, &first.key)) {
            return Err(WireError::Disagreement { problem: "the manifest segments are not in canonical order" });
        }
        self.last = Some((last.kind, last.key.clone()));
        Ok(Listed::Segment(digest, records))
    }

    fn group(&mut self, bytes: u64) -> Result<Listed, WireError> {
        let mut content = Vec::new();
        piece(self.input, bytes, "a group of segments", &mut content)?;
        self.group_bytes += content.len();
        if self.group_bytes > MAX_DIGEST_BYTES {
            return Err(WireError::Disagreement { problem: "it has more segments than the protocol allows" });
        }
        let group = words::digests(&content).map(Group).filter(Group::is_one);
        group.map(Listed::Group).ok_or(WireError::Disagreement { problem: "a group is not one, or of another size" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of so many groups of 256 segments, and how many came before.
    fn groups(count: usize) -> (usize, Option<WireError>) {
        // A group ends behind a digest whose first byte has zeros as its lowest bits, or behind 256.
        let group = [format!("GROUP {}\n", 256 * 32).into_bytes(), vec![1; 256 * 32]].concat();
        let said = [group.repeat(count), b"000\n".to_vec()].concat();
        let mut input = Input::new(said.as_slice());
        let mut listing = Listing::since(&mut input, Level::Groups, 0);
        let mut came = 0;
        loop {
            match listing.next_node() {
                Ok(Some(_)) => came += 1,
                Ok(None) => return (came, None),
                Err(error) => return (came, Some(error)),
            }
        }
    }

    #[test]
    fn a_server_that_lists_groups_for_ever_is_left() {
        let most = MAX_DIGEST_BYTES / (256 * 32);
        assert!(matches!(groups(most), (came, None) if came == most));
        assert!(matches!(groups(most + 1), (came, Some(WireError::Disagreement { .. })) if came == most));
    }
}
