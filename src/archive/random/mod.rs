//! Looks into an archive that is a regular file, and touches only the frames that it needs. What it touches is checked; that the whole
//! file is in order only `Reader` can tell.

mod body;
mod frames;
mod index;
mod records;
mod stream;

use std::fs::File;

pub use self::body::BodyReader;
use self::frames::FrameFile;
pub use self::index::IndexEntries;
pub use self::records::{Headers, Records};
pub use self::stream::Stream;
use super::error::{Place, ReadError};
use super::member;
use super::{ROOT_MEMBER, SITE_MEMBER, TAR_END_BYTES};
use crate::codec::manifest::Root;
use crate::codec::site_info;
use crate::record::SiteInfo;

/// An archive in a regular file.
#[derive(Debug)]
pub struct RandomReader {
    frames: FrameFile,
    site: SiteInfo,
    root: Root,
    /// Length of the first frame's content, from whose end positions count.
    site_frame_bytes: u64,
}

impl RandomReader {
    /// Reads the seek table, the final manifest and `site.cbor`.
    pub fn open(file: File) -> Result<Self, ReadError> {
        let frames = FrameFile::open(file)?;
        let first = frames.unpack(0)?;
        if !first.starts_with(format!("{SITE_MEMBER}\0").as_bytes()) {
            let found = format!("it is compressed by zstd, but doesn't begin with {SITE_MEMBER}");
            return Err(ReadError::NotAnArchive { found });
        }
        let content = alone(&frames, 0, &first, Some(SITE_MEMBER))?;
        let site = site_info::decode(content)
            .map_err(|source| ReadError::Codec { place: place(&frames, 0, 0, SITE_MEMBER), source })?;
        let last = frames.len() - 1;
        let root_place = || place(&frames, last, frames.at(last).tar_offset, ROOT_MEMBER);
        let root_frame = frames.unpack(last)?;
        let root = Root::decode(alone(&frames, last, &root_frame, Some(ROOT_MEMBER))?)
            .map_err(|source| ReadError::Codec { place: root_place(), source })?;
        if blake3::hash(content) != root.site_info_digest {
            let problem = "it is the manifest of another site.cbor".to_owned();
            return Err(ReadError::Manifest { place: root_place(), problem });
        }
        Ok(RandomReader { site_frame_bytes: first.len() as u64, frames, site, root })
    }

    /// What `site.cbor` says.
    pub fn site(&self) -> &SiteInfo {
        &self.site
    }

    /// The root of the manifest: counts, site digest, state after.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// How many bytes of the file were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.frames.bytes_read()
    }

    /// Appends so many bytes of the stream from a position on.
    fn read(&self, position: u64, count: usize, out: &mut Vec<u8>) -> Result<(), ReadError> {
        let (mut at, mut left) = (position.saturating_add(self.site_frame_bytes), count);
        while left > 0 {
            let number = self.frames.holding(at).ok_or_else(|| self.outside(position))?;
            let content = self.frames.content(number)?;
            let rest = content.get((at - self.frames.at(number).tar_offset) as usize..).unwrap_or_default();
            let now = left.min(rest.len());
            out.extend_from_slice(&rest[..now]);
            at += now as u64;
            left -= now;
        }
        Ok(())
    }

    /// The content of the member that stands alone in the frame at a position. Its digest tells whether it is the right one, so its name may be any.
    fn alone_at(&self, position: u64, name: Option<&str>) -> Result<Vec<u8>, ReadError> {
        let tar_offset = position.saturating_add(self.site_frame_bytes);
        let number = self.frames.holding(tar_offset).ok_or_else(|| self.outside(position))?;
        if self.frames.at(number).tar_offset != tar_offset {
            return Err(self.outside(position));
        }
        let content = self.frames.unpack(number)?;
        alone(&self.frames, number, &content, name).map(<[u8]>::to_vec)
    }

    fn place(&self, position: u64, member: &str) -> Box<Place> {
        let tar_offset = position.saturating_add(self.site_frame_bytes);
        place(&self.frames, self.frames.holding(tar_offset).unwrap_or(self.frames.len()), tar_offset, member)
    }

    fn outside(&self, position: u64) -> ReadError {
        let problem = "the manifest speaks of a position where nothing of the sort begins".to_owned();
        ReadError::Manifest { place: self.place(position, ROOT_MEMBER), problem }
    }
}

fn alone<'a>(frames: &FrameFile, number: usize, frame: &'a [u8], name: Option<&str>) -> Result<&'a [u8], ReadError> {
    let zeros_behind = if name == Some(ROOT_MEMBER) { TAR_END_BYTES } else { 0 };
    member::alone(frame, name, zeros_behind).map_err(|problem| {
        let found = frame.first_chunk().map(member::name).unwrap_or_default();
        ReadError::Tar { place: place(frames, number, frames.at(number).tar_offset, &found), problem }
    })
}

fn place(frames: &FrameFile, number: usize, tar_offset: u64, member: &str) -> Box<Place> {
    Box::new(Place { member: member.to_owned(), frame_offset: frames.at(number).offset, tar_offset })
}
