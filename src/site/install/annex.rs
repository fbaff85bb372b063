//! The directories of a site beside its root, while parts of them are exchanged.
//!
//! A rename stays on one file system, so what is to lie in such a directory waits there, in an *annex* of the workshop. The workshop's `bases` names
//! all of them and is safe on disk before the first is made. A journal is obeyed, and an annex removed, only for those directories that the command line
//! names as well: nobody can have this program rename things elsewhere by what he writes into a file. With each stands what it was before, which it is
//! again if nothing comes of it all: the time of its last change, for that of one directory is a part of the site, or that it was not there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::InstallError;
use super::anchor::{Anchor, shown};
use super::place::Place;
use super::steps::{Fs, exists};
use super::workshop::{own_dir, read_orders};
use crate::site::Arrangement;
use crate::site::claim::{escape, unescape};
use crate::site::regular::open_regular;

const FIRST_LINE: &str = "ctdl-dump-bases 1";
/// A path, in which every byte may take three.
const MOST_LABEL_BYTES: u64 = 1 << 14;
/// Stands beside a directory that was not there.
const ABSENT: &str = "absent";
/// Its name in the directory. Not that of a workshop: whoever imports a site into this very directory must leave it alone.
const NAME: &str = ".ctdl-dump-annex";

/// What belongs into one directory beside the root.
#[derive(Debug, Clone)]
pub(super) struct Annex {
    directory: PathBuf,
    /// The annex itself, from when it is worked in.
    anchor: OnceLock<Arc<Anchor>>,
}

impl PartialEq for Annex {
    fn eq(&self, other: &Self) -> bool {
        self.directory == other.directory
    }
}

impl Eq for Annex {}

impl Annex {
    /// The annexes of a site whose directories have real paths.
    pub(super) fn of(site: &Arrangement) -> Vec<Annex> {
        site.places().into_iter().skip(1).map(Annex::in_directory).collect()
    }

    fn in_directory(directory: PathBuf) -> Annex {
        Annex { directory, anchor: OnceLock::new() }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn workshop(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// The annex as it is held open, if it is.
    pub(super) fn anchor(&self) -> Option<&Anchor> {
        self.anchor.get().map(Arc::as_ref)
    }

    /// Holds it open, if it is there; whoever owns the directory may rename what lies in it.
    fn hold(&self) -> Result<(), InstallError> {
        if self.anchor().is_none()
            && let Some(annex) = own_dir(&self.workshop())?
            && let Some(anchor) = Anchor::of(annex)
        {
            self.anchor.get_or_init(|| Arc::new(anchor));
        }
        Ok(())
    }

    /// The path of something in it.
    fn inside(&self, name: &str) -> PathBuf {
        self.anchor().map_or_else(|| self.workshop(), Anchor::path).join(name)
    }

    /// The annex itself, which its name may not stand for any more.
    pub(super) fn itself(&self) -> PathBuf {
        self.inside(".")
    }

    pub(super) fn site(&self) -> PathBuf {
        self.inside("site")
    }

    pub(super) fn old(&self) -> PathBuf {
        self.inside("old")
    }

    /// Says of which site it is.
    fn label(&self) -> PathBuf {
        self.inside("of")
    }

    /// Makes it, for the site with this root.
    fn make(&self, fs: &Fs, root: &Path) -> Result<(), InstallError> {
        match fs.make_dir(&self.workshop()) {
            Err(InstallError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                return Err(InstallError::Shared { path: self.workshop(), root: self.root() });
            }
            made => made?,
        }
        self.hold()?;
        fs.make_file(&self.label(), escape(root.as_os_str().as_bytes()).as_bytes())?;
        fs.sync_dir(&self.itself())?;
        fs.sync_dir(&self.directory)
    }

    /// The root of the site that it is of; `None` if nobody knows.
    fn root(&self) -> Option<PathBuf> {
        let mut label = String::new();
        open_regular(&self.label()).ok()??.take(MOST_LABEL_BYTES).read_to_string(&mut label).ok()?;
        unescape(label.trim_end()).map(|root| PathBuf::from(std::ffi::OsString::from_vec(root)))
    }

    /// Removes it, if it is of the site with this root. What was there before the exchange is never removed: `old` must be empty.
    pub(super) fn remove(&self, fs: &Fs, root: &Path) -> Result<(), InstallError> {
        let workshop = self.workshop();
        if !exists(&workshop) {
            return Ok(());
        }
        self.hold()?;
        if self.root().is_some_and(|of| of != root) {
            return Ok(());
        }
        fs.remove_dir(&self.old())?;
        fs.remove_tree(&self.site())?;
        fs.unlink(&self.label())?;
        fs.remove_dir(&workshop)?;
        fs.sync_dir(&self.directory)
    }
}

/// Writes down where annexes will be, and makes them, and the directories that are not there.
pub(super) fn make_all(fs: &Fs, place: &Place) -> Result<(), InstallError> {
    let before = place.annexes().iter().map(|Annex { directory, .. }| match fs::metadata(directory) {
        Ok(found) => Ok(Before::Changed(found.mtime(), found.mtime_nsec())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Before::Absent),
        Err(error) => Err(InstallError::io("look at", directory, error)),
    });
    let before: Vec<Before> = before.collect::<Result<_, _>>()?;
    write(fs, place, &before)?;
    for (annex, before) in place.annexes().iter().zip(before) {
        if before == Before::Absent {
            fs.make_dir_like(&annex.directory, place.target())?;
            annex.directory.parent().map_or(Ok(()), |around| fs.sync_dir(around))?;
        }
        annex.make(fs, place.target())?;
    }
    Ok(())
}

/// Removes all annexes of a workshop, and then what was written of them. Where nothing has come of them, their directories are as they were.
pub(super) fn remove_all(fs: &Fs, place: &Place) -> Result<(), InstallError> {
    if let Some(written) = written(place)? {
        place.annexes().iter().try_for_each(|annex| annex.remove(fs, place.target()))?;
        let ours = || written.iter().filter(|(annex, _)| place.annexes().contains(annex));
        // One may lie in another, whose time this changes.
        for (Annex { directory, .. }, _) in ours().filter(|(_, before)| *before == Before::Absent) {
            remove_made(fs, directory)?;
        }
        for (annex, before) in ours() {
            if let Before::Changed(seconds, nanoseconds) = *before {
                fs.set_time(&annex.directory, (seconds, nanoseconds))?;
            }
        }
        fs.unlink(&place.bases())?;
    }
    fs.unlink(&place.inside("bases.new"))
}

/// Removes a directory that was made for an annex, unless somebody has put something into it meanwhile.
fn remove_made(fs: &Fs, directory: &Path) -> Result<(), InstallError> {
    match fs.remove_dir(directory) {
        Err(InstallError::Io { source, .. }) if source.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(()),
        removed => removed?,
    }
    directory.parent().map_or(Ok(()), |around| fs.sync_dir(around))
}

/// Forgets what was before: the exchange is over. In the journal's time, for without one all that is left is undone.
pub(super) fn forget_before(fs: &Fs, place: &Place) -> Result<(), InstallError> {
    write(fs, place, &vec![Before::Over; place.annexes().len()])
}

fn write(fs: &Fs, place: &Place, before: &[Before]) -> Result<(), InstallError> {
    if place.annexes().is_empty() {
        return Ok(());
    }
    let mut text = format!("{FIRST_LINE}\n");
    for (annex, before) in place.annexes().iter().zip(before) {
        let path = escape(annex.directory.as_os_str().as_bytes());
        text.push_str(&match before {
            Before::Changed(seconds, nanoseconds) => format!("directory {path} {seconds} {nanoseconds}\n"),
            Before::Absent => format!("directory {path} {ABSENT}\n"),
            Before::Over => format!("directory {path}\n"),
        });
    }
    text.push_str("end\n");
    let fresh = place.inside("bases.new");
    fs.unlink(&fresh)?;
    fs.make_file(&fresh, text.as_bytes())?;
    fs.rename_over(&fresh, &place.bases())?;
    fs.sync_dir(&place.itself())
}

/// The annexes of a workshop that somebody has left. All must lie in directories of the site as it was told.
pub(super) fn left_in(place: &Place, site: &Arrangement) -> Result<Vec<Annex>, InstallError> {
    let told: BTreeSet<PathBuf> = site.places().into_iter().collect();
    let annexes: Vec<Annex> = written(place)?.unwrap_or_default().into_iter().map(|(annex, _)| annex).collect();
    match annexes.iter().find(|annex| !told.contains(&annex.directory)) {
        Some(untold) => {
            Err(InstallError::Untold { path: place.target().to_owned(), directory: untold.directory.clone() })
        }
        None => {
            annexes.iter().try_for_each(Annex::hold)?;
            Ok(annexes)
        }
    }
}

/// What a directory was before an annex came into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// It was there, and was last changed at this time: seconds and nanoseconds.
    Changed(i64, i64),
    /// It was not there.
    Absent,
    /// That does not matter any more.
    Over,
}

/// What is written of annexes.
type Written = Vec<(Annex, Before)>;

/// What is written of annexes; `None` if nothing is.
fn written(place: &Place) -> Result<Option<Written>, InstallError> {
    let path = place.bases();
    read_orders(&path)?.map(|text| parse(&text, &shown(&path))).transpose()
}

fn parse(text: &[u8], path: &Path) -> Result<Written, InstallError> {
    let text = String::from_utf8_lossy(text);
    let bad = |line, reason: &str| InstallError::Journal { path: path.to_owned(), line, reason: reason.to_owned() };
    let mut annexes = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match (number, line.strip_prefix("directory ").map(directory)) {
            (1, _) if line == FIRST_LINE => {}
            (1, _) => return Err(bad(1, "it is no list of directories")),
            (_, Some(Some(directory))) => annexes.push(directory),
            (_, None) if line == "end" => return Ok(annexes),
            _ => return Err(bad(number, "neither a directory nor the end")),
        }
    }
    Err(bad(0, "it ends too early"))
}

fn directory(words: &str) -> Option<(Annex, Before)> {
    let mut words = words.split(' ');
    let directory = PathBuf::from(std::ffi::OsString::from_vec(unescape(words.next()?)?));
    let before = match words.next() {
        Some(ABSENT) => Before::Absent,
        Some(seconds) => Before::Changed(seconds.parse().ok()?, words.next()?.parse().ok()?),
        None => Before::Over,
    };
    words.next().is_none().then_some((Annex::in_directory(directory), before))
}
