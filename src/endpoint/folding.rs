//! A source whose messages come folded.

use super::{Failure, Source};
use crate::codec::fold::Folder;
use crate::codec::segment::Cutter;
use crate::codec::{Digest, SEGMENT_BYTES};
use crate::record::{Body, End, Header, Kind, SiteInfo};

/// A body is folded if there is base64 among so many of its first bytes. Most have it there if they have any, behind a text for people. Others stay as
/// they are, so that a tar alone gives them back.
const LOOK_AHEAD_BYTES: usize = 16 * SEGMENT_BYTES;

/// Gives the records of another source, messages with base64 in them as `Body::Folded`.
pub struct Folding<'a, S: Source + ?Sized> {
    source: &'a mut S,
    body: State,
    folder: Folder,
    /// What was read ahead, and how much of it was given. Nothing of it is needed once a body is to be folded.
    ahead: Cutter,
    stored: Cutter,
    segment: Vec<u8>,
}

/// The body of the present record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It comes as the source gives it, behind what was read ahead.
    Plain,
    /// It is folded; the source has more of it.
    Folded,
    /// It is folded to its end.
    FoldedWhole,
}

impl<'a, S: Source + ?Sized> Folding<'a, S> {
    /// Folds what comes from a source that nothing was read from yet.
    pub fn new(source: &'a mut S) -> Self {
        Folding {
            source,
            body: State::Plain,
            folder: Folder::default(),
            ahead: Cutter::default(),
            stored: Cutter::default(),
            segment: Vec::new(),
        }
    }

    /// Reads ahead until it is known whether the body of the present record is to be folded.
    fn look_ahead(&mut self) -> Result<State, Failure> {
        let mut ahead_bytes = 0;
        while ahead_bytes < LOOK_AHEAD_BYTES {
            let ended = !self.fold_segment()?;
            if self.folder.has_folded() {
                self.ahead.clear();
                return Ok(if ended { State::FoldedWhole } else { State::Folded });
            }
            if ended {
                break;
            }
            ahead_bytes += self.segment.len();
            self.ahead.input().extend_from_slice(&self.segment);
        }
        Ok(State::Plain)
    }

    /// Folds the next segment of the source; `false` when there was none left.
    fn fold_segment(&mut self) -> Result<bool, Failure> {
        let is_there = self.source.segment(&mut self.segment)?;
        if is_there {
            self.folder.push(&self.segment, self.stored.input());
        } else {
            self.folder.finish(self.stored.input());
        }
        Ok(is_there)
    }
}

impl<S: Source + ?Sized> Source for Folding<'_, S> {
    fn site(&self) -> &SiteInfo {
        self.source.site()
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.source.position()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        self.folder.clear();
        self.ahead.clear();
        self.stored.clear();
        self.body = State::Plain;
        let Some(mut header) = self.source.next()? else { return Ok(None) };
        if let (Kind::Message, Some(Body::Segments(length))) = (header.kind, &header.body) {
            let length = *length;
            self.body = self.look_ahead()?;
            if self.body != State::Plain {
                header.body = Some(Body::Folded(length));
            }
        }
        Ok(Some(header))
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        if self.body == State::Plain {
            return if self.ahead.segment(segment) { Ok(true) } else { self.source.segment(segment) };
        }
        while self.body == State::Folded && !self.stored.has_segment() {
            if !self.fold_segment()? {
                self.body = State::FoldedWhole;
            }
        }
        Ok(self.stored.segment(segment))
    }

    fn digest(&self) -> Digest {
        self.source.digest()
    }

    fn take_back(&mut self, header: Header) {
        self.source.take_back(header);
    }

    fn finish(&mut self) -> Result<End, Failure> {
        self.source.finish()
    }
}
