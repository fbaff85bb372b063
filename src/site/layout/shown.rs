//! What a site's records show of the machine that wrote them.

use std::collections::BTreeMap;

use super::{ROOM, StructLayout, USE, USEID, USER, decode, table};
use crate::record::{ByteOrder, Layout, printable};

/// The layouts of a byte order, those that may be meant: one bit for each, in the order of `Layout::ALL`.
pub(super) type Fits = u8;

/// Something about a pair that not every machine would have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// The length of its key.
    Key(u64),
    /// A key of a length that no server writes.
    StrangeKey,
    /// The length of its value.
    Value(u64),
    /// The byte of its value where a user's name stands, of which the key is made.
    Name(u64),
}

/// The pairs that have a mark.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    /// The layouts that write such pairs.
    pub fits: Fits,
    /// How many there are.
    pub records: u64,
    /// The key of the first of them, as a person reads it.
    pub first: String,
}

/// What the pairs show that were looked at.
///
/// The length of a value that no server writes says nothing: it may be damaged, or of a release that nobody knows. That of a key does,
/// where no pair says anything else: it is one number, or three, in all releases.
#[derive(Clone, Debug)]
pub struct Shown {
    layouts: Vec<Layout>,
    lengths: BTreeMap<(u8, u64), Fits>,
    marks: BTreeMap<(u8, Mark), Marked>,
}

/// Tables whose keys are so many `long`s.
const KEYS: [(u8, usize); 5] =
    [(table::MESSAGES, 1), (table::LISTS, 1), (table::VISITS, 3), (table::BIG_BODIES, 1), (table::USER_NUMBERS, 1)];

/// Tables whose values are structs that differ from machine to machine, and the structs.
const VALUES: [(u8, &StructLayout); 4] =
    [(table::USERS, &USER), (table::ROOMS, &ROOM), (table::USES, &USE), (table::USES, &USEID)];

/// So many bytes of a key are shown.
const MOST_SHOWN: usize = 64;

impl Shown {
    /// Nothing yet, of a site whose tables have that byte order.
    pub fn new(order: ByteOrder) -> Shown {
        let layouts: Vec<Layout> =
            Layout::ALL.into_iter().map(|(layout, ..)| layout).filter(|layout| layout.order == order).collect();
        let mut lengths = BTreeMap::new();
        for (number, struct_layout) in VALUES {
            for (index, layout) in layouts.iter().enumerate() {
                let sizes = struct_layout.sizes(*layout).into_iter();
                for size in sizes.chain((number == table::USERS).then(|| user_of_2020(*layout))) {
                    *lengths.entry((number, size as u64)).or_default() |= 1 << index;
                }
            }
        }
        Shown { layouts, lengths, marks: BTreeMap::new() }
    }

    /// The tables that show anything.
    pub fn tables() -> impl Iterator<Item = u8> {
        let keys = KEYS.into_iter().map(|(number, _)| number);
        keys.chain([table::USERS, table::ROOMS, table::USES])
    }

    /// Looks at a pair. `value` is needed of users alone, and may be absent where it is too long to be one.
    pub fn look_at(&mut self, number: u8, key: &[u8], value_bytes: u64, value: Option<&[u8]>) {
        if let Some((_, longs)) = KEYS.iter().find(|(other, _)| *other == number) {
            let fits = self.of(|layout| key.len() == longs * layout.word_bytes());
            self.note(number, if fits == 0 { Mark::StrangeKey } else { Mark::Key(key.len() as u64) }, fits, key);
        }
        if let Some(fits) = self.lengths.get(&(number, value_bytes)).copied() {
            self.note(number, Mark::Value(value_bytes), fits, key);
        }
        if let (table::USERS, Some(value)) = (number, value) {
            let fits = self.of(|layout| is_named(layout, key, value));
            let layout = self.layouts_of(fits).next();
            if let Some(layout) = layout {
                self.note(number, Mark::Name(name_offset(layout) as u64), fits, key);
            }
        }
    }

    /// All layouts that may be meant.
    pub(super) fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    /// All marks, by the table that has them.
    pub(super) fn marks(&self) -> impl Iterator<Item = (u8, Mark, &Marked)> {
        self.marks.iter().map(|((number, mark), marked)| (*number, *mark, marked))
    }

    fn of(&self, fits: impl Fn(Layout) -> bool) -> Fits {
        self.layouts.iter().enumerate().filter(|(_, layout)| fits(**layout)).fold(0, |all, (index, _)| all | 1 << index)
    }

    /// The layouts that are meant.
    pub(super) fn layouts_of(&self, fits: Fits) -> impl Iterator<Item = Layout> {
        self.layouts.iter().enumerate().filter(move |(index, _)| fits & 1 << index != 0).map(|(_, layout)| *layout)
    }

    fn note(&mut self, number: u8, mark: Mark, fits: Fits, key: &[u8]) {
        // What all machines write tells nothing.
        if fits.count_ones() as usize == self.layouts.len() {
            return;
        }
        let first = || Marked { fits, records: 0, first: printable(&key[..key.len().min(MOST_SHOWN)]) };
        self.marks.entry((number, mark)).or_insert_with(first).records += 1;
    }
}

/// Whether the key is made of the name that stands in the value where this layout has it: in lower case, and since release 928 without all
/// but ASCII letters and digits.
fn is_named(layout: Layout, key: &[u8], value: &[u8]) -> bool {
    let fields = decode(&USER, layout, value);
    let name = fields.bytes("fullname").unwrap_or_default();
    // One letter is found in too many places.
    if name.len() < 2 {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    lower == key || lower.iter().filter(|byte| byte.is_ascii_alphanumeric()).eq(key.iter())
}

/// The size of a user before the last member came, half a year after the others of its release, 930.
fn user_of_2020(layout: Layout) -> usize {
    let start_of_last = USER.members(layout.into()).last().map_or(0, |(_, offset)| offset);
    start_of_last.next_multiple_of(layout.word_bytes().max(layout.time_alignment()))
}

fn name_offset(layout: Layout) -> usize {
    let mut members = USER.members(layout.into());
    members.find(|(field, _)| field.name == "fullname").map_or(0, |(_, offset)| offset)
}
