//! What to do about errors of the system when a site is read, or written.

use rustix::io::Errno;

/// Where too many files are open.
const TOO_MANY_OPEN: &str = "; too many files are open: raise the limit (ulimit -n), and run it again";

/// What to do about an error of the system when a part of a new site is written, for those where it is known.
pub(super) fn advice_on_writing(error: &std::io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::DQUOT) => "; make room on the disk of the target, or choose a target on another",
        Some(Errno::MFILE | Errno::NFILE) => TOO_MANY_OPEN,
        Some(Errno::IO) => "; the disk reports errors: look at the kernel's log before anything else",
        Some(Errno::FBIG) => {
            "; no file may be so large here: raise the limit (ulimit -f), or choose a target on another file system"
        }
        // A site that was read below a short path can be too deep for a long one, and for the directory that it is built in.
        Some(Errno::NAMETOOLONG) => {
            "; a path has at most 4,095 bytes, a name 255: import into a directory with a short path (/c), and rename that when it is complete"
        }
        _ => "",
    }
}

/// What to do about an error of the system when a site is read, for those where it is known.
pub(super) fn advice(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        return "; look at its owner and mode, or run as root";
    }
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE | Errno::NFILE) => TOO_MANY_OPEN,
        Some(Errno::IO) => {
            "; the disk can't read it: copy what it still gives to another one (ddrescue), and read it there"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::site::btree::TableWriteError;
    use crate::site::inventory::InventoryError;
    use crate::site::settled::SettledError;
    use crate::site::sink::WriteSiteError;
    use crate::site::source::ReadSiteError;

    #[test]
    fn who_writes_to_a_full_disk_is_told_to_make_room() {
        let full = || std::io::Error::from(Errno::NOSPC);
        let file = WriteSiteError::Io { path: PathBuf::from("/site/files/a"), source: full() };
        let table = TableWriteError::Create { path: PathBuf::from("/site/data/cdb.00"), source: full() };
        for told in [file.to_string(), table.to_string()] {
            assert!(told.contains("(os error 28); make room on the disk"), "{told}");
        }
        let deep =
            WriteSiteError::Io { path: PathBuf::from("/site/files/a"), source: Errno::NAMETOOLONG.into() }.to_string();
        assert!(deep.contains("import into a directory with a short path"), "{deep}");
        assert_eq!(advice_on_writing(&Errno::NOENT.into()), "");
    }

    #[test]
    fn only_who_may_not_read_is_told_to_be_root() {
        let path = || PathBuf::from("/site/data");
        let told_by: [fn(PathBuf, std::io::Error) -> String; 4] = [
            |path, source| ReadSiteError::Io { path, source }.to_string(),
            |path, source| SettledError::Io { path, source }.to_string(),
            |path, source| InventoryError::Io { path, source }.to_string(),
            |path, source| crate::site::snapshot::SnapshotError::Source { path, source }.to_string(),
        ];
        for told in told_by {
            let told = |errno: Errno| told(path(), std::io::Error::from_raw_os_error(errno.raw_os_error()));
            assert!(told(Errno::ACCESS).ends_with("; look at its owner and mode, or run as root"));
            assert!(told(Errno::MFILE).contains("ulimit -n") && !told(Errno::MFILE).contains("root"));
            assert!(told(Errno::IO).contains("the disk") && !told(Errno::IO).contains("root"));
            assert!(told(Errno::NOENT).ends_with("(os error 2)"));
        }
    }
}
