//! Which layout a site has, judged by its tables.

use super::table;
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
    /// 32-bit words with a `time_t` of 64 bits.
    #[error(
        "cdb.{table:02x} has a value of {value_bytes} bytes, as only a 32-bit server with 64-bit times writes; such sites are not read yet: move this one with Citadel's own ctdlmigrate"
    )]
    WideTimes {
        /// The table.
        table: u8,
        /// The value's length.
        value_bytes: u64,
    },
}

/// Lengths of keys that tell the word size: table, 64-bit, 32-bit.
const KEYS: [(u8, usize, usize); 4] =
    [(table::MESSAGES, 8, 4), (table::LISTS, 8, 4), (table::VISITS, 24, 12), (table::USER_NUMBERS, 8, 4)];

/// Lengths of users of all releases: those of 64-bit servers, and those of 32-bit servers.
const WIDE_USERS: [u64; 4] = [704, 688, 176, 160];
const NARROW_USERS: [u64; 5] = [660, 652, 140, 136, 132];

/// Lengths that only 32-bit servers with 64-bit times write: users and rooms of release 980, on i386 and elsewhere.
const WIDE_TIMES: [(u8, [u64; 2]); 2] = [(table::USERS, [664, 672]), (table::ROOMS, [220, 232])];

/// Finds the layout. A length that no server writes says nothing. A site whose tables say nothing of their word size counts as 64-bit; one
/// without any table as little-endian.
pub fn detect(samples: &[Sample]) -> Result<Layout, DetectError> {
    let first_of = |order| samples.iter().find(|sample| sample.order == order);
    let order = match (first_of(ByteOrder::Little), first_of(ByteOrder::Big)) {
        (Some(little), Some(big)) => {
            return Err(DetectError::MixedOrder { little: little.table, big: big.table });
        }
        (None, Some(_)) => ByteOrder::Big,
        _ => ByteOrder::Little,
    };
    let find = |size| samples.iter().find_map(|sample| evidence(sample, size));
    let model = match (find(8), find(4)) {
        (Some((wide, wide_what, wide_bytes)), Some((narrow, narrow_what, narrow_bytes))) => {
            return Err(DetectError::MixedWords { wide, wide_what, wide_bytes, narrow, narrow_what, narrow_bytes });
        }
        (None, Some(_)) => Model::Ilp32,
        _ => Model::Lp64,
    };
    let wide_times = samples.iter().find_map(|sample| {
        let (_, value_bytes) = sample.pair_bytes?;
        let (table, _) =
            WIDE_TIMES.iter().find(|(table, sizes)| *table == sample.table && sizes.contains(&value_bytes))?;
        Some(DetectError::WideTimes { table: *table, value_bytes })
    });
    match wide_times {
        // On a 64-bit site such a length is a damaged record, and says nothing.
        Some(error) if model == Model::Ilp32 => Err(error),
        _ => Ok(Layout { model, order }),
    }
}

/// What in a sample speaks for words of that size: the table, what of it, and its length.
fn evidence(sample: &Sample, word_bytes: u8) -> Option<(u8, &'static str, u64)> {
    let (key_bytes, value_bytes) = sample.pair_bytes?;
    let key_fits = KEYS.iter().any(|(table, wide, narrow)| {
        *table == sample.table && key_bytes == if word_bytes == 8 { *wide } else { *narrow }
    });
    if key_fits {
        return Some((sample.table, "a key", key_bytes as u64));
    }
    let users: &[u64] = if word_bytes == 8 { &WIDE_USERS } else { &NARROW_USERS };
    (sample.table == table::USERS && users.contains(&value_bytes)).then_some((sample.table, "a value", value_bytes))
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
            assert_eq!(found.map(Layout::word_bytes), Ok(word_bytes), "table {table}");
        }
    }

    #[test]
    fn an_empty_site_is_that_of_a_64_bit_little_endian_server() {
        assert_eq!(detect(&[]), Ok(Layout::LP64_LITTLE));
    }

    #[test]
    fn empty_tables_still_tell_the_byte_order() {
        let empty = Sample { table: 0, order: ByteOrder::Big, pair_bytes: None };
        assert_eq!(detect(&[empty]), Ok(Layout { model: Model::Lp64, order: ByteOrder::Big }));
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
    fn a_32_bit_site_with_64_bit_times_is_refused() {
        let samples = [sample(0, ByteOrder::Little, 4, 900), sample(1, ByteOrder::Little, 5, 664)];
        assert_eq!(detect(&samples), Err(DetectError::WideTimes { table: 1, value_bytes: 664 }));
    }
}
