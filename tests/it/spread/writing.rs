//! What is written into them is the same site, and nothing of others is touched.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use ctdl_dump::archive::{Options, Writer};
use ctdl_dump::monitor::Silent;
use ctdl_dump::record::{Fields, Key, Kind, Value};
use ctdl_dump::transfer::copy;

use super::*;
use crate::archive::Listed;
use crate::archive::records::Record;
use crate::support::{PROGRAM, isolated, listing};

const DEBIAN: [&str; 3] = ["--arrangement", "debian", "--keep-release"];

fn exported(name: &str, work: &Path) -> PathBuf {
    let (site, archive) = (unpack_site(name), work.join(format!("{name}.ctz")));
    done(&["export", "--site", text(site.path()), "-o", text(&archive)]);
    archive
}

fn digest(arguments: &[&str]) -> String {
    info(arguments)["site_digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_site_goes_from_one_directory_into_several_and_back_and_stays_the_same() {
    let work = tempfile::tempdir().unwrap();
    for name in ["small-2016", "small-7xx"] {
        let archive = exported(name, work.path());
        let machine = Machine::installed();
        let site = machine.site();
        let imported = done(&[&["import", text(&archive), "--site", text(&site)], &DEBIAN[..]].concat());
        assert!(said(&imported).contains("read back and in place"), "{}", said(&imported));
        let (root, classes) = Arrangement::debian(machine.0.path(), None);
        let (arrangement, source) = (Arrangement::new(&root, classes).unwrap(), unpack_site(name));
        let files = walkdir::WalkDir::new(source.path()).into_iter().map(|entry| entry.unwrap());
        let is_state = |path: &str| !path.starts_with("data/log.") && !path.ends_with(".pid");
        let places = files.filter(|entry| entry.file_type().is_file()).filter_map(|entry| {
            let record = entry.path().strip_prefix(source.path()).unwrap().as_os_str().as_bytes();
            let place = arrangement.path_of(record);
            is_state(&String::from_utf8_lossy(record)).then_some(place)
        });
        let places: Vec<PathBuf> = places.collect();
        places.iter().for_each(|place| assert!(place.is_file(), "{name}: {}", place.display()));
        for part in ["etc/citadel/messages", "etc/ssl/citadel", "var/lib/citadel/data", "var/spool/citadel/network"] {
            assert!(machine.at(part).is_dir(), "{name}: {part}");
        }
        let strangers = ["citadel.config", "messages", "netconfigs", "network", "keys", "citadel.lock"];
        strangers.iter().for_each(|part| assert!(!site.join(part).exists(), "{name}: {part}"));
        let again = machine.at("again.ctz");
        let all = [&["export", "--site", text(&site), "-o", text(&again)], &DEBIAN[..2]].concat();
        let output = done(&all);
        assert_eq!(digest(&[text(&again)]), digest(&[text(&archive)]), "{name}: {}", said(&output));
        let left = walkdir::WalkDir::new(machine.0.path()).into_iter().map(|entry| entry.unwrap().into_path());
        let left: Vec<PathBuf> = left.filter(|path| path.to_string_lossy().contains(".ctdl-dump")).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "nothing is left, and there was nothing to keep");
        let one = machine.at("one");
        done(&["import", text(&again), "--site", text(&one), "--keep-release"]);
        let compared = done(&["diff", text(&one), text(&archive)]);
        assert!(said(&compared).contains("no difference"), "{}", said(&compared));
    }
}

#[test]
fn single_options_name_the_directories_to_write_into() {
    let work = tempfile::tempdir().unwrap();
    let archive = exported("small-2016", work.path());
    let directory = |name: &str| {
        let path = work.path().join(name);
        create_dir_all(&path).unwrap();
        text(&path).to_owned()
    };
    let (root, home, ssl) = (directory("tables"), directory("home"), directory("tls"));
    // All but the tables in one directory, and the keys in a third.
    let options = ["--site", &home, "--datadir", &root, "--ssldir", &ssl, "--keep-release"];
    done(&[&["import", text(&archive)], &options[..]].concat());
    for path in ["tables/data/cdb.00", "home/messages/hello", "home/network", "tls/citadel.key"] {
        assert!(work.path().join(path).exists(), "{path}");
    }
    let found = digest(&[&home, "--datadir", &root, "--ssldir", &ssl]);
    assert_eq!(found, digest(&[text(&archive)]));
}

#[test]
fn what_was_there_is_kept_in_each_directory_and_files_of_others_stay_as_they_are() {
    let work = tempfile::tempdir().unwrap();
    let (archive, machine) = (exported("small-7xx", work.path()), Machine::with("small-2016"));
    let site = machine.site();
    let key = std::fs::read(machine.at("etc/ssl/citadel/citadel.key")).unwrap();
    let strangers = ["etc/citadel/notes.txt", "etc/ssl/citadel/other.pem", "usr/share/citadel-server/setup.txt"];
    for name in strangers {
        std::fs::write(machine.at(name), "somebody else's").unwrap();
    }
    std::fs::set_permissions(machine.at("etc/ssl/citadel"), PermissionsExt::from_mode(0o751)).unwrap();
    let strange: Vec<_> = strangers.iter().map(|name| listing(&machine.at(name))).collect();
    let import = [&["import", text(&archive), "--site", text(&site)], &DEBIAN[..]].concat();
    let before = listing(machine.0.path());
    let refused = run(&import);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("--replace"), "{}", said(&refused));
    assert_eq!(listing(machine.0.path()), before);
    let output = done(&[&import[..], &["--replace"]].concat());
    assert!(said(&output).contains("keeps its mode"), "{}", said(&output));
    assert_eq!(strangers.iter().map(|name| listing(&machine.at(name))).collect::<Vec<_>>(), strange);
    assert_eq!(machine.at("etc/ssl/citadel").metadata().unwrap().permissions().mode() & 0o777, 0o751);
    let kept = |directory: &str| {
        let names = machine.at(directory).read_dir().unwrap().map(|entry| entry.unwrap().path());
        let mut kept = names.filter(|path| text(path).contains(".ctdl-dump-before-"));
        kept.next().unwrap_or_else(|| panic!("nothing is kept in {directory}: {}", said(&output)))
    };
    assert_eq!(std::fs::read(kept("etc/ssl/citadel").join("citadel.key")).unwrap(), key);
    assert!(kept("etc/citadel").join("messages").is_dir() && kept("var/lib/citadel").join("data/cdb.00").exists());
    assert!(kept("var/spool/citadel").join("network").is_dir());
    // What is kept is no part of the site.
    let again = machine.at("again.ctz");
    let output = run(&["export", "--site", text(&site), "--arrangement", "debian", "-o", text(&again)]);
    assert_eq!(output.status.code(), Some(5), "others' files are named: {}", said(&output));
    let listed = done(&["list", text(&again), "omitted"]);
    assert!(!String::from_utf8_lossy(&listed.stdout).contains("before-"));
}

#[test]
fn a_place_that_cant_take_a_spread_site_is_refused_before_anything_is_written() {
    let work = tempfile::tempdir().unwrap();
    let (old, new) = (exported("small-2016", work.path()), exported("small", work.path()));
    let (machine, empty) = (Machine::installed(), Machine::empty());
    let (site, archive) = (machine.site(), machine.at("a.ctz"));
    let before = listing(machine.0.path());
    for (arguments, code, advice) in [
        (vec!["import", text(&old), "--site", text(&site), "--arrangement", "debian"], 2, "--keep-release"),
        ([&["import", text(&new), "--site", text(&site)], &DEBIAN[..]].concat(), 2, "release 980"),
        (
            [&["import", text(&old), "--site", text(&empty.site())], &DEBIAN[..]].concat(),
            1,
            "var/lib/citadel, the one of its tables, is not there",
        ),
        (vec!["pull", "cmd:false", "-o", text(&archive), "--arrangement", "debian"], 2, "name --site"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(advice), "{}", said(&output));
    }
    assert_eq!(listing(machine.0.path()), before);
    create_dir_all(machine.at("etc/citadel/messages")).unwrap();
    let one = ["import", text(&new), "--site", text(&site)];
    let refused = run(&one);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("--arrangement root"), "{}", said(&refused));
    done(&[&one[..], &["--arrangement", "root"]].concat());
    assert!(site.join("messages").is_dir());
}

#[test]
fn directories_beside_the_tables_are_made_where_they_are_missing_and_go_again_when_nothing_comes_of_it() {
    let work = tempfile::tempdir().unwrap();
    let archive = exported("small-7xx", work.path());
    let machine = Machine::empty();
    create_dir_all(machine.site()).unwrap();
    let before = listing(machine.0.path());
    let cut = work.path().join("cut.ctz");
    let whole = std::fs::read(&archive).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let import =
        |archive: &Path| run(&[&["import", text(archive), "--site", text(&machine.site())], &DEBIAN[..]].concat());
    let refused = import(&cut);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    let names = |listing: &[String]| -> Vec<String> {
        listing.iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(&listing(machine.0.path())), names(&before));
    let output = import(&archive);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("etc/ssl/citadel is not there; it is made"), "{}", said(&output));
    assert_eq!(digest(&["--arrangement", "debian", text(&machine.site())]), digest(&[text(&archive)]));
}

#[test]
fn keys_that_have_no_directory_of_their_own_are_read_but_not_written() {
    let work = tempfile::tempdir().unwrap();
    let archive = exported("small-2016", work.path());
    let [site, etc] = ["site", "etc"].map(|name| work.path().join(name));
    create_dir_all(&etc).unwrap();
    let both = ["--site", text(&site), "--sysconfdir", text(&etc), "--ssldir", text(&etc)];
    let refused = run(&[&["import", text(&archive), "--keep-release"], &both[..]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("site/keys, and move the keys from there"), "{}", said(&refused));
    assert!(!site.exists());
    // As it says.
    create_dir_all(&site).unwrap();
    let keys = site.join("keys");
    let advised = [&both[..5], &[text(&keys)]].concat();
    done(&[&["import", text(&archive), "--keep-release"], &advised[..]].concat());
    for name in ["citadel.key", "citadel.cer"] {
        std::fs::rename(keys.join(name), etc.join(name)).unwrap();
    }
    let read = done(&[&["list", "--json", both[1], "file"], &both[2..]].concat());
    assert!(String::from_utf8_lossy(&read.stdout).contains("keys/citadel.key"));
}

#[test]
fn a_directory_whose_disk_is_full_leaves_all_directories_as_they_were() {
    let work = tempfile::tempdir().unwrap();
    let archive = exported("small-7xx", work.path());
    let machine = Machine::with("small-2016");
    let script = "mount -t tmpfs -o nr_inodes=6 none \"$1\" || exit 77\n\
        shift; \"$@\"; echo \"code $?\"; find etc/citadel; find . -name '.ctdl-dump*'";
    // Where something was made and removed again, the time of the directory tells it.
    let all_within = || {
        let places = ["etc/ssl/citadel", "usr/share/citadel-server", "var/lib/citadel", "var/spool/citadel"];
        let places = places.map(|place| format!("{:?} ", machine.at(place)));
        let mut lines = listing(machine.0.path());
        lines.retain(|line| !places.iter().any(|place| line.starts_with(place)));
        lines
    };
    let before = all_within();
    let import = [&["import", text(&archive), "--replace", "--site", "var/lib/citadel"], &DEBIAN[..]].concat();
    let output = isolated(Command::new("unshare"))
        // To root all files are accessible without a namespace of users.
        .args([
            if rustix::process::geteuid().is_root() { "-m" } else { "-rm" },
            "sh",
            "-c",
            script,
            "sh",
            "etc/citadel",
            PROGRAM,
        ])
        .args(import)
        .current_dir(machine.0.path())
        .output()
        .unwrap();
    if output.status.code() == Some(77) || output.stderr.starts_with(b"unshare:") {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(found, "code 1\netc/citadel\n", "{}", said(&output));
    assert!(said(&output).contains("No space left"), "{}", said(&output));
    assert_eq!(all_within(), before);
}

#[test]
fn a_spread_site_is_pulled_and_pushed_into_several_directories() {
    let source = unpack_site("small-2016");
    let wanted = digest(&[text(source.path())]);
    let pulled = Machine::installed();
    let peer = format!("cmd:'{PROGRAM}' serve --stdio '{}'", text(source.path()));
    done(&[&["pull", &peer, "--site", text(&pulled.site())], &DEBIAN[..]].concat());
    assert_eq!(digest(&["--arrangement", "debian", text(&pulled.site())]), wanted);
    // From several directories into several.
    let pushed = Machine::installed();
    let receiver =
        format!("cmd:'{PROGRAM}' serve --stdio --receive --site '{}' {}", text(&pushed.site()), DEBIAN.join(" "));
    done(&["push", text(&pulled.site()), &receiver, "--arrangement", "debian"]);
    assert_eq!(digest(&["--arrangement", "debian", text(&pushed.site())]), wanted);
    assert!(pushed.at("etc/ssl/citadel/citadel.key").exists() && pushed.at("etc/citadel/messages/hello").exists());
}

#[test]
fn aliases_lie_with_the_queues_where_no_directory_for_settings_is_named() {
    let work = tempfile::tempdir().unwrap();
    let archive = exported("small-7xx", work.path());
    let (site, spool, again) = (work.path().join("site"), work.path().join("spool"), work.path().join("again.ctz"));
    [&site, &spool].iter().for_each(|directory| create_dir_all(directory).unwrap());
    let place = ["--site", text(&site), "--spooldir", text(&spool)];
    done(&[&["import", text(&archive), "--keep-release"], &place[..]].concat());
    assert!(spool.join("network/mail.aliases").is_file() && !site.join("network").exists());
    done(&[&["export", "-o", text(&again)], &place[..]].concat());
    assert_eq!(digest(&[text(&again)]), digest(&[text(&archive)]));
}

#[test]
fn a_directory_that_is_no_site_of_citadel_is_not_replaced_either_when_others_are_named() {
    let work = tempfile::tempdir().unwrap();
    let archive = exported("small-7xx", work.path());
    let etc = work.path().join("etc");
    create_dir_all(&etc).unwrap();
    ["passwd", "hosts"].iter().for_each(|name| std::fs::write(etc.join(name), name).unwrap());
    let spool = work.path().join("spool");
    create_dir_all(&spool).unwrap();
    let before = listing(work.path());
    for replace in [&[][..], &["--replace"]] {
        let all = ["import", text(&archive), "--keep-release", "--site", text(&etc), "--spooldir", text(&spool)];
        let output = run(&[&all[..], replace].concat());
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("no site of Citadel"), "{}", said(&output));
        assert_eq!(listing(work.path()), before);
    }
}

#[test]
fn an_archive_can_not_have_a_link_taken_for_the_directory_of_the_keys() {
    let work = tempfile::tempdir().unwrap();
    let [victim, ssl, site] = ["victim", "ssl", "site"].map(|name| work.path().join(name));
    [&victim, &ssl, &site].iter().for_each(|directory| create_dir_all(directory).unwrap());
    std::fs::write(victim.join("citadel.key"), "not yours").unwrap();
    let mut fields = Fields::new();
    for (name, value) in [("type", b"link".as_slice()), ("target", victim.as_os_str().as_bytes())] {
        fields.set(name, Value::String(value.to_vec()));
    }
    let mut info = crate::archive::records::site();
    info.release = 902;
    let keys = Record::new(Kind::File, Key::name("keys"), fields, None);
    let mut writer = Writer::new(Vec::new(), Options::default());
    copy(&mut Listed::of(info, std::slice::from_ref(&keys)), &mut writer, &Silent).unwrap();
    let archive = work.path().join("evil.ctz");
    std::fs::write(&archive, writer.into_output()).unwrap();
    let all = ["import", text(&archive), "--keep-release", "--no-read-back", "--site", text(&site)];
    let output = run(&[&all[..], &["--ssldir", text(&ssl)]].concat());
    assert_ne!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("directory of their own"), "{}", said(&output));
    assert!(victim.join("citadel.key").is_file());
    [ssl, site].iter().for_each(|place| assert!(place.read_dir().unwrap().next().is_none(), "{}", place.display()));
}

#[test]
fn a_pusher_hears_to_which_command_an_option_belongs_that_the_receiver_names() {
    let (site, there) = (unpack_site("small-2016"), Machine::with("small-2016"));
    let receiver = format!("cmd:'{PROGRAM}' serve --stdio --receive --site '{}'", text(&there.site()));
    let output = run(&["push", text(site.path()), &receiver, "--retries", "0"]);
    let said = said(&output);
    assert!(said.contains("looks like a part of a site") && said.contains("say --arrangement debian"), "{said}");
    assert!(said.contains("these are options for the `ctdl-dump serve` in the command behind cmd:"), "{said}");
}
