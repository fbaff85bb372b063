//! Which layout a site has, judged by what its records show (`format-spec/site.md`, section 2).

use super::shown::{Mark, Marked, Shown};
use crate::record::{ByteOrder, Layout};

/// Why no layout was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// Tables of different byte order.
    #[error(
        "tables cdb.{little:02x} and cdb.{big:02x} have different byte orders (little and big), so they are not of one site; put together the tables that belong together"
    )]
    MixedOrder {
        /// A little-endian table.
        little: u8,
        /// A big-endian table.
        big: u8,
    },
    /// The records contradict each other.
    #[error(
        "the tables are not those of any one machine: {seen}; put together the tables that belong together, or say with --layout which machine it was, and what it did not write is carried as bytes"
    )]
    NoneFits {
        /// What was seen, in words.
        seen: String,
    },
}

/// A layout, and what told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// The layout.
    pub layout: Layout,
    /// What told it, in words.
    pub by: String,
}

/// One record in so many may speak against a layout: it is damaged.
const DAMAGED: u64 = 100;

/// The byte order of a site's tables: that of Citadel's numbers in them, too, for one program writes pages, keys and values. That of a site
/// without any table is little.
///
/// # Errors
/// When tables differ.
pub fn byte_order(tables: impl IntoIterator<Item = (u8, ByteOrder)>) -> Result<ByteOrder, DetectError> {
    let (mut little, mut big) = (None, None);
    for (number, order) in tables {
        match order {
            ByteOrder::Little => little.get_or_insert(number),
            ByteOrder::Big => big.get_or_insert(number),
        };
    }
    match (little, big) {
        (Some(little), Some(big)) => Err(DetectError::MixedOrder { little, big }),
        (None, Some(_)) => Ok(ByteOrder::Big),
        _ => Ok(ByteOrder::Little),
    }
}

/// How many of the records that say anything speak for a layout, and how many against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Votes {
    layout: Layout,
    bit: usize,
    records_for: u64,
    records_against: u64,
}

impl Votes {
    fn fits(&self) -> bool {
        self.records_against * DAMAGED <= self.records_for + self.records_against
    }
}

fn votes(shown: &Shown) -> Vec<Votes> {
    // What no machine writes tells none from another: it counts only where there is nothing else.
    let is_told = shown.marks().any(|(.., marked)| marked.fits != 0);
    let count = |bit: usize, speaks_for: bool| {
        let marks = shown.marks().filter(|(.., marked)| marked.fits != 0 || !is_told);
        let marks = marks.filter(|(.., marked)| (marked.fits >> bit & 1 == 1) == speaks_for);
        marks.map(|(.., marked)| marked.records).sum()
    };
    let layouts = shown.layouts().iter().enumerate();
    layouts
        .map(|(bit, layout)| Votes {
            layout: *layout,
            bit,
            records_for: count(bit, true),
            records_against: count(bit, false),
        })
        .collect()
}

/// The layout that some of a site's records show, if it is the only one that they fit.
pub fn only_fitting(shown: &Shown) -> Option<Detected> {
    let votes = votes(shown);
    let mut fitting = votes.iter().filter(|votes| votes.fits());
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(Detected { layout: only.layout, by: told_by(shown, only, &votes) }),
        _ => None,
    }
}

/// The layout that all records of a site show: of those that they fit the one that the fewest speak against. Where nothing tells, words have 8
/// bytes, and where they are known to have 4, times are as wide as they.
///
/// # Errors
/// When they fit none.
pub fn detect(shown: &Shown) -> Result<Detected, DetectError> {
    let votes = votes(shown);
    // Of equals the first one is taken.
    let best = votes.iter().filter(|votes| votes.fits()).min_by_key(|votes| votes.records_against);
    match best {
        Some(best) => Ok(Detected { layout: best.layout, by: told_by(shown, best, &votes) }),
        None => Err(DetectError::NoneFits { seen: seen(shown) }),
    }
}

/// What tells a layout from the others: the first marks that do, how many records say something else, and whether another one fits as well.
fn told_by(shown: &Shown, found: &Votes, votes: &[Votes]) -> String {
    let mut left: Vec<usize> = (0..votes.len()).collect();
    let mut told = Vec::new();
    for (number, mark, marked) in shown.marks().filter(|(.., marked)| marked.fits >> found.bit & 1 == 1) {
        let before = left.len();
        left.retain(|bit| marked.fits >> bit & 1 == 1);
        if left.len() < before {
            told.push(match (told.is_empty(), mark) {
                (true, mark) => format!("cdb.{number:02x} has {}", one(mark)),
                (false, mark) => format!("cdb.{number:02x} {}", one(mark)),
            });
        }
    }
    let is_equal = |other: &&Votes| other.bit != found.bit && other.records_against == found.records_against;
    let equals: Vec<&str> = votes.iter().filter(is_equal).map(|other| other.layout.name()).collect();
    let mut by = told.join(", ");
    if found.records_for == 0 {
        by.push_str("no table tells the word size");
    } else if !equals.is_empty() {
        by.push_str(&format!("; it fits {} as well", equals.join(" and ")));
    }
    if found.records_against > 0 {
        let against = shown.marks().find(|(.., marked)| marked.fits != 0 && marked.fits >> found.bit & 1 == 0);
        let first = against.map(|(number, mark, marked)| format!("cdb.{number:02x} {}", of_first(mark, marked)));
        by.push_str(&format!(
            "; {} of {} signs in the records looked at speak against it: {}",
            found.records_against,
            found.records_for + found.records_against,
            first.unwrap_or_default()
        ));
    }
    by
}

fn one(mark: Mark) -> String {
    match mark {
        Mark::Key(bytes) => format!("a key of {bytes} bytes"),
        Mark::StrangeKey => "a key of a length that no server writes".into(),
        Mark::Value(bytes) => format!("a value of {bytes} bytes"),
        Mark::Name(offset) => format!("a name at byte {offset} of a value"),
    }
}

fn of_first(mark: Mark, marked: &Marked) -> String {
    format!("{}, key {}", one(mark), marked.first)
}

/// All marks, with their layouts.
fn seen(shown: &Shown) -> String {
    let marks = shown.marks().map(|(number, mark, marked)| {
        let names: Vec<&str> = shown.layouts_of(marked.fits).map(Layout::name).collect();
        let of = if names.is_empty() { "no machine".into() } else { names.join(" or ") };
        let records = marked.records;
        format!("cdb.{number:02x} has {} ({of}; {records} such, the first key {})", one(mark), marked.first)
    });
    marks.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Model;
    use crate::site::layout::table;

    /// Pairs of tables, by lengths.
    fn shown(order: ByteOrder, pairs: &[(u8, usize, u64)]) -> Shown {
        let mut shown = Shown::new(order);
        for (number, key_bytes, value_bytes) in pairs {
            shown.look_at(*number, &vec![b'1'; *key_bytes], *value_bytes, None);
        }
        shown
    }

    fn of(pairs: &[(u8, usize, u64)]) -> Result<Detected, DetectError> {
        let shown = shown(ByteOrder::Little, pairs);
        if let Some(only) = only_fitting(&shown) {
            assert_eq!(detect(&shown).as_ref(), Ok(&only), "the only one is also the best");
        }
        detect(&shown)
    }

    #[test]
    fn keys_and_values_tell_the_word_size() {
        for (table, key_bytes, value_bytes, word_bytes) in [
            (0, 8, 900, 8),
            (0, 4, 900, 4),
            (4, 4, 12, 4),
            (5, 24, 90, 8),
            (5, 12, 90, 4),
            (8, 4, 2000, 4),
            (1, 5, 660, 4),
            (1, 5, 176, 8),
            (1, 5, 696, 8),
            (1, 5, 656, 4),
        ] {
            let found = of(&[(table, key_bytes, value_bytes)]);
            assert_eq!(found.map(|found| found.layout.word_bytes()), Ok(word_bytes), "table {table}");
        }
    }

    #[test]
    fn a_site_that_tells_nothing_is_that_of_a_64_bit_server() {
        for (order, model) in [(ByteOrder::Little, Model::Lp64), (ByteOrder::Big, Model::Lp64)] {
            let nothing = shown(order, &[(table::USERS, 5, 77), (table::FLOORS, 4, 272), (table::CONFIG, 9, 20)]);
            assert_eq!(only_fitting(&nothing), None);
            let found = detect(&nothing).unwrap();
            assert_eq!(found.layout, Layout { model, order });
            assert_eq!(found.by, "no table tells the word size");
        }
    }

    #[test]
    fn tables_of_two_byte_orders_are_named() {
        use ByteOrder::{Big, Little};
        assert_eq!(byte_order([]), Ok(Little));
        assert_eq!(byte_order([(0, Big), (1, Big)]), Ok(Big));
        assert_eq!(byte_order([(0, Little), (3, Big)]), Err(DetectError::MixedOrder { little: 0, big: 3 }));
    }

    #[test]
    fn tables_of_two_word_sizes_are_named_with_all_that_was_seen() {
        let error = of(&[(0, 8, 900), (4, 4, 12), (4, 4, 8)]).unwrap_err().to_string();
        assert!(error.contains("cdb.00 has a key of 8 bytes (lp64-little; 1 such, the first key 11111111)"), "{error}");
        assert!(error.contains("cdb.04 has a key of 4 bytes (ilp32-little or ilp32-time64-i386"), "{error}");
        assert!(error.contains("2 such") && error.contains("--layout"), "{error}");
    }

    #[test]
    fn keys_that_no_server_writes_fit_no_machine() {
        let error = of(&[(0, 6, 900), (4, 5, 16)]).unwrap_err().to_string();
        assert!(error.contains("cdb.00 has a key of a length that no server writes (no machine; 1 such"), "{error}");
        // Beside those that tell a machine, they are pairs that are carried as they are.
        let found = of(&[(0, 8, 900), (8, 3, 16)]);
        assert_eq!(found.map(|found| (found.layout.model, found.by.contains("against"))), Ok((Model::Lp64, false)));
    }

    #[test]
    fn the_times_of_a_32_bit_site_show_in_the_lengths_of_its_rooms_and_uses() {
        for (table, value_bytes, model) in [
            (table::ROOMS, 212, Model::Ilp32),
            (table::ROOMS, 220, Model::Ilp32Time64I386),
            (table::ROOMS, 232, Model::Ilp32Time64),
            (table::USERS, 672, Model::Ilp32Time64),
            (table::USES, 12, Model::Ilp32Time64I386),
            (table::USES, 16, Model::Ilp32Time64),
            (table::USERS, 77, Model::Ilp32),
        ] {
            let found = of(&[(0, 4, 900), (table, 5, value_bytes)]);
            assert_eq!(found.map(|found| found.layout.model), Ok(model), "{value_bytes} bytes in table {table}");
        }
    }

    #[test]
    fn what_fits_two_machines_is_decided_by_all_records_together() {
        // 140 bytes have users of 902 with 32-bit times, and those of 788 and before with 64-bit ones on i386.
        let two = [(0, 4, 900), (table::USERS, 5, 140)];
        assert_eq!(only_fitting(&shown(ByteOrder::Little, &two)), None);
        let found = of(&two).unwrap();
        assert_eq!(found.layout.model, Model::Ilp32);
        assert!(found.by.ends_with("; it fits ilp32-time64-i386 as well"), "{}", found.by);
        let found = of(&[two[0], two[1], (table::ROOMS, 6, 216)]).unwrap();
        assert_eq!(found.layout.model, Model::Ilp32Time64I386);
        assert_eq!(found.by, "cdb.00 has a key of 4 bytes, cdb.01 a value of 140 bytes, cdb.02 a value of 216 bytes");
    }

    #[test]
    fn one_damaged_pair_does_not_decide_and_is_named() {
        let mut pairs = vec![(4, 4, 12)];
        pairs.extend([(0, 8, 900); 150]);
        let found = of(&pairs).unwrap();
        assert_eq!(found.layout, Layout::LP64_LITTLE);
        assert!(
            found.by.contains(
                "1 of 151 signs in the records looked at speak against it: cdb.04 a key of 4 bytes, key 1111"
            ),
            "{}",
            found.by
        );
    }

    #[test]
    fn where_lengths_tell_nothing_a_name_tells() {
        for (layout, ..) in Layout::ALL {
            let offset = match layout.model {
                Model::Lp64 => 92,
                Model::Ilp32 => 68,
                Model::Ilp32Time64I386 => 72,
                Model::Ilp32Time64 => 76,
            };
            for (key, name) in [(&b"bobbuilder"[..], &b"Bob Builder"[..]), (b"bob builder", b"Bob Builder")] {
                // Longer than in any release that is known.
                let mut value = vec![0; 900];
                value[offset..offset + name.len()].copy_from_slice(name);
                let mut shown = Shown::new(layout.order);
                shown.look_at(table::USERS, key, 900, Some(&value));
                assert_eq!(only_fitting(&shown).map(|found| found.layout), Some(layout));
                let mut other = Shown::new(layout.order);
                other.look_at(table::USERS, b"somebody else", 900, Some(&value));
                assert_eq!(only_fitting(&other), None);
            }
        }
    }
}
