//! Whole installations, with faults in every place.

mod faults;
mod places;
mod refusals;
mod spread;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::steps::Fs;
use super::*;

/// What the old site is made of, and the way of its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Case {
    old: Old,
    mode: Mode,
    /// As on a file system without `RENAME_EXCHANGE`.
    plain_rename: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Old {
    Absent,
    /// In `Parts`: nothing but a program.
    Empty,
    Site,
    /// A site whose server was killed: its `citadel.lock` lies there.
    Crashed,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let whole = [Old::Absent, Old::Empty, Old::Site, Old::Crashed].into_iter().flat_map(|old| {
            [false, true].into_iter().map(move |plain_rename| Self { old, mode: Mode::Whole, plain_rename })
        });
        let parts = [Old::Empty, Old::Site, Old::Crashed].into_iter().map(|old| Self {
            old,
            mode: Mode::Parts,
            plain_rename: false,
        });
        whole.chain(parts)
    }
}

/// A directory with a target in it.
struct Ground {
    dir: tempfile::TempDir,
    case: Case,
    before: Option<Tree>,
}

/// Every path below a directory with its type and mode and what is in it.
type Tree = BTreeMap<PathBuf, String>;

fn tree(dir: &Path) -> Option<Tree> {
    dir.symlink_metadata().ok()?;
    let entries = WalkDir::new(dir).into_iter().map(|entry| entry.expect("walkable"));
    Some(
        entries
            .map(|entry| {
                let metadata = entry.path().symlink_metadata().expect("there");
                let what = if metadata.is_symlink() {
                    format!("{:?}", fs::read_link(entry.path()).expect("a link"))
                } else if metadata.is_file() {
                    format!("{:?}", fs::read(entry.path()).expect("a file"))
                } else {
                    String::new()
                };
                let path = entry.path().strip_prefix(dir).expect("inside").to_owned();
                (path, format!("{:o} {what}", metadata.mode()))
            })
            .collect(),
    )
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

impl Ground {
    fn new(case: Case) -> Self {
        let memory = Path::new("/dev/shm");
        let dir =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a directory");
        let mut ground = Self { dir, case, before: None };
        let target = ground.target();
        if case.old != Old::Absent {
            fs::create_dir(&target).expect("made");
        }
        if case.mode == Mode::Parts {
            write(&target.join("citserver"), "program");
            fs::set_permissions(target.join("citserver"), fs::Permissions::from_mode(0o755)).expect("set");
            write(&target.join("own/notes"), "unknown");
        }
        if matches!(case.old, Old::Site | Old::Crashed) {
            write(&target.join("data/cdb.00"), "old table");
            write(&target.join("data/log.0000000001"), "old log");
            write(&target.join("files/a b/x\ny"), "old file");
            write(&target.join("info/3"), "old info");
            fs::create_dir(target.join("keys")).expect("made");
            symlink("/etc/letsencrypt/nowhere", target.join("keys/citadel.key")).expect("linked");
        }
        if case.old == Old::Crashed {
            write(&target.join("citadel.lock"), "");
        }
        ground.before = tree(&target);
        ground
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("citadel")
    }

    fn install(&self, fs: &Fs) -> Result<Installed, InstallError> {
        let staging = Target::open_with(&self.target(), &replacing(), fs)?.stage("import a.ctz")?;
        assert_eq!(staging.target().mode(), self.case.mode);
        fill(staging.path());
        staging.commit()
    }

    /// What the target must hold when the new site is in place.
    fn after(&self) -> Tree {
        let dir = tempfile::tempdir().expect("a directory");
        let new = dir.path().join("new");
        fs::create_dir(&new).expect("made");
        fill(&new);
        let mut after = tree(&new).expect("there");
        if self.case.mode == Mode::Parts {
            for stays in ["", "citserver", "own", "own/notes"].map(PathBuf::from) {
                let before = self.before.as_ref().and_then(|before| before.get(&stays)).expect("there").clone();
                after.insert(stays, before);
            }
        }
        after
    }

    /// The target without what is kept in it, and the kept one.
    fn look(&self) -> (Option<Tree>, Option<Tree>) {
        let mut now = tree(&self.target());
        let kept = |dir: &Path| {
            let mut names = steps::names_in(dir).expect("readable");
            names.retain(|name| name.to_string_lossy().contains(".ctdl-dump-before-"));
            assert!(names.len() <= 1, "{names:?}");
            names.pop().map(|name| dir.join(name))
        };
        let previous = kept(self.dir.path()).or_else(|| kept(&self.target()));
        if let (Some(now), Some(Ok(inside))) = (&mut now, previous.as_ref().map(|dir| dir.strip_prefix(self.target())))
        {
            now.retain(|path, _| !path.starts_with(inside));
        }
        (now, previous.and_then(|dir| tree(&dir)))
    }

    fn is_old(&self) -> bool {
        self.look() == (self.before.clone(), None)
    }

    fn assert_new(&self, context: &str) {
        let (now, mut kept) = self.look();
        assert_eq!(now, Some(self.after()), "{context}: the target");
        let mut before = self.before.clone();
        match self.case.mode {
            Mode::Whole if self.case.old == Old::Empty => before = None,
            Mode::Whole => {}
            Mode::Parts if self.case.old == Old::Empty => before = None,
            Mode::Parts => {
                let old = before.as_mut().expect("there");
                old.retain(|path, _| {
                    !["", "citserver", "own", "own/notes", "citadel.lock"].map(Path::new).contains(&path.as_path())
                });
                kept.as_mut().expect("kept").remove(Path::new(""));
            }
        }
        assert_eq!(kept, before, "{context}: the previous site");
    }

    fn assert_tidy(&self, context: &str) {
        for dir in [self.dir.path().to_owned(), self.target()] {
            for name in steps::names_in(&dir).expect("readable") {
                let name = name.to_string_lossy().into_owned();
                assert!(!name.contains("ctdl-dump") || name.contains("before"), "{context}: {name} is left");
            }
        }
    }
}

/// The new site. `images` and `messages` are new, `info` is not in it any more.
fn fill(root: &Path) {
    write(&root.join("data/cdb.00"), "new table");
    write(&root.join("files/c/d"), "new file");
    write(&root.join("images/hello.gif"), "new image");
    write(&root.join("messages/hello"), "new banner");
    write(&root.join("keys/citadel.key"), "new key");
    fs::set_permissions(root.join("files/c"), fs::Permissions::from_mode(0o555)).expect("set");
    fs::set_permissions(root, fs::Permissions::from_mode(0o750)).expect("set");
}

fn options<'a>() -> TargetOptions<'a> {
    TargetOptions { replace: false, tables: &|_| Freshness::Used("it holds 12 users".to_owned()), force_parts: false }
}

fn replacing<'a>() -> TargetOptions<'a> {
    TargetOptions { replace: true, ..options() }
}
