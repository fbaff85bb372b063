//! Links that lead out of the site, which come with the content of the file that they led to: where they lead to the same here they are links again,
//! elsewhere the file itself, so that no key is lost.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{SiteSink, WriteSiteError};
use crate::codec::{Digest, RecordHasher};
use crate::record::{Body, Header};

/// Contents are read in pieces of so many bytes.
const PIECE_BYTES: usize = 64 << 10;

impl SiteSink {
    /// Ends a link whose content stands in its place; `digest` is that of the record as it is.
    pub(super) fn end_link(&mut self, mut header: Header, digest: &Digest) -> Result<(), WriteSiteError> {
        if self.files.end_link(&header)? {
            self.checklist.record(header.kind, &header.key, digest);
            return Ok(());
        }
        self.adapter.link_to_file(&mut header);
        let path = self.files.end_as(&header)?;
        let digest = digest_of(&header, &path).map_err(|source| WriteSiteError::Io { path, source })?;
        self.checklist.record(header.kind, &header.key, &digest);
        Ok(())
    }
}

/// The identity digest of a file's record.
fn digest_of(header: &Header, path: &Path) -> std::io::Result<Digest> {
    let mut hasher = RecordHasher::default();
    hasher.begin(header);
    if matches!(header.body, Some(Body::Segments(_))) {
        let (mut file, mut piece) = (File::open(path)?, vec![0; PIECE_BYTES]);
        loop {
            match file.read(&mut piece)? {
                0 => break,
                count => hasher.body(&piece[..count]),
            }
        }
    }
    Ok(hasher.digest())
}

/// Whether there are two files with the same content.
pub(super) fn are_same(one: &Path, other: &Path) -> bool {
    // Not to read a device, or more than there is to compare.
    let length = |path: &Path| std::fs::metadata(path).ok().filter(|found| found.is_file()).map(|found| found.len());
    let Some(mut left) = length(one).filter(|found| length(other) == Some(*found)) else { return false };
    let (Ok(mut one), Ok(mut other)) = (File::open(one), File::open(other)) else { return false };
    let mut pieces = [vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]];
    while left > 0 {
        let count = left.min(PIECE_BYTES as u64) as usize;
        let [first, second] = &mut pieces;
        let are_read = one.read_exact(&mut first[..count]).is_ok() && other.read_exact(&mut second[..count]).is_ok();
        if !are_read || first[..count] != second[..count] {
            return false;
        }
        left -= count as u64;
    }
    true
}
