//! What the tools of others see in an archive.

use std::process::Command;

use ctdl_dump::archive::Options;
use ctdl_dump::codec::identity::hex;
use proptest::arbitrary::any;
use proptest::collection::vec;
use proptest::sample::Index;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::records::{Record, any_records, attachment, body, many, packed};
use super::{damage, hostile, verify, write, write_folded};
use crate::support::{project, python};

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

/// Runs a command of `ctz.py` on archives and gives exit code and output of each.
pub fn second_reader(command: &str, archives: &[&[u8]]) -> Vec<(i32, String)> {
    const ALL: &str = "import sys; sys.path.insert(0, sys.argv[1]); import ctz\n\
        for path in sys.argv[3:]: sys.stderr = sys.stdout; print('code', ctz.main([sys.argv[2], path]))";
    let directory = tempfile::tempdir().unwrap();
    let mut python = python();
    python.arg("-B").arg("-c").arg(ALL).arg(project("format-spec")).arg(command);
    for (number, archive) in archives.iter().enumerate() {
        let path = directory.path().join(format!("{number}.ctz"));
        std::fs::write(&path, archive).unwrap();
        python.arg(path);
    }
    let output = python.output().unwrap();
    assert!(output.status.success(), "ctz.py fails:\n{}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).unwrap();
    let mut results = Vec::new();
    let mut text = String::new();
    for line in output.lines() {
        match line.strip_prefix("code ") {
            None => text.extend([line, "\n"]),
            Some(code) => results.push((code.parse().unwrap(), std::mem::take(&mut text))),
        }
    }
    assert_eq!(results.len(), archives.len(), "{output}");
    results
}

#[test]
fn the_second_reader_computes_the_same_site_digests() {
    let mut runner = TestRunner::deterministic();
    let mut sites: Vec<Vec<Record>> = vec![Vec::new(), many()];
    for _ in 0..12 {
        sites.push(any_records(150, 140_000).new_tree(&mut runner).unwrap().current());
    }
    let options = Options { level: 1, threads: 1 };
    let mut written: Vec<_> = sites.iter().map(|records| write(records, options)).collect();
    let mails = [
        Record::message(1, attachment(&packed(200_000, 1), "\r\n")),
        Record::message(2, [attachment(&packed(1_001, 2), "\n"), attachment(&body(90_000, 2), "\n")].concat()),
        Record::message(3, base64_simd::STANDARD_NO_PAD.encode_to_string(packed(70_000, 3)).into_bytes()),
    ];
    written.push(write_folded(&mails, options));
    let archives: Vec<&[u8]> = written.iter().map(|(archive, _)| archive.as_slice()).collect();
    for ((code, text), (_, summary)) in second_reader("digest", &archives).into_iter().zip(&written) {
        assert_eq!((code, text), (0, hex(&summary.site_digest) + "\n"));
    }
}

#[test]
fn the_second_reader_refuses_what_the_first_refuses() {
    let (whole, _) = write(&[Record::config("a", b"1"), Record::message(1, body(70_000, 1))], Options::default());
    let mut bad: Vec<(String, Vec<u8>)> =
        hostile::all().into_iter().map(|(fault, _, archive)| (fault.to_owned(), archive)).collect();
    for end in (0..whole.len()).step_by(37) {
        bad.push((format!("cut at {end}"), whole[..end].to_vec()));
    }
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        bad.push((format!("byte {at} changed"), changed));
    }
    let mut runner = TestRunner::deterministic();
    let changes = (any::<Index>(), any::<Index>(), vec(any::<u8>(), 1..9), 0usize..9);
    for number in 0..300 {
        let (frame, at, with, instead_of) = changes.new_tree(&mut runner).unwrap().current();
        let changed = damage::changed_inside(frame, at, &with, instead_of);
        if verify(changed.as_slice(), 0).is_err() {
            bad.push((format!("change {number} inside of a frame"), changed));
        }
    }
    bad.push(("appended".to_owned(), [whole.as_slice(), b"x"].concat()));
    let archives: Vec<&[u8]> = bad.iter().map(|(_, archive)| archive.as_slice()).collect();
    for ((code, text), (fault, _)) in second_reader("digest", &archives).into_iter().zip(&bad) {
        assert!(code == 3 && text.contains(".ctz: "), "{fault}: exit code {code}, {text}");
    }
}
