//! What was written outside the tables, in few bytes: a digest over every 256 records.

use crate::codec::Digest;
use crate::record::{Key, Kind};

/// So many records stand under one digest.
const RECORDS: u32 = 256;

/// Collects digests of records, in canonical order.
#[derive(Debug, Default)]
pub(super) struct Checklist {
    lines: Vec<Line>,
    open: Option<(Kind, Key, blake3::Hasher, u32)>,
}

/// Records of one kind that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    kind: Kind,
    first_key: Key,
    digest: blake3::Hash,
}

impl Checklist {
    /// Takes the next record; one that is no part of the site counts for nothing.
    pub fn record(&mut self, kind: Kind, key: &Key, digest: &Digest) {
        if !kind.is_of_the_site() {
            return;
        }
        if self.open.as_ref().is_some_and(|(open, _, _, records)| *open != kind || *records == RECORDS) {
            self.close();
        }
        let (_, _, hasher, records) = self.open.get_or_insert_with(|| (kind, key.clone(), blake3::Hasher::new(), 0));
        hasher.update(digest);
        *records += 1;
    }

    fn close(&mut self) {
        if let Some((kind, first_key, hasher, _)) = self.open.take() {
            self.lines.push(Line { kind, first_key, digest: hasher.finalize() });
        }
    }

    /// All of them.
    pub fn finish(mut self) -> Vec<Line> {
        self.close();
        self.lines
    }
}

/// Where two lists differ first, in words; `None` if they are the same.
pub(super) fn difference(expected: &[Line], found: &[Line]) -> Option<String> {
    let first = expected.iter().zip(found).find(|(expected, found)| expected != found).map(|(expected, _)| expected);
    let line = first.or_else(|| expected.get(found.len())).or_else(|| found.get(expected.len()))?;
    Some(format!("among the {} records from {} on", line.kind, line.first_key))
}
