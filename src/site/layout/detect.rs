//! Which layout a site has, judged by its tables.

use super::{Dialect, ROOM, TRIED, USE, USER, table};
use crate::record::{ByteOrder, Layout, Model};

/// What one table shows: the caller gives one sample for each table without pairs, and one for some pairs of each table that has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Number of the table.
    pub table: u8,
    /// Byte order of the table's pages. One program writes pages, keys and values, so it is that of Citadel's numbers too.
    pub order: ByteOrder,
    /// Lengths of a key and its value in bytes; `None` if the table is empty.
    pub pair_bytes: Option<(usize, u64)>,
}

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
    /// Lengths of different word sizes.
    #[error(
        "cdb.{wide:02x} has {wide_what} of {wide_bytes} bytes, as a 64-bit server writes, but cdb.{narrow:02x} has {narrow_what} of {narrow_bytes} bytes, as a 32-bit server writes; put together the tables that belong together"
    )]
    MixedWords {
        /// A table as a 64-bit server writes it.
        wide: u8,
        /// "a key" or "a value".
        wide_what: &'static str,
        /// Its length.
        wide_bytes: u64,
        /// A table as a 32-bit server writes it.
        narrow: u8,
        /// "a key" or "a value".
        narrow_what: &'static str,
        /// Its length.
        narrow_bytes: u64,
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

/// Lengths of keys that tell the word size: table, 64-bit, 32-bit.
const KEYS: [(u8, usize, usize); 4] =
    [(table::MESSAGES, 8, 4), (table::LISTS, 8, 4), (table::VISITS, 24, 12), (table::USER_NUMBERS, 8, 4)];

/// The releases after which a struct grew, or shrank.
const TURNS: [i64; 5] = [799, 901, 911, 929, TRIED];

/// One pair in so many may speak for the other word size: it is damaged.
const DAMAGED: usize = 100;

/// Finds the layout. A length that no server writes says nothing. A site whose tables say nothing of their word size counts as 64-bit; one
/// without any table as little-endian.
pub fn detect(samples: &[Sample]) -> Result<Detected, DetectError> {
    let first_of = |order| samples.iter().find(|sample| sample.order == order);
    let order = match (first_of(ByteOrder::Little), first_of(ByteOrder::Big)) {
        (Some(little), Some(big)) => {
            return Err(DetectError::MixedOrder { little: little.table, big: big.table });
        }
        (None, Some(_)) => ByteOrder::Big,
        _ => ByteOrder::Little,
    };
    let speak_for = |size| samples.iter().filter_map(|sample| evidence(sample, order, size)).collect::<Vec<_>>();
    let (wide, narrow) = (speak_for(8), speak_for(4));
    let (is_wide, evidence) = match (wide.first(), narrow.first()) {
        (Some(first), _) if narrow.len() * DAMAGED <= wide.len() => (true, Some(first)),
        (_, Some(first)) if wide.len() * DAMAGED <= narrow.len() => (false, Some(first)),
        (Some(wide), Some(narrow)) => {
            return Err(DetectError::MixedWords {
                wide: wide.0,
                wide_what: wide.1,
                wide_bytes: wide.2,
                narrow: narrow.0,
                narrow_what: narrow.1,
                narrow_bytes: narrow.2,
            });
        }
        _ => (true, None),
    };
    let mut by = match evidence {
        Some((table, what, bytes)) => format!("cdb.{table:02x} has {what} of {bytes} bytes"),
        None => "no table tells the word size".into(),
    };
    let model = if is_wide {
        Model::Lp64
    } else {
        let (model, evidence) = times(samples, order);
        if let Some((table, bytes)) = evidence {
            by.push_str(&format!(", cdb.{table:02x} a value of {bytes} bytes"));
        }
        model
    };
    Ok(Detected { layout: Layout { model, order }, by })
}

/// How wide the times of a site with 4-byte words are: what most pairs say whose values have a length that only one model gives.
fn times(samples: &[Sample], order: ByteOrder) -> (Model, Option<(u8, u64)>) {
    let models = [Model::Ilp32, Model::Ilp32Time64I386, Model::Ilp32Time64];
    let mut votes = [(0usize, None); 3];
    for sample in samples {
        let Some((_, value_bytes)) = sample.pair_bytes else { continue };
        let fits =
            |model: &Model| value_sizes(sample.table, Layout { model: *model, order }).any(|size| size == value_bytes);
        let fitting: Vec<usize> = (0..models.len()).filter(|index| fits(&models[*index])).collect();
        if let [only] = fitting[..] {
            votes[only].0 += 1;
            votes[only].1.get_or_insert((sample.table, value_bytes));
        }
    }
    // Of equals the first wins: where nothing tells, times are as wide as words.
    let best = (0..models.len()).rev().max_by_key(|index| votes[*index].0).unwrap_or(0);
    (models[best], votes[best].1)
}

/// The lengths that servers of all releases write into a table of which the lengths tell something.
fn value_sizes(table: u8, layout: Layout) -> impl Iterator<Item = u64> {
    let layout_of = match table {
        table::USERS => Some(&USER),
        table::ROOMS => Some(&ROOM),
        table::USES => Some(&USE),
        _ => None,
    };
    TURNS.into_iter().filter_map(move |release| Some(layout_of?.size(Dialect { layout, release }) as u64))
}

/// What in a sample speaks for words of that size: the table, what of it, and its length.
fn evidence(sample: &Sample, order: ByteOrder, word_bytes: u8) -> Option<(u8, &'static str, u64)> {
    let (key_bytes, value_bytes) = sample.pair_bytes?;
    let key_fits = KEYS.iter().any(|(table, wide, narrow)| {
        *table == sample.table && key_bytes == if word_bytes == 8 { *wide } else { *narrow }
    });
    if key_fits {
        return Some((sample.table, "a key", key_bytes as u64));
    }
    let has_size = |model| value_sizes(table::USERS, Layout { model, order }).any(|size| size == value_bytes);
    let (wide, narrow) = (has_size(Model::Lp64), has_size(Model::Ilp32));
    let fits = if word_bytes == 8 { wide && !narrow } else { narrow && !wide };
    (sample.table == table::USERS && fits).then_some((sample.table, "a value", value_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(table: u8, order: ByteOrder, key_bytes: usize, value_bytes: u64) -> Sample {
        Sample { table, order, pair_bytes: Some((key_bytes, value_bytes)) }
    }

    #[test]
    fn keys_and_values_tell_the_word_size() {
        let little = ByteOrder::Little;
        for (table, key_bytes, value_bytes, word_bytes) in [
            (0, 8, 900, 8),
            (0, 4, 900, 4),
            (4, 4, 12, 4),
            (5, 24, 90, 8),
            (5, 12, 90, 4),
            (1, 5, 660, 4),
            (1, 5, 176, 8),
        ] {
            let found = detect(&[sample(table, little, key_bytes, value_bytes)]);
            assert_eq!(found.map(|found| found.layout.word_bytes()), Ok(word_bytes), "table {table}");
        }
    }

    #[test]
    fn an_empty_site_is_that_of_a_64_bit_little_endian_server() {
        assert_eq!(detect(&[]).map(|found| found.layout), Ok(Layout::LP64_LITTLE));
    }

    #[test]
    fn empty_tables_still_tell_the_byte_order() {
        let empty = Sample { table: 0, order: ByteOrder::Big, pair_bytes: None };
        assert_eq!(
            detect(&[empty]).map(|found| found.layout),
            Ok(Layout { model: Model::Lp64, order: ByteOrder::Big })
        );
    }

    #[test]
    fn tables_of_two_sites_are_named() {
        let wide = sample(0, ByteOrder::Little, 8, 900);
        let narrow = sample(4, ByteOrder::Little, 4, 12);
        let error = detect(&[wide, narrow]).unwrap_err().to_string();
        assert!(error.contains("cdb.00") && error.contains("cdb.04"), "{error}");
        let big = Sample { order: ByteOrder::Big, ..wide };
        assert_eq!(detect(&[wide, big]), Err(DetectError::MixedOrder { little: 0, big: 0 }));
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
            let little = ByteOrder::Little;
            let found = detect(&[sample(0, little, 4, 900), sample(table, little, 5, value_bytes)]);
            assert_eq!(found.map(|found| found.layout.model), Ok(model), "{value_bytes} bytes in table {table}");
        }
    }

    #[test]
    fn one_damaged_pair_does_not_decide() {
        let mut samples = vec![sample(0, ByteOrder::Little, 8, 900); 150];
        samples.insert(0, sample(4, ByteOrder::Little, 4, 12));
        assert_eq!(detect(&samples).map(|found| found.layout), Ok(Layout::LP64_LITTLE));
    }
}
