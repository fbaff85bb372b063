//! Sites that are spread over several directories: a kill or an error at every single step.

use super::faults::{dies_at, fails_at};
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

#[test]
fn every_part_goes_into_its_directory_and_what_was_there_is_kept_beside_it() {
    for is_shared in [false, true] {
        let spread = Spread::new(is_shared);
        let installed = spread.install(&Fs::default()).expect("in place");
        assert_eq!(installed.mode, Mode::Parts);
        for (path, text) in [
            ("root/data/cdb.00", "new table"),
            ("root/data/citadel.config", "new settings"),
            ("root/own/notes", "unknown"),
            ("etc/messages/hello", "new banner"),
            ("etc/mail.aliases", "new aliases"),
            ("etc/notes.txt", "somebody else's"),
            ("spool/network/spoolin/1", "new mail"),
            ("ssl/citadel.key", "new key"),
            ("ssl/citadel.cer", "new certificate"),
        ] {
            assert_eq!(spread.text(path), text, "{path}");
        }
        let kept = installed.previous.expect("kept").file_name().expect("a name").to_string_lossy().into_owned();
        for (path, text) in [
            ("root/KEPT/data/cdb.00", "old table"),
            ("root/KEPT/info/3", "old info"),
            ("etc/KEPT/messages/hello", "old banner"),
            ("etc/KEPT/netconfigs/3", "old configuration"),
            ("ssl/KEPT/citadel.key", "old key"),
            ("ssl/KEPT/citadel.csr", "old request"),
        ] {
            assert_eq!(spread.text(&path.replace("KEPT", &kept)), text, "{path}");
        }
        for gone in ["etc/netconfigs", "ssl/citadel.csr", "root/info", "root/citadel.lock"] {
            assert!(!spread.dir.path().join(gone).exists(), "{gone}");
        }
        assert!(!spread.dir.path().join("spool").join(&kept).exists(), "nothing was there");
        let notes = installed.notes.join("; ");
        assert!(notes.contains("several directories") && notes.contains("etc/.ctdl-dump-before-"), "{notes}");
        let mode = spread.dir.path().join("ssl").metadata().expect("there").mode() & 0o777;
        assert_eq!((mode, notes.contains("keeps its mode")), if is_shared { (0o711, true) } else { (0o750, false) });
        let names: Vec<PathBuf> = spread.now().into_keys().collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().contains("annex")), "{names:?}");
    }
}

#[test]
fn after_a_kill_at_any_step_recovery_leaves_the_old_site_or_the_new_one_in_all_directories() {
    // Those that are not there are made, and go again with whatever else was begun.
    for missing in [&[][..], &["spool", "ssl"]] {
        after_a_kill_at_any_step(missing);
    }
}

fn after_a_kill_at_any_step(missing: &[&str]) {
    let new = after(missing);
    let (mut before, mut behind) = (0, 0);
    for last in 0.. {
        let spread = Spread::without(missing, false);
        let done = spread.install(&dies_at(last, false)).is_ok();
        spread.recover();
        let is_new = spread.now() != spread.before;
        if is_new {
            assert_eq!(spread.now(), new, "killed at {last}");
        } else {
            spread.assert_is_old(&format!("killed at {last}"));
        }
        assert!(is_new || behind == 0, "once the exchange has begun it goes forward, also at {last}");
        assert_eq!(spread.recover(), []);
        *(if is_new { &mut behind } else { &mut before }) += 1;
        if done {
            break;
        }
    }
    assert!(before > 20 && behind > 20, "{before} {behind}");
}

#[test]
fn a_kill_during_the_recovery_of_several_directories_is_recovered_as_well() {
    let missing = ["spool"];
    let new = after(&missing);
    for last in (0..).step_by(3) {
        let mut again = 0;
        loop {
            let spread = Spread::without(&missing, false);
            if spread.install(&dies_at(last, false)).is_ok() {
                return;
            }
            let done = super::recover::recover_with(spread.arrangement(), &dies_at(again, false)).is_ok();
            spread.recover();
            let when = format!("killed at {last}, again at {again}");
            if spread.now() == spread.before {
                spread.assert_is_old(&when);
            } else {
                assert_eq!(spread.now(), new, "{when}");
            }
            assert_eq!(spread.recover(), []);
            if done {
                break;
            }
            again += 1;
        }
    }
}

#[test]
fn an_error_at_any_step_is_undone_in_all_directories_or_named() {
    let missing = ["ssl"];
    let new = after(&missing);
    for only in 0.. {
        let spread = Spread::without(&missing, false);
        match spread.install(&fails_at(only, false)) {
            Ok(_) => {
                assert_eq!(spread.now(), new);
                break;
            }
            Err(InstallError::Untidy { .. }) => {
                spread.recover();
                assert_eq!(spread.now(), new, "failed at {only}");
            }
            Err(error) => {
                assert!(!matches!(error, InstallError::HalfDone { .. }), "{error}");
                assert!(error.to_string().contains("free space"), "{error}");
                spread.assert_is_old(&format!("failed at {only}: {error}"));
            }
        }
    }
}

#[test]
fn a_recovery_obeys_only_the_directories_that_it_was_told() {
    let new = after(&[]);
    let spread = Spread::new(false);
    let steps = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = steps.clone();
    let fs = Fs::watched(
        move |action, path| {
            log.lock().expect("whole").push((action, path.to_owned()));
            Ok(())
        },
        false,
    );
    spread.install(&fs).expect("in place");
    let is_key = |(action, path): &(&str, PathBuf)| *action == "rename" && path.ends_with("citadel.key");
    let middle = steps.lock().expect("whole").iter().position(is_key).expect("exchanged");

    let spread = Spread::new(false);
    spread.install(&dies_at(middle, false)).expect_err("killed");
    let half = spread.now();
    let root = spread.arrangement().root().to_owned();
    let fewer = Arrangement::new(&root, [(Class::SysConf, root.with_file_name("etc"))]).expect("possible");
    for told in [Arrangement::one_root(&root), fewer] {
        let error = recover(&told).expect_err("not told");
        assert!(matches!(error, InstallError::Untold { .. }), "{error}");
        assert!(matches!(Target::open(&told, &replacing()), Err(InstallError::Untold { .. })));
        assert_eq!(spread.now(), half);
    }
    assert!(matches!(spread.recover().as_slice(), [Recovered::Finished { .. }]));
    assert_eq!(spread.now(), new);
}

#[test]
fn a_directory_in_which_another_import_works_is_left_alone() {
    let (spread, other) = (Spread::new(false), tempfile::tempdir().expect("a directory"));
    let _staging = spread.stage(&Fs::default()).expect("staged");
    let during = spread.now();
    let ssl = spread.dir.path().join("ssl");
    let second = Arrangement::new(&other.path().join("site"), [(Class::Ssl, ssl.clone())]).expect("possible");
    fs::create_dir(second.root()).expect("made");
    let error = Target::open(&second, &replacing()).expect("free").stage("import b.ctz").expect_err("shared");
    let said = error.to_string();
    assert!(matches!(error, InstallError::Shared { .. }), "{said}");
    assert!(said.contains(spread.arrangement().root().to_str().expect("text")), "{said}");
    // A site in the very directory looks for another name.
    assert_eq!(recover(&ssl).expect("nothing"), []);
    assert_eq!(spread.now(), during);
    assert_eq!(steps::names_in(second.root()).expect("readable"), Vec::<std::ffi::OsString>::new());
}

#[test]
fn directories_that_are_missing_are_made_as_the_root_is() {
    let spread = Spread::without(&["spool", "ssl", "etc"], false);
    fs::set_permissions(spread.arrangement().root(), fs::Permissions::from_mode(0o750)).expect("set");
    let before = spread.now();
    let target = Target::open(spread.arrangement(), &replacing()).expect("possible");
    assert!(target.notes().iter().any(|note| note.contains("spool is not there; it is made")), "{:?}", target.notes());
    assert_eq!(spread.now(), before, "looking makes nothing");
    spread.install(&Fs::default()).expect("in place");
    assert_eq!(spread.text("spool/network/spoolin/1"), "new mail");
    let mode = |directory| spread.dir.path().join(directory).metadata().expect("there").mode() & 0o7777;
    assert_eq!(["spool", "etc", "ssl"].map(mode), [0o750; 3]);
}

#[test]
fn what_somebody_has_put_into_a_directory_that_was_made_stays() {
    let spread = Spread::without(&["spool"], false);
    let staging = spread.stage(&Fs::default()).expect("staged");
    write(&spread.dir.path().join("spool/notes"), "somebody else's");
    staging.abandon().expect("removed");
    assert_eq!(spread.text("spool/notes"), "somebody else's");
}

#[test]
fn a_missing_root_and_names_that_are_others_are_told() {
    let spread = Spread::new(false);
    fs::remove_dir_all(spread.arrangement().root()).expect("removed");
    let error = Target::open(spread.arrangement(), &replacing()).expect_err("missing");
    assert!(error.to_string().contains("root, the one of its tables, is not there"), "{error}");
    let spread = Spread::new(false);
    fs::remove_dir(spread.dir.path().join("spool")).expect("removed");
    let root = spread.arrangement().root().to_owned();
    let deep = Arrangement::new(&root, [(Class::Spool, spread.dir.path().join("spool/deep"))]).expect("possible");
    let error = Target::open(deep, &replacing()).expect_err("no place for it");
    assert!(error.to_string().contains("spool does not exist"), "{error}");
    let both = [Class::Ssl, Class::SysConf].map(|class| (class, spread.dir.path().join("etc")));
    let error = Target::open(Arrangement::new(&root, both).expect("readable"), &replacing()).expect_err("shared");
    assert!(error.to_string().contains("--ssldir and --sysconfdir are both"), "{error}");
    let spread = Spread::new(false);
    write(&spread.dir.path().join("etc/mail.aliases/x"), "a directory of somebody else's");
    let before = spread.now();
    let error = spread.install(&Fs::default()).expect_err("taken");
    assert!(error.to_string().contains("mail.aliases is somebody else's"), "{error}");
    assert_eq!(spread.now(), before);
}
