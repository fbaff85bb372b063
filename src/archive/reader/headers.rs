//! The headers of one member, decoded and hashed together, and given one by one.

use std::collections::VecDeque;
use std::io::Read;

use super::super::error::ReadError;
use super::super::member::TAR_BLOCK_BYTES;
use super::Reader;
use crate::codec::cbor::Decoder;
use crate::codec::header::{self, Stored};
use crate::codec::{CodecError, Digest, ShortRecords};
use crate::record::Kind;

/// The present member of headers: its tar header, content and padding, and how far it was given.
#[derive(Debug, Default)]
pub(super) struct Member {
    pub raw: Vec<u8>,
    pub content_bytes: usize,
    /// How much of the content belongs to headers that were given.
    pub decoded: usize,
    pub stem: String,
    pub kind: Option<Kind>,
    /// Where it begins in its block.
    pub block_offset: u64,
    /// Whether nothing may be added to it, because its last record has a longer body.
    pub is_closed: bool,
    /// The next headers.
    ahead: VecDeque<Decoded>,
    /// What is wrong with the header behind them.
    problem: Option<CodecError>,
}

/// A header that was decoded, and how many bytes it has.
#[derive(Debug)]
pub(super) struct Decoded {
    pub stored: Stored,
    pub bytes: usize,
    /// The digest of its record; none if that has a longer body.
    pub digest: Option<Digest>,
}

impl Member {
    /// A member of which nothing was decoded.
    pub fn new(raw: Vec<u8>, content_bytes: usize) -> Self {
        Member { raw, content_bytes, ..Member::default() }
    }

    /// The headers that were not given yet.
    pub fn undecoded(&self) -> &[u8] {
        &self.raw[TAR_BLOCK_BYTES + self.decoded..TAR_BLOCK_BYTES + self.content_bytes]
    }

    /// Decodes all that is left, up to the first header that is wrong: those before it are given before that is said.
    fn decode(&mut self, short_records: &mut ShortRecords) {
        let mut ahead = std::mem::take(&mut self.ahead);
        let mut rest = self.undecoded();
        // A member without any content has a header that ends early.
        let problem = loop {
            let mut decoder = Decoder::new(rest, "header");
            let stored = match header::decode_stored(&mut decoder) {
                Ok(stored) => stored,
                Err(error) => break Some(error),
            };
            let bytes = decoder.offset();
            if ShortRecords::take(&stored.header) {
                short_records.push_stored(&stored, rest);
            }
            ahead.push_back(Decoded { stored, bytes, digest: None });
            rest = &rest[bytes..];
            if rest.is_empty() {
                break None;
            }
        };
        let mut digests = Vec::new();
        short_records.digests(&mut digests);
        let short = ahead.iter_mut().filter(|decoded| ShortRecords::take(&decoded.stored.header));
        short.zip(digests).for_each(|(decoded, digest)| decoded.digest = Some(digest));
        (self.ahead, self.problem) = (ahead, problem);
    }
}

impl<R: Read> Reader<R> {
    /// The next header of the present member.
    pub(super) fn decode_header(&mut self) -> Result<Decoded, ReadError> {
        if self.member.ahead.is_empty() && self.member.problem.is_none() {
            self.member.decode(&mut self.short_records);
        }
        let problem = &mut self.member.problem;
        self.member.ahead.pop_front().ok_or_else(|| match problem.take() {
            Some(problem) => self.stream.codec_error(problem),
            // After an error nothing is read any more.
            None => ReadError::NotAtEnd,
        })
    }
}
