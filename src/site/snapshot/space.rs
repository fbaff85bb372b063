//! Room for the copies: how much they take, and whether it is there.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::SnapshotError;
use crate::site::inventory::{Inventory, What};
use crate::site::regular::open_regular;
use crate::site::settled::{is_table_name, log_files};

/// What recovery adds to a copy: records of its own in the last log file or in a new one, and pages that the log makes anew.
const RECOVERY_BYTES: u64 = 32 << 20;

/// How much room the copies take, in bytes: of all tables in `data`, of the log files from number `from_log` on, and of the files in
/// `inventory` if they're copied too. A little more than that, because a running site grows. Of what is `cloned` (see [`can_clone`]) nothing
/// but the changes that recovery makes takes room; files may lie on several disks and always count.
///
/// # Errors
/// When `data` can't be read.
pub fn estimate(data: &Path, from_log: u32, inventory: Option<&Inventory>, cloned: bool) -> io::Result<u64> {
    let mut tables = 0_u64;
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_table_name) {
            tables = tables.saturating_add(std::fs::metadata(entry.path())?.len());
        }
    }
    let mut logs = 0_u64;
    for (_, path) in log_files(data)?.into_iter().filter(|(number, _)| *number >= from_log) {
        match std::fs::metadata(path) {
            Ok(metadata) => logs = logs.saturating_add(metadata.blocks().saturating_mul(512)),
            // Removed by the server in this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let files = inventory.map_or(0, file_bytes);
    let growth = tables / 16;
    let copied = if cloned { 0 } else { tables.saturating_add(logs) };
    Ok(copied.saturating_add(growth).saturating_add(files).saturating_add(RECOVERY_BYTES))
}

fn file_bytes(inventory: &Inventory) -> u64 {
    let sizes = inventory.entries.iter().map(|entry| match entry.what {
        What::File { bytes } | What::Link { content: Some(bytes), .. } => bytes,
        _ => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

/// Checks that `directory` has so much room for this user.
///
/// # Errors
/// [`SnapshotError::NoSpace`] if not, [`SnapshotError::Scratch`] if that can't be found out.
pub fn check_space(directory: &Path, needed_bytes: u64) -> Result<(), SnapshotError> {
    let found = rustix::fs::statvfs(directory).map_err(|error| SnapshotError::scratch("look at", directory, error))?;
    let free_bytes = found.f_bavail.saturating_mul(found.f_frsize);
    if free_bytes < needed_bytes {
        return Err(SnapshotError::NoSpace { directory: directory.to_owned(), free_bytes, needed_bytes });
    }
    Ok(())
}

/// Whether copies of the tables in `data` can share their blocks with them (reflinks) when they lie in `directory`. It is tried with a file
/// that has no name.
pub fn can_clone(data: &Path, directory: &Path) -> bool {
    let cloned = |path: &Path| -> io::Result<()> {
        let Some(source) = open_regular(path)? else { return Err(io::ErrorKind::Unsupported.into()) };
        let copy = tempfile::tempfile_in(directory)?;
        Ok(rustix::fs::ioctl_ficlone(&copy, &source)?)
    };
    let Ok(entries) = std::fs::read_dir(data) else { return false };
    entries
        .flatten()
        .find(|entry| entry.file_name().to_str().is_some_and(is_table_name))
        .is_some_and(|table| cloned(&table.path()).is_ok())
}
