//! The tar that the frames hold, member by member, and where frames may end.

use std::io::Read;

use super::super::error::{FrameProblem, Place, ReadError, TarError};
use super::super::member::{self, TAR_BLOCK_BYTES, TarHeader};
use super::super::{FRAME_BYTES, ROOT_MEMBER, TAR_END_BYTES};
use super::frames::{Frame, Frames};
use crate::codec::CodecError;
use crate::record::Header;

/// What comes next in the tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A member of a block.
    Data,
    /// A member that stands alone in its frame.
    Alone,
}

/// The members of an archive.
#[derive(Debug)]
pub struct Stream<R> {
    frames: Frames<R>,
    frame: Frame,
    /// How much of the frame was read.
    used: usize,
    /// Whether the last data frame was shorter than data frames are, so that no other may follow before a manifest group.
    data_must_end: bool,
    /// Bytes of the tar before the present frame.
    frame_tar_offset: u64,
    /// Length of the first frame, from whose end positions count.
    site_frame_bytes: u64,
    /// Where the present member begins, and its header.
    member_frame_offset: u64,
    member_tar_offset: u64,
    member_header: TarHeader,
}

impl<R: Read> Stream<R> {
    pub fn new(frames: Frames<R>) -> Self {
        Stream {
            frames,
            frame: Frame::default(),
            used: 0,
            data_must_end: false,
            frame_tar_offset: 0,
            site_frame_bytes: 0,
            member_frame_offset: 0,
            member_tar_offset: 0,
            member_header: [0; TAR_BLOCK_BYTES],
        }
    }

    /// Position of the next byte, counted from the end of the frame of `site.cbor`.
    pub fn position(&self) -> u64 {
        self.frame_tar_offset + self.used as u64 - self.site_frame_bytes
    }

    /// Where the present frame begins in the file.
    pub fn file_offset(&self) -> u64 {
        self.frame.offset
    }

    /// The first member, alone in its frame.
    pub fn first(&mut self, name: &str) -> Result<Vec<u8>, ReadError> {
        self.load().map_err(not_ours)?;
        if !self.frame.content.starts_with(format!("{name}\0").as_bytes()) {
            let found = format!("it is compressed by zstd, but doesn't begin with {name}");
            return Err(ReadError::NotAnArchive { found });
        }
        let content = self.alone(name)?;
        self.site_frame_bytes = self.frame.content.len() as u64;
        Ok(content)
    }

    /// What the next member is.
    pub fn upcoming(&mut self) -> Result<Next, ReadError> {
        self.load()?;
        let rest = &self.frame.content[self.used..];
        let is_manifest = rest.starts_with(b"manifest/") || rest.starts_with(format!("{ROOT_MEMBER}\0").as_bytes());
        match (is_manifest, self.used) {
            (false, _) => Ok(Next::Data),
            (true, 0) => Ok(Next::Alone),
            (true, _) => {
                Err(self.cut_error("a member of the manifest follows in it, which must have a frame of its own"))
            }
        }
    }

    /// The content of a member that stands alone in its frame and has this name; the root has the end of the tar behind it.
    pub fn alone(&mut self, name: &str) -> Result<Vec<u8>, ReadError> {
        self.load()?;
        self.begin_member();
        if let Some(header) = self.frame.content.first_chunk() {
            self.member_header = *header;
        }
        let zeros_behind = if name == ROOT_MEMBER { TAR_END_BYTES } else { 0 };
        let content = match member::alone(&self.frame.content, Some(name), zeros_behind) {
            Ok(content) if self.used == 0 => content.to_vec(),
            Ok(_) => return Err(self.tar_error(TarError::NotAlone)),
            Err(problem) => return Err(self.tar_error(problem)),
        };
        self.data_must_end = false;
        self.used = self.frame.content.len();
        Ok(content)
    }

    /// Reads the tar header of the next member of a block into `raw`, and gives it.
    pub fn member_header(&mut self, raw: &mut Vec<u8>) -> Result<TarHeader, ReadError> {
        self.load()?;
        self.begin_member();
        self.take(TAR_BLOCK_BYTES, raw)?;
        if let Some(header) = raw.last_chunk::<TAR_BLOCK_BYTES>() {
            self.member_header = *header;
        }
        Ok(self.member_header)
    }

    /// Appends so many bytes of the present member's content to `out`.
    pub fn take(&mut self, mut count: usize, out: &mut Vec<u8>) -> Result<(), ReadError> {
        while count > 0 {
            self.load()?;
            if self.used == 0 {
                if self.data_must_end {
                    let bytes = FRAME_BYTES;
                    return Err(self.cut_error(&format!(
                        "data goes on in it, but the frame before it is shorter than {bytes} bytes"
                    )));
                }
                self.data_must_end = self.frame.content.len() < FRAME_BYTES;
            }
            let now = count.min(self.frame.content.len() - self.used);
            out.extend_from_slice(&self.frame.content[self.used..self.used + now]);
            self.used += now;
            count -= now;
        }
        Ok(())
    }

    /// Appends the padding behind so many bytes of content to `out`.
    pub fn padding(&mut self, content_bytes: usize, out: &mut Vec<u8>) -> Result<(), ReadError> {
        let start = out.len();
        self.take(member::padding_bytes(content_bytes), out)?;
        member::check_padding(&out[start..]).map_err(|problem| self.tar_error(problem))
    }

    /// Fails unless the archive ends here, with digest and seek table in order.
    pub fn end(&mut self) -> Result<(), ReadError> {
        match self.frames.next(Frame::default())? {
            None => Ok(()),
            Some(frame) => Err(ReadError::Frame {
                offset: frame.offset,
                problem: FrameProblem::Cut { problem: "it follows the final manifest".to_owned() },
            }),
        }
    }

    /// Where the present member stands.
    pub fn place(&self) -> Box<Place> {
        Box::new(Place {
            member: member::name(&self.member_header),
            frame_offset: self.member_frame_offset,
            tar_offset: self.member_tar_offset,
        })
    }

    pub fn tar_error(&self, problem: TarError) -> ReadError {
        ReadError::Tar { place: self.place(), problem }
    }

    pub fn codec_error(&self, source: CodecError) -> ReadError {
        ReadError::Codec { place: self.place(), source }
    }

    pub fn record_error(&self, header: &Header, problem: impl Into<String>) -> ReadError {
        let (kind, key) = (header.kind, header.key.to_string());
        ReadError::Record { place: self.place(), kind, key, problem: problem.into() }
    }

    pub fn manifest_error(&self, problem: impl Into<String>) -> ReadError {
        ReadError::Manifest { place: self.place(), problem: problem.into() }
    }

    /// Makes sure that there is something left of the present frame.
    fn load(&mut self) -> Result<(), ReadError> {
        if self.used < self.frame.content.len() {
            return Ok(());
        }
        self.frame_tar_offset += self.frame.content.len() as u64;
        self.used = 0;
        match self.frames.next(std::mem::take(&mut self.frame))? {
            Some(frame) => self.frame = frame,
            None => return Err(self.manifest_error("the archive ends behind it, without its final manifest")),
        }
        Ok(())
    }

    fn begin_member(&mut self) {
        self.member_frame_offset = self.frame.offset;
        self.member_tar_offset = self.frame_tar_offset + self.used as u64;
    }

    fn cut_error(&self, problem: &str) -> ReadError {
        ReadError::Frame { offset: self.frame.offset, problem: FrameProblem::Cut { problem: problem.to_owned() } }
    }
}

/// A first frame of a sort that archives don't have is no damage: the file is something else.
fn not_ours(error: ReadError) -> ReadError {
    match error {
        ReadError::Frame {
            offset: 0,
            problem:
                problem @ (FrameProblem::Header { .. } | FrameProblem::ContentSize { .. } | FrameProblem::TooLong { .. }),
        } => ReadError::NotAnArchive { found: format!("it is compressed by zstd, but {problem}") },
        error => error,
    }
}
