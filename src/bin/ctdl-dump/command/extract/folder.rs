//! The folder that extracted files go into. Paths come from an archive that anybody may have made: they never lead out of the folder, no
//! link is followed on the way, and nothing that is there is replaced.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ctdl_dump::record::printable;
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, fchmod, futimens, mkdirat, open, openat, unlinkat};
use rustix::io::Errno;

use crate::error::usage;

/// A folder on disk.
pub struct Folder {
    root: OwnedFd,
}

/// A file that is being written; removed again unless it is finished.
pub struct NewFile {
    parent: OwnedFd,
    name: Vec<u8>,
    file: File,
    is_finished: bool,
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the folder, or makes it.
    pub fn open(path: &Path) -> Result<Folder> {
        let what = || path.display().to_string();
        if path.symlink_metadata().is_ok() && !path.is_dir() {
            usage!(
                "{} is no directory, and files are to be written into one; give another name with -o",
                path.display()
            );
        }
        std::fs::create_dir_all(path).with_context(what)?;
        Ok(Folder { root: open(path, DIRECTORY, Mode::empty()).with_context(what)? })
    }

    /// Makes a file at a path below the folder, with the directories that it needs. Until it is finished only its owner may read it.
    pub fn create(&self, path: &[u8]) -> Result<NewFile> {
        let what = || printable(path);
        let mut parts = parts(path)?;
        let Some(name) = parts.pop() else { bail!("a file without a name is not written") };
        let parent = self.descend(&parts).with_context(what)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, name, flags, Mode::RUSR | Mode::WUSR).with_context(what)?;
        Ok(NewFile { parent, name: name.to_vec(), file: File::from(file), is_finished: false })
    }

    /// Makes a directory at a path below the folder, or finds it there.
    pub fn make_directory(&self, path: &[u8]) -> Result<()> {
        self.descend(&parts(path)?).map(drop).with_context(|| printable(path))
    }

    fn descend(&self, parts: &[&[u8]]) -> io::Result<OwnedFd> {
        let mut directory = self.root.try_clone()?;
        for part in parts {
            match mkdirat(&directory, *part, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            directory = openat(&directory, *part, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
        }
        Ok(directory)
    }
}

impl NewFile {
    /// Gives the file its permissions (without set-user-id and its like) and its time: seconds since 1970 and nanoseconds.
    pub fn finish(mut self, mode: Option<u16>, modified: Option<(i64, i64)>) -> io::Result<()> {
        if let Some((seconds, nanoseconds)) = modified {
            let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
            futimens(&self.file, &Timestamps { last_access: time, last_modification: time })?;
        }
        if let Some(mode) = mode {
            fchmod(&self.file, Mode::from_bits_truncate(u32::from(mode) & 0o777))?;
        }
        self.is_finished = true;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // The error that led here is the one to report.
            let _ = unlinkat(&self.parent, self.name.as_slice(), AtFlags::empty());
        }
    }
}

/// The parts of a path that stays below where it begins.
fn parts(path: &[u8]) -> Result<Vec<&[u8]>> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    if parts.iter().any(|part| matches!(*part, b"" | b"." | b"..") || part.contains(&0)) {
        bail!(
            "\"{}\" could lead out of the folder and is not written; without -o it goes to standard output",
            printable(path)
        );
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn a_file_gets_its_path_mode_and_time() {
        let work = tempfile::tempdir().unwrap();
        let mut file = Folder::open(&work.path().join("a/b")).unwrap().create(b"c/d\xff").unwrap();
        file.write_all(b"text").unwrap();
        file.finish(Some(0o4640), Some((1_000_000_000, 5))).unwrap();
        let mut path = work.path().join("a/b/c").into_os_string().into_encoded_bytes();
        path.extend_from_slice(b"/d\xff");
        let path = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&path);
        let found = std::fs::metadata(path).unwrap();
        assert_eq!((found.permissions().mode() & 0o7777, found.mtime(), found.mtime_nsec()), (0o640, 1_000_000_000, 5));
    }

    #[test]
    fn a_file_that_is_not_finished_is_removed() {
        let work = tempfile::tempdir().unwrap();
        drop(Folder::open(work.path()).unwrap().create(b"half").unwrap());
        assert!(std::fs::read_dir(work.path()).unwrap().next().is_none());
    }

    #[test]
    fn a_path_that_leads_out_of_the_folder_is_refused() {
        let work = tempfile::tempdir().unwrap();
        let folder = Folder::open(&work.path().join("in")).unwrap();
        symlink(work.path(), work.path().join("in/link")).unwrap();
        for path in ["../x", "/etc/x", "a/../../x", "", "a//b", "./x", "link/x", "a\0b"] {
            assert!(folder.create(path.as_bytes()).is_err(), "{path}");
        }
        assert!(folder.make_directory(b"link/x").is_err());
        assert!(!work.path().join("x").exists());
    }

    #[test]
    fn nothing_that_is_there_is_replaced_or_written_through() {
        let work = tempfile::tempdir().unwrap();
        std::fs::write(work.path().join("old"), "old").unwrap();
        symlink("old", work.path().join("link")).unwrap();
        let folder = Folder::open(work.path()).unwrap();
        assert!(folder.create(b"old").is_err());
        assert!(folder.create(b"link").is_err());
        assert_eq!(std::fs::read_to_string(work.path().join("old")).unwrap(), "old");
    }
}
