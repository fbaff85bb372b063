//! What stands in a log file behind the place where its chain of records is broken.
//!
//! A server that is killed leaves a record that is there in part, and nothing behind it. Where a whole end of a transaction stands further on,
//! the log was damaged in the middle, or a machine that lost power had written its newest blocks in another order.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::byte_order::ByteOrder;
use super::log::checksum;
use super::lsn::Lsn;
use crate::site::regular::open_regular;

/// Header and fixed fields of a record (see the reader of logs), and the kind `__txn_regop`, the end of a transaction.
const FIXED_BYTES: usize = 28;
const HEADER_BYTES: usize = 12;
const TXN_REGOP: u32 = 10;
/// Ends of transactions are short, even with a list of the locks that they held.
const LONGEST_END: usize = 1024;
/// So much of a file is looked through; it has 10 MiB.
const MOST_BYTES: u64 = 64 << 20;

/// Whether the whole end of a transaction stands in the log file `path` behind the place `from`, where no record begins that is whole.
///
/// # Errors
/// When the file can't be read.
pub fn has_transactions_behind(path: &Path, from: Lsn) -> std::io::Result<bool> {
    let Some(mut file) = open_regular(path)? else { return Ok(false) };
    file.seek(SeekFrom::Start(from.offset.into()))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let is_end = |order: ByteOrder, record: &[u8], at: usize| -> Option<bool> {
        if order.u32_at(record, HEADER_BYTES)? != TXN_REGOP {
            return Some(false);
        }
        let (prev, len, sum) = (order.u32_at(record, 0)?, order.u32_at(record, 4)?, order.u32_at(record, 8)?);
        let follows = u64::from(prev) < u64::from(from.offset) + at as u64;
        let rest = record.get(HEADER_BYTES..len as usize).filter(|_| (len as usize) <= LONGEST_END)?;
        Some(follows && (len as usize) >= FIXED_BYTES && checksum(rest, prev, len) == sum)
    };
    let either = |at| {
        let record = bytes.get(at..).unwrap_or_default();
        [ByteOrder::Little, ByteOrder::Big].into_iter().any(|order| is_end(order, record, at) == Some(true))
    };
    Ok((1..bytes.len().saturating_sub(FIXED_BYTES - 1)).any(either))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_end_of_a_transaction_is_found_behind_four_gigabytes_by_a_32_bit_program_too() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let from = Lsn { file: 1, offset: u32::MAX - 100 };
        let mut rest = [0; FIXED_BYTES - HEADER_BYTES];
        rest[..4].copy_from_slice(&TXN_REGOP.to_le_bytes());
        let (prev, len) = (u32::MAX - 50, FIXED_BYTES as u32);
        file.seek(SeekFrom::Start(u64::from(from.offset) + 200)).unwrap();
        file.write_all(&[prev, len, checksum(&rest, prev, len)].map(u32::to_le_bytes).concat()).unwrap();
        file.write_all(&rest).unwrap();
        assert!(has_transactions_behind(file.path(), from).unwrap());
    }
}
