//! The place where a site is to be put: what is there now, and what may be done with it.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::fresh::{Freshness, has_tables, used_files};
use super::journal::{Part, Side};
use super::lock::refuse_running;
use super::names::{Belongs, Entry, entries, is_citadels};
use super::recover::{Recovered, recover_with};
use super::resolve::real_paths;
use super::seen::Seen;
use super::staging::Staging;
use super::steps::Fs;
use super::{InstallError, mounts, way};
use crate::site::Arrangement;

/// How an old site is exchanged for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The directory as a whole, in one step. Staging and previous site lie beside it.
    Whole,
    /// The parts of the site one by one, under a journal. Staging and previous site lie inside the target; its root keeps mode and owner,
    /// and what is not the site's stays.
    Parts,
}

impl Mode {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Parts => "parts",
        }
    }
}

/// What is at the target now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetState {
    /// Nothing; the directory around it exists.
    Absent,
    /// A directory with nothing of a site in it, at most a server's programs.
    Empty,
    /// A site with no more in it than a server makes at its first start.
    Fresh,
    /// Anything else; the text says why it is not fresh.
    Occupied(String),
}

/// What the caller knows, and wants.
pub struct TargetOptions<'a> {
    /// Put the new site in the place of one that has been used.
    pub replace: bool,
    /// Whether the tables in this `data` directory are fresh. Asked only when there is something in it, all else is fresh, and no server runs.
    pub tables: &'a dyn Fn(&Path) -> Freshness,
    /// Exchange part by part even where the whole directory could be exchanged.
    pub force_parts: bool,
}

impl fmt::Debug for TargetOptions<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TargetOptions")
            .field("replace", &self.replace)
            .field("force_parts", &self.force_parts)
            .finish_non_exhaustive()
    }
}

/// A place that may take a new site.
#[derive(Debug)]
pub struct Target {
    pub(super) path: PathBuf,
    /// Where the site has what, by real paths.
    pub(super) site: Arrangement,
    pub(super) mode: Mode,
    pub(super) notes: Vec<String>,
    pub(super) fs: Fs,
    pub(super) seen: Seen,
    state: TargetState,
    recovered: Vec<Recovered>,
    entries: Vec<Entry>,
}

impl Target {
    /// Looks at a directory, which need not exist; the one around it must. Of a site that is spread over several directories the root must be
    /// there; the others are made with the staging. Leftovers of killed runs are finished or removed first, as by [`recover`](super::recover()).
    /// Nothing else is changed.
    ///
    /// # Errors
    /// When a server or another import is at work there, when it is neither empty nor fresh and is not to be replaced, when what is there is no
    /// site at all, when a part of it lies on another file system than its directory.
    pub fn open(site: impl Into<Arrangement>, options: &TargetOptions<'_>) -> Result<Self, InstallError> {
        Self::open_with(site, options, &Fs::default())
    }

    pub(super) fn open_with(
        site: impl Into<Arrangement>,
        options: &TargetOptions<'_>,
        fs: &Fs,
    ) -> Result<Self, InstallError> {
        let told = site.into();
        let dir = told.root();
        let site = real_paths(&told)?;
        site.check_writable()?;
        let path = site.root().to_owned();
        let recovered = recover_with(&site, fs)?;
        if let Some(Recovered::Living(who)) = recovered.iter().find(|found| matches!(found, Recovered::Living(_))) {
            let (path, pid, source_name) = (who.workshop.clone(), who.pid, who.source.clone());
            return Err(InstallError::Living { path, pid, source_name });
        }
        let mut target = Self {
            notes: recovered.iter().map(ToString::to_string).collect(),
            path,
            site,
            mode: Mode::Whole,
            fs: fs.clone(),
            seen: Seen::default(),
            state: TargetState::Absent,
            recovered,
            entries: Vec::new(),
        };
        // Without a slash at the end, which would follow the link.
        if dir.components().collect::<PathBuf>().is_symlink() {
            let real = target.path.display();
            let note = format!("{} is a link to {real}: that directory is worked on, the link stays", dir.display());
            target.notes.push(note);
        }
        target.examine(options)?;
        match target.state {
            // Also with --replace: a slip of the finger must not put a site in the place of /etc.
            TargetState::Occupied(why) if target.holds_root() && !is_citadels(&target.path)? => {
                Err(InstallError::NoSite { path: target.path, why })
            }
            TargetState::Occupied(why) if !options.replace => Err(InstallError::NotFresh { path: target.path, why }),
            _ => Ok(target),
        }
    }

    /// The real path: no links, no dots.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the site has what, by real paths.
    pub fn arrangement(&self) -> &Arrangement {
        &self.site
    }

    /// What was there at the first look.
    pub fn state(&self) -> &TargetState {
        &self.state
    }

    /// How the exchange will be made.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What a person should know: a link followed, a leftover finished, why parts are exchanged. Whole sentences without a full stop.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The leftovers that were finished or removed before the first look.
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }

    /// Makes the staging directory. `source` says what is imported, in one line; it is what another process reads when it meets the staging.
    ///
    /// # Errors
    /// When another process has begun the same meanwhile, or the file system refuses.
    pub fn stage(self, source: &str) -> Result<Staging, InstallError> {
        Staging::begin(self, source)
    }

    /// Fills in all that can be known by looking.
    fn examine(&mut self, options: &TargetOptions<'_>) -> Result<(), InstallError> {
        let places = self.site.places();
        if places.len() > 1 && !self.path.exists() {
            return Err(InstallError::RootMissing { path: self.path.clone() });
        }
        let root = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return way::check_absent(&self.path),
            Err(error) => return Err(InstallError::io("look at", &self.path, error)),
            Ok(root) if !root.is_dir() => return Err(InstallError::NotADirectory { path: self.path.clone() }),
            Ok(root) => root,
        };
        refuse_running(&self.site, "")?;
        self.entries = entries(&self.site)?;
        self.seen = Seen::new(&self.path, &self.beside())?;
        let mounts = mounts::mount_points();
        let mut links = Vec::new();
        let mut directories = Vec::new();
        for place in &places {
            directories.push(match fs::metadata(place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.notes.push(format!(
                        "{} is not there; it is made, with the owner and the mode of {}",
                        place.display(),
                        self.path.display()
                    ));
                    root.clone()
                }
                found => found.map_err(|error| InstallError::io("look at", place, error))?,
            });
        }
        for Entry { base, name, .. } in self.of(Belongs::State) {
            let part = places.get(*base).unwrap_or(&self.path).join(name);
            way::check_part(&part, directories.get(*base).unwrap_or(&root), &mounts)?;
            if part.is_symlink() {
                links.push(format!(
                    "{} is a link; the new site has its own in that place, the link is kept with the previous site",
                    part.display()
                ));
            }
        }
        self.notes.extend(links);
        let why = match options.force_parts {
            true => Some("it was asked for".to_owned()),
            false if places.len() > 1 => Some("the site lies in several directories".to_owned()),
            false => way::why_parts(&self.path, &root, &self.entries, &mounts),
        };
        if let Some(why) = why {
            self.mode = Mode::Parts;
            self.notes.push(format!("the parts of {} are exchanged one by one: {why}", self.path.display()));
        }
        self.state = self.judge(options)?;
        Ok(())
    }

    fn judge(&self, options: &TargetOptions<'_>) -> Result<TargetState, InstallError> {
        if self.of(Belongs::State).next().is_none() {
            // In the other directories anybody may have something.
            let unknown = self.of(Belongs::Unknown).find(|entry| entry.base == 0);
            let has_programs = self.of(Belongs::Program).any(|entry| entry.base == 0);
            return Ok(match unknown {
                // Others have directories like `lib`, too.
                Some(entry) if !has_programs || !is_citadels(&self.path)? => {
                    TargetState::Occupied(format!("it holds {}", self.path.join(&entry.name).display()))
                }
                _ => TargetState::Empty,
            });
        }
        let places = self.site.places();
        let parts = self.of(Belongs::State).filter_map(|entry| Some(places.get(entry.base)?.join(&entry.name)));
        if let Some(why) = used_files(parts, self.site.key_directory())? {
            return Ok(TargetState::Occupied(why));
        }
        if !has_tables(&self.path)? {
            return Ok(TargetState::Fresh);
        }
        Ok(match (options.tables)(&self.path.join("data")) {
            Freshness::Fresh => TargetState::Fresh,
            Freshness::Used(why) => TargetState::Occupied(why),
        })
    }

    fn of(&self, wanted: Belongs) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.belongs == wanted)
    }

    /// Whether anything in the root itself would be replaced, or is somebody else's.
    fn holds_root(&self) -> bool {
        self.entries.iter().any(|entry| entry.base == 0 && matches!(entry.belongs, Belongs::State | Belongs::Unknown))
    }

    /// What of the site lies beside its root.
    pub(super) fn beside(&self) -> Vec<PathBuf> {
        let places = self.site.places();
        let beside = self.of(Belongs::State).filter(|entry| entry.base > 0);
        beside.filter_map(|entry| Some(places.get(entry.base)?.join(&entry.name))).collect()
    }

    /// Whether others have something in this directory too.
    pub(super) fn is_shared(&self, base: usize) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.base == base && matches!(entry.belongs, Belongs::Unknown | Belongs::Program))
    }

    /// Whether there is nothing to be kept when a whole new directory takes its place.
    pub(super) fn is_bare(&self) -> bool {
        self.entries.is_empty()
    }

    /// The parts of one directory that change places when these are the top-level names of what is new there.
    pub(super) fn parts(&self, base: usize, new: &[OsString]) -> Result<Vec<Part>, InstallError> {
        let places = self.site.places();
        let directory = places.get(base).unwrap_or(&self.path);
        let mut parts = Vec::new();
        for name in new {
            let bad = |why: String| InstallError::BadName { name: name.clone(), why };
            let path = directory.join(name);
            if places.iter().any(|place| place.starts_with(&path)) {
                return Err(bad(format!("and {} is or holds a directory of the site", path.display())));
            }
            let side = match self.entries.iter().find(|old| old.base == base && old.name == *name) {
                Some(Entry { belongs: Belongs::Program, .. }) => {
                    return Err(bad("and the target has a program of that name".to_owned()));
                }
                Some(Entry { belongs: Belongs::Unknown, .. }) if base > 0 => {
                    return Err(bad(format!("and {} is somebody else's; move it away", path.display())));
                }
                Some(_) => Side::Both,
                None => Side::New,
            };
            parts.push(Part { side, base, name: name.clone() });
        }
        let only_old = self.of(Belongs::State).filter(|old| old.base == base && !new.contains(&old.name));
        parts.extend(only_old.map(|old| Part { side: Side::Old, base, name: old.name.clone() }));
        Ok(parts)
    }
}
