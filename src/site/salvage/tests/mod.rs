//! Torn sites and tables against what was in them before.

mod choices;
mod sites;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::monitor::{Collecting, Silent};
use crate::site::btree::{Table, TableError, TableWriter};
use crate::site::check::Subject;

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

const PAGE_BYTES: usize = 4096;
/// Types of pages, and where a page has its number and its type.
const LEAF: u8 = 5;
const OVERFLOW: u8 = 7;
const NUMBER: usize = 8;
const TYPE: usize = 25;

/// The real site `small`, and room for what is salvaged of it.
struct Torn {
    site: TempDir,
    into: TempDir,
    scratch: TempDir,
}

impl Torn {
    fn small() -> Torn {
        let site = tempfile::tempdir().unwrap();
        let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/site/small.tar.zst");
        let status = Command::new("tar").arg("--zstd").arg("-xf").arg(packed).arg("-C").arg(site.path()).status();
        assert!(status.expect("tar is installed").success());
        Torn { site, into: tempfile::tempdir().unwrap(), scratch: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.site.path().join("data")
    }

    fn table(&self, number: u8) -> PathBuf {
        self.data().join(format!("cdb.{number:02x}"))
    }

    fn tear(&self, number: u8, tear: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.table(number)).unwrap();
        tear(&mut bytes);
        std::fs::write(self.table(number), bytes).unwrap();
    }

    /// Salvages the site into an empty directory.
    fn salvage(&self) -> SalvagedSite {
        for old in std::fs::read_dir(self.into.path()).unwrap() {
            std::fs::remove_file(old.unwrap().path()).unwrap();
        }
        salvage_site(&self.data(), None, self.into.path(), self.scratch.path(), &Silent).unwrap()
    }
}

/// A table of its own: what stands in it, and what is salvaged of it.
struct Single {
    directory: TempDir,
    source: PathBuf,
}

impl Single {
    fn written(number: u8, pairs: &Pairs) -> Single {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join(format!("cdb.{number:02x}"));
        let mut writer = TableWriter::create(&source, directory.path(), 1 << 20, PAGE_BYTES as u32).unwrap();
        for (key, value) in pairs {
            writer.put(key, value).unwrap();
        }
        writer.finish().unwrap();
        Single { directory, source }
    }

    fn tear(&self, tear: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(&self.source).unwrap();
        tear(&mut bytes);
        std::fs::write(&self.source, bytes).unwrap();
    }

    fn salvage(&self) -> (Pairs, Vec<String>) {
        let into = self.directory.path().join("salvaged");
        _ = std::fs::remove_file(&into);
        let salvaged = salvage_table(&self.source, &into, self.directory.path(), &Silent).unwrap();
        let pairs = read(&into);
        assert_eq!(salvaged.pairs, pairs.len() as u64);
        (pairs, texts(&salvaged.losses))
    }
}

fn read(path: &Path) -> Pairs {
    let table = Table::open(path).unwrap();
    let pairs = table.items().map(Result::unwrap);
    pairs.map(|item| (item.key, table.read_all(&item.value, 1 << 30).unwrap())).collect()
}

fn texts(losses: &[Loss]) -> Vec<String> {
    losses.iter().map(ToString::to_string).collect()
}

fn page(bytes: &mut [u8], number: usize) -> &mut [u8] {
    &mut bytes[number * PAGE_BYTES..(number + 1) * PAGE_BYTES]
}

/// Numbers of the pages of a type.
fn pages_of_type(bytes: &[u8], page_type: u8) -> Vec<usize> {
    let pages = bytes.chunks(PAGE_BYTES).enumerate();
    pages.filter(|(number, page)| *number > 0 && page[TYPE] == page_type).map(|(number, _)| number).collect()
}

/// Gives a page a position in the log.
fn set_lsn(page: &mut [u8], offset: u32) {
    page[..4].copy_from_slice(&1u32.to_le_bytes());
    page[4..8].copy_from_slice(&offset.to_le_bytes());
}

/// Puts a copy of a page at the end of the file, as a page of its own.
fn append_copy(bytes: &mut Vec<u8>, number: usize) -> usize {
    let copy = bytes.len() / PAGE_BYTES;
    let mut page = page(bytes, number).to_vec();
    page[NUMBER..NUMBER + 4].copy_from_slice(&(copy as u32).to_le_bytes());
    bytes.extend_from_slice(&page);
    copy
}

/// A row of numbers that is the same in each run.
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}
