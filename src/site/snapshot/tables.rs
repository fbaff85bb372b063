//! Copies of all tables.

use std::path::Path;
use std::time::{Duration, Instant};

use super::SnapshotError;
use super::block::{Copy, Original, Progress};
use super::moving::{MovingTable, Patience};
use crate::monitor::Monitor;
use crate::site::settled::table_names;

/// Whether anybody may write the tables while they are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A server runs: pages are read until two reads agree.
    Moving,
    /// Nobody writes: the server is stopped or frozen.
    Still,
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopiedTables {
    /// Number of tables.
    pub tables: u64,
    /// Size of the copies together.
    pub bytes: u64,
    /// How many of the tables share their blocks with the originals.
    pub cloned: u64,
    /// How often the pages were looked at that were looked at most; 1 for tables at rest.
    pub looks: u32,
    /// Pages that were written while they were copied, so that two looks were not enough.
    pub contested_pages: u64,
}

/// Page size of what is not a table, but has the name of one.
const DEFAULT_PAGE_BYTES: u64 = 4096;
/// While waiting, an interruption is noticed so soon.
const SHORT_WAIT: Duration = Duration::from_millis(5);

/// Copies every table in `data` into the directory `into`. A table is cloned where the file system can do that, else copied block by block.
/// Tables that an earlier try has left there are removed.
///
/// # Errors
/// [`SnapshotError::Moving`] and [`SnapshotError::TablesChanged`] (void, to be tried again), [`SnapshotError::Full`] and those of the system.
/// What was copied until then stays in the scratch directory, and goes with it.
pub fn copy_tables(
    data: &Path,
    into: &Path,
    source: Source,
    monitor: &dyn Monitor,
) -> Result<CopiedTables, SnapshotError> {
    copy_tables_with(data, into, source, Patience::default(), monitor)
}

pub(super) fn copy_tables_with(
    data: &Path,
    into: &Path,
    source: Source,
    patience: Patience,
    monitor: &dyn Monitor,
) -> Result<CopiedTables, SnapshotError> {
    let listed = |data: &Path| table_names(data).map_err(|error| SnapshotError::source(data, error));
    let names = listed(data)?;
    let mut tables = Vec::new();
    let mut bytes = 0_u64;
    for name in &names {
        // Tables are found behind links, as the server finds them.
        let Some(original) = Original::open(&data.join(name), true)? else { return Err(changed(data, name)) };
        bytes = bytes.saturating_add(original.bytes()?);
        tables.push((name, original));
    }
    for name in listed(into)? {
        let left = into.join(name);
        std::fs::remove_file(&left).map_err(|error| SnapshotError::scratch("remove", &left, error))?;
    }
    let mut progress = Progress::begin("copying tables", bytes, monitor);
    let mut copied = CopiedTables { looks: 1, ..CopiedTables::default() };
    let mut moving = Vec::new();
    for (name, original) in tables {
        progress.check()?;
        let path = data.join(name);
        let copy = Copy::create(&into.join(name), bytes)?;
        copied.tables += 1;
        if copy.clone_of(&original) {
            let mut size = copy.bytes()?;
            if source == Source::Moving {
                // The table may just be growing by a page of which only a part is there.
                size -= size % page_bytes(&original)?;
                copy.set_len(size)?;
            }
            progress.add(size)?;
            copied.cloned += 1;
            copied.bytes += size;
        } else if source == Source::Still {
            copied.bytes += original.copy_to(&copy, 0, &mut progress)?;
        } else {
            let page_bytes = page_bytes(&original)?;
            progress.expect(original.bytes()?);
            moving.push(MovingTable::new(&path, original, copy, page_bytes));
        }
    }
    if !moving.is_empty() {
        copy_moving(moving, patience, &mut copied, &mut progress)?;
    }
    let now = listed(data)?;
    if now != names {
        let came_or_went =
            names.iter().find(|name| !now.contains(name)).or(now.iter().find(|name| !names.contains(name)));
        return Err(changed(data, came_or_went.map_or("a table", String::as_str)));
    }
    Ok(copied)
}

fn changed(data: &Path, table: &str) -> SnapshotError {
    SnapshotError::TablesChanged { data: data.to_owned(), table: table.to_owned() }
}

/// Looks at all tables again and again, at those that need it, until none does.
fn copy_moving(
    mut tables: Vec<MovingTable>,
    patience: Patience,
    copied: &mut CopiedTables,
    progress: &mut Progress<'_>,
) -> Result<(), SnapshotError> {
    for look in 1..=patience.most_looks {
        copied.looks = copied.looks.max(look);
        let mut still = Vec::new();
        for mut table in tables {
            if let Some(before) = table.last_look() {
                wait_until(before + patience.before_look(look), progress)?;
            }
            // The second look takes what came during the first; what comes later is left to the log.
            if look <= 2 {
                table.measure()?;
            }
            if look == 3 {
                copied.contested_pages += table.pending_pages();
            }
            table.look(progress)?;
            match table.pending_pages() {
                // What the table got while its first pages were read is taken, even if those were at rest at once.
                0 if look >= 2 => copied.bytes += table.finish()?,
                _ => still.push(table),
            }
        }
        tables = still;
        if tables.is_empty() {
            return Ok(());
        }
    }
    let worst = tables.iter().max_by_key(|table| table.pending_pages());
    worst.map_or(Ok(()), |table| Err(table.never_at_rest(patience.most_looks)))
}

fn wait_until(due: Instant, progress: &Progress<'_>) -> Result<(), SnapshotError> {
    loop {
        progress.check()?;
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(SHORT_WAIT));
    }
}

/// The page size that the meta page says (magic at byte 12, size at byte 20); 4,096 where that makes no sense.
fn page_bytes(table: &Original) -> Result<u64, SnapshotError> {
    const BTREE_MAGIC: u32 = 0x0005_3162;
    let mut start = [0; 24];
    table.read_at(&mut start, 0)?;
    let field = |at: usize| start.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    let size = match field(12) {
        magic if u32::from_le_bytes(magic) == BTREE_MAGIC => u32::from_le_bytes(field(20)),
        magic if u32::from_be_bytes(magic) == BTREE_MAGIC => u32::from_be_bytes(field(20)),
        _ => 0,
    };
    let sensible = size.is_power_of_two() && (512..=65_536).contains(&size);
    Ok(if sensible { u64::from(size) } else { DEFAULT_PAGE_BYTES })
}
