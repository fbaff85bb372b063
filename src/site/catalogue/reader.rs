//! Records by the catalogue, one after the other or from place to place.

use super::build::{judged, moved};
use super::rows::Rows;
use super::{Catalogue, CatalogueError};
use crate::codec::manifest::{Identity, decode_identities};
use crate::codec::{Digest, RecordHasher, SEGMENT_BYTES};
use crate::record::{Body, Header, Key, Kind};
use crate::site::Site;
use crate::site::source::BodyReader;

/// Goes through the records of a site. Each is compared with its digest: one whose body stands in its header at once, others at their end.
pub struct CatalogueReader<'c> {
    catalogue: &'c Catalogue,
    site: &'c Site,
    block: Option<Open<'c>>,
    /// The block that comes next.
    next_block: usize,
    present: Option<Identity>,
    body: Option<BodyReader<'c>>,
    hasher: RecordHasher,
}

/// A block whose records are being read.
struct Open<'c> {
    identities: Vec<Identity>,
    rows: Rows<'c>,
    /// How many rows were read or passed over.
    row: usize,
    /// The record that comes next.
    next: usize,
}

impl<'c> CatalogueReader<'c> {
    pub(super) fn new(catalogue: &'c Catalogue, site: &'c Site) -> Self {
        CatalogueReader {
            catalogue,
            site,
            block: None,
            next_block: 0,
            present: None,
            body: None,
            hasher: RecordHasher::default(),
        }
    }

    /// What the record is that comes next; `None` at the end.
    ///
    /// # Errors
    /// When the scratch file can't be read.
    pub fn upcoming(&mut self) -> Result<Option<&Identity>, CatalogueError> {
        while self.block.as_ref().is_none_or(|block| block.next >= block.identities.len()) {
            if self.next_block >= self.catalogue.blocks.len() {
                return Ok(None);
            }
            self.enter(self.next_block)?;
        }
        Ok(self.block.as_ref().and_then(|block| block.identities.get(block.next)))
    }

    /// Goes to a record, which then comes next; `false` if there is no such record, and then the one behind its place comes next.
    ///
    /// # Errors
    /// When the scratch file can't be read.
    pub fn seek(&mut self, kind: Kind, key: &Key) -> Result<bool, CatalogueError> {
        let number = self.catalogue.block_of(kind, key);
        let order = |record: &Identity| (record.kind, &record.key).cmp(&(kind, key));
        let is_ahead = |block: &Open| block.identities.get(block.row).is_some_and(|record| order(record).is_le());
        // Rows can't be gone back over.
        if self.next_block != number + 1 || !self.block.as_ref().is_some_and(is_ahead) {
            self.enter(number)?;
        }
        self.body = None;
        let Some(block) = &mut self.block else { return Ok(false) };
        let found = block.identities.binary_search_by(order);
        block.next = found.unwrap_or_else(|behind| behind);
        Ok(found.is_ok())
    }

    /// The header of the next record, whose body can then be read or passed over.
    ///
    /// # Errors
    /// When the site can't be read, or the record isn't what it was.
    pub fn next_record(&mut self) -> Result<Option<Header>, CatalogueError> {
        self.body = None;
        if self.upcoming()?.is_none() {
            return Ok(None);
        }
        let Some(block) = &mut self.block else { return Ok(None) };
        block.rows.skip(block.next - block.row)?;
        let (mut header, located) = block.rows.next()?;
        let identity = block.identities[block.next].clone();
        block.next += 1;
        block.row = block.next;
        let opened = located.open_with(&mut header, self.site, &self.catalogue.logs);
        let body = opened.map_err(|error| judged(self.site, error))?;
        self.hasher.begin(&header);
        let is_same = (header.kind, &header.key) == (identity.kind, &identity.key)
            && header.body.as_ref().map(Body::length) == identity.length;
        let is_whole = !body.has_segment();
        self.body = (!is_whole).then_some(body);
        self.present = Some(identity);
        if !is_same || (is_whole && self.hasher.digest() != self.digest()) {
            return Err(self.changed());
        }
        Ok(Some(header))
    }

    /// Passes over the body of the present record up to an offset where a segment begins, or its end; `false` if there is no such place.
    ///
    /// # Errors
    /// When the site can't be read.
    pub fn skip_to(&mut self, offset: u64) -> Result<bool, CatalogueError> {
        let length = match &self.body {
            Some(body) => body.length(),
            None => 0,
        };
        if offset > length || (!offset.is_multiple_of(SEGMENT_BYTES as u64) && offset != length) {
            return Ok(false);
        }
        let (mut done, mut segment) = (0, Vec::new());
        while done < offset && self.segment(&mut segment)? {
            done += segment.len() as u64;
        }
        Ok(true)
    }

    /// Puts the next segment of the present record's body into `segment`; `false` when there is none left.
    ///
    /// # Errors
    /// When the site can't be read, or the record isn't what it was.
    pub fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, CatalogueError> {
        let Some(body) = &mut self.body else {
            segment.clear();
            return Ok(false);
        };
        if let Err(error) = body.segment(segment) {
            return Err(judged(self.site, error));
        }
        self.hasher.body(segment);
        if !body.has_segment() {
            self.body = None;
            if self.hasher.digest() != self.digest() {
                return Err(self.changed());
            }
        }
        Ok(true)
    }

    /// The identity digest of the present record.
    pub fn digest(&self) -> Digest {
        self.present.as_ref().map(|record| record.digest).unwrap_or_default()
    }

    fn enter(&mut self, number: usize) -> Result<(), CatalogueError> {
        self.block = None;
        self.next_block = number + 1;
        let Some(block) = self.catalogue.blocks.get(number) else { return Ok(()) };
        let identities = decode_identities(&self.catalogue.identities(number)?)?;
        self.block = Some(Open { identities, rows: Rows::new(self.catalogue, block), row: 0, next: 0 });
        Ok(())
    }

    /// Says that the present record isn't what it was.
    fn changed(&self) -> CatalogueError {
        let present = self.present.as_ref();
        moved(self.site).map(CatalogueError::Site).unwrap_or_else(|| CatalogueError::Changed {
            kind: present.map_or(Kind::Omitted, |record| record.kind),
            key: present.map(|record| record.key.to_string()).unwrap_or_default(),
        })
    }
}
