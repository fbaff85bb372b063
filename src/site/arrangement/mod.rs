//! Where a site keeps what: all in one directory, or spread over several, as the packages of distributions did it from 2008 to 2016.
//!
//! The switches of Citadel's `configure` name one directory for each [`Class`] of files. Which file is of which class is one table in
//! [`names`]: an inventory reads it one way, an import the other, so that what was read from a spread site is found where its server looks
//! for it, and the records are those of a site with one root (`format-spec/site.md`, section 7.2).
//!
//! No file of a site says how it is arranged: the places are compiled into the server. So they have to be told.

mod error;
mod hints;
mod names;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use error::ArrangementError;
pub use hints::{hints, looks_spread};

/// The last release whose server may have been built with several directories (Citadel's history, January 2021).
pub const LAST_SPREAD_RELEASE: i64 = 930;

/// Where Debian's packages have the tables, below the root of a machine's file system.
pub const DEBIAN_ROOT: &str = "var/lib/citadel";

/// Files that one switch of Citadel's `configure` moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// `--with-autosysconfdir`: what the server itself keeps about the site, until 901.
    AutoSysConf,
    /// `--with-sysconfdir`: configuration of rooms, and of the server by hand.
    SysConf,
    /// `--with-staticdatadir`: banners.
    StaticData,
    /// `--with-helpdir`: help texts.
    Help,
    /// `--with-spooldir`: queues between servers.
    Spool,
    /// `--with-ssldir`: key and certificate; in one root they lie in `keys/`.
    Ssl,
    /// `--with-rundir`: sockets.
    Run,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 7] =
        [Class::AutoSysConf, Class::SysConf, Class::StaticData, Class::Help, Class::Spool, Class::Ssl, Class::Run];

    /// The option that names its directory, without dashes: Citadel's switch without `with-`.
    pub fn option(self) -> &'static str {
        match self {
            Class::AutoSysConf => "autosysconfdir",
            Class::SysConf => "sysconfdir",
            Class::StaticData => "staticdatadir",
            Class::Help => "helpdir",
            Class::Spool => "spooldir",
            Class::Ssl => "ssldir",
            Class::Run => "rundir",
        }
    }
}

/// The directories of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    root: PathBuf,
    /// Whether files of [`Class::AutoSysConf`] lie among the tables.
    is_auto_in_data: bool,
    /// Classes that don't lie in the root, and the directories they lie in.
    elsewhere: BTreeMap<Class, PathBuf>,
    /// Whether there was a switch for [`Class::SysConf`]: without one the server has its aliases with the queues.
    is_etc_named: bool,
}

/// A directory beside the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::site) struct Apart {
    pub directory: PathBuf,
    /// What of the site lies in it.
    pub classes: BTreeSet<Class>,
}

impl Arrangement {
    /// A site that has all in one directory.
    pub fn one_root(root: &Path) -> Self {
        Arrangement { root: root.to_owned(), is_auto_in_data: false, elsewhere: BTreeMap::new(), is_etc_named: false }
    }

    /// A site whose `data/`, `files/`, `bio/`, `images/`, `info/` and `userpics/` are in `root`, and some classes of other files elsewhere. A
    /// directory that is no other than the usual one changes nothing.
    ///
    /// # Errors
    /// When a directory lies where another part of the site is.
    pub fn new(root: &Path, elsewhere: impl IntoIterator<Item = (Class, PathBuf)>) -> Result<Self, ArrangementError> {
        Self::with_home(root, None, elsewhere)
    }

    /// The same for a server that was built with a `--with-datadir` outside of its home: what no switch moves elsewhere is in `home`.
    ///
    /// # Errors
    /// As those of [`new`](Self::new).
    pub fn with_home(
        root: &Path,
        home: Option<&Path>,
        elsewhere: impl IntoIterator<Item = (Class, PathBuf)>,
    ) -> Result<Self, ArrangementError> {
        let elsewhere: Vec<(Class, PathBuf)> = elsewhere.into_iter().collect();
        let mut site = Arrangement::one_root(root);
        site.is_etc_named = elsewhere.iter().any(|(class, _)| *class == Class::SysConf);
        let at_home = home.into_iter().flat_map(|home| {
            Class::ALL.map(|class| (class, if class == Class::Ssl { home.join("keys") } else { home.to_owned() }))
        });
        let real_root = real(root);
        for (class, directory) in at_home.chain(elsewhere) {
            // What is named later counts.
            site.elsewhere.remove(&class);
            site.is_auto_in_data &= class != Class::AutoSysConf;
            let directory = real(&directory);
            let inside = directory.strip_prefix(&real_root).ok();
            match inside.map(|inside| (inside, inside.components().next())) {
                Some((_, None)) if class == Class::Ssl => {
                    return Err(ArrangementError::KeysInRoot { root: root.to_owned() });
                }
                Some((_, None)) => {}
                Some((inside, _)) if class == Class::Ssl && inside == Path::new("keys") => {}
                Some((inside, _)) if class == Class::AutoSysConf && inside == Path::new("data") => {
                    site.is_auto_in_data = true;
                }
                Some((_, Some(first))) if names::is_part(first.as_os_str().as_bytes()) => {
                    let part = root.join(first);
                    return Err(ArrangementError::InAPart { option: class.option(), directory, part });
                }
                _ => {
                    site.elsewhere.insert(class, directory);
                }
            }
        }
        Ok(site)
    }

    /// As Debian's packages have it, below `prefix`, the root of a file system. With `root` the tables are there instead.
    pub fn debian(prefix: &Path, root: Option<&Path>) -> (PathBuf, Vec<(Class, PathBuf)>) {
        let root = root.map_or_else(|| prefix.join(DEBIAN_ROOT), Path::to_owned);
        let elsewhere = [
            (Class::AutoSysConf, root.join("data")),
            (Class::SysConf, prefix.join("etc/citadel")),
            (Class::StaticData, prefix.join("etc/citadel")),
            (Class::Help, prefix.join("usr/share/citadel-server")),
            (Class::Spool, prefix.join("var/spool/citadel")),
            (Class::Ssl, prefix.join("etc/ssl/citadel")),
            (Class::Run, prefix.join("var/run/citadel")),
        ];
        (root, elsewhere.into())
    }

    /// The directory that has the tables in its `data/`, and whatever isn't elsewhere.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of the tables.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The directory of the server's sockets.
    pub fn run_directory(&self) -> &Path {
        self.elsewhere.get(&Class::Run).unwrap_or(&self.root)
    }

    /// Whether anything that a site keeps lies outside of its root.
    pub fn is_spread(&self) -> bool {
        self.is_auto_in_data || self.elsewhere.keys().any(|class| *class != Class::Run)
    }

    /// All directories, the root first, each once.
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut all = vec![self.root.clone()];
        for directory in self.elsewhere.values() {
            if !all.contains(directory) {
                all.push(directory.clone());
            }
        }
        all
    }

    /// Where what a record of a file names by its key belongs.
    pub fn path_of(&self, record: &[u8]) -> PathBuf {
        let etc = self.elsewhere.get(&Class::SysConf);
        let is_with_queues = !self.is_etc_named || etc.is_none() || etc == self.elsewhere.get(&Class::Spool);
        let found = match names::of_record(record) {
            Some((Class::SysConf, _)) if record == names::ALIASES && is_with_queues => {
                Some((Class::Spool, record.to_vec()))
            }
            found => found,
        };
        match found.and_then(|(class, name)| Some((self.directory(class)?, name))) {
            // Joining an empty name would leave a slash behind.
            Some((directory, name)) if name.is_empty() => directory,
            Some((directory, name)) => directory.join(OsStr::from_bytes(&name)),
            None => self.root.join(OsStr::from_bytes(record)),
        }
    }

    /// All directories in which the site keeps something, the root first, each once.
    pub(in crate::site) fn places(&self) -> Vec<PathBuf> {
        std::iter::once(self.root.clone()).chain(self.apart().into_iter().map(|apart| apart.directory)).collect()
    }

    /// The same arrangement with other directories in the place of its own; the one of the sockets stays.
    ///
    /// # Errors
    /// Those of `place`.
    pub(in crate::site) fn moved<E>(&self, place: impl Fn(&Path) -> Result<PathBuf, E>) -> Result<Self, E> {
        let elsewhere = self.elsewhere.iter().map(|(class, directory)| match class {
            Class::Run => Ok((Class::Run, directory.clone())),
            class => Ok((*class, place(directory)?)),
        });
        Ok(Arrangement { elsewhere: elsewhere.collect::<Result<_, E>>()?, root: place(&self.root)?, ..*self })
    }

    /// Fails for an arrangement in which a site can't be written: the directory of the keys is itself a record with mode, owner and time, so
    /// others of its files can't lie in it too. Read it can be.
    ///
    /// # Errors
    /// When it is so.
    pub fn check_writable(&self) -> Result<(), ArrangementError> {
        let Some(directory) = self.key_directory() else { return Ok(()) };
        let others = self.elsewhere.iter().filter(|(class, _)| !matches!(class, Class::Ssl | Class::Run));
        match others.into_iter().find(|(_, other)| *other == directory) {
            None => Ok(()),
            Some((class, _)) => {
                let (directory, root) = (directory.to_owned(), self.root.clone());
                Err(ArrangementError::KeysShared { option: class.option(), directory, root })
            }
        }
    }

    /// Whether a record belongs into the directory of keys beside the root, where no server looks for a file of its name.
    pub(in crate::site) fn is_strange_key(&self, record: &[u8]) -> bool {
        self.elsewhere.contains_key(&Class::Ssl)
            && names::of_record(record).is_some_and(|(class, name)| {
                class == Class::Ssl && !name.is_empty() && names::of_file(Class::Ssl, &name).is_none()
            })
    }

    /// The directory of the keys, if it lies beside the root.
    pub(in crate::site) fn key_directory(&self) -> Option<&Path> {
        self.elsewhere.get(&Class::Ssl).map(PathBuf::as_path)
    }

    /// The directory of a class, if it isn't the usual one.
    fn directory(&self, class: Class) -> Option<PathBuf> {
        match class {
            Class::AutoSysConf if self.is_auto_in_data => Some(self.data()),
            class => self.elsewhere.get(&class).cloned(),
        }
    }

    /// The directories beside the root in which a site keeps something.
    pub(in crate::site) fn apart(&self) -> Vec<Apart> {
        let mut apart: Vec<Apart> = Vec::new();
        for (class, directory) in self.elsewhere.iter().filter(|(class, _)| **class != Class::Run) {
            match apart.iter_mut().find(|apart| apart.directory == *directory) {
                Some(known) => {
                    known.classes.insert(*class);
                }
                None => apart.push(Apart { directory: directory.clone(), classes: BTreeSet::from([*class]) }),
            }
        }
        apart
    }

    /// The record that a file among the tables becomes, if it has another path than its own.
    pub(in crate::site) fn record_in_data(&self, name: &[u8]) -> Option<Vec<u8>> {
        let in_data = self.is_auto_in_data.then(|| names::of_file(Class::AutoSysConf, name));
        in_data.flatten().map(<[u8]>::to_vec)
    }

    /// Where a server may hold a lock: the site's own directories that have one.
    pub(in crate::site) fn lock_directories(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.root.clone(), self.data()];
        directories.extend(self.elsewhere.get(&Class::AutoSysConf).cloned());
        directories
    }
}

impl Apart {
    /// The record that something in this directory becomes; `None` if no release keeps anything of that name there.
    pub(in crate::site) fn record_of(&self, name: &[u8]) -> Option<&'static [u8]> {
        let record = self.classes.iter().find_map(|class| names::of_file(*class, name));
        // Where both classes share a directory there was no switch, and the aliases are with the queues.
        record.filter(|record| *record != names::ALIASES || !self.classes.contains(&Class::Spool))
    }
}

/// The root of the file system that a site of Debian's packages is on, which may be mounted somewhere; `None` if its tables are in another
/// place than such a site's.
pub fn machine_of(root: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(root).ok()?;
    let machine = absolute.ancestors().nth(Path::new(DEBIAN_ROOT).components().count())?;
    absolute.ends_with(DEBIAN_ROOT).then(|| machine.to_owned())
}

/// Without links, as far as the directory exists; that which is missing may have a directory around it.
fn real(directory: &Path) -> PathBuf {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let below_its_parent = || Some(std::fs::canonicalize(absolute.parent()?).ok()?.join(absolute.file_name()?));
    std::fs::canonicalize(directory).ok().or_else(below_its_parent).unwrap_or_else(|| absolute.clone())
}

impl From<&Path> for Arrangement {
    fn from(root: &Path) -> Self {
        Arrangement::one_root(root)
    }
}

impl From<&PathBuf> for Arrangement {
    fn from(root: &PathBuf) -> Self {
        Arrangement::one_root(root)
    }
}

impl From<&Arrangement> for Arrangement {
    fn from(site: &Arrangement) -> Self {
        site.clone()
    }
}

impl fmt::Display for Arrangement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tables in {}", self.data().display())?;
        for class in Class::ALL {
            if let Some(directory) = self.directory(class) {
                write!(f, ", {} {}", class.option(), directory.display())?;
            }
        }
        Ok(())
    }
}
