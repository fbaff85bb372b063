//! What there is of a kind, or of all, in one line (`format-spec/wire.md`, section 8).

use super::command::Scope;
use super::words::{from_hex, hex, number};
use crate::codec::{Digest, SiteHasher};
use crate::record::Kind;

/// Keeps the digest of a kind apart from the site digest and from every other.
const KIND_CONTEXT: &str = "ctdl-dump kind digest v1";

/// How many records there are, and what tells whether they are the same as others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many records.
    pub records: u64,
    /// The sum of the lengths of their bodies in bytes.
    pub body_bytes: u64,
    /// CRC-32 over their identity digests: enough to see a change by eye.
    pub crc: u32,
    /// The digest that decides: the site digest, or that of a kind.
    pub digest: Digest,
}

impl Totals {
    /// The four values as a line has them.
    pub fn encode(&self) -> String {
        let Totals { records, body_bytes, crc, digest } = self;
        format!("{records}|{body_bytes}|{crc:08x}|{}", hex(digest))
    }

    /// Whether the numbers are those of all these together.
    pub(super) fn is_sum_of<'a>(&self, parts: impl Iterator<Item = &'a Totals>) -> bool {
        let most = i64::MAX as u64;
        let add = |sum: u64, more: u64| sum.saturating_add(more).min(most);
        let sums = parts.fold((0, 0), |sums, part| (add(sums.0, part.records), add(sums.1, part.body_bytes)));
        sums == (self.records, self.body_bytes)
    }

    /// Reads the four values.
    pub fn parse(fields: &[&str]) -> Option<Self> {
        let [records, body_bytes, crc, digest] = fields else { return None };
        Some(Totals {
            records: number(records)?,
            body_bytes: number(body_bytes)?,
            crc: u32::from_be_bytes(from_hex(crc)?),
            digest: from_hex(digest)?,
        })
    }
}

/// Adds records up, in canonical order.
#[derive(Debug)]
pub struct Tally {
    records: u64,
    body_bytes: u64,
    crc: flate2::Crc,
    hasher: TallyHasher,
}

#[derive(Debug)]
enum TallyHasher {
    Site(Box<SiteHasher>),
    Kind(Box<blake3::Hasher>),
}

impl Tally {
    /// Nothing yet of a kind, or of all.
    pub fn new(scope: Scope) -> Self {
        let hasher = match scope {
            Scope::All => TallyHasher::Site(Box::default()),
            Scope::Kind(_) => TallyHasher::Kind(Box::new(blake3::Hasher::new_derive_key(KIND_CONTEXT))),
        };
        Tally { records: 0, body_bytes: 0, crc: flate2::Crc::new(), hasher }
    }

    /// Takes the next record.
    pub fn record(&mut self, kind: Kind, body_bytes: u64, digest: &Digest) {
        self.records += 1;
        self.body_bytes = self.body_bytes.saturating_add(body_bytes).min(i64::MAX as u64);
        self.crc.update(digest);
        match &mut self.hasher {
            TallyHasher::Site(hasher) => hasher.record(kind, digest),
            TallyHasher::Kind(hasher) => {
                hasher.update(digest);
            }
        }
    }

    /// The sum of the lengths of their bodies so far.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// What there is so far.
    pub fn totals(&self) -> Totals {
        let digest = match &self.hasher {
            TallyHasher::Site(hasher) => hasher.digest(),
            TallyHasher::Kind(hasher) => hasher.finalize().into(),
        };
        Totals { records: self.records, body_bytes: self.body_bytes, crc: self.crc.sum(), digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_come_back() {
        let mut tally = Tally::new(Scope::Kind(Kind::User));
        tally.record(Kind::User, 7, &[1; 32]);
        let totals = tally.totals();
        let line = totals.encode();
        assert_eq!(Totals::parse(&line.split('|').collect::<Vec<_>>()), Some(totals));
        assert!(line.starts_with("1|7|"), "{line}");
    }

    #[test]
    fn records_about_the_copy_count_for_their_kind_but_not_for_the_site_digest() {
        let count = |scope| {
            let mut tally = Tally::new(scope);
            tally.record(Kind::Omitted, 0, &[1; 32]);
            tally.totals()
        };
        assert_eq!(count(Scope::All).digest, Tally::new(Scope::All).totals().digest);
        let kind = Scope::Kind(Kind::Omitted);
        assert_ne!(count(kind).digest, Tally::new(kind).totals().digest);
        assert_eq!(count(Scope::All).records, 1);
    }
}
