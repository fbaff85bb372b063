//! The files of an old release that are something else in a new one: what each of them is, by its path.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::notices::Notices;
use crate::archive::RandomReader;
use crate::endpoint::Failure;
use crate::record::{Body, Key, Kind};

/// A longer file becomes no message: no server of its time would have taken it, and none of today shows it.
const MOST_BYTES: u64 = 64 << 20;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OldFile {
    /// The profile of a user.
    Profile(i64),
    /// The picture of a user.
    Photo(i64),
    /// The banner of a room.
    Banner(i64),
    /// The picture of a room.
    RoomPicture(i64),
    /// The network configuration of a room.
    NetworkConfiguration(i64),
    /// Aliases of mail addresses.
    Aliases,
    /// A struct or queue that a newer server would take for news, if it found it.
    StrayStruct,
    /// In a directory whose files a newer server would swallow, but nothing of the above.
    Unknown,
}

impl OldFile {
    /// What a path is; `None` for what is the same in every release.
    pub fn of(path: &[u8], release: i64) -> Option<OldFile> {
        let slash = path.iter().position(|byte| *byte == b'/');
        let (directory, name) = slash.map_or((path, &b""[..]), |slash| (&path[..slash], &path[slash + 1..]));
        let without_gif = name.strip_suffix(b".gif");
        match directory {
            b"bio" => Some(number(name).map_or(OldFile::Unknown, OldFile::Profile)),
            b"userpics" => Some(number(without_gif.unwrap_or(name)).map_or(OldFile::Unknown, OldFile::Photo)),
            b"netconfigs" => Some(number(name).map_or(OldFile::Unknown, OldFile::NetworkConfiguration)),
            b"info" if release < 902 => number(name).map(OldFile::Banner),
            b"images" if release < 902 => number(without_gif.unwrap_or(name)).map(OldFile::RoomPicture),
            b"network" if name == b"mail.aliases" => Some(OldFile::Aliases),
            b"mail.aliases" if slash.is_none() => Some(OldFile::Aliases),
            b"citadel.config" | b"citadel.control" | b"refcount_adjustments.dat" if slash.is_none() => {
                Some(OldFile::StrayStruct)
            }
            _ => None,
        }
    }

    /// Whether a newer server takes such a file into its tables when it starts, or ends because of it.
    fn is_swallowed(self) -> bool {
        !matches!(self, OldFile::Banner(_) | OldFile::RoomPicture(_) | OldFile::Aliases)
    }
}

/// A number as Citadel writes it: one that it writes otherwise is not looked for.
fn number(name: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(name).ok()?.parse().ok()?;
    (number > 0 && number.to_string().as_bytes() == name).then_some(number)
}

/// A file that was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub path: Vec<u8>,
    pub bytes: u64,
    /// When it was last written, in seconds since 1970.
    pub time: i64,
    /// What it begins with, at most a segment.
    pub beginning: Vec<u8>,
}

/// All files that may become something else.
#[derive(Debug, Default)]
pub(super) struct OldFiles {
    pub profiles: BTreeMap<i64, Found>,
    pub photos: BTreeMap<i64, Found>,
    pub banners: BTreeMap<i64, Found>,
    pub room_pictures: BTreeMap<i64, Found>,
    pub network_configurations: BTreeMap<i64, Found>,
    pub aliases: Option<Found>,
    /// Those whose content is now elsewhere.
    converted: BTreeSet<Vec<u8>>,
    /// Other files by the sort of thing that they are, for the person who has to look at them.
    kept: BTreeMap<&'static str, Vec<Vec<u8>>>,
    not_written: Vec<Vec<u8>>,
}

impl OldFiles {
    /// Looks for them in an archive. Only the ones in question are read, and of these the beginning.
    pub fn find(archive: &RandomReader, release: i64) -> Result<OldFiles, Failure> {
        let mut files = OldFiles::default();
        for record in archive.records(Some(Kind::File)).map_err(Failure::from)? {
            let record = record.map_err(Failure::from)?;
            let (path, Some(bytes)) = (record.key.last_name().unwrap_or_default(), record.length) else { continue };
            match OldFile::of(path, release) {
                None => files.keep(path),
                Some(OldFile::Unknown | OldFile::StrayStruct) => files.reject(path, release),
                Some(_) if bytes == 0 || bytes > MOST_BYTES => files.reject(path, release),
                Some(what) => {
                    let found = find(archive, path, bytes)?;
                    if let Some(other) = files.take(what, found) {
                        files.reject(&other.path, release);
                    }
                }
            }
        }
        Ok(files)
    }

    /// Puts a file where it belongs; gives back the one that there is no place for.
    fn take(&mut self, what: OldFile, found: Found) -> Option<Found> {
        // The server looks for the name without `.gif` first, and a directory's names come in this order.
        let (map, number) = match what {
            OldFile::Profile(user) => (&mut self.profiles, user),
            OldFile::Photo(user) => (&mut self.photos, user),
            OldFile::Banner(room) => (&mut self.banners, room),
            OldFile::RoomPicture(room) => (&mut self.room_pictures, room),
            OldFile::NetworkConfiguration(room) => (&mut self.network_configurations, room),
            OldFile::Aliases if self.aliases.is_none() => {
                self.aliases = Some(found);
                return None;
            }
            _ => return Some(found),
        };
        match map.entry(number) {
            Entry::Occupied(_) => Some(found),
            Entry::Vacant(place) => {
                place.insert(found);
                None
            }
        }
    }

    /// The content of a file is elsewhere from now on.
    pub fn converted(&mut self, path: &[u8]) {
        self.converted.insert(path.to_vec());
    }

    /// Whether a record is to be written as a file.
    pub fn is_written(&self, path: &[u8], release: i64) -> bool {
        match OldFile::of(path, release) {
            None => path != b"info" || release >= 902 || self.kept.contains_key(BANNERS),
            Some(what) => !what.is_swallowed() && !self.converted.contains(path),
        }
    }

    /// Sorts what has become nothing else, once it is known what has.
    pub fn settle(&mut self, release: i64) {
        let maps = [&self.profiles, &self.photos, &self.banners, &self.room_pictures, &self.network_configurations];
        let found = maps.into_iter().flat_map(BTreeMap::values).chain(&self.aliases);
        let unused: Vec<Vec<u8>> =
            found.map(|found| &found.path).filter(|path| !self.converted.contains(*path)).cloned().collect();
        unused.iter().for_each(|path| self.reject(path, release));
        self.not_written.sort();
    }

    /// What of the files has become nothing else.
    pub fn tell(&self, notices: &mut Notices) {
        notices.say_names(
            "not written, because a new server would take them for something else, or because they are empty or too long \
             (the archive has them, and `ctdl-dump extract` gives them)",
            &self.not_written,
        );
        for (sort, paths) in &self.kept {
            notices.say_names(sort, paths);
        }
    }

    fn reject(&mut self, path: &[u8], release: i64) {
        if OldFile::of(path, release).is_some_and(OldFile::is_swallowed) {
            self.not_written.push(path.to_vec());
        } else {
            self.keep(path);
        }
    }

    fn keep(&mut self, path: &[u8]) {
        if let Some(sort) = sort_of(path) {
            self.kept.entry(sort).or_default().push(path.to_vec());
        }
    }
}

const BANNERS: &str = "banners of rooms that there aren't: kept as files, which no server reads";

/// Files of old releases that are written, and that release 980 doesn't look at.
fn sort_of(path: &[u8]) -> Option<&'static str> {
    let is_in = |directory: &str| path.starts_with(directory.as_bytes());
    if is_in("network/spoolin/") || is_in("network/spoolout/") || is_in("network/digest/") {
        return Some(
            "UNDELIVERED MAIL for other nodes of a Citadel network, which release 980 has not: kept as files that no server sends",
        );
    }
    if is_in("images/") {
        return Some(
            "pictures of floors, of the site, and of rooms that there aren't, for which release 980 has no place: kept as files",
        );
    }
    if is_in("info/") {
        return Some(BANNERS);
    }
    if is_in("help/") {
        return Some("help texts, which release 980 looks for in messages/: kept as files");
    }
    let is_other = ["public_clients", "citadel.rc", "mail.aliases"].iter().any(|name| path == name.as_bytes())
        || ["network/", "dspam/"].iter().any(|name| is_in(name));
    is_other.then_some("files of the old release that release 980 doesn't read: kept")
}

fn find(archive: &RandomReader, path: &[u8], bytes: u64) -> Result<Found, Failure> {
    let record = archive.open_record(Kind::File, &Key::name(path)).map_err(Failure::from)?;
    let Some((header, mut body)) = record else {
        return Ok(Found { path: path.to_vec(), bytes, time: 0, beginning: Vec::new() });
    };
    let time = header.fields.int("mtime").unwrap_or_default();
    let beginning = match header.body {
        Some(Body::Inline(bytes)) => bytes,
        _ => {
            let mut segment = Vec::new();
            body.segment(&mut segment).map_err(Failure::from)?;
            segment.truncate(16);
            segment
        }
    };
    Ok(Found { path: path.to_vec(), bytes, time, beginning })
}

/// The MIME type of a picture by its first bytes, else GIF: old releases gave that name to all.
pub(super) fn picture_type(beginning: &[u8]) -> &'static str {
    match beginning {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'B', b'M', ..] => "image/bmp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "image/gif",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_paths() {
        let known: [(&str, Option<OldFile>); 12] = [
            ("bio/12", Some(OldFile::Profile(12))),
            ("bio/012", Some(OldFile::Unknown)),
            ("userpics/3.gif", Some(OldFile::Photo(3))),
            ("userpics/3", Some(OldFile::Photo(3))),
            ("userpics/-3.gif", Some(OldFile::Unknown)),
            ("info/4", Some(OldFile::Banner(4))),
            ("images/5.gif", Some(OldFile::RoomPicture(5))),
            ("images/floor.1.gif", None),
            ("netconfigs/99999999999999999999", Some(OldFile::Unknown)),
            ("network/mail.aliases", Some(OldFile::Aliases)),
            ("citadel.config", Some(OldFile::StrayStruct)),
            ("files/library/bio", None),
        ];
        for (path, what) in known {
            assert_eq!(OldFile::of(path.as_bytes(), 772), what, "{path}");
        }
        assert_eq!(OldFile::of(b"images/5", 902), None);
    }

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(picture_type(b"\x89PNG\r\n\x1a\n"), "image/png");
        assert_eq!(picture_type(b"GIF89a"), "image/gif");
        assert_eq!(picture_type(b""), "image/gif");
    }
}
