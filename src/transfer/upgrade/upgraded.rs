//! A source that gives a site as release 980 would have it.

use super::change::Change;
use super::content::{ContentReader, Piece};
use super::plan::Plan;
use crate::archive::RandomReader;
use crate::codec::segment::Cutter;
use crate::codec::{Digest, RecordHasher};
use crate::endpoint::{Failure, Source};
use crate::record::{Body, End, Header, SiteInfo};

/// Changes the records of another source by a plan, and adds those that the plan has made.
pub struct Upgraded<'a> {
    source: &'a mut dyn Source,
    archive: &'a RandomReader,
    plan: Plan,
    site: SiteInfo,
    /// What the source gave and was not handed on yet.
    upcoming: Option<Header>,
    has_ended: bool,
    body: Current<'a>,
    hasher: RecordHasher,
    is_changed: bool,
}

/// Where the present record's body comes from.
enum Current<'a> {
    /// It stands in the header, or there is none.
    Header,
    /// The source gives it as it is.
    Source,
    /// The source gives it, and something comes at its end.
    Longer { end: Option<Vec<u8>>, cutter: Cutter },
    /// It is made.
    Made(Box<ContentReader<'a>>),
}

impl<'a> Upgraded<'a> {
    /// Takes the records from `source`, which nothing was read from yet, and what is made of files from `archive`: the two are the same archive.
    pub fn new(source: &'a mut dyn Source, archive: &'a RandomReader, plan: Plan) -> Self {
        let site = SiteInfo { release: super::CURRENT_RELEASE, ..source.site().clone() };
        Upgraded {
            source,
            archive,
            plan,
            site,
            upcoming: None,
            has_ended: false,
            body: Current::Header,
            hasher: RecordHasher::default(),
            is_changed: false,
        }
    }

    /// What a person must know of it, once all records have been given.
    pub fn into_notices(self) -> Vec<String> {
        self.plan.into_notices()
    }

    fn advance(&mut self) -> Result<Option<Header>, Failure> {
        loop {
            if self.upcoming.is_none() && !self.has_ended {
                self.upcoming = self.source.next()?;
                self.has_ended = self.upcoming.is_none();
            }
            let given = self.upcoming.as_ref().map(|header| (header.kind, &header.key));
            let made = self.plan.made.upcoming();
            match (given, made) {
                (None, None) => return Ok(None),
                (Some(given), Some(made)) if given == made => {
                    if let Some(header) = self.upcoming.take() {
                        self.plan.replace(&header);
                    }
                }
                (given, Some(made)) if given.is_none_or(|given| made < given) => {
                    if let Some((header, pieces)) = self.plan.made.next_record()? {
                        return self.begin_made(header, pieces).map(Some);
                    }
                }
                _ => {
                    if let Some(header) = self.upcoming.take()
                        && let Some(header) = self.begin_given(header)?
                    {
                        return Ok(Some(header));
                    }
                }
            }
        }
    }

    fn begin_made(&mut self, mut header: Header, pieces: Option<Vec<Piece>>) -> Result<Header, Failure> {
        self.is_changed = true;
        self.body = Current::Header;
        if let Some(pieces) = pieces {
            let length = pieces.iter().map(Piece::length).sum();
            let mut content = ContentReader::new(self.archive, pieces);
            if length <= header.kind.inline_body_bytes() as u64 {
                let mut bytes = Vec::new();
                content.segment(&mut bytes)?;
                header.body = Some(Body::Inline(bytes));
            } else {
                header.body = Some(Body::Segments(length));
                self.body = Current::Made(Box::new(content));
            }
        }
        self.hasher.begin(&header);
        Ok(header)
    }

    fn begin_given(&mut self, header: Header) -> Result<Option<Header>, Failure> {
        // The identity of a record is that of its kind, key, fields and body; what the old struct had besides is of no use in a new one.
        let mut changed = Header { residue: None, ..header.clone() };
        let end = match self.plan.change(&mut changed) {
            Change::LeftOut => return Ok(None),
            Change::Kept => Vec::new(),
            Change::Longer(end) => end,
        };
        let is_in_segments = matches!(changed.body, Some(Body::Segments(_)));
        self.body = if is_in_segments { Current::Source } else { Current::Header };
        if !end.is_empty() {
            self.lengthen(&mut changed, end)?;
        }
        self.is_changed = (&changed.key, &changed.fields, &changed.body) != (&header.key, &header.fields, &header.body);
        if self.is_changed {
            self.hasher.begin(&changed);
        }
        Ok(Some(changed))
    }

    /// Gives the present record a longer body.
    fn lengthen(&mut self, header: &mut Header, end: Vec<u8>) -> Result<(), Failure> {
        let mut cutter = Cutter::default();
        let length = header.body.as_ref().map_or(0, Body::length) + end.len() as u64;
        match header.body.take() {
            Some(Body::Segments(_) | Body::Folded(_)) => {
                header.body = Some(Body::Segments(length));
                self.body = Current::Longer { end: Some(end), cutter };
            }
            inline => {
                let mut bytes = match inline {
                    Some(Body::Inline(bytes)) => bytes,
                    _ => Vec::new(),
                };
                bytes.extend_from_slice(&end);
                if bytes.len() <= header.kind.inline_body_bytes() {
                    header.body = Some(Body::Inline(bytes));
                } else {
                    cutter.input().extend_from_slice(&bytes);
                    header.body = Some(Body::Segments(length));
                    self.body = Current::Longer { end: None, cutter };
                }
            }
        }
        Ok(())
    }

    fn next_segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        match &mut self.body {
            Current::Header => {
                segment.clear();
                Ok(false)
            }
            Current::Source => self.source.segment(segment),
            Current::Made(content) => content.segment(segment),
            Current::Longer { end, cutter } => {
                while !cutter.has_segment()
                    && let Some(rest) = end
                {
                    if self.source.segment(segment)? {
                        cutter.input().extend_from_slice(segment);
                    } else {
                        cutter.input().extend_from_slice(rest);
                        *end = None;
                    }
                }
                Ok(cutter.segment(segment))
            }
        }
    }
}

impl Source for Upgraded<'_> {
    fn site(&self) -> &SiteInfo {
        &self.site
    }

    fn position(&self) -> Option<(u64, u64)> {
        self.source.position()
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let mut rest = Vec::new();
        while self.segment(&mut rest)? {}
        self.advance()
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        let is_there = self.next_segment(segment)?;
        if is_there && self.is_changed {
            self.hasher.body(segment);
        }
        Ok(is_there)
    }

    fn digest(&self) -> Digest {
        if self.is_changed { self.hasher.digest() } else { self.source.digest() }
    }

    fn take_back(&mut self, header: Header) {
        self.source.take_back(header);
    }

    fn finish(&mut self) -> Result<End, Failure> {
        self.source.finish()
    }
}
