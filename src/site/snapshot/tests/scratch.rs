use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::FlockOperation;

use super::*;

fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A scratch directory whose owner was killed.
fn left_behind(parent: &Path) -> PathBuf {
    let scratch = Scratch::create(parent).unwrap();
    let path = scratch.path().to_owned();
    fs::write(scratch.data().join("cdb.00"), b"a copy").unwrap();
    let dead = parent.join(".ctdl-dump-scratch-4194305-dead");
    copy_tree(&path, &dead);
    // No process has this number: it is beyond the largest that Linux gives.
    let owner = fs::read_to_string(dead.join("owner")).unwrap();
    let owner = owner.replace(&format!("pid {}", std::process::id()), "pid 4194305");
    fs::write(dead.join("owner"), owner).unwrap();
    scratch.remove().unwrap();
    dead
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_scratch_directory_is_private_and_says_whose_it_is() {
    let place = Place::new();
    let scratch = Scratch::create(&place.copy()).unwrap();
    for path in [scratch.path().to_owned(), scratch.data(), scratch.files()] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700, "{}", path.display());
    }
    let owner = fs::read_to_string(scratch.path().join("owner")).unwrap();
    assert!(owner.starts_with("ctdl-dump scratch\npid "), "{owner}");
    assert!(owner.contains(&format!("pid {}\n", std::process::id())) && owner.contains("\nstarted "), "{owner}");
    let name = scratch.path().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with(&format!(".ctdl-dump-scratch-{}-", std::process::id())), "{name}");
    assert!(crate::site::install::is_ours(std::ffi::OsStr::new(&name)));
}

#[test]
fn it_goes_with_its_owner_and_links_in_it_lead_nowhere() {
    let place = Place::new();
    place.write("site/files/precious", b"stays");
    for by_drop in [true, false] {
        let scratch = Scratch::create(&place.copy()).unwrap();
        symlink(place.path("site"), scratch.path().join("link")).unwrap();
        symlink(place.path("site"), scratch.data().join("link")).unwrap();
        fs::write(scratch.files().join("00000001"), b"a copy").unwrap();
        match by_drop {
            true => drop(scratch),
            false => scratch.remove().unwrap(),
        }
        assert_eq!(names_in(&place.copy()), [""; 0]);
        assert_eq!(place.read("site/files/precious"), b"stays");
    }
}

#[test]
fn what_a_killed_run_left_is_removed_and_a_living_one_is_not_touched() {
    let place = Place::new();
    let living = Scratch::create(&place.copy()).unwrap();
    let dead = left_behind(&place.copy());
    assert_eq!(remove_leftovers(&place.copy()).unwrap(), [dead]);
    assert_eq!(names_in(&place.copy()), [living.path().file_name().unwrap().to_str().unwrap()]);
    assert_eq!(names_in(living.path()), ["data", "files-copy", "owner"]);
    assert!(remove_leftovers(&place.copy()).unwrap().is_empty());
}

#[test]
fn one_whose_lock_says_nothing_lives_as_long_as_its_process() {
    let place = Place::new();
    let dead = left_behind(&place.copy());
    // The first process of the machine lives, and is not this one.
    let stat = fs::read_to_string("/proc/1/stat").unwrap();
    let started = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap().to_owned();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let owner = |started: &str| format!("ctdl-dump scratch\npid 1\nstarted {started}\nboot {}\n", boot.trim());
    fs::write(dead.join("owner"), owner(&started)).unwrap();
    assert!(remove_leftovers(&place.copy()).unwrap().is_empty());
    fs::write(dead.join("owner"), owner("18446744073709551615")).unwrap();
    assert_eq!(remove_leftovers(&place.copy()).unwrap(), [dead]);
}

#[test]
fn half_made_ones_are_removed_and_strangers_are_not() {
    let place = Place::new();
    let make = |name: &str, files: &[(&str, &str)]| {
        let path = place.copy().join(name);
        fs::create_dir(&path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        path
    };
    let empty = make(".ctdl-dump-scratch-1-empty", &[]);
    let begun = make(".ctdl-dump-scratch-1-begun", &[("owner", "")]);
    make(".ctdl-dump-scratch-1-no-owner", &[("data", "somebody's")]);
    make(".ctdl-dump-scratch-1-other-kind", &[("owner", "ctdl-dump-staging 1\npid 4194305\n"), ("data", "somebody's")]);
    make(".ctdl-dump-scratch-1-empty-owner", &[("owner", ""), ("data", "somebody's")]);
    make(".ctdl-dump-scratch-1-binary-owner", &[("data", "somebody's")]);
    fs::write(place.copy().join(".ctdl-dump-scratch-1-binary-owner/owner"), [0xff; 5]).unwrap();
    make("ctdl-dump-scratch-1", &[("owner", "ctdl-dump scratch\n")]);
    fs::write(place.copy().join(".ctdl-dump-scratch-1-file"), "a file").unwrap();
    let elsewhere = place.path("site/files/elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("owner"), "ctdl-dump scratch\n").unwrap();
    symlink(&elsewhere, place.copy().join(".ctdl-dump-scratch-1-link")).unwrap();

    let mut removed = remove_leftovers(&place.copy()).unwrap();
    removed.sort();
    assert_eq!(removed, [begun, empty]);
    assert_eq!(names_in(&place.copy()).len(), 7);
    assert_eq!(names_in(&elsewhere), ["owner"]);
}

#[test]
fn a_directory_that_another_process_tidies_away_while_it_is_made_is_made_again() {
    let place = Place::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let copy = place.copy();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                remove_leftovers(&copy).unwrap();
            }
        });
        for _ in 0..200 {
            let scratch = Scratch::create(&copy).unwrap();
            assert_eq!(names_in(scratch.path()), ["data", "files-copy", "owner"]);
            scratch.remove().unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(names_in(&copy), [""; 0]);
}

#[test]
fn the_lock_is_held_from_the_first_moment_to_the_last() {
    let place = Place::new();
    let scratch = Scratch::create(&place.copy()).unwrap();
    let owner = File::open(scratch.path().join("owner")).unwrap();
    let tried = rustix::fs::flock(&owner, FlockOperation::NonBlockingLockShared);
    assert_eq!(tried, Err(rustix::io::Errno::WOULDBLOCK));
    drop(scratch);
    rustix::fs::flock(&owner, FlockOperation::NonBlockingLockShared).unwrap();
}

#[test]
fn a_parent_that_cannot_hold_one_is_named() {
    let place = Place::new();
    let error = Scratch::create(&place.path("nowhere")).unwrap_err().to_string();
    assert!(error.contains("nowhere") && error.contains("--scratch"), "{error}");
    assert!(remove_leftovers(&place.path("nowhere")).is_err());
}
