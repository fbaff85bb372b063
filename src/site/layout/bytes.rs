//! Integers of any size and byte order.

use super::Problem;
use crate::record::{ByteOrder, Layout};

/// The unsigned integer that at most 8 bytes hold.
pub(super) fn read_unsigned(bytes: &[u8], order: ByteOrder) -> u64 {
    if let Ok(whole) = <[u8; 8]>::try_from(bytes) {
        return match order {
            ByteOrder::Big => u64::from_be_bytes(whole),
            ByteOrder::Little => u64::from_le_bytes(whole),
        };
    }
    let add = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
    match order {
        ByteOrder::Big => bytes.iter().fold(0, add),
        ByteOrder::Little => bytes.iter().rev().fold(0, add),
    }
}

/// The signed integer that 1 to 8 bytes hold.
pub(super) fn read_signed(bytes: &[u8], order: ByteOrder) -> i64 {
    let unused_bits = 64 - 8 * bytes.len().clamp(1, 8) as u32;
    ((read_unsigned(bytes, order) << unused_bits) as i64) >> unused_bits
}

/// Fills `out` (at most 8 bytes) with the lowest bytes of `number`.
pub(super) fn write(number: i64, order: ByteOrder, out: &mut [u8]) {
    let bytes = number.to_be_bytes();
    out.copy_from_slice(&bytes[bytes.len() - out.len()..]);
    if order == ByteOrder::Little {
        out.reverse();
    }
}

/// Appends a number of `size` bytes, if it fits.
pub(super) fn push(
    out: &mut Vec<u8>,
    field: &'static str,
    number: i64,
    size: usize,
    layout: Layout,
) -> Result<(), Problem> {
    check(field, number, size, true, layout)?;
    match layout.order {
        ByteOrder::Big => out.extend_from_slice(&number.to_be_bytes()[8 - size..]),
        ByteOrder::Little => out.extend_from_slice(&number.to_le_bytes()[..size]),
    }
    Ok(())
}

/// Whether a number fits into so many bytes.
pub(super) fn check(
    field: &'static str,
    value: i64,
    bytes: usize,
    signed: bool,
    layout: Layout,
) -> Result<(), Problem> {
    let (least, most) = match (bytes, signed) {
        (8.., _) => (i64::MIN, i64::MAX),
        (_, true) => (-(1 << (8 * bytes - 1)), (1 << (8 * bytes - 1)) - 1),
        (_, false) => (0, (1 << (8 * bytes)) - 1),
    };
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(Problem::NumberTooWide { field, value, layout, bytes, least, most })
    }
}
