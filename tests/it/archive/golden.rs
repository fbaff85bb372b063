//! The archives of `fixtures/archive/`, which stay as they are: what was written once is read for ever, and what was refused stays refused.

use std::fs;
use std::path::PathBuf;

use ctdl_dump::codec::identity::hex;
use ctdl_dump::endpoint::Class;

use super::tools::second_reader;
use super::{read, verify};
use crate::support::project;

/// The archives of a directory, each with the text that stands beside it.
fn archives(directory: &str, beside: &str) -> Vec<(PathBuf, Vec<u8>, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(project("fixtures/archive").join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ctz"))
        .collect();
    paths.sort();
    let both = |path: PathBuf| {
        let text = fs::read_to_string(path.with_extension(beside)).unwrap();
        (path.clone(), fs::read(path).unwrap(), text)
    };
    paths.into_iter().map(both).collect()
}

#[test]
fn archives_of_version_1_are_read_for_ever() {
    let archives = archives("v1", "records");
    assert_eq!(archives.len(), 7);
    for (path, archive, text) in &archives {
        let summary = verify(archive.as_slice(), 2).unwrap();
        let mut found: Vec<String> = read(archive.as_slice(), 1)
            .unwrap()
            .records
            .iter()
            .map(|(record, digest)| {
                let length = record.header.body.as_ref().map_or("-".to_owned(), |_| record.body.len().to_string());
                format!("{}\t{length}\t{}", record.header.kind, hex(digest))
            })
            .collect();
        found.push(hex(&summary.site_digest));
        // The key is in the digest; how the second reader shows it is its own affair.
        let without_key = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
            [kind, _, length, digest] => format!("{kind}\t{length}\t{digest}"),
            _ => line.to_owned(),
        };
        let expected: Vec<String> = text.lines().map(without_key).collect();
        assert!(found == expected, "{}: not the records that stand beside it", path.display());
    }
    let bytes: Vec<&[u8]> = archives.iter().map(|(_, archive, _)| archive.as_slice()).collect();
    for command in ["list", "digest"] {
        for ((code, output), (path, _, text)) in second_reader(command, &bytes).into_iter().zip(&archives) {
            let last = text.trim_end().rfind('\n').map_or(0, |at| at + 1);
            let expected = if command == "list" { &text[..last] } else { &text[last..] };
            assert!(code == 0 && output == expected, "{}: ctz.py {command} gives {code}", path.display());
        }
    }
}

#[test]
fn archives_with_a_fault_are_refused_for_ever() {
    let archives = archives("bad", "verdict");
    assert!(archives.len() > 100);
    let mut wrong = Vec::new();
    for (path, archive, words) in &archives {
        match verify(archive.as_slice(), 1) {
            Err(failure) if failure.class == Class::Damaged && failure.to_string().contains(words.trim_end()) => {}
            other => wrong.push(format!("{}: {:?}", path.display(), other.map_err(|failure| failure.to_string()))),
        }
    }
    let bytes: Vec<&[u8]> = archives.iter().map(|(_, archive, _)| archive.as_slice()).collect();
    for ((code, output), (path, ..)) in second_reader("verify", &bytes).into_iter().zip(&archives) {
        if code != 3 {
            wrong.push(format!("{}: ctz.py ends with {code}: {output}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
