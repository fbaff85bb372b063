//! Who is refused, with which words, and that nothing is changed then.

use rustix::fs::{FlockOperation, flock};

use super::*;

fn ground(old: Old, mode: Mode) -> Ground {
    Ground::new(Case { old, mode, plain_rename: false })
}

fn refused(ground: &Ground, options: &TargetOptions<'_>) -> InstallError {
    let before = tree(ground.dir.path());
    let error = Target::open(&ground.target(), options).expect_err("refused");
    assert_eq!(tree(ground.dir.path()), before, "a refusal changes nothing");
    error
}

/// A site as a 980 server and an installation make it.
fn fresh(ground: &Ground) {
    let target = ground.target();
    for banner in ["messages/hello", "messages/goodbye"] {
        write(&target.join(banner), "welcome");
    }
    for key in ["keys/citadel.key", "keys/citadel.cer"] {
        write(&target.join(key), "generated");
    }
    write(&target.join("data/cdb.00"), "a few records");
    fs::create_dir(target.join("files")).expect("made");
}

#[test]
fn a_fresh_site_may_be_replaced_without_a_word() {
    let ground = ground(Old::Empty, Mode::Whole);
    fresh(&ground);
    let options = TargetOptions { tables: &|_| Freshness::Fresh, ..options() };
    let target = Target::open(&ground.target(), &options).expect("fresh");
    assert_eq!(*target.state(), TargetState::Fresh);
    let staging = target.stage("a.ctz").expect("staged");
    fill(staging.path());
    let installed = staging.commit().expect("in place");
    let previous = installed.previous.expect("a fresh site is kept as well");
    assert_eq!(fs::read(previous.join("data/cdb.00")).expect("kept"), b"a few records");
}

#[test]
fn anything_that_a_first_start_does_not_make_is_not_fresh() {
    for extra in [
        "files/room/a",
        "messages/mainmenu",
        "messages/sub/hello",
        "keys/other.key",
        "images/hello.gif",
        "citadel.config",
    ] {
        let ground = ground(Old::Empty, Mode::Whole);
        fresh(&ground);
        write(&ground.target().join(extra), "used");
        let error = refused(&ground, &TargetOptions { tables: &|_| Freshness::Fresh, ..options() });
        let text = error.to_string();
        assert!(text.contains(extra) && text.contains("--replace"), "{text}");
    }
    let ground = ground(Old::Empty, Mode::Whole);
    fresh(&ground);
    assert!(refused(&ground, &options()).to_string().contains("12 users"));
}

#[test]
fn a_directory_that_is_no_site_is_not_filled_up() {
    for extra in ["thesis.txt", "photos/2024.jpg"] {
        let ground = ground(Old::Empty, Mode::Whole);
        write(&ground.target().join(extra), "chapter 1");
        let text = refused(&ground, &options()).to_string();
        assert!(text.contains(extra.split('/').next().expect("a name")), "{text}");
    }
}

#[test]
fn what_is_no_site_is_not_replaced_whatever_is_said() {
    let like_etc: &[&str] = &["passwd", "network/interfaces", "ssl/a.pem"];
    let like_usr_local: &[&str] = &["lib/a.so", "include/a.h", "share/doc"];
    let like_a_web_server: &[&str] = &["data/visitors.csv", "index.html"];
    for files in [like_etc, like_usr_local, like_a_web_server] {
        let ground = ground(Old::Empty, Mode::Whole);
        files.iter().for_each(|file| write(&ground.target().join(file), "precious"));
        for options in [options(), replacing()] {
            let error = refused(&ground, &options);
            assert!(matches!(error, InstallError::NoSite { .. }), "{files:?}: {error}");
            assert!(!error.to_string().contains("--replace"), "{error}");
        }
    }
}

#[test]
fn a_site_that_has_lost_much_is_replaced_all_the_same() {
    for files in [
        &["data/cdb.02"][..],
        &["files/room/a", "keys/citadel.key"],
        &["citadel.config"],
        &["messages/hello", "data/log.1"],
    ] {
        let ground = ground(Old::Empty, Mode::Whole);
        files.iter().for_each(|file| write(&ground.target().join(file), "what is left"));
        let target = Target::open(&ground.target(), &replacing()).expect("a site");
        assert!(matches!(target.state(), TargetState::Occupied(_)), "{files:?}");
    }
}

#[test]
fn a_server_installation_that_never_ran_is_empty() {
    let ground = ground(Old::Empty, Mode::Parts);
    let target = Target::open(&ground.target(), &options()).expect("empty");
    assert_eq!((target.state(), target.mode()), (&TargetState::Empty, Mode::Parts));
}

#[test]
fn a_running_server_is_found_by_its_lock_at_the_first_look_and_at_the_commit() {
    for mode in [Mode::Whole, Mode::Parts] {
        let ground = ground(Old::Site, mode);
        let staging = Target::open(&ground.target(), &replacing()).expect("stopped").stage("a.ctz").expect("staged");
        fill(staging.path());
        let lock = fs::File::create(ground.target().join("citadel.lock")).expect("made");
        flock(&lock, FlockOperation::LockExclusive).expect("locked");
        let error = staging.commit().expect_err("running");
        assert!(matches!(error, InstallError::ServerRunning { .. }), "{error}");
        ground.assert_tidy("a server came");
        assert!(matches!(refused(&ground, &replacing()), InstallError::ServerRunning { .. }));
        fs::remove_file(ground.target().join("citadel.lock")).expect("removed");
        assert!(ground.is_old());
    }
    let ground = ground(Old::Site, Mode::Whole);
    let socket = std::os::unix::net::UnixListener::bind(ground.target().join("citadel.socket")).expect("bound");
    assert!(refused(&ground, &replacing()).to_string().contains("citadel.socket"));
    drop(socket);
}

#[test]
fn while_the_sites_change_places_the_server_is_locked_out() {
    for case in Case::all().filter(|case| case.old != Old::Absent) {
        let ground = Ground::new(case);
        let target = ground.target();
        let locked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = locked.clone();
        let watched = Fs::watched(
            move |action, path| {
                // Between the two renames of a whole directory there is nothing that could be locked.
                let moves = matches!(action, "rename" | "exchange") && !path.ends_with("journal.new");
                if moves && target.exists() {
                    let held = super::lock::probe(&target).expect("readable") == super::lock::LockState::Held;
                    assert!(held, "{action} {}", path.display());
                    counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                Ok(())
            },
            case.plain_rename,
        );
        ground.install(&watched).expect("in place");
        assert!(locked.load(std::sync::atomic::Ordering::Relaxed) > 1, "{case:?}");
    }
}

#[test]
fn a_site_used_while_the_import_was_prepared_is_not_replaced() {
    for old in [Old::Absent, Old::Empty, Old::Site] {
        let ground = ground(old, Mode::Whole);
        let staging = Target::open(&ground.target(), &replacing()).expect("stopped").stage("a.ctz").expect("staged");
        fill(staging.path());
        write(&ground.target().join("data/log.0000000001"), "somebody has posted");
        let now = tree(&ground.target());
        let error = staging.commit().expect_err("changed");
        assert!(matches!(error, InstallError::Changed { .. }), "{error}");
        assert_eq!(tree(&ground.target()), now);
        ground.assert_tidy("changed");
    }
}

#[test]
fn a_living_staging_is_not_touched_and_its_owner_is_named() {
    for mode in [Mode::Whole, Mode::Parts] {
        let ground = ground(Old::Site, mode);
        let staging =
            Target::open(&ground.target(), &replacing()).expect("free").stage("import a.ctz").expect("staged");
        fill(staging.path());
        let text = refused(&ground, &replacing()).to_string();
        assert!(text.contains(&std::process::id().to_string()) && text.contains("import a.ctz"), "{text}");
        let before = tree(ground.dir.path());
        assert!(matches!(recover(&ground.target()).expect("looked").as_slice(), [Recovered::Living(_)]));
        let found = leftovers(&ground.target()).expect("looked");
        assert!(matches!(found.as_slice(), [Leftover { alive: true, exchanging: false, .. }]), "{found:?}");
        assert_eq!(tree(ground.dir.path()), before);
        staging.commit().expect("in place");
        ground.assert_new("after all");
    }
}

#[test]
fn a_staging_that_is_given_up_leaves_nothing() {
    for mode in [Mode::Whole, Mode::Parts] {
        let ground = ground(Old::Site, mode);
        for abandon in [false, true] {
            let staging = Target::open(&ground.target(), &replacing()).expect("free").stage("a.ctz").expect("staged");
            fill(staging.path());
            if abandon {
                staging.abandon().expect("removed");
            } else {
                drop(staging);
            }
            assert!(ground.is_old());
            ground.assert_tidy("given up");
        }
    }
}

#[test]
fn names_that_the_exchange_needs_and_names_of_programs_are_refused() {
    for name in ["citadel.lock", ".ctdl-dump-new", "citserver"] {
        let ground = ground(Old::Site, Mode::Parts);
        let staging = Target::open(&ground.target(), &replacing()).expect("free").stage("a.ctz").expect("staged");
        fill(staging.path());
        write(&staging.path().join(name), "hostile");
        let error = staging.commit().expect_err("refused");
        assert!(matches!(&error, InstallError::BadName { name: bad, .. } if bad == name), "{error}");
        assert!(ground.is_old());
        ground.assert_tidy(name);
    }
}

#[test]
fn a_missing_parent_and_a_file_in_the_way_are_named() {
    let ground = ground(Old::Absent, Mode::Whole);
    let error = Target::open(&ground.target().join("deeper"), &options()).expect_err("no parent");
    assert!(matches!(&error, InstallError::NoParent { path } if *path == ground.target()), "{error}");
    write(&ground.target(), "a file");
    assert!(matches!(refused(&ground, &options()), InstallError::NotADirectory { .. }));
    let error = Target::open(&ground.target().join("deeper"), &options()).expect_err("below a file");
    assert!(error.to_string().contains("citadel"), "{error}");
}
