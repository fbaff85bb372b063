use std::ffi::OsStr;
use std::fs::{Permissions, create_dir, create_dir_all, set_permissions, write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};

use super::*;

/// A site directory made for a test, with a `data/`.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Site {
        let root = tempfile::tempdir().unwrap();
        create_dir(root.path().join("data")).unwrap();
        Site(root)
    }

    fn at(&self, path: impl AsRef<[u8]>) -> PathBuf {
        self.0.path().join(OsStr::from_bytes(path.as_ref()))
    }

    fn file(&self, path: impl AsRef<[u8]>, bytes: &[u8]) {
        let path = self.at(path);
        create_dir_all(path.parent().unwrap()).unwrap();
        write(path, bytes).unwrap();
    }

    fn link(&self, path: &str, target: impl AsRef<Path>) {
        create_dir_all(self.at(path).parent().unwrap()).unwrap();
        symlink(target, self.at(path)).unwrap();
    }

    fn take(&self) -> Inventory {
        take(self.0.path()).unwrap()
    }

    /// Paths of what is carried, as they can be shown, without `data`.
    fn carried(&self) -> Vec<String> {
        let paths = self.take().entries.into_iter().map(|entry| printable(&entry.path));
        paths.filter(|path| path != "data").collect()
    }

    fn why(&self, path: &str) -> Option<Why> {
        let left_out = self.take().left_out;
        left_out.into_iter().find(|left| left.path == path.as_bytes()).map(|left| left.why)
    }

    fn what(&self, path: &str) -> What {
        let entries = self.take().entries;
        entries.into_iter().find(|entry| entry.path == path.as_bytes()).unwrap().what
    }
}

#[test]
fn what_no_path_leads_to_is_named_and_what_is_beside_it_carried() {
    let (site, deep) = (Site::new(), "d".repeat(250));
    let open = |place: BorrowedFd<'_>, name| openat(place, name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    create_dir(site.at("files")).unwrap();
    let mut directory = open(open(CWD, site.0.path().to_str().unwrap()).as_fd(), "files");
    for _ in 0..20 {
        rustix::fs::mkdirat(&directory, deep.as_str(), Mode::RWXU).unwrap();
        openat(&directory, "a", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
        directory = open(directory.as_fd(), &deep);
    }
    let found = site.take();
    let [left] = found.left_out.as_slice() else { panic!() };
    assert_eq!((left.why, left.path.ends_with(deep.as_bytes())), (Why::TooDeep, true));
    assert!(found.entries.iter().any(|entry| entry.path == [&left.path[..left.path.len() - 250], b"a"].concat()));
}

#[test]
fn the_files_of_rooms_are_carried_whatever_their_names_are() {
    let site = Site::new();
    let long = "x".repeat(200);
    let names: [&[u8]; 8] = [
        b"files/room/filedir",
        b"files/room/.hidden",
        b"files/room/-dash and space",
        b"files/room/line\nfeed",
        b"files/room/caf\xe9",
        "files/odd files ü/日本.txt".as_bytes(),
        b"files/nest/inner/deep",
        long.as_bytes(),
    ];
    for name in names {
        let name = if name == long.as_bytes() { [b"files/", name].concat() } else { name.to_vec() };
        site.file(name, b"contents");
    }
    create_dir(site.at("files/empty")).unwrap();
    let expected = [
        "files",
        "files/empty",
        "files/nest",
        "files/nest/inner",
        "files/nest/inner/deep",
        "files/odd files ü",
        "files/odd files ü/日本.txt",
        "files/room",
        "files/room/-dash and space",
        "files/room/.hidden",
        "files/room/caf\\xe9",
        "files/room/filedir",
        "files/room/line\\nfeed",
        &format!("files/{long}"),
    ];
    assert_eq!(site.carried(), expected);
}

#[test]
fn paths_come_in_byte_order_also_where_a_directory_s_name_is_the_beginning_of_another() {
    let site = Site::new();
    for name in ["files/a/b", "files/a.txt", "files/a-b", "files/a0"] {
        site.file(name, b"");
    }
    assert_eq!(site.carried(), ["files", "files/a", "files/a-b", "files/a.txt", "files/a/b", "files/a0"]);
}

#[test]
fn mode_owner_and_times_are_those_of_the_file_system() {
    let site = Site::new();
    site.file("messages/hello", b"Welcome");
    let path = site.at("messages/hello");
    set_permissions(&path, Permissions::from_mode(0o4640)).unwrap();
    let time = UNIX_EPOCH + Duration::new(1_213_000_000, 123_456_789);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let entries = site.take().entries;
    let entry = entries.iter().find(|entry| entry.path == b"messages/hello").unwrap();
    assert_eq!(entry.what, What::File { bytes: 7 });
    assert_eq!((entry.mode, entry.mtime), (0o4640, (1_213_000_000, 123_456_789)));
    let metadata = std::fs::metadata(path).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!((entry.uid, entry.gid), (metadata.uid(), metadata.gid()));
    assert_eq!((entry.dev, entry.inode), (metadata.dev(), metadata.ino()));
}

#[test]
fn of_data_only_the_directory_and_the_files_of_old_sites_are_carried() {
    let site = Site::new();
    for name in
        ["cdb.00", "cdb.0d", "log.0000000001", "citadel.config", "citadel.control", "__db.001", "DB_CONFIG", "core.7"]
    {
        site.file(format!("data/{name}"), b"x");
    }
    create_dir(site.at("data/old")).unwrap();
    let paths: Vec<_> = site.take().entries.into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths, [&b"data"[..], b"data/citadel.config", b"data/citadel.control"]);
    assert_eq!(site.why("data/__db.001"), Some(Why::Region));
    assert_eq!(site.why("data/DB_CONFIG"), Some(Why::DbConfig));
    assert_eq!(site.why("data/core.7"), Some(Why::Core));
    assert_eq!(site.why("data/old"), Some(Why::UnknownDirectory));
    assert_eq!(site.why("data/cdb.00"), None);
}

#[test]
fn what_old_sites_keep_is_state() {
    let site = Site::new();
    let names = [
        "bio/2",
        "citadel.config",
        "citadel.control",
        "citadel.rc",
        "help/aide",
        "images/floor.1.gif",
        "info/47",
        "mail.aliases",
        "netconfigs/3",
        "network/spoolin/x",
        "network/spoolout/uncensored",
        "public_clients",
        "refcount_adjustments.dat",
        "userpics/2.gif",
    ];
    for name in names {
        site.file(name, b"x");
    }
    let carried = site.carried();
    for name in names {
        assert!(carried.contains(&name.to_owned()), "{name}");
    }
    assert_eq!(site.take().left_out, []);
}

#[test]
fn what_a_server_makes_anew_and_what_it_consists_of_is_left_out_and_expected() {
    let site = Site::new();
    for name in
        ["citadel.lock", "citadel.pid", "core", "core.123", "citserver", "webcit.sh", "ctdlmigrate", ".ctdl-dump.state"]
    {
        site.file(name, b"x");
    }
    site.file("unknown-elf", b"\x7fELF\x02\x01");
    site.file("unknown-script", b"#!/bin/sh\n");
    site.file("unknown-program", b"x");
    set_permissions(site.at("unknown-program"), Permissions::from_mode(0o755)).unwrap();
    create_dir(site.at("data.ctdl-dump-before-2026-11-24")).unwrap();
    let _listeners = ["citadel.socket", "odd.socket"].map(|name| UnixListener::bind(site.at(name)).unwrap());
    let found = site.take();
    assert_eq!(site.carried(), Vec::<String>::new());
    assert_eq!(found.left_out.len(), 14);
    assert!(found.left_out.iter().all(|left| left.why.is_expected()), "{found:?}");
    assert_eq!(site.why("unknown-elf"), Some(Why::Program));
    assert_eq!(site.why("odd.socket"), Some(Why::Transient));
    assert_eq!(site.why("data.ctdl-dump-before-2026-11-24"), Some(Why::OurOwn));
}

#[test]
fn unknown_small_files_in_the_root_are_carried_and_large_ones_named() {
    let site = Site::new();
    site.file(b"\xfe\x10\x9c", b"a banner that a 980 server wrote");
    site.file("large", &[0; 1 << 20]);
    site.file("larger", &[0; (1 << 20) + 1]);
    create_dir(site.at("unknown")).unwrap();
    site.link("link", "/etc/passwd");
    assert_eq!(site.carried(), ["large", "\\xfe\\u{10}\\x9c"]);
    assert_eq!(site.why("larger"), Some(Why::UnknownLargeFile));
    assert_eq!(site.why("unknown"), Some(Why::UnknownDirectory));
    assert_eq!(site.why("link"), Some(Why::UnknownLink));
    assert!(site.take().left_out.iter().all(|left| !left.why.is_expected()));
}

#[test]
fn pipes_and_sockets_among_files_are_named_and_do_not_hold_up_the_walk() {
    let site = Site::new();
    site.file("files/room/x", b"");
    for name in ["files/room/pipe", "pipe"] {
        mknodat(CWD, site.at(name), FileType::Fifo, 0o600.into(), 0).unwrap();
    }
    let _listener = UnixListener::bind(site.at("files/room/socket")).unwrap();
    for name in ["files/room/pipe", "files/room/socket", "pipe"] {
        assert_eq!(site.why(name), Some(Why::Special));
    }
}

#[test]
fn links_are_carried_and_never_followed() {
    let site = Site::new();
    site.link("files/room/up", "..");
    site.link("files/room/self", "self");
    site.link("files/room/etc", "/etc");
    assert_eq!(site.carried(), ["files", "files/room", "files/room/etc", "files/room/self", "files/room/up"]);
    let target = b"/etc".to_vec();
    assert_eq!(site.what("files/room/etc"), What::Link { target, content: None });
}

#[test]
fn a_key_that_is_a_link_out_of_the_site_is_carried_with_its_content() {
    let site = Site::new();
    let outside = tempfile::tempdir().unwrap();
    let key = outside.path().join("privkey.pem");
    write(&key, b"PEM key").unwrap();
    site.file("keys/real.key", b"inside");
    site.link("keys/citadel.key", &key);
    site.link("keys/citadel.cer", "real.key");
    site.link("keys/gone", "/nowhere/at all");
    site.link("keys/loop", "loop");
    site.link("keys/live", outside.path());
    let link = |target: &[u8], content| What::Link { target: target.to_vec(), content };
    assert_eq!(site.what("keys/citadel.key"), link(key.as_os_str().as_bytes(), Some(7)));
    assert_eq!(site.what("keys/citadel.cer"), link(b"real.key", None));
    assert_eq!(site.what("keys/gone"), link(b"/nowhere/at all", None));
    let mut notes: Vec<_> = site.take().notes.iter().map(Note::to_string).collect();
    notes.sort();
    assert_eq!(notes.len(), 4);
    assert!(notes[0].starts_with("keys/citadel.key is a link to ") && notes[0].contains("carried too"), "{notes:?}");
    assert_eq!(notes[1], "keys/gone is a link to /nowhere/at all, which is not there; the link alone is carried");
    assert!(notes[2].starts_with("keys/live is a link to "), "{notes:?}");
    assert!(notes[3].starts_with("keys/loop is a link to loop, which is not there"), "{notes:?}");
}

#[test]
fn a_directory_of_the_site_that_is_a_link_to_another_disk_is_carried_whole() {
    let site = Site::new();
    let disk = tempfile::tempdir().unwrap();
    create_dir(disk.path().join("room")).unwrap();
    write(disk.path().join("room/x"), b"12345").unwrap();
    site.link("files", disk.path());
    assert_eq!(site.carried(), ["files", "files/room", "files/room/x"]);
    assert_eq!(site.what("files"), What::Directory);
    assert!(matches!(site.take().notes[..], [Note::LinkedDirectory { .. }]));
}

#[test]
fn a_directory_of_the_site_that_is_a_link_to_the_site_is_refused() {
    let site = Site::new();
    site.link("files", ".");
    site.link("images", "/");
    site.link("messages", "nowhere");
    assert_eq!(site.carried(), Vec::<String>::new());
    assert_eq!(site.why("files"), Some(Why::LoopingLink));
    assert_eq!(site.why("images"), Some(Why::LoopingLink));
    assert_eq!(site.why("messages"), Some(Why::UnknownLink));
}

#[test]
fn logs_are_listed_on_their_own() {
    let site = Site::new();
    for name in ["citadel.log", "calllog", "panic.log", "logs/2026/syslog", "logs/citadel.log"] {
        site.file(name, b"line\n");
    }
    let logs: Vec<_> = site.take().logs.into_iter().map(|entry| printable(&entry.path)).collect();
    assert_eq!(logs, ["calllog", "citadel.log", "logs/2026/syslog", "logs/citadel.log", "panic.log"]);
    assert_eq!(site.carried(), Vec::<String>::new());
}

#[test]
fn a_missing_directory_and_a_file_are_clear_errors() {
    let site = Site::new();
    site.file("x", b"");
    assert!(matches!(take(&site.at("nothing")), Err(InventoryError::Io { .. })));
    assert!(matches!(take(&site.at("x")), Err(InventoryError::NotADirectory { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_tree_comes_in_byte_order_and_whole(names in prop::collection::btree_set(prop::collection::vec(1..=255_u8, 1..6), 0..40)) {
        let site = Site::new();
        let mut made = 0;
        for (number, name) in names.iter().enumerate() {
            let name: Vec<u8> = name.iter().map(|&byte| if byte == b'/' { b'_' } else { byte }).collect();
            let path = site.at([&b"files/x"[..], &name].concat());
            if path.exists() {
                continue;
            }
            made += 1;
            match number % 3 {
                0 => create_dir_all(path.join("inner")).map(|()| made += 1).unwrap(),
                _ => {
                    create_dir_all(site.at("files")).unwrap();
                    write(path, b"").unwrap();
                }
            }
        }
        let found = site.take();
        let paths: Vec<_> = found.entries.iter().map(|entry| &entry.path).collect();
        prop_assert!(paths.is_sorted());
        prop_assert_eq!(paths.iter().filter(|path| path.starts_with(b"files/")).count(), made);
    }
}
