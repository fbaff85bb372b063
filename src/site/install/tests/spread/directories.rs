//! What lies in which directory, and directories that are missing or others work in.

use super::super::faults::dies_at;
use super::*;

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
