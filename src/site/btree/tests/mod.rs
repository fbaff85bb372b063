//! The reader and the writer against each other, against libdb's own tools, and against damage.

mod damage;
mod libdb;
mod refusals;
mod replaced;
mod round_trip;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::record::ByteOrder;

/// What a table holds.
pub(super) type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

const PAGE_SIZES: [u32; 5] = [512, 1024, 4096, 16_384, 65_536];
const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// A directory with one table in it.
pub(super) struct Made {
    _directory: TempDir,
    pub(super) path: PathBuf,
}

impl Made {
    fn empty() -> Made {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cdb.00");
        Made { _directory: directory, path }
    }

    /// Written by us, in an order that is not the keys'.
    pub(super) fn written(pairs: &Pairs, page_size: u32, order: ByteOrder) -> Made {
        let made = Made::empty();
        let scratch = made.path.parent().unwrap();
        let mut writer = TableWriter::create_for(&made.path, scratch, 100_000, page_size, order).unwrap();
        for (key, value) in pairs.iter().rev() {
            if value.len() % 2 == 0 {
                writer.put(key, value).unwrap();
            } else {
                let mut big = writer.put_big(key, value.len() as u32).unwrap();
                for piece in value.chunks(777) {
                    big.write(&mut writer, piece).unwrap();
                }
                big.finish(&mut writer).unwrap();
            }
        }
        writer.finish().unwrap();
        made
    }

    /// Loaded by libdb.
    fn loaded(pairs: &Pairs, page_size: u32, order: ByteOrder) -> Made {
        let made = Made::empty();
        let lorder = match order {
            ByteOrder::Little => 1234,
            ByteOrder::Big => 4321,
        };
        let mut text = format!(
            "VERSION=3\nformat=bytevalue\ntype=btree\ndb_pagesize={page_size}\ndb_lorder={lorder}\nHEADER=END\n"
        );
        push_pairs(&mut text, pairs);
        made.load(&text);
        made
    }

    fn load(&self, text: &str) {
        let mut load = Command::new("db5.3_load")
            .arg(&self.path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("db5.3_load, from the Debian package db5.3-util");
        load.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(load.wait().unwrap().success());
    }
}

/// What our reader sees.
fn read(path: &Path) -> Result<Pairs, TableError> {
    let table = Table::open(path)?;
    let mut pairs = Pairs::new();
    for item in table.items() {
        let item = item?;
        let value = table.read_all(&item.value, 1 << 30)?;
        assert_eq!(value.len() as u32, item.value.len());
        pairs.insert(item.key, value);
    }
    Ok(pairs)
}

/// What libdb sees.
fn dumped(path: &Path) -> Pairs {
    let output = Command::new("db5.3_dump").arg(path).output().expect("db5.3_dump, from the Debian package db5.3-util");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut halves = text.lines().filter_map(|line| line.strip_prefix(' '));
    let mut pairs = Pairs::new();
    while let Some(key) = halves.next() {
        pairs.insert(bytes(key), bytes(halves.next().unwrap()));
    }
    pairs
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |character: u8| (character as char).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn assert_libdb_is_content(path: &Path) {
    let output =
        Command::new("db5.3_verify").arg(path).output().expect("db5.3_verify, from the Debian package db5.3-util");
    assert!(output.status.success(), "{output:?}");
}

/// Equality without printing a megabyte when it fails.
fn assert_same(found: &Pairs, wanted: &Pairs, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}: number of pairs");
    for ((found_key, found_value), (key, value)) in found.iter().zip(wanted) {
        assert!(found_key == key, "{what}: keys differ");
        assert!(found_value == value, "{what}: values differ");
    }
}

/// Bytes that look like nothing in particular.
pub(super) fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Tables of all shapes: keys with long common beginnings, keys and values on both sides of what fits a page.
fn pairs() -> impl Strategy<Value = Pairs> {
    let key = prop_oneof![
        6 => vec(any::<u8>(), 0..20),
        2 => (any::<u32>(), 0usize..400).prop_map(|(seed, length)| noise(seed, length)),
        2 => (any::<[u8; 2]>(), 0usize..4000).prop_map(|(end, length)| {
            let mut key = vec![b'k'; length];
            key.extend(end);
            key
        }),
    ];
    let length = prop_oneof![
        12 => 0usize..300,
        4 => 0usize..5000,
        1 => 0usize..200_000,
    ];
    let value = (any::<u32>(), length).prop_map(|(seed, length)| noise(seed, length));
    proptest::collection::btree_map(key, value, 0..120)
}

/// Pairs as `db5.3_load` takes them, and the end of its input.
fn push_pairs(text: &mut String, pairs: &Pairs) {
    for (key, value) in pairs {
        for half in [key, value] {
            text.push(' ');
            text.extend(half.iter().map(|byte| format!("{byte:02x}")));
            text.push('\n');
        }
    }
    text.push_str("DATA=END\n");
}
