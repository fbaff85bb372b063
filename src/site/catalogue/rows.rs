//! The rows of a block: of each record its header, whose body may be a placeholder, and where its body lies.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;

use super::{Block, Catalogue, CatalogueError};
use crate::codec::cbor::{Decoder, Encoder};
use crate::codec::header;
use crate::record::Header;
use crate::site::source::Located;

/// Appends a row: its length in four bytes, header, place.
pub(super) fn encode(header: &Header, located: &Located, encoder: &mut Encoder, row: &mut Vec<u8>) {
    encoder.clear();
    header::encode(header, encoder);
    row.clear();
    row.extend_from_slice(&[0; 4]);
    row.extend_from_slice(encoder.as_bytes());
    located.encode(row);
    // A header has at most 64 KiB, a place less than that, and a body that is kept in memory was read as a whole.
    let bytes = (row.len() - 4) as u32;
    row[..4].copy_from_slice(&bytes.to_le_bytes());
}

/// Gives the rows of a block.
pub(super) struct Rows<'c> {
    catalogue: &'c Catalogue,
    file: BufReader<Part<'c>>,
    row: Vec<u8>,
}

/// A part of a file that others read, too.
struct Part<'c> {
    file: &'c File,
    at: u64,
    end: u64,
}

impl<'c> Rows<'c> {
    pub fn new(catalogue: &'c Catalogue, block: &Block) -> Self {
        let part = Part { file: &catalogue.file, at: block.position, end: block.position + block.rows_bytes };
        Rows { catalogue, file: BufReader::with_capacity(64 << 10, part), row: Vec::new() }
    }

    /// The next row, of which there must be one.
    pub fn next(&mut self) -> Result<(Header, Located), CatalogueError> {
        self.read()?;
        let mut decoder = Decoder::new(&self.row, "row of the catalogue");
        let header = header::decode_unchecked(&mut decoder)?;
        let located = Located::decode(&self.row[decoder.offset()..])
            .ok_or_else(|| decoder.error("says nowhere where the body lies"))?;
        Ok((header, located))
    }

    /// Passes over so many rows.
    pub fn skip(&mut self, rows: usize) -> Result<(), CatalogueError> {
        (0..rows).try_for_each(|_| self.read())
    }

    fn read(&mut self) -> Result<(), CatalogueError> {
        let mut length = [0; 4];
        let read = self.file.read_exact(&mut length).and_then(|()| {
            self.row.clear();
            let bytes = u64::from(u32::from_le_bytes(length));
            // Grows with what is there, whatever is announced.
            match self.file.by_ref().take(bytes).read_to_end(&mut self.row)? as u64 == bytes {
                true => Ok(()),
                false => Err(std::io::ErrorKind::UnexpectedEof.into()),
            }
        });
        read.map_err(|source| CatalogueError::Scratch { path: self.catalogue.scratch.clone(), source })
    }
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let wanted = (self.end - self.at).min(buffer.len() as u64) as usize;
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
