//! The LSNs in the pages of a table: the position in the log of the last change of each.

use std::path::Path;

use super::TableError;
use super::table::Table;

/// Bytes that one read fetches.
const READ_BYTES: usize = 1 << 20;

/// A position in the log of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn {
    /// Number of the log file; 0 in a page whose changes are not logged.
    pub file: u32,
    /// Byte in that file.
    pub offset: u32,
}

/// What the page headers of a table say about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LsnSurvey {
    /// Pages of the file, the meta page with them.
    pub pages: u64,
    /// Pages of zeros: the file grew over them, but they were never written.
    pub never_written: u64,
    /// Other pages with LSN {0,0} or {0,1}: made without a log, or reset, as in an import.
    pub not_logged: u64,
    /// The highest LSN of a page that was logged, and the first page that has it.
    pub highest: Option<(Lsn, u32)>,
}

impl LsnSurvey {
    /// Whether no page needs a log beside the table.
    pub fn needs_no_log(&self) -> bool {
        self.highest.is_none()
    }
}

/// Reads the header of every page of a table, also of those that the tree does not use.
///
/// # Errors
/// When the file is no B-tree table that is read (as [`Table::open`]), or the system cannot read it.
pub fn lsn_survey(path: &Path) -> Result<LsnSurvey, TableError> {
    let table = Table::open(path)?;
    let order = table.byte_order();
    let page_bytes = table.page_bytes();
    // Page numbers have 32 bits; what a longer file has beyond them belongs to no table.
    let pages = (table.file_bytes() / page_bytes as u64).min(u64::from(u32::MAX));
    let mut survey = LsnSurvey { pages, never_written: 0, not_logged: 0, highest: None };
    let mut buffer = vec![0; READ_BYTES];
    let mut number: u64 = 0;
    while number < pages {
        let count = (pages - number).min((READ_BYTES / page_bytes) as u64);
        let bytes = &mut buffer[..count as usize * page_bytes];
        let first = number as u32;
        table.read(first, bytes)?;
        for (page, bytes) in (first..u32::MAX).zip(bytes.chunks_exact(page_bytes)) {
            let lsn = Lsn { file: order.u32(bytes, 0), offset: order.u32(bytes, 4) };
            if lsn.file != 0 {
                if survey.highest.is_none_or(|(highest, _)| lsn > highest) {
                    survey.highest = Some((lsn, page));
                }
            } else if bytes.iter().all(|byte| *byte == 0) {
                survey.never_written += 1;
            } else {
                survey.not_logged += 1;
            }
        }
        number += count;
    }
    Ok(survey)
}
