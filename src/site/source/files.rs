//! Files, directories, links and logs.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::body::{BodyReader, Content};
use super::located::Located;
use super::{Parts, ReadSiteError, owners::Owners};
use crate::record::{Fields, Header, Key, Kind};
use crate::site::inventory::{Entry, LeftOut, What};

/// The record of a file, directory or link of the site, which is the entry with this number, and where its body lies.
pub(super) fn file_record(number: u32, entry: &Entry, owners: &mut Owners) -> (Header, Located) {
    let mut fields = Fields::new();
    let mut located = Located::InHeader;
    match &entry.what {
        What::File { bytes } => {
            fields.set_string("type", "file");
            located = Located::File(number, *bytes);
        }
        What::Directory => fields.set_string("type", "directory"),
        What::Link { target, content } => {
            fields.set_string("type", "link");
            fields.set_string("target", target.clone());
            if let Some(bytes) = content {
                located = Located::File(number, *bytes);
            }
        }
    }
    if !matches!(entry.what, What::Link { .. }) {
        fields.set_int("mode", i64::from(entry.mode));
    }
    // Every table that is written changes the time of data/: it says nothing about the site.
    if entry.path != b"data" {
        fields.set_int("mtime", entry.mtime.0);
        fields.set_int("mtime_ns", i64::from(entry.mtime.1));
    }
    owners.set_fields(entry.uid, entry.gid, &mut fields);
    let header = Header { kind: Kind::File, key: Key::name(entry.path.clone()), fields, body: None, residue: None };
    (header, located)
}

/// The record of a log file under the name it gets in `logs/`, which is the one with this number, and where its body lies.
pub(super) fn log_record(number: u32, log: &LogFile, owners: &mut Owners) -> Result<(Header, Located), ReadSiteError> {
    let unreadable = |source| ReadSiteError::Io { path: log.path.clone(), source };
    let metadata = std::fs::metadata(&log.path).map_err(unreadable)?;
    let mut fields = Fields::new();
    fields.set_int("mode", i64::from(metadata.mode() & 0o7777));
    fields.set_int("mtime", metadata.mtime());
    fields.set_int("mtime_ns", metadata.mtime_nsec());
    owners.set_fields(metadata.uid(), metadata.gid(), &mut fields);
    let header = Header { kind: Kind::Log, key: Key::name(log.name.clone()), fields, body: None, residue: None };
    Ok((header, Located::Log(number, metadata.len())))
}

/// As much of a log as it had when it was looked at: it may grow while it is read.
pub(super) fn open_log<'s>(log: &LogFile, bytes: u64) -> Result<BodyReader<'s>, ReadSiteError> {
    let file = File::open(&log.path).map_err(|source| ReadSiteError::Io { path: log.path.clone(), source })?;
    Ok(BodyReader::new(Content::GrowingFile(file, log.path.clone()), bytes))
}

/// The record of something that was left out though somebody might miss it.
pub(super) fn omitted_record(left_out: &LeftOut) -> Header {
    absent(Kind::Omitted, left_out.path.clone(), &left_out.why.to_string())
}

/// The record of something that could not be had.
pub(super) fn loss_record(what: &str, why: &str) -> Header {
    absent(Kind::Loss, what.as_bytes().to_vec(), why)
}

fn absent(kind: Kind, what: Vec<u8>, why: &str) -> Header {
    let mut fields = Fields::new();
    fields.set_string("why", why);
    Header { kind, key: Key::name(what), fields, body: None, residue: None }
}

/// A log file and its name in the copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::site) struct LogFile {
    pub name: Vec<u8>,
    pub path: PathBuf,
}

/// The logs of the site and those the user named, sorted by the name they get, no name twice, and none that is the directory of another.
pub(super) fn log_files(root: &Path, of_site: &[Entry], named: &[PathBuf]) -> Vec<LogFile> {
    let mut logs: Vec<LogFile> = Vec::new();
    let of_site = of_site
        .iter()
        .filter(|entry| matches!(entry.what, What::File { .. }))
        .map(|entry| (entry.path.strip_prefix(b"logs/").unwrap_or(&entry.path), &entry.path))
        .map(|(name, path)| (name.to_vec(), root.join(std::ffi::OsStr::from_bytes(path))));
    let named =
        named.iter().map(|path| (path.file_name().unwrap_or(path.as_os_str()).as_bytes().to_vec(), path.clone()));
    for (name, path) in of_site.chain(named) {
        // Behind the first part: a number at the end would not lead a file out of a directory that another file stands for.
        let (first, rest) = name.split_at(name.iter().position(|byte| *byte == b'/').unwrap_or(name.len()));
        let mut unique = name.clone();
        let mut copies = 1;
        while logs.iter().any(|log| is_below(&log.name, &unique) || is_below(&unique, &log.name)) {
            copies += 1;
            unique = [first, format!(".{copies}").as_bytes(), rest].concat();
        }
        logs.push(LogFile { name: unique, path });
    }
    logs.sort();
    logs
}

/// Whether a path is this one, or leads through it.
fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The content of a file, or of what a link out of `keys/` leads to: from its copy if there is one.
pub(super) fn content<'s>(parts: &Parts, entry: &Entry, bytes: u64) -> Result<BodyReader<'s>, ReadSiteError> {
    if let Some(copy) = parts.files.as_ref().and_then(|files| files.path_of(entry)) {
        return open(copy, bytes, None);
    }
    let path = parts.site.path_of(&entry.path);
    open(&path, bytes, matches!(entry.what, What::File { .. }).then_some(entry))
}

/// Opens a file for its body. With an entry it must still be the file that was listed; a link out of `keys/` is followed.
fn open<'s>(path: &Path, bytes: u64, listed: Option<&Entry>) -> Result<BodyReader<'s>, ReadSiteError> {
    let unreadable = |source| ReadSiteError::Io { path: path.to_owned(), source };
    let flags = if listed.is_some() { rustix::fs::OFlags::NOFOLLOW } else { rustix::fs::OFlags::empty() };
    // Not to block on a FIFO that has taken the file's place.
    let flags = flags | rustix::fs::OFlags::NONBLOCK;
    let file =
        std::fs::OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let is_same = listed.is_none_or(|entry| {
        (metadata.dev(), metadata.ino()) == (entry.dev, entry.inode)
            && (metadata.mtime(), metadata.mtime_nsec()) == (entry.mtime.0, i64::from(entry.mtime.1))
    });
    if !is_same || !metadata.is_file() || metadata.len() != bytes {
        return Err(ReadSiteError::Moved {
            path: path.to_owned(),
            what: "it is not the file any more that was there when the copy began".into(),
        });
    }
    Ok(BodyReader::new(Content::File(file, path.to_owned()), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of_site: &[&str], named: &[&str]) -> Vec<String> {
        let entry = |path: &&str| Entry {
            path: path.as_bytes().to_vec(),
            what: What::File { bytes: 0 },
            mode: 0,
            uid: 0,
            gid: 0,
            mtime: (0, 0),
            dev: 0,
            inode: 0,
        };
        let of_site: Vec<Entry> = of_site.iter().map(entry).collect();
        let named: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
        let logs = log_files(Path::new("/site"), &of_site, &named);
        logs.into_iter().map(|log| String::from_utf8(log.name).unwrap()).collect()
    }

    #[test]
    fn logs_of_one_name_are_told_apart_and_none_stands_where_others_need_a_directory() {
        assert_eq!(
            names(&["citadel.log", "logs/citadel.log"], &["/x/citadel.log"]),
            ["citadel.log", "citadel.log.2", "citadel.log.3"]
        );
        assert_eq!(names(&["logs/mail/today"], &["/var/log/mail", "/x/mail-2"]), ["mail-2", "mail.2", "mail/today"]);
        assert_eq!(names(&["citadel.log", "logs/citadel.log/today"], &[]), ["citadel.log", "citadel.log.2/today"]);
    }
}
