//! An old site and what an import made of it, held in memory: tables as libdb's own tool shows them, files, and records as `list --json` gives them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use crate::support::{pairs, program, project, python, unpack_site};

/// Kind, key, and what `list --json` says of the record.
pub type Records = BTreeMap<(String, String), Value>;

/// A site.
pub struct Held {
    pub records: Records,
    pub tables: Vec<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// By path. Directories have no content.
    pub files: BTreeMap<String, Option<Vec<u8>>>,
}

/// A site of an old release, and that of release 980 that it became.
pub struct Moved {
    pub old: Held,
    pub new: Held,
    /// What the import said.
    pub told: String,
}

/// Release 772, of 2010.
pub static OF_2010: LazyLock<Moved> = LazyLock::new(|| moved("small-7xx"));
/// Release 902, of 2016.
pub static OF_2016: LazyLock<Moved> = LazyLock::new(|| moved("small-2016"));

/// Both.
pub fn both() -> [(&'static str, &'static Moved); 2] {
    [("small-7xx", &OF_2010), ("small-2016", &OF_2016)]
}

/// Runs the program.
pub fn run(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What it said.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs it, and it must do what it is asked.
pub fn done(arguments: &[&str]) -> Output {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    output
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn moved(name: &str) -> Moved {
    let (old, new, work) = (unpack_site(name), unpack_site("fresh"), tempfile::tempdir().unwrap());
    let archive = work.path().join("old.ctz");
    done(&["export", "--site", text(old.path()), "-o", text(&archive)]);
    done(&["verify", text(&archive)]);
    let second = python().arg(project("format-spec/ctz.py")).arg("verify").arg(&archive).output().unwrap();
    assert!(second.status.success(), "{}", said(&second));
    let imported = done(&["import", text(&archive), "--site", text(new.path())]);
    let (old, new) = (Held::of(old.path(), &archive), Held::of(new.path(), new.path()));
    Moved { old, new, told: said(&imported) }
}

impl Held {
    fn of(site: &Path, listed: &Path) -> Held {
        let tables = (0..14).filter(|number| site.join(format!("data/cdb.{number:02x}")).exists());
        let tables = tables.map(|number| pairs(site, number).into_iter().collect()).collect();
        Held { records: records(listed), tables, files: files(site) }
    }

    /// The records of a kind, by their keys.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let of_kind = self.records.iter().filter(move |((found, _), _)| found == kind);
        of_kind.map(|((_, key), record)| (key.as_str(), record))
    }

    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.records.get(&("config".into(), name.into()))?["value"].as_str()
    }

    /// Entry and big body of a message.
    pub fn message(&self, number: i64) -> Option<Vec<u8>> {
        let mut bytes = self.tables[0].get(&number.to_le_bytes()[..])?.clone();
        bytes.extend(self.tables[8].get(&number.to_le_bytes()[..]).into_iter().flatten());
        Some(bytes)
    }

    /// The messages in the room with this number, as its list has them.
    pub fn list(&self, room: i64) -> Vec<i64> {
        self.tables[4].get(&room.to_le_bytes()[..]).map(|list| numbers(list)).unwrap_or_default()
    }
}

/// A row of 64-bit little-endian numbers.
pub fn numbers(list: &[u8]) -> Vec<i64> {
    list.as_chunks::<8>().0.iter().map(|number| i64::from_le_bytes(*number)).collect()
}

fn records(listed: &Path) -> Records {
    let output = done(&["list", "--json", text(listed)]);
    let text = String::from_utf8(output.stdout).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let part = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
    records.map(|record| ((part(&record, "kind"), part(&record, "key")), record)).collect()
}

fn files(site: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let entries = walkdir::WalkDir::new(site).min_depth(1).into_iter().map(Result::unwrap);
    let entries = entries.filter(|entry| !entry.path().starts_with(site.join("data")));
    entries
        .map(|entry| {
            let path = entry.path().strip_prefix(site).unwrap().to_string_lossy().into_owned();
            (path, entry.file_type().is_file().then(|| std::fs::read(entry.path()).unwrap()))
        })
        .collect()
}
