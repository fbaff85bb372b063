//! How a catalogue is made: one walk, in which only those bodies are read whose digests are not known.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::digests::Digests;
use super::evidence::Examiner;
use super::{Block, Catalogue, CatalogueError, CatalogueOptions, rows};
use crate::codec::block::BlockCutter;
use crate::codec::cbor::Encoder;
use crate::codec::manifest::{Identity, encode_identities};
use crate::codec::{Digest, RecordHasher};
use crate::endpoint::Class;
use crate::monitor::Monitor;
use crate::record::{Body, Header};
use crate::site::source::{Located, Records};
use crate::site::{ReadSiteError, Site};

impl Catalogue {
    /// Makes the catalogue of a site. Every record is shown to `seen`, in canonical order.
    ///
    /// # Errors
    /// When the site can't be read or was changed meanwhile, or the scratch file can't be written. That digests can't be kept is only
    /// reported.
    pub fn make(
        site: &Site,
        options: &CatalogueOptions,
        seen: &mut dyn FnMut(&Identity),
        monitor: &dyn Monitor,
    ) -> Result<Catalogue, CatalogueError> {
        Self::walk(site, options, seen, monitor).map_err(|error| match error {
            CatalogueError::Site(error) => judged(site, error),
            other => other,
        })
    }

    fn walk(
        site: &Site,
        options: &CatalogueOptions,
        seen: &mut dyn FnMut(&Identity),
        monitor: &dyn Monitor,
    ) -> Result<Catalogue, CatalogueError> {
        let mut records = Records::begin(site, options.read.clone(), monitor);
        let mut pages = Pages::create(&options.read.scratch)?;
        let mut reading = Reading::begin(site, options, monitor);
        while let Some((header, located)) = records.next()? {
            if monitor.is_interrupted() {
                return Err(ReadSiteError::Interrupted.into());
            }
            let length = located.length(site.tables().layout);
            let length = length.or(header.body.as_ref().map(Body::length));
            let digest = reading.digest(&header, &located, length, records.logs())?;
            let identity = Identity { kind: header.kind, key: header.key.clone(), length, digest };
            seen(&identity);
            pages.add(identity, &header, &located)?;
            monitor.progress(0, 1);
            if let Some(total) = records.total_bytes() {
                monitor.position(reading.done_bytes.min(total), total);
            }
        }
        let logs = records.logs().to_vec();
        drop(records);
        let end = site.look_again()?;
        // Digests of a site that has moved are not kept.
        let read_bytes = reading.finish();
        let (file, blocks) = pages.finish()?;
        Ok(Catalogue { file, scratch: options.read.scratch.clone(), blocks, logs, end, read_bytes })
    }
}

/// What an error means that comes from the site itself: it seems to be damaged when its server was started meanwhile, or it was replaced.
pub(super) fn judged(site: &Site, error: ReadSiteError) -> CatalogueError {
    CatalogueError::Site(moved(site).unwrap_or(error))
}

/// Whether the site has moved, as far as that can be seen.
pub(super) fn moved(site: &Site) -> Option<ReadSiteError> {
    site.look_again().err().filter(|error| error.class() == Class::InUse)
}

/// The bodies that are read, and those that need not be.
struct Reading<'a> {
    site: &'a Site,
    monitor: &'a dyn Monitor,
    examiner: Examiner<'a>,
    digests: Option<Digests>,
    hasher: RecordHasher,
    segment: Vec<u8>,
    done_bytes: u64,
    read_bytes: u64,
}

impl<'a> Reading<'a> {
    fn begin(site: &'a Site, options: &CatalogueOptions, monitor: &'a dyn Monitor) -> Self {
        let mut reading = Reading {
            site,
            monitor,
            examiner: Examiner::new(site, options.begun),
            digests: None,
            hasher: RecordHasher::default(),
            segment: Vec::new(),
            done_bytes: 0,
            read_bytes: 0,
        };
        match options.digests.as_ref().map(|directory| Digests::open(directory, site.root())) {
            None => {}
            Some(Ok(digests)) => reading.digests = Some(digests),
            Some(Err(error)) => reading.give_up(&error),
        }
        reading
    }

    /// The identity digest of a record.
    fn digest(
        &mut self,
        header: &Header,
        located: &Located,
        length: Option<u64>,
        logs: &[crate::site::source::LogFile],
    ) -> Result<Digest, ReadSiteError> {
        self.done_bytes += length.unwrap_or(0);
        let evidence = match (&self.digests, length) {
            (Some(_), Some(length)) => self.examiner.evidence(header, located, length, logs),
            _ => None,
        };
        let (kind, key) = (header.kind, &header.key);
        if let (Some(evidence), Some(digests)) = (&evidence, &mut self.digests)
            && let Some(digest) = digests.find(kind, key, evidence)
        {
            self.keep(header, evidence, &digest);
            return Ok(digest);
        }
        let mut header = header.clone();
        let mut body = located.clone().open_with(&mut header, self.site, logs)?;
        self.hasher.begin(&header);
        while body.has_segment() {
            if self.monitor.is_interrupted() {
                return Err(ReadSiteError::Interrupted);
            }
            body.segment(&mut self.segment)?;
            self.hasher.body(&self.segment);
            self.monitor.progress(self.segment.len() as u64, 0);
        }
        self.read_bytes += length.unwrap_or(0);
        let digest = self.hasher.digest();
        if let Some(evidence) = &evidence {
            self.keep(&header, evidence, &digest);
        }
        Ok(digest)
    }

    fn keep(&mut self, header: &Header, evidence: &[u8; 32], digest: &Digest) {
        let kept = self.digests.as_mut().map(|digests| digests.add(header.kind, &header.key, evidence, digest));
        if let Some(Err(error)) = kept {
            self.give_up(&error);
        }
    }

    fn finish(mut self) -> u64 {
        if let Some(Err(error)) = self.digests.take().map(Digests::finish) {
            self.give_up(&error);
        }
        self.read_bytes
    }

    fn give_up(&mut self, error: &std::io::Error) {
        self.digests = None;
        self.monitor.warning(&format!(
            "digests can't be kept in the state directory ({error}): the next pull from here will read the whole site again"
        ));
    }
}

/// The scratch file as it grows.
struct Pages {
    file: BufWriter<File>,
    scratch: std::path::PathBuf,
    blocks: Vec<Block>,
    cutter: BlockCutter,
    present: Vec<Identity>,
    position: u64,
    rows_bytes: u64,
    encoder: Encoder,
    row: Vec<u8>,
}

impl Pages {
    fn create(scratch: &Path) -> Result<Self, CatalogueError> {
        let file = tempfile::tempfile_in(scratch)
            .map_err(|source| CatalogueError::Scratch { path: scratch.to_owned(), source })?;
        Ok(Pages {
            file: BufWriter::with_capacity(1 << 18, file),
            scratch: scratch.to_owned(),
            blocks: Vec::new(),
            cutter: BlockCutter::default(),
            present: Vec::new(),
            position: 0,
            rows_bytes: 0,
            encoder: Encoder::new(),
            row: Vec::new(),
        })
    }

    fn add(&mut self, identity: Identity, header: &Header, located: &Located) -> Result<(), CatalogueError> {
        if self.cutter.begins_block(identity.kind, &identity.key, identity.length.unwrap_or(0)) {
            self.end_block()?;
        }
        self.present.push(identity);
        rows::encode(header, located, &mut self.encoder, &mut self.row);
        self.rows_bytes += self.row.len() as u64;
        let row = std::mem::take(&mut self.row);
        let written = self.write(&row);
        self.row = row;
        written
    }

    fn end_block(&mut self) -> Result<(), CatalogueError> {
        let Some(first) = self.present.first() else { return Ok(()) };
        let identities = encode_identities(&self.present);
        self.blocks.push(Block {
            kind: first.kind,
            key: first.key.clone(),
            digest: blake3::hash(&identities).into(),
            position: self.position,
            rows_bytes: self.rows_bytes,
            // Cut so that it fits a manifest segment.
            identities_bytes: identities.len() as u32,
        });
        self.write(&identities)?;
        self.position += self.rows_bytes + identities.len() as u64;
        self.rows_bytes = 0;
        self.present.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CatalogueError> {
        self.file.write_all(bytes).map_err(|source| CatalogueError::Scratch { path: self.scratch.clone(), source })
    }

    fn finish(mut self) -> Result<(File, Vec<Block>), CatalogueError> {
        self.end_block()?;
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        let file = file.map_err(|source| CatalogueError::Scratch { path: self.scratch.clone(), source })?;
        Ok((file, self.blocks))
    }
}
