use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use super::*;
use crate::monitor::Silent;
use crate::site::inventory::{self, Entry, What};

fn nobody() -> BTreeSet<FileId> {
    BTreeSet::new()
}

impl Place {
    /// A file that was written long ago.
    fn old_file(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(1000);
        open_to_write(&path).set_modified(long_ago).unwrap();
    }

    fn copy_files(&self, monitor: &dyn Monitor) -> CopiedFiles {
        copy_files(&self.path("site"), &self.copy(), &nobody, monitor).unwrap()
    }
}

fn entry<'c>(copied: &'c CopiedFiles, path: &str) -> Option<&'c Entry> {
    copied.inventory.entries.iter().find(|entry| entry.path == path.as_bytes())
}

fn content(copied: &CopiedFiles, path: &str) -> Option<Vec<u8>> {
    copied.path_of(entry(copied, path)?).map(|copy| fs::read(copy).unwrap())
}

#[test]
fn every_file_and_every_key_behind_a_link_is_copied() {
    let place = Place::new();
    let big: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 1000) as u8).collect();
    for (path, bytes) in
        [("files/a/big", &big[..]), ("files/a/empty", b""), ("messages/hello", b"hi"), ("citadel.config", b"struct")]
    {
        place.old_file(&format!("site/{path}"), bytes);
    }
    place.old_file("elsewhere/privkey.pem", b"a key");
    fs::create_dir(place.path("site/keys")).unwrap();
    symlink(place.path("elsewhere/privkey.pem"), place.path("site/keys/citadel.key")).unwrap();
    symlink("nowhere", place.path("site/files/dangling")).unwrap();
    let copied = place.copy_files(&Silent);
    assert_eq!(copied.inventory, inventory::take(&place.path("site")).unwrap());
    assert_eq!(copied.in_progress, Vec::<Vec<u8>>::new());
    assert!(content(&copied, "files/a/big").unwrap() == big);
    assert_eq!(content(&copied, "files/a/empty").unwrap(), b"");
    assert_eq!(content(&copied, "messages/hello").unwrap(), b"hi");
    assert_eq!(content(&copied, "citadel.config").unwrap(), b"struct");
    assert_eq!(content(&copied, "keys/citadel.key").unwrap(), b"a key");
    for without in ["files", "files/dangling", "data"] {
        assert_eq!(copied.path_of(entry(&copied, without).unwrap()), None, "{without}");
    }
    let copy = copied.path_of(entry(&copied, "files/a/big").unwrap()).unwrap();
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(place.path("site/files/a/big")).unwrap().mode(), 0o100_644);
}

#[test]
fn a_file_that_was_written_a_moment_ago_is_waited_for() {
    let place = Place::new();
    place.write("site/files/fresh", b"fresh");
    let copied = place.copy_files(&Silent);
    assert_eq!(content(&copied, "files/fresh").unwrap(), b"fresh");
    assert_eq!(fs::read_dir(place.copy()).unwrap().count(), 1, "nothing is left of copies that were not good");
}

#[test]
fn what_changes_comes_and_goes_meanwhile_is_copied_as_it_is_at_the_end() {
    let place = Place::new();
    for name in ["changes", "goes", "is replaced", "moves"] {
        place.old_file(&format!("site/files/{name}"), name.as_bytes());
    }
    let monitor = Busy::new(|step| {
        if step == 6 {
            place.old_file("site/files/changes", b"changed");
            place.old_file("site/files/comes", b"new");
            fs::remove_file(place.path("site/files/goes")).unwrap();
            fs::remove_file(place.path("site/files/is replaced")).unwrap();
            fs::create_dir(place.path("site/files/is replaced")).unwrap();
            fs::rename(place.path("site/files/moves"), place.path("site/files/is moved")).unwrap();
        }
        Ok(())
    });
    let copied = place.copy_files(&monitor);
    assert_eq!(copied.inventory, inventory::take(&place.path("site")).unwrap());
    assert_eq!(copied.in_progress, Vec::<Vec<u8>>::new());
    for (path, bytes) in [("changes", "changed"), ("comes", "new"), ("is moved", "moves")] {
        assert_eq!(content(&copied, &format!("files/{path}")).unwrap(), bytes.as_bytes());
    }
    assert_eq!(entry(&copied, "files/is replaced").unwrap().what, What::Directory);
    assert_eq!(copied.path_of(entry(&copied, "files/is replaced").unwrap()), None);
}

#[test]
fn a_file_that_vanishes_between_list_and_copy_is_no_error() {
    for instead in ["", "a link", "a fifo"] {
        let place = Place::new();
        place.old_file("site/files/a", b"a");
        place.old_file("site/files/b", b"b");
        let b = place.path("site/files/b");
        let monitor = Busy::new(|step| {
            if step == 0 {
                fs::remove_file(&b).unwrap();
                match instead {
                    "a link" => symlink("a", &b).unwrap(),
                    "a fifo" => {
                        rustix::fs::mknodat(rustix::fs::CWD, &b, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
                            .unwrap()
                    }
                    _ => {}
                }
            }
            Ok(())
        });
        let copied = place.copy_files(&monitor);
        assert_eq!(content(&copied, "files/a").unwrap(), b"a");
        assert_eq!(content(&copied, "files/b"), None, "{instead}");
        assert_eq!(copied.in_progress, Vec::<Vec<u8>>::new());
    }
}

#[test]
fn what_is_written_all_the_while_is_left_out_and_named() {
    let place = Place::new();
    place.old_file("site/files/room/done", b"done");
    place.write("site/files/room/upload", b"");
    let path = place.path("site/files/room/upload");
    let mut upload = fs::File::options().append(true).open(&path).unwrap();
    let monitor = Busy::new(|_| {
        upload.write_all(&[7; 1000]).unwrap();
        Ok(())
    });
    let copied = place.copy_files(&monitor);
    assert_eq!(copied.in_progress, [b"files/room/upload".to_vec()]);
    assert!(entry(&copied, "files/room/upload").is_none());
    assert_eq!(content(&copied, "files/room/done").unwrap(), b"done");
}

#[test]
fn what_is_open_for_writing_is_left_out_though_it_stands_still() {
    let place = Place::new();
    place.old_file("site/files/room/upload", b"half of i");
    place.old_file("site/files/room/download", b"whole");
    place.old_file("site/citadel.control", b"open all the time");
    place.old_file("site/data/citadel.config", b"open all the time");
    let written = ["files/room/upload", "citadel.control", "data/citadel.config"]
        .map(|path| File::options().append(true).open(place.path(&format!("site/{path}"))).unwrap());
    let read = File::open(place.path("site/files/room/download")).unwrap();
    let open = || open_for_writing(std::process::id()).unwrap();
    let copied = copy_files(&place.path("site"), &place.copy(), &open, &Silent).unwrap();
    assert_eq!(copied.in_progress, [b"files/room/upload".to_vec()]);
    for kept in ["files/room/download", "citadel.control", "data/citadel.config"] {
        assert!(content(&copied, kept).is_some(), "{kept}");
    }
    drop(read);
    drop(written);
    let copied = copy_files(&place.path("site"), &place.copy(), &open, &Silent).unwrap();
    assert_eq!(copied.in_progress, Vec::<Vec<u8>>::new());
    assert_eq!(content(&copied, "files/room/upload").unwrap(), b"half of i");
}

#[test]
fn a_process_that_is_not_there_writes_nothing() {
    assert_eq!(open_for_writing(4_194_305).unwrap(), nobody());
}

#[test]
fn an_interruption_ends_it_at_the_next_file() {
    let place = Place::new();
    place.old_file("site/files/a", b"a");
    let monitor = Busy::new(|_| Err(()));
    let error = copy_files(&place.path("site"), &place.copy(), &nobody, &monitor).unwrap_err();
    assert!(matches!(error, SnapshotError::Interrupted));
}
