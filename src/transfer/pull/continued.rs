//! A pull that goes on: the beginning comes from the archive that the last one has left, the rest from the peer.

use std::io::Read;

use crate::archive::Reader;
use crate::codec::{Digest, RecordHasher};
use crate::endpoint::{Class, Failure, Source};
use crate::record::{Body, End, Header, SiteInfo};
use crate::wire::{Connector, SteadyRecords};

/// The records of a peer's snapshot. Those that an archive of the same snapshot holds, which may be cut short anywhere, come from there.
pub struct Continued<'a, R: Read, C: Connector> {
    archive: Option<Box<Reader<R>>>,
    peer: SteadyRecords<'a, C>,
    hasher: RecordHasher,
    open: Option<Open>,
}

/// A record of the archive whose body is not complete.
struct Open {
    header: Header,
    length: u64,
    done: u64,
}

impl<'a, R: Read, C: Connector> Continued<'a, R, C> {
    /// Begins with the archive and goes on with the peer, of which nothing was read yet.
    pub fn new(archive: Option<Box<Reader<R>>>, peer: SteadyRecords<'a, C>) -> Self {
        Continued { archive, peer, hasher: RecordHasher::default(), open: None }
    }

    /// The next header of the archive; `None` where it ends.
    fn next_here(&mut self) -> Result<Option<Header>, Failure> {
        let Some(archive) = &mut self.archive else { return Ok(None) };
        let header = match up_to_the_cut(archive.next())?.flatten() {
            Some(header) => header,
            None => {
                self.archive = None;
                return Ok(None);
            }
        };
        match header.body {
            Some(Body::Segments(length)) => {
                self.hasher.begin(&header);
                self.open = Some(Open { header: header.clone(), length, done: 0 });
            }
            _ => self.peer.receiver().take_known(&header, &archive.digest()),
        }
        Ok(Some(header))
    }

    /// The next segment of the archive; `None` where it ends.
    fn segment_here(&mut self, segment: &mut Vec<u8>) -> Result<Option<bool>, Failure> {
        let (Some(archive), Some(open)) = (&mut self.archive, &mut self.open) else { return Ok(Some(false)) };
        let Some(is_there) = up_to_the_cut(archive.segment(segment))? else { return Ok(None) };
        self.hasher.body(segment);
        open.done += segment.len() as u64;
        if open.done == open.length {
            self.peer.receiver().take_known(&open.header, &archive.digest());
            self.open = None;
        }
        Ok(Some(is_there))
    }
}

impl<R: Read, C: Connector> Source for Continued<'_, R, C> {
    fn site(&self) -> &SiteInfo {
        self.peer.site()
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.peer.position()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let mut rest = Vec::new();
        while self.segment(&mut rest)? {}
        if let Some(header) = self.next_here()? {
            return Ok(Some(header));
        }
        self.peer.next()
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        if self.archive.is_none() {
            return self.peer.segment(segment);
        }
        if let Some(is_there) = self.segment_here(segment)? {
            return Ok(is_there);
        }
        self.archive = None;
        if let Some(Open { header, length, done }) = self.open.take() {
            self.peer.receiver().take_known_part(header, length, done, self.hasher.clone());
        }
        self.peer.segment(segment)
    }

    fn digest(&self) -> Digest {
        self.archive.as_ref().map_or_else(|| self.peer.digest(), |archive| archive.digest())
    }

    fn finish(&mut self) -> Result<End, Failure> {
        self.peer.finish()
    }
}

/// What an archive gives, `None` where it is cut or damaged: what it gave before was right, each frame by its checksum, and the peer's totals decide at the end.
pub(in crate::transfer) fn up_to_the_cut<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(given) => Ok(Some(given)),
        Err(failure) if failure.class == Class::Damaged => Ok(None),
        Err(failure) => Err(failure),
    }
}
