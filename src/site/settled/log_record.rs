//! One record of a log.

use super::byte_order::ByteOrder;
use super::lsn::Lsn;

/// What a record is about. Only the kinds that say something about the end of a log have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// `__dbreg_register` (2): a table is opened, closed, or named at a checkpoint.
    DbregRegister,
    /// `__txn_regop` (10): a transaction ends.
    TxnRegop,
    /// `__txn_ckp` (11): a checkpoint.
    TxnCkp,
    /// `__txn_recycle` (14): transaction numbers begin anew, as they do whenever an environment is opened.
    TxnRecycle,
    /// Any other kind, by its number.
    Other(u32),
}

impl RecordKind {
    pub(super) fn of_number(number: u32) -> RecordKind {
        match number {
            2 => RecordKind::DbregRegister,
            10 => RecordKind::TxnRegop,
            11 => RecordKind::TxnCkp,
            14 => RecordKind::TxnRecycle,
            other => RecordKind::Other(other),
        }
    }
}

/// One record of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Where it begins.
    pub lsn: Lsn,
    /// What it's about.
    pub kind: RecordKind,
    /// The transaction that wrote it; 0 for none.
    pub txn: u32,
    /// The same transaction's record before this one; {0,0} for none.
    pub txn_prev: Lsn,
    /// What follows these fields.
    pub body: Vec<u8>,
    pub(super) order: ByteOrder,
}

impl LogRecord {
    /// The 32-bit number at `at` in the body; `None` where the body is shorter.
    pub fn u32_at(&self, at: usize) -> Option<u32> {
        self.order.u32_at(&self.body, at)
    }
}
