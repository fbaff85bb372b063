//! One record of a log.

use super::byte_order::ByteOrder;
use super::lsn::{Lsn, TableId};

/// What a record is about. Only the kinds that say something about the state of a log have names.
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

/// A checkpoint, as its record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where the record stands.
    pub lsn: Lsn,
    /// All changes up to this record are in the tables: the last record when the checkpoint began, or the first record of the oldest
    /// transaction that was open then. Normal recovery begins here.
    pub ckp_lsn: Lsn,
    /// When it was made, in seconds since 1970.
    pub time: u32,
}

/// What a `__dbreg_register` record says about a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableUse {
    /// It is open while a checkpoint is made (1).
    AtCheckpoint,
    /// It was closed, with all its changes written (2).
    Closed,
    /// Recovery closed it (5).
    ClosedByRecovery,
    /// Anything else: it was opened (3), in this or that way.
    Other,
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

    /// What a `__txn_ckp` record says; `None` for other kinds, and if the body is too short.
    ///
    /// Body: the position covered (file, offset), the checkpoint before (file, offset), the time, and more that isn't needed here.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let ckp_lsn = Lsn { file: self.u32_at(0)?, offset: self.u32_at(4)? };
        let time = self.u32_at(16)?;
        (self.kind == RecordKind::TxnCkp).then_some(Checkpoint { lsn: self.lsn, ckp_lsn, time })
    }

    /// What a `__dbreg_register` record says, and about which table; `None` for other kinds, and if the body makes no sense.
    ///
    /// Body: opcode, length of the name, the name with a NUL, and more that isn't needed here. Bits of the opcode above the lowest four
    /// describe the table: libdb 5.3 sets 0x1000 for one with big-endian pages.
    pub fn table_use(&self) -> Option<(TableUse, &str)> {
        if self.kind != RecordKind::DbregRegister {
            return None;
        }
        let how = match self.u32_at(0)? & 0xf {
            1 => TableUse::AtCheckpoint,
            2 => TableUse::Closed,
            5 => TableUse::ClosedByRecovery,
            _ => TableUse::Other,
        };
        let name = self.body.get(8..)?.get(..self.u32_at(4)? as usize)?;
        let name = name.strip_suffix(&[0]).unwrap_or(name);
        Some((how, str::from_utf8(name).ok()?))
    }

    /// The id that a `__dbreg_register` record has for its table, behind the name, with its length before it; `None` for other kinds, and if there's none.
    pub fn table_id(&self) -> Option<TableId> {
        let at = self.table_use().and_then(|_| (self.u32_at(4)? as usize).checked_add(8))?;
        let is_there = self.u32_at(at)? as usize == size_of::<TableId>();
        self.body.get(at.checked_add(4)?..)?.first_chunk().copied().filter(|_| is_there)
    }
}
