//! Bodies that an upgrade makes: bytes of its own, and what stands in files of the old release, as base64.

use base64_simd::STANDARD;

use crate::archive::{BodyReader, RandomReader};
use crate::codec::segment::Cutter;
use crate::endpoint::{Class, Failure};
use crate::record::{Body, Key, Kind};

/// So many bytes stand in a line of base64 (RFC 2045).
const LINE_BYTES: usize = 57;

/// One piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The body of a `file` record in base64.
    File {
        /// Path of the file.
        path: Vec<u8>,
        /// Its length in bytes.
        bytes: u64,
        /// Whether it is cut into lines, each of which ends with CR and LF.
        in_lines: bool,
    },
}

impl Piece {
    /// Length in bytes of what it gives.
    pub fn length(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File { bytes, in_lines, .. } => {
                let line_ends = if *in_lines { bytes.div_ceil(LINE_BYTES as u64) * 2 } else { 0 };
                bytes.div_ceil(3) * 4 + line_ends
            }
        }
    }
}

/// Reads a body that consists of pieces, segment by segment.
pub(super) struct ContentReader<'a> {
    archive: &'a RandomReader,
    pieces: std::vec::IntoIter<Piece>,
    file: Option<FileReader<'a>>,
    cutter: Cutter,
}

struct FileReader<'a> {
    path: Vec<u8>,
    body: BodyReader<'a>,
    /// What doesn't fill a line yet.
    rest: Vec<u8>,
    left: u64,
    in_lines: bool,
}

impl<'a> ContentReader<'a> {
    /// Nothing is read before the first segment is asked for.
    pub fn new(archive: &'a RandomReader, pieces: Vec<Piece>) -> Self {
        ContentReader { archive, pieces: pieces.into_iter(), file: None, cutter: Cutter::default() }
    }

    /// Puts the next segment into `segment`; `false` when there is none left.
    pub fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        while !self.cutter.has_segment() && self.fill()? {}
        Ok(self.cutter.segment(segment))
    }

    /// Goes on by a piece, or a part of one; `false` when there is none left.
    fn fill(&mut self) -> Result<bool, Failure> {
        if let Some(file) = &mut self.file {
            if !file.fill(self.cutter.input())? {
                self.file = None;
            }
            return Ok(true);
        }
        match self.pieces.next() {
            None => return Ok(false),
            Some(Piece::Bytes(bytes)) => self.cutter.input().extend_from_slice(&bytes),
            Some(Piece::File { path, bytes, in_lines }) => {
                let key = Key::name(path.clone());
                let record = self.archive.open_record(Kind::File, &key).map_err(Failure::from)?;
                let Some((header, body)) = record else { return Err(changed(&path)) };
                let rest = match header.body {
                    Some(Body::Inline(bytes)) => bytes,
                    _ => Vec::new(),
                };
                let left = bytes.saturating_sub(rest.len() as u64);
                self.file = Some(FileReader { path, body, rest, left, in_lines });
            }
        }
        Ok(true)
    }
}

impl FileReader<'_> {
    fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool, Failure> {
        let mut segment = Vec::new();
        let goes_on = self.body.segment(&mut segment).map_err(Failure::from)?;
        self.left = self.left.checked_sub(segment.len() as u64).ok_or_else(|| changed(&self.path))?;
        self.rest.extend_from_slice(&segment);
        if !goes_on && self.left > 0 {
            return Err(changed(&self.path));
        }
        let whole = self.rest.len() - self.rest.len() % LINE_BYTES;
        let now = if goes_on { whole } else { self.rest.len() };
        append_base64(&self.rest[..now], self.in_lines, out);
        self.rest.drain(..now);
        Ok(goes_on)
    }
}

/// Appends bytes as base64. All but the last of several calls have whole lines.
fn append_base64(bytes: &[u8], in_lines: bool, out: &mut Vec<u8>) {
    if !in_lines {
        STANDARD.encode_append(bytes, out);
        return;
    }
    for line in bytes.chunks(LINE_BYTES) {
        STANDARD.encode_append(line, out);
        out.extend_from_slice(b"\r\n");
    }
}

fn changed(path: &[u8]) -> Failure {
    let path = crate::record::printable(path);
    let problem =
        format!("the file {path} was not found again in the archive as it was there before: the archive has changed");
    Failure::new(Class::Failed, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_base64() {
        for length in [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 1000] {
            for in_lines in [false, true] {
                let mut text = Vec::new();
                append_base64(&vec![7; length], in_lines, &mut text);
                let piece = Piece::File { path: Vec::new(), bytes: length as u64, in_lines };
                assert_eq!(piece.length(), text.len() as u64, "{length} bytes, in lines: {in_lines}");
            }
        }
    }
}
