//! Sites that are spread over several directories.

mod directories;
mod kills;

use super::*;
use crate::site::Arrangement;
use crate::site::arrangement::Class;

/// A root with `etc`, `ssl` and `spool` beside it.
struct Spread {
    dir: tempfile::TempDir,
    before: Tree,
    times: Vec<Option<(i64, i64)>>,
}

const BESIDE: [&str; 3] = ["etc", "ssl", "spool"];

/// When the directories beside the root that are there were changed last. That of `ssl` is a part of the site.
fn times(dir: &Path) -> Vec<Option<(i64, i64)>> {
    let found = BESIDE.map(|directory| dir.join(directory).metadata().ok());
    found.iter().map(|found| found.as_ref().map(|found| (found.mtime(), found.mtime_nsec()))).collect()
}

impl Spread {
    /// With an old site in it, and files of others in `etc`; with `is_shared` also in `ssl`.
    fn new(is_shared: bool) -> Spread {
        Self::without(&[], is_shared)
    }

    /// The same, where these directories are not there.
    fn without(missing: &[&str], is_shared: bool) -> Spread {
        let memory = Path::new("/dev/shm");
        let dir =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a directory");
        let file = |path: &str, text: &str| write(&dir.path().join(path), text);
        file("root/data/cdb.00", "old table");
        file("root/data/citadel.config", "old settings");
        file("root/files/a b/x", "old file");
        file("root/info/3", "old info");
        file("root/own/notes", "unknown");
        file("etc/messages/hello", "old banner");
        file("etc/netconfigs/3", "old configuration");
        file("etc/notes.txt", "somebody else's");
        file("ssl/citadel.key", "old key");
        file("ssl/citadel.csr", "old request");
        if is_shared {
            file("ssl/other.pem", "somebody else's");
        }
        fs::create_dir(dir.path().join("spool")).expect("made");
        fs::set_permissions(dir.path().join("ssl"), fs::Permissions::from_mode(0o711)).expect("set");
        missing.iter().for_each(|directory| fs::remove_dir_all(dir.path().join(directory)).expect("removed"));
        // Longer ago than a clock can hide.
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_300_000_000, 7);
        for directory in BESIDE.iter().filter(|directory| !missing.contains(directory)) {
            fs::File::open(dir.path().join(directory)).and_then(|file| file.set_modified(long_ago)).expect("set");
        }
        let before = tree(dir.path()).expect("there");
        let times = times(dir.path());
        Spread { dir, before, times }
    }

    /// Nothing has come of an import.
    fn assert_is_old(&self, when: &str) {
        assert_eq!(self.now(), self.before, "{when}");
        assert_eq!(times(self.dir.path()), self.times, "{when}");
    }

    fn arrangement(&self) -> Arrangement {
        let root = self.dir.path().canonicalize().expect("there");
        let classes = [
            (Class::AutoSysConf, "root/data"),
            (Class::SysConf, "etc"),
            (Class::StaticData, "etc"),
            (Class::Ssl, "ssl"),
            (Class::Spool, "spool"),
        ];
        let classes = classes.map(|(class, directory)| (class, root.join(directory)));
        Arrangement::new(&root.join("root"), classes).expect("possible")
    }

    fn stage(&self, fs: &Fs) -> Result<Staging, InstallError> {
        Target::open_with(self.arrangement(), &replacing(), fs)?.stage("import a.ctz")
    }

    fn install(&self, fs: &Fs) -> Result<Installed, InstallError> {
        let staging = self.stage(fs)?;
        fill_spread(staging.arrangement());
        staging.commit()
    }

    fn recover(&self) -> Vec<Recovered> {
        super::recover::recover_with(self.arrangement(), &Fs::default()).expect("recovered")
    }

    /// All that there is, whatever the date of what is kept.
    fn now(&self) -> Tree {
        let now = tree(self.dir.path()).expect("there");
        let dateless = |path: PathBuf| -> PathBuf {
            path.iter()
                .map(|name| match name.to_str() {
                    Some(name) if name.starts_with(".ctdl-dump-before-") => ".ctdl-dump-before".as_ref(),
                    _ => name,
                })
                .collect()
        };
        now.into_iter().map(|(path, what)| (dateless(path), what)).collect()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.dir.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// The new site: `network` and the aliases are new, `netconfigs`, `info` and `citadel.csr` are not in it any more.
fn fill_spread(site: &Arrangement) {
    for (record, text) in [
        ("data/cdb.00", "new table"),
        ("citadel.config", "new settings"),
        ("files/c/d", "new file"),
        ("messages/hello", "new banner"),
        ("network/spoolin/1", "new mail"),
        ("network/mail.aliases", "new aliases"),
        ("keys/citadel.key", "new key"),
        ("keys/citadel.cer", "new certificate"),
    ] {
        write(&site.path_of(record.as_bytes()), text);
    }
    fs::set_permissions(site.path_of(b"keys"), fs::Permissions::from_mode(0o750)).expect("set");
}

fn after(missing: &[&str]) -> Tree {
    let spread = Spread::without(missing, false);
    spread.install(&Fs::default()).expect("in place");
    spread.now()
}
