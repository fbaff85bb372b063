//! The files that a server is writing at this moment: uploads that are not complete.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::site::settled::is_open_for_writing;

/// Device and inode number of a file.
pub type FileId = (u64, u64);

/// The files that a process has open for writing. None if there's no such process.
///
/// # Errors
/// When the system doesn't let this user look: only root and the server's own user may.
pub fn open_for_writing(pid: u32) -> io::Result<BTreeSet<FileId>> {
    let process = Path::new("/proc").join(pid.to_string());
    let descriptors = match std::fs::read_dir(process.join("fd")) {
        Ok(descriptors) => descriptors,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let mut files = BTreeSet::new();
    // What can't be listed or looked at has been closed in between.
    for descriptor in descriptors.flatten() {
        // Follows the link to the open file itself, whatever its path is called in that process's view.
        let Ok(metadata) = std::fs::metadata(descriptor.path()) else { continue };
        if metadata.is_file() && is_open_for_writing(&process.join("fdinfo").join(descriptor.file_name())) {
            files.insert((metadata.dev(), metadata.ino()));
        }
    }
    Ok(files)
}
