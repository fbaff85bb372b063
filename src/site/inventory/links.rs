//! Where the links of a site lead to.

use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::io::Errno;

use super::{InventoryError, Note, What};

/// The text of a link.
pub(super) fn target(link: &Path) -> Result<Vec<u8>, InventoryError> {
    std::fs::read_link(link)
        .map(|target| target.into_os_string().into_vec())
        .map_err(|source| InventoryError::io(link, source))
}

/// A link outside `keys/`: nothing but its text.
pub(super) fn plain(link: &Path) -> Result<What, InventoryError> {
    Ok(What::Link { target: target(link)?, content: None })
}

/// A link below `keys/`. Keys are often links to the place where another program renews them; such a place is not on the next machine.
/// `own` is what the site carries by itself, without links: directories, or files.
pub(super) fn key(link: &Path, path: &[u8], own: &[&Path], notes: &mut Vec<Note>) -> Result<What, InventoryError> {
    let target = target(link)?;
    let (path, shown) = (path.to_vec(), target.clone());
    let end = match std::fs::canonicalize(link) {
        Ok(end) => end,
        Err(error) if is_dangling(&error) => {
            notes.push(Note::DanglingKey { path, target: shown });
            return Ok(What::Link { target, content: None });
        }
        Err(source) => return Err(InventoryError::io(link, source)),
    };
    if own.iter().any(|own| end.starts_with(own)) {
        return Ok(What::Link { target, content: None });
    }
    let metadata = std::fs::metadata(&end).map_err(|source| InventoryError::io(&end, source))?;
    let content = metadata.is_file().then_some(metadata.len());
    notes.push(match content {
        Some(_) => Note::KeyFromElsewhere { path, target: shown },
        None => Note::KeyIsNoFile { path, target: shown },
    });
    Ok(What::Link { target, content })
}

/// A link of the site's own that leads to a directory: whether that is a place of its own, neither the site nor anything above it.
pub(super) fn leads_to_a_directory_of_its_own(link: &Path, root: &Path) -> bool {
    std::fs::canonicalize(link).is_ok_and(|end| end.is_dir() && !root.starts_with(&end))
}

fn is_dangling(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}
