//! What was written, in few bytes: a digest over every 256 records, to be compared with what is read back.

use std::path::PathBuf;

use super::WriteSiteError;
use crate::codec::Digest;
use crate::endpoint::{Failure, Sink};
use crate::record::{End, Header, Key, Kind, SiteInfo};

/// So many records stand under one digest.
const RECORDS: u32 = 256;

/// Collects digests of records, in canonical order.
#[derive(Debug, Default)]
pub(super) struct Checklist {
    lines: Vec<Line>,
    open: Option<(Kind, Key, blake3::Hasher, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    kind: Kind,
    first_key: Key,
    digest: blake3::Hash,
}

/// What a walk over the written site must give.
#[derive(Debug)]
pub struct Expected(Vec<Line>);

impl Checklist {
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

    pub fn finish(mut self) -> Expected {
        self.close();
        Expected(self.lines)
    }
}

/// The sink of the read-back: takes the walk over a written site, and fails at its end unless it gave what was written.
#[derive(Debug)]
pub struct Readback {
    path: PathBuf,
    expected: Expected,
    found: Checklist,
    present: Option<(Kind, Key)>,
}

impl Readback {
    /// A read-back of the site that was written to `path`.
    pub fn new(path: PathBuf, expected: Expected) -> Self {
        Readback { path, expected, found: Checklist::default(), present: None }
    }
}

impl Sink for Readback {
    fn begin(&mut self, _site: &SiteInfo) -> Result<(), Failure> {
        Ok(())
    }

    fn record(&mut self, header: &Header) -> Result<(), Failure> {
        self.present = Some((header.kind, header.key.clone()));
        Ok(())
    }

    fn segment(&mut self, _segment: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure> {
        if let Some((kind, key)) = self.present.take() {
            self.found.record(kind, &key, digest);
        }
        Ok(())
    }

    fn finish(&mut self, _end: &End) -> Result<(), Failure> {
        let found = std::mem::take(&mut self.found).finish().0;
        let expected = &self.expected.0;
        let first =
            expected.iter().zip(&found).find(|(expected, found)| expected != found).map(|(expected, _)| expected);
        let line = first.or_else(|| expected.get(found.len())).or_else(|| found.get(expected.len()));
        match line {
            None => Ok(()),
            Some(line) => Err(WriteSiteError::Readback {
                path: self.path.clone(),
                what: format!("among the {} records from {} on", line.kind, line.first_key),
            }
            .into()),
        }
    }
}
