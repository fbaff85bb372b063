//! Which pairs may have which chain of overflow pages.
//!
//! A page that is stale leads to chains that were since given to other keys, or that hold a later value of its own key. Each chain is
//! followed once, whatever the number of pairs that lead to it, and is given to the latest of those that its length fits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::candidate::{Candidate, Value};
use crate::record::{ByteOrder, Layout, Model};
use crate::site::btree::{Chain, Place, TableError, Taken, TornTable};
use crate::site::layout::{self, table};
use crate::site::settled::Lsn;
use crate::site::sort::{SortError, Sorter};

/// Memory for the sort, in bytes.
const SORT_BYTES: usize = 4 << 20;
/// Most damaged overflow pages that are kept by number.
const MOST_PAGES: usize = 10_000;
/// How much longer or shorter a list may be than its item says, in numbers: so many, and an eighth.
const CHANGED_NUMBERS: u32 = 16;
/// The longest list that is put together in memory, in bytes: a million messages of one room.
const MOST_LIST_BYTES: usize = 8 << 20;

/// Pairs with long values, sorted by the chain they lead to, the latest page first.
pub(super) struct Claims {
    sorter: Sorter,
    table: u8,
}

impl Claims {
    pub fn new(scratch: &Path, table: u8) -> Claims {
        Claims { sorter: Sorter::new(scratch, SORT_BYTES), table }
    }

    pub fn push(&mut self, taken: &Taken, first_page: u32, length: u32) -> Result<(), SortError> {
        let mut key = Vec::with_capacity(24);
        let reached = u32::from(taken.is_reached);
        for number in [first_page, !taken.lsn.file, !taken.lsn.offset, !reached, taken.page] {
            key.extend_from_slice(&number.to_be_bytes());
        }
        let mut payload = length.to_le_bytes().to_vec();
        payload.extend_from_slice(&taken.key);
        self.sorter.push(&key, &payload)
    }

    /// Gives every pair its chain, or says why it has none. The pages on which chains ended too early come back.
    pub fn settle<E: From<SortError> + From<TableError>>(
        self,
        torn: &TornTable,
        mut each: impl FnMut(&[u8], Candidate) -> Result<(), E>,
    ) -> Result<BTreeSet<u32>, E> {
        let mut broken = BTreeSet::new();
        let mut group = Group::default();
        let mut sorted = self.sorter.finish()?;
        let (mut order, mut payload) = (Vec::new(), Vec::new());
        while sorted.next(&mut order, &mut payload)? {
            let number = |index: usize| {
                let bytes = order.get(4 * index..).and_then(|rest| rest.first_chunk::<4>());
                bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
            };
            let (length, key) = payload
                .split_first_chunk::<4>()
                .map_or((0, &[][..]), |(length, key)| (u32::from_le_bytes(*length), key));
            let claim = Claim {
                first_page: number(0),
                length,
                candidate: Candidate {
                    page: number(4),
                    lsn: Lsn { file: !number(1), offset: !number(2) },
                    is_reached: !number(3) == 1,
                    value: Value::Lost(String::new()),
                },
            };
            if group.chain.is_none() || group.first_page != claim.first_page {
                let chain = torn.chain(claim.first_page);
                if let Err(TableError::Damaged { page, .. }) = &chain
                    && broken.len() < MOST_PAGES
                {
                    broken.insert(*page);
                }
                let chain = Some(chain.map_err(why));
                group = Group { first_page: claim.first_page, chain, ..Group::default() };
            }
            let value = group.value_for(&claim, key, self.table, torn);
            each(key, Candidate { value, ..claim.candidate })?;
        }
        Ok(broken)
    }
}

struct Claim {
    first_page: u32,
    length: u32,
    candidate: Candidate,
}

/// All pairs that lead to one chain.
#[derive(Default)]
struct Group {
    first_page: u32,
    chain: Option<Result<Chain, String>>,
    /// The key that the chain was given to.
    owner: Option<Vec<u8>>,
    /// Whether what can be had of a broken chain was given away: an older pair of the key gets nothing better.
    is_part_given: bool,
    /// Whether the chain holds nothing but a list, by the bytes of a number.
    is_list: BTreeMap<usize, bool>,
    /// What a broken chain holds of a list, by the bytes of a number.
    parts: BTreeMap<usize, Vec<u8>>,
}

impl Group {
    fn value_for(&mut self, claim: &Claim, key: &[u8], table: u8, torn: &TornTable) -> Value {
        let chain = match &self.chain {
            Some(Ok(chain)) => *chain,
            Some(Err(why)) => {
                let why = why.clone();
                let Some(word_bytes) = list_word(table, key) else { return Value::Lost(why) };
                if self.is_part_given {
                    return Value::Lost(why);
                }
                let part = self.parts.entry(word_bytes).or_insert_with(|| {
                    let (mut part, _) = torn.chain_part(claim.first_page, MOST_LIST_BYTES);
                    part.truncate(rising(&part, word_bytes, torn.table().byte_order()).len());
                    part
                });
                let length = part.len().min(claim.length as usize);
                let part = part[..length - length % word_bytes].to_vec();
                if part.is_empty() {
                    return Value::Lost(why);
                }
                self.is_part_given = true;
                return Value::Part(part, why);
            }
            None => return Value::Lost("its value was not found".into()),
        };
        if self.owner.as_ref().is_some_and(|owner| owner != key) {
            return Value::Lost("its value's pages were given to another key since".into());
        }
        let place = Place::Overflow { first_page: claim.first_page, length: chain.bytes };
        if chain.bytes == claim.length {
            self.owner = Some(key.to_vec());
            return Value::Whole(place);
        }
        let is_later = chain.lsn > claim.candidate.lsn;
        if self.owner.is_none() && is_later && self.is_list_of_about(torn, &place, key, table, claim.length) {
            self.owner = Some(key.to_vec());
            return Value::Changed(place, claim.length);
        }
        let (found, wanted) = (chain.bytes, claim.length);
        Value::Lost(format!(
            "its value has {wanted} bytes, but {found} stand on its pages, which were used again since"
        ))
    }

    /// Whether a value that is longer or shorter than its item says is the list of about so many numbers that may stand there: lists are stored
    /// again with every message that comes or goes, on the same pages. Other long values never change. The value is read once, however many items lead to it.
    fn is_list_of_about(&mut self, torn: &TornTable, place: &Place, key: &[u8], table: u8, said_bytes: u32) -> bool {
        let Some(word_bytes) = list_word(table, key) else { return false };
        let room = word_bytes as u32 * CHANGED_NUMBERS + said_bytes / 8;
        if place.len().abs_diff(said_bytes) > room || place.len() as usize > MOST_LIST_BYTES {
            return false;
        }
        *self.is_list.entry(word_bytes).or_insert_with(|| {
            let list = torn.table().read_all(place, MOST_LIST_BYTES as u64).unwrap_or_default();
            list.len() == place.len() as usize
                && rising(&list, word_bytes, torn.table().byte_order()).len() == list.len()
        })
    }
}

/// Bytes of a number of the list that the key has; `None` where values are no lists. Lists of messages and of the full text index are.
fn list_word(table: u8, key: &[u8]) -> Option<usize> {
    match (table, key.len()) {
        (table::LISTS, 4) => Some(4),
        (table::LISTS | table::FULLTEXT, _) => Some(8),
        _ => None,
    }
}

/// The beginning of a list in which the numbers are above 0 and rise, as in every list that a server writes.
fn rising(list: &[u8], word_bytes: usize, order: ByteOrder) -> &[u8] {
    let layout = Layout { model: if word_bytes == 8 { Model::Lp64 } else { Model::Ilp32 }, order };
    let mut last = 0;
    let good = list.chunks_exact(word_bytes).take_while(|word| {
        let number = layout::parse_list_key(layout, word).unwrap_or_default();
        std::mem::replace(&mut last, number) < number
    });
    let bytes = good.count() * word_bytes;
    &list[..bytes]
}

/// Why a chain can't be read, without the file, which is known.
fn why(error: TableError) -> String {
    match error {
        TableError::Damaged { page, damage, .. } => format!("its value can't be read at page {page}: {damage}"),
        error => format!("its value can't be read: {}", error.without_path()),
    }
}
