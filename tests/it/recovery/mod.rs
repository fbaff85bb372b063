//! Recovery of private copies by libdb.

mod child;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ctdl_dump::monitor::Silent;
use ctdl_dump::site::recovery::{Kind, RecoveryError, recover, time_limit};
use tempfile::TempDir;

use crate::support::{PROGRAM, unpack_site};

const BOTH: [Kind; 2] = [Kind::Normal, Kind::Catastrophic];
const LIMIT: Duration = Duration::from_secs(60);

/// A scratch directory with a copy of a crashed site's tables and log in `data`.
fn copy_of(name: &str) -> TempDir {
    let scratch = unpack_site(name);
    fs::write(scratch.path().join("owner"), "ctdl-dump scratch\npid 1\n").unwrap();
    scratch
}

fn copy_of_crashed_site() -> TempDir {
    copy_of("crashed")
}

fn recover_in(scratch: &TempDir, kind: Kind) -> Result<(), RecoveryError> {
    recover(&scratch.path().join("data"), kind, Path::new(PROGRAM), LIMIT, &Silent)
}

/// All pairs of all tables, as Berkeley DB's own program reads them.
fn pairs(data: &Path) -> Vec<(String, Vec<u8>)> {
    let dump = |number: u8| {
        let name = format!("cdb.{number:02x}");
        let dump = Command::new("db5.3_dump").arg(data.join(&name)).output().unwrap();
        assert!(dump.status.success(), "{name}: {}", String::from_utf8_lossy(&dump.stderr));
        (name, dump.stdout)
    };
    (0..14).map(dump).collect()
}

/// Every file of a directory with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn a_recovered_copy_holds_what_libdbs_own_program_recovers() {
    for (name, kind, options) in [
        ("crashed", Kind::Normal, ["-h"].as_slice()),
        ("crashed", Kind::Catastrophic, &["-c", "-h"]),
        // Two log files.
        ("crashed-long", Kind::Normal, &["-h"]),
        ("crashed-long", Kind::Catastrophic, &["-c", "-h"]),
    ] {
        let (ours, theirs) = (copy_of(name), unpack_site(name));
        let data = theirs.path().join("data");
        assert!(Command::new("db5.3_recover").args(options).arg(&data).status().unwrap().success());
        recover_in(&ours, kind).unwrap();
        let ours = pairs(&ours.path().join("data"));
        assert!(ours == pairs(&data), "{kind} recovery of {name}");
        assert!(ours.iter().map(|(_, pairs)| pairs.len()).sum::<usize>() > 100_000, "something is recovered");
    }
}

#[test]
fn the_program_needs_no_libdb_on_the_machine() {
    let program = fs::read(PROGRAM).unwrap();
    let says = |words: &[u8]| program.windows(words.len()).any(|window| window == words);
    assert!(says(b"Berkeley DB 5.3") && !says(b"libdb-5.3.so"));
}

/// What the error says, and what to do to a scratch directory for it.
type Spoiler<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn nothing_but_a_marked_copy_is_touched() {
    let spoilers: [Spoiler; 6] = [
        ("owner: No such file", &|scratch| fs::remove_file(scratch.join("owner")).unwrap()),
        ("not the mark", &|scratch| fs::write(scratch.join("owner"), "ctdl-dump scratches\n").unwrap()),
        ("not the mark", &|scratch| fs::write(scratch.join("owner"), "ctdl-dump").unwrap()),
        ("no regular file", &|scratch| {
            fs::rename(scratch.join("owner"), scratch.join("elsewhere")).unwrap();
            symlink("elsewhere", scratch.join("owner")).unwrap();
        }),
        ("DB_CONFIG", &|scratch| fs::write(scratch.join("data/DB_CONFIG"), "set_data_dir ../files\n").unwrap()),
        ("owner: No such file", &|scratch| {
            fs::create_dir(scratch.join("other")).unwrap();
            fs::rename(scratch.join("data"), scratch.join("other/data")).unwrap();
            symlink("other/data", scratch.join("data")).unwrap();
        }),
    ];
    for (expected, spoil) in spoilers {
        let scratch = copy_of_crashed_site();
        spoil(scratch.path());
        let before = contents(&scratch.path().join("data"));
        let error = recover_in(&scratch, Kind::Normal).unwrap_err();
        assert!(matches!(error, RecoveryError::NotStarted { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(before == contents(&scratch.path().join("data")), "{error}");
    }
}

#[test]
fn a_log_that_does_not_fit_is_an_error_in_libdbs_words() {
    let scratch = copy_of_crashed_site();
    let table = scratch.path().join("data/cdb.0d");
    // A table of nothing but its first page, and from another time than the log.
    let mut bytes = fs::read(&table).unwrap();
    bytes.truncate(4096);
    bytes[0..8].copy_from_slice(&[9, 0, 0, 0, 28, 0, 0, 0]);
    fs::write(&table, bytes).unwrap();
    let error = recover_in(&scratch, Kind::Normal).unwrap_err();
    assert!(matches!(&error, RecoveryError::Refused { said, .. } if !said.is_empty()), "{error:?}");
    assert!(error.is_of_the_copy() && error.to_string().contains("BDB"), "{error}");
}

#[test]
fn garbage_is_an_error_and_never_more() {
    for kind in BOTH {
        let scratch = copy_of_crashed_site();
        let log = scratch.path().join("data/log.0000000001");
        fs::write(&log, b"no log, but words ".repeat(1000)).unwrap();
        let error = recover_in(&scratch, kind).unwrap_err();
        assert!(error.is_of_the_copy(), "{error:?}");
    }
    let scratch = copy_of_crashed_site();
    let (data, log) = (scratch.path().join("data"), scratch.path().join("data/log.0000000001"));
    let whole = contents(&data);
    let end = fs::read(&log).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    for step in 1..20 {
        whole.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        let mut bytes = fs::read(&log).unwrap();
        bytes[end / 20 * step] ^= 0x41;
        fs::write(&log, bytes).unwrap();
        if let Err(error) = recover_in(&scratch, BOTH[step % 2]) {
            assert!(error.is_of_the_copy(), "{error:?}");
        }
    }
}

/// A log file, in which the names of one table are replaced by another of the same length, with right check sums.
fn forge(log: &mut [u8], name: &[u8], other: &[u8]) {
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut forged) = (0, 0);
    while number(log, at + 4) != 0 {
        let (prev, length) = (number(log, at), number(log, at + 4));
        let record = &mut log[at..at + length as usize];
        while let Some(found) = record.windows(name.len()).position(|window| window == name) {
            record[found..found + name.len()].copy_from_slice(other);
            forged += 1;
        }
        let hash = record[12..].iter().fold(0_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)));
        record[8..12].copy_from_slice(&(hash ^ prev ^ length).to_le_bytes());
        at += length as usize;
    }
    assert!(forged > 0);
}

#[test]
fn a_log_can_not_lead_recovery_out_of_the_copy() {
    for kind in BOTH {
        let scratch = copy_of_crashed_site();
        let (outside, log) = (scratch.path().join("out"), scratch.path().join("data/log.0000000001"));
        fs::copy(scratch.path().join("data/cdb.0d"), &outside).unwrap();
        let before = fs::read(&outside).unwrap();
        let mut bytes = fs::read(&log).unwrap();
        forge(&mut bytes, b"cdb.0d\0", b"../out\0");
        fs::write(&log, bytes).unwrap();
        let error = recover_in(&scratch, kind).unwrap_err();
        assert!(error.to_string().contains("Operation not permitted"), "{error}");
        assert!(before == fs::read(&outside).unwrap());
    }
}

#[test]
fn a_link_can_not_lead_recovery_out_of_the_copy() {
    let scratch = copy_of_crashed_site();
    let (outside, table) = (scratch.path().join("outside"), scratch.path().join("data/cdb.0d"));
    fs::rename(&table, &outside).unwrap();
    symlink(&outside, &table).unwrap();
    let before = fs::read(&outside).unwrap();
    recover_in(&scratch, Kind::Normal).unwrap_err();
    assert!(before == fs::read(&outside).unwrap());
}

#[test]
fn a_bigger_copy_has_more_time() {
    assert_eq!(time_limit(0), Duration::from_secs(30));
    assert_eq!(time_limit(10 << 30), Duration::from_secs(30 + 10 * 1024));
    assert!(time_limit(u64::MAX) > time_limit(1 << 40));
}
