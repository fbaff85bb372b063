//! What the tools of others see in an archive.

use std::process::Command;

use ctdl_dump::archive::Options;

use super::records::{Record, body};
use super::write;

#[test]
fn zstd_and_tar_list_it() {
    let records = [
        Record::config("c_nodename", b"uncensored"),
        Record::message(1, body(100, 1)),
        Record::message(2, body(70_000, 2)),
        Record::message(3, body(50, 3)),
    ];
    let (archive, _) = write(&records, Options::default());
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("site.ctz"), &archive).unwrap();
    let listing = Command::new("sh")
        .arg("-c")
        .arg("zstd -dc site.ctz | LC_ALL=C TZ=UTC tar tvf - --numeric-owner")
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(listing.status.success() && listing.stderr.is_empty(), "{listing:?}");
    let listing = String::from_utf8(listing.stdout).unwrap();
    let lines: Vec<&str> = listing.lines().collect();
    assert!(
        lines.iter().all(|line| line.starts_with("-rw-r--r-- 0/0 ") && line.contains("1970-01-01 00:00")),
        "{listing}"
    );
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(
        names,
        [
            "site.cbor",
            "config/c_nodename-2311fd87b2fbdb01.cbor",
            "message/00000000000000000001.cbor",
            "message/00000000000000000001.000000",
            "message/00000000000000000001.000001",
            "message/00000000000000000003.cbor",
            "manifest/00000000.cbor",
            "manifest/index-00000000.cbor",
            "manifest.cbor",
        ]
    );
    let tested = Command::new("zstd").arg("-t").arg(directory.path().join("site.ctz")).output().unwrap();
    assert!(tested.status.success(), "{tested:?}");
}
