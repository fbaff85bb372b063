//! Regular files, and nothing else: to open a named pipe would wait for ever, and to read a device may never end.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

/// Opens a file to read it, at the end of a link, too; `None` where something else has its name.
///
/// # Errors
/// When it is not there, or the system doesn't let it be opened.
pub fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let file = File::from(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    let is_file = file.metadata()?.is_file();
    Ok(is_file.then_some(file))
}
