//! Several pairs for one key: which one is taken.

use std::cmp::Reverse;

use crate::site::btree::{Place, Taken};
use crate::site::settled::Lsn;

/// What can be had of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// All of it.
    Whole(Place),
    /// All of it, but of another length than its item says.
    Changed(Place, u32),
    /// Its beginning, and why not the rest.
    Part(Vec<u8>, String),
    /// Nothing, and why.
    Lost(String),
}

/// A pair that stands on some page, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub page: u32,
    pub lsn: Lsn,
    pub is_reached: bool,
    pub value: Value,
}

const WHOLE: u8 = 0;
const CHANGED: u8 = 1;
const PART: u8 = 2;
const LOST: u8 = 3;

impl Candidate {
    pub fn new(taken: &Taken, value: Value) -> Candidate {
        Candidate { page: taken.page, lsn: taken.lsn, is_reached: taken.is_reached, value }
    }

    /// The later page has the later value; of pages that are equally old the one that the tree leads to, else the one that comes first.
    fn rank(&self) -> (Lsn, bool, Reverse<u32>) {
        (self.lsn, self.is_reached, Reverse(self.page))
    }

    /// For the way through the sort; [`Candidate::decode`] reads it.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        for number in [self.page, self.lsn.file, self.lsn.offset, u32::from(self.is_reached)] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        match &self.value {
            Value::Whole(place) => {
                bytes.push(WHOLE);
                place.encode(bytes);
            }
            Value::Changed(place, said) => {
                bytes.push(CHANGED);
                bytes.extend_from_slice(&said.to_le_bytes());
                place.encode(bytes);
            }
            Value::Part(part, why) => {
                bytes.push(PART);
                bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(why.as_bytes());
            }
            Value::Lost(why) => {
                bytes.push(LOST);
                bytes.extend_from_slice(why.as_bytes());
            }
        }
    }

    pub fn decode(mut bytes: &[u8]) -> Option<Candidate> {
        let mut number = || {
            let (number, rest) = bytes.split_first_chunk::<4>()?;
            bytes = rest;
            Some(u32::from_le_bytes(*number))
        };
        let (page, file, offset, is_reached) = (number()?, number()?, number()?, number()? == 1);
        let value = match bytes.split_first()? {
            (&WHOLE, place) => Value::Whole(Place::decode(place)?),
            (&CHANGED, rest) => {
                let (said, place) = rest.split_first_chunk::<4>()?;
                Value::Changed(Place::decode(place)?, u32::from_le_bytes(*said))
            }
            (&PART, rest) => {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                let (part, why) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                Value::Part(part.to_vec(), String::from_utf8_lossy(why).into_owned())
            }
            (_, why) => Value::Lost(String::from_utf8_lossy(why).into_owned()),
        };
        Some(Candidate { page, lsn: Lsn { file, offset }, is_reached, value })
    }
}

/// All candidates of one key, of which only three need to be kept.
#[derive(Default)]
pub(super) struct Choice {
    best: Option<Candidate>,
    best_whole: Option<Candidate>,
    best_part: Option<Candidate>,
    /// Whether any stands on a page that the tree leads to.
    is_in_tree: bool,
}

/// What is taken of all candidates of a key.
pub(super) struct Decision {
    /// Where to read the value, if it can be had.
    pub place: Option<Place>,
    /// What must be told of it, if anything.
    pub told: Option<String>,
    /// Whether the tree leads to a pair of that key, be it this one or another.
    pub is_in_tree: bool,
}

impl Choice {
    pub fn add(&mut self, candidate: Candidate) {
        self.is_in_tree |= candidate.is_reached;
        let is_better = |known: &Option<Candidate>| known.as_ref().is_none_or(|known| known.rank() < candidate.rank());
        match candidate.value {
            Value::Whole(_) | Value::Changed(..) if is_better(&self.best_whole) => {
                self.best_whole = Some(candidate.clone());
            }
            Value::Part(..) if is_better(&self.best_part) => self.best_part = Some(candidate.clone()),
            _ => {}
        }
        if is_better(&self.best) {
            self.best = Some(candidate);
        }
    }

    /// What is taken. The latest value, if it can be had whole; else
    /// the latest that can; else the latest of which there is a part.
    pub fn decide(self) -> Decision {
        let is_in_tree = self.is_in_tree;
        let (place, told) = self.place_and_told();
        Decision { place, told, is_in_tree }
    }

    fn place_and_told(self) -> (Option<Place>, Option<String>) {
        let whole = |value| match value {
            Value::Whole(place) => Some((place, None)),
            Value::Changed(place, said) => Some((place, Some(said))),
            Value::Part(..) | Value::Lost(_) => None,
        };
        let why_not_the_best = match self.best.map(|best| best.value) {
            Some(Value::Lost(why) | Value::Part(_, why)) => Some(why),
            _ => None,
        };
        if let Some((page, (place, said))) = self.best_whole.and_then(|best| Some((best.page, whole(best.value)?))) {
            let told = match (why_not_the_best, said) {
                (Some(why), _) => Some(format!(
                    "what was stored last can't be had ({why}); an older state, of page {page}, was taken"
                )),
                (None, Some(said)) => Some(format!(
                    "it was stored again after its page was written: {} bytes were taken where the page says {said}",
                    place.len()
                )),
                (None, None) => None,
            };
            return (Some(place), told);
        }
        match self.best_part.map(|best| best.value) {
            Some(Value::Part(part, why)) => {
                let told = format!("only its first {} bytes could be had: {why}", part.len());
                (Some(Place::Inline(part)), Some(told))
            }
            _ => (None, why_not_the_best),
        }
    }
}
