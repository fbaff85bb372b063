//! Comparing two sources: a walk of two ordered streams in lock-step.

use std::cmp::Ordering;

use crate::endpoint::{Failure, Source};
use crate::record::{Header, Key, Kind, Value};

/// One record that isn't the same in both sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Only the first source has it.
    OnlyInFirst {
        /// Kind of the record.
        kind: Kind,
        /// Key of the record.
        key: Key,
    },
    /// Only the second source has it.
    OnlyInSecond {
        /// Kind of the record.
        kind: Kind,
        /// Key of the record.
        key: Key,
    },
    /// Both have it, with other contents.
    Changed {
        /// Kind of the record.
        kind: Kind,
        /// Key of the record.
        key: Key,
        /// The fields that differ.
        fields: Vec<FieldDifference>,
        /// Whether the bodies differ, and their lengths in bytes (`None` for no body).
        body: Option<(Option<u64>, Option<u64>)>,
    },
}

/// A field that differs: its name, and its value in either source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// Name of the field.
    pub name: &'static str,
    /// Its value in the first source, if it is there.
    pub first: Option<Value>,
    /// Its value in the second source, if it is there.
    pub second: Option<Value>,
}

/// A comparison under way: gives the differences one by one, in canonical order, and ends both sources.
pub struct Comparison<'a> {
    first: Side<'a>,
    second: Side<'a>,
    is_done: bool,
}

struct Side<'a> {
    source: &'a mut dyn Source,
    header: Option<Header>,
    /// Of the present body's segments, once they are read: tells a changed body from changed fields.
    body_digest: blake3::Hash,
}

impl<'a> Comparison<'a> {
    /// Begins to compare two sources that nothing was read from yet.
    pub fn begin(first: &'a mut dyn Source, second: &'a mut dyn Source) -> Result<Self, Failure> {
        Ok(Comparison { first: Side::begin(first)?, second: Side::begin(second)?, is_done: false })
    }

    /// The next difference; `None` when there are no more, and both sources have ended well. Residue, `loss` and `omitted` records are not
    /// compared: they are no part of a site.
    pub fn next_difference(&mut self) -> Result<Option<Difference>, Failure> {
        loop {
            let order = match (&self.first.header, &self.second.header) {
                (None, None) => return self.finish(),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(first), Some(second)) => (first.kind, &first.key).cmp(&(second.kind, &second.key)),
            };
            match order {
                Ordering::Less => {
                    if let Some(Header { kind, key, .. }) = self.first.take()? {
                        return Ok(Some(Difference::OnlyInFirst { kind, key }));
                    }
                }
                Ordering::Greater => {
                    if let Some(Header { kind, key, .. }) = self.second.take()? {
                        return Ok(Some(Difference::OnlyInSecond { kind, key }));
                    }
                }
                Ordering::Equal => {
                    if let Some(difference) = self.compare_heads()? {
                        return Ok(Some(difference));
                    }
                }
            }
        }
    }

    fn finish(&mut self) -> Result<Option<Difference>, Failure> {
        if !self.is_done {
            self.is_done = true;
            self.first.source.finish()?;
            self.second.source.finish()?;
        }
        Ok(None)
    }

    fn compare_heads(&mut self) -> Result<Option<Difference>, Failure> {
        self.first.read_body()?;
        self.second.read_body()?;
        let same = self.first.source.digest() == self.second.source.digest();
        let same_segments = self.first.body_digest == self.second.body_digest;
        match (self.first.take()?, self.second.take()?) {
            (Some(first), Some(second)) if !same => Ok(Some(difference(first, &second, same_segments))),
            _ => Ok(None),
        }
    }
}

impl<'a> Side<'a> {
    fn begin(source: &'a mut dyn Source) -> Result<Self, Failure> {
        let mut side = Side { source, header: None, body_digest: blake3::Hash::from_bytes([0; 32]) };
        side.advance()?;
        Ok(side)
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.header = self.source.next()?.filter(|header| header.kind.is_of_the_site());
        if self.header.is_none() {
            // Records about the copy come last and are passed over, so that the source can be ended.
            while self.source.next()?.is_some() {}
        }
        Ok(())
    }

    fn read_body(&mut self) -> Result<(), Failure> {
        let mut segment = Vec::new();
        let mut hasher = blake3::Hasher::new();
        while self.source.segment(&mut segment)? {
            hasher.update(&segment);
        }
        self.body_digest = hasher.finalize();
        Ok(())
    }

    /// The present header, while the source goes on to the next.
    fn take(&mut self) -> Result<Option<Header>, Failure> {
        let header = self.header.take();
        self.advance()?;
        Ok(header)
    }
}

fn difference(first: Header, second: &Header, same_segments: bool) -> Difference {
    let mut names: Vec<&'static str> = first.fields.iter().chain(second.fields.iter()).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let fields: Vec<FieldDifference> = names
        .into_iter()
        .filter(|name| first.fields.get(name) != second.fields.get(name))
        .map(|name| FieldDifference {
            name,
            first: first.fields.get(name).cloned(),
            second: second.fields.get(name).cloned(),
        })
        .collect();
    let bodies_differ = first.body != second.body || !same_segments;
    let lengths = [&first, second].map(|header| header.body.as_ref().map(|body| body.length()));
    Difference::Changed {
        kind: first.kind,
        key: first.key,
        body: bodies_differ.then_some((lengths[0], lengths[1])),
        fields,
    }
}
