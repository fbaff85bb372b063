//! Links, mount points, names: where a target may lie.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::*;
use crate::endpoint::{Class, Failure};

#[test]
fn a_link_to_a_site_stays_and_the_site_behind_it_is_exchanged() {
    for old in [Old::Absent, Old::Site] {
        let ground = Ground::new(Case { old, mode: Mode::Whole, plain_rename: false });
        let elsewhere = tempfile::tempdir().expect("a directory");
        let link = elsewhere.path().join("link");
        symlink(ground.target(), &link).expect("linked");
        let staging = Target::open(&link, &replacing()).expect("free").stage("a.ctz").expect("staged");
        assert!(staging.target().notes().iter().any(|note| note.contains("is a link to")));
        fill(staging.path());
        staging.commit().expect("in place");
        assert!(link.is_symlink());
        ground.assert_new("behind a link");
    }
}

#[test]
fn a_part_that_is_a_link_is_replaced_and_the_link_is_kept() {
    let ground = Ground::new(Case { old: Old::Site, mode: Mode::Whole, plain_rename: false });
    fs::rename(ground.target().join("files"), ground.dir.path().join("library")).expect("moved");
    symlink("../library", ground.target().join("files")).expect("linked");
    let staging = Target::open(&ground.target(), &replacing()).expect("free").stage("a.ctz").expect("staged");
    assert!(staging.target().notes().iter().any(|note| note.contains("files is a link")));
    fill(staging.path());
    let previous = staging.commit().expect("in place").previous.expect("kept");
    assert!(previous.join("files").is_symlink());
    assert!(ground.dir.path().join("library/a b/x\ny").exists());
}

#[test]
fn a_second_replacement_keeps_both_previous_sites() {
    for mode in [Mode::Whole, Mode::Parts] {
        let ground = Ground::new(Case { old: Old::Site, mode, plain_rename: false });
        let first = ground.install(&Fs::default()).expect("in place").previous.expect("kept");
        let second = ground.install(&Fs::default()).expect("in place").previous.expect("kept");
        assert_ne!(first, second);
        assert_eq!(fs::read(first.join("data/cdb.00")).expect("kept"), b"old table");
        assert_eq!(fs::read(second.join("data/cdb.00")).expect("kept"), b"new table");
    }
}

#[test]
fn parts_can_be_asked_for_where_a_whole_exchange_would_do() {
    let ground = Ground::new(Case { old: Old::Site, mode: Mode::Whole, plain_rename: false });
    let options = TargetOptions { force_parts: true, ..replacing() };
    let staging = Target::open(&ground.target(), &options).expect("free").stage("a.ctz").expect("staged");
    fill(staging.path());
    let installed = staging.commit().expect("in place");
    assert_eq!(installed.mode, Mode::Parts);
    assert!(installed.previous.expect("kept").starts_with(ground.target()));
    assert_eq!(fs::read(ground.target().join("data/cdb.00")).expect("there"), b"new table");
}

#[test]
fn names_that_are_no_text_or_very_long_are_fine() {
    for name in [OsStr::from_bytes(b"J\xf6rg's\nsite"), OsStr::from_bytes(&[b'n'; 250])] {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join(name);
        write(&target.join("data/cdb.00"), "old table");
        let staging = Target::open(&target, &replacing()).expect("free").stage("a\nb\u{0}c").expect("staged");
        let found = leftovers(&target).expect("looked");
        assert_eq!(found.first().and_then(|found| found.source.as_deref()), Some("a\nb\u{0}c"));
        fill(staging.path());
        staging.commit().expect("in place");
        assert_eq!(fs::read(target.join("data/cdb.00")).expect("there"), b"new table");
    }
}

#[test]
fn a_workshop_that_is_a_link_is_not_entered() {
    let ground = Ground::new(Case { old: Old::Site, mode: Mode::Whole, plain_rename: false });
    let victim = ground.dir.path().join("victim");
    write(&victim.join("site/precious"), "kept");
    symlink(&victim, ground.dir.path().join(".ctdl-dump-citadel.staging")).expect("linked");
    let error = Target::open(&ground.target(), &replacing()).expect_err("refused");
    assert!(matches!(error, InstallError::NotOurs { .. }), "{error}");
    assert!(victim.join("site/precious").exists());
}

#[test]
fn what_a_server_made_in_the_middle_of_an_interrupted_exchange_is_kept_aside() {
    let ground = Ground::new(Case { old: Old::Site, mode: Mode::Parts, plain_rename: false });
    let target = ground.target();
    let data = target.join("data");
    let watched = Fs::watched(
        move |_, path| {
            // From the moment that `data` is away everything fails: killed between the two renames.
            if data.exists() || path == data { Ok(()) } else { Err(std::io::Error::other("killed")) }
        },
        false,
    );
    ground.install(&watched).expect_err("killed");
    write(&target.join("data/cdb.00"), "made by a server");
    let recovered = recover(&target).expect("recovered");
    let [Recovered::Finished { previous: Some(previous), notes, .. }] = recovered.as_slice() else {
        panic!("{recovered:?}")
    };
    assert_eq!(fs::read(target.join("data/cdb.00")).expect("there"), b"new table");
    assert_eq!(fs::read(previous.join("data/cdb.00")).expect("kept"), b"old table");
    assert_eq!(fs::read(previous.join("data.unexpected/cdb.00")).expect("kept"), b"made by a server");
    assert!(notes.iter().any(|note| note.contains("data.unexpected")), "{notes:?}");
}

const CHILD: &str = "CTDL_DUMP_TEST_MOUNTS";

/// What the next test runs in a mount namespace of its own: `volume` and `bound` are mount points, `inner/files` is one.
#[test]
#[ignore = "the child of the next test: needs mounts"]
fn a_child_among_mounts() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    for name in ["volume", "bound"] {
        let target = Path::new(&dir).join(name);
        write(&target.join("data/cdb.00"), "old table");
        let staging = Target::open(&target, &replacing()).expect("free").stage("a.ctz").expect("staged");
        assert_eq!(staging.target().mode(), Mode::Parts, "{name}");
        fill(staging.path());
        let previous = staging.commit().expect("in place").previous.expect("kept");
        assert_eq!(fs::read(target.join("data/cdb.00")).expect("there"), b"new table");
        assert_eq!(fs::read(previous.join("data/cdb.00")).expect("kept"), b"old table");
    }
    let inner = Path::new(&dir).join("inner");
    write(&inner.join("data/cdb.00"), "old table");
    let error = Target::open(&inner, &replacing()).expect_err("refused").to_string();
    assert!(error.contains("inner/files") && error.contains("mount point"), "{error}");
    let linked = Path::new(&dir).join("linked");
    fs::create_dir(&linked).expect("made");
    symlink(Path::new(&dir).join("volume/data"), linked.join("data")).expect("linked");
    let error = Target::open(&linked, &replacing()).expect_err("refused").to_string();
    assert!(error.contains("linked/data") && error.contains("another file system"), "{error}");
    println!("all seen");
}

#[test]
fn mount_points_are_exchanged_in_parts_and_a_mounted_part_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = r#"cd "$1" && mkdir -p volume bound real inner/files && mount -t tmpfs none volume && mount --bind real bound \
        && mount -t tmpfs none inner/files || exit 77; shift; exec "$@""#;
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", "--ignored", "--nocapture", "site::install::tests::places::a_child_among_mounts"])
        .env(CHILD, dir.path())
        .output();
    let text = match output {
        Ok(output) if output.status.code() == Some(77) || output.stderr.starts_with(b"unshare:") => {
            return;
        }
        Err(_) => return,
        Ok(output) => format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    };
    assert!(text.contains("all seen"), "{text}");
}

#[test]
fn a_site_that_is_ready_and_not_put_in_place_leaves_everything_as_it_was() {
    for case in Case::all() {
        let ground = Ground::new(case);
        let options = TargetOptions { force_parts: case.mode == Mode::Parts, ..replacing() };
        let staging = Target::open(&ground.target(), &options).expect("free").stage("a.ctz").expect("staged");
        fill(staging.path());
        drop(staging.ready().expect("ready"));
        assert_eq!(tree(&ground.target()), ground.before, "{case:?}");
        assert_eq!(
            fs::read_dir(ground.dir.path()).expect("readable").count(),
            usize::from(ground.before.is_some()),
            "{case:?}"
        );
    }
}

#[test]
fn root_does_not_do_what_the_journal_of_the_site_s_owner_says() {
    // Only root can make a directory that belongs to somebody else.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let ground = Ground::new(Case { old: Old::Site, mode: Mode::Parts, plain_rename: false });
    let (target, elsewhere) = (ground.target(), ground.dir.path().join("etc"));
    let workshop = target.join(".ctdl-dump-staging");
    fs::create_dir(&elsewhere).expect("made");
    write(&target.join("ld.so.preload"), "evil");
    write(&workshop.join("state"), "ctdl-dump-staging 1\n");
    let journal = "ctdl-dump-journal 1\nmode parts\nprevious -\nlock found\npart both ld.so.preload\npart new y\nend\n";
    write(&workshop.join("journal"), journal);
    write(&target.join("y"), "");
    symlink(&elsewhere, workshop.join("old")).expect("linked");
    symlink("/nonexistent", workshop.join("site")).expect("linked");
    let give = |path: &Path| std::os::unix::fs::lchown(path, Some(12_345), Some(12_345)).expect("given away");
    for path in [&target, &workshop, &workshop.join("journal"), &workshop.join("state")] {
        give(path);
    }
    let refused = || {
        let error = recover(&target).expect_err("refused");
        assert!(matches!(error, InstallError::NotOurs { .. }), "{error}");
        assert!(error.to_string().contains("12345"), "{error}");
        assert_eq!(fs::read_dir(&elsewhere).expect("there").count(), 0);
    };
    assert_eq!(leftovers(&target).expect("looked").len(), 1);
    refused();
    // A directory of root's in the site can be given that name as well.
    std::os::unix::fs::lchown(&workshop, Some(0), Some(0)).expect("ours");
    refused();
}

#[test]
fn who_may_rename_in_the_target_can_lead_no_file_of_the_new_site_elsewhere() {
    let ground = Ground::new(Case { old: Old::Site, mode: Mode::Parts, plain_rename: false });
    let (target, elsewhere) = (ground.target(), ground.dir.path().join("etc"));
    fs::create_dir(&elsewhere).expect("made");
    let options = TargetOptions { force_parts: true, ..replacing() };
    let staging = Target::open(&target, &options).expect("free").stage("a").expect("staged");
    // As the owner of the target could at any moment.
    let workshop = target.join(".ctdl-dump-staging");
    fs::rename(&workshop, target.join(".ctdl-dump-away")).expect("renamed");
    fs::create_dir(&workshop).expect("made");
    for name in ["site", "old"] {
        symlink(&elsewhere, workshop.join(name)).expect("linked");
    }
    fill(staging.path());
    let error = staging.explained(Failure::new(Class::Failed, format!("{} is full", staging.path().display())));
    assert!(error.to_string().ends_with(".ctdl-dump-away/site is full"), "{error}");
    staging.commit().expect("in place");
    assert_eq!(fs::read_dir(&elsewhere).expect("there").count(), 0);
    assert_eq!(fs::read(target.join("data/cdb.00")).expect("there"), b"new table");
}
