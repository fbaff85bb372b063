//! Where the body of a record lies: so much is known of it before a byte of it was read.

use super::ReadSiteError;
use super::body::{BodyReader, Content};
use super::files::{self, LogFile};
use super::site::Site;
use crate::record::{Body, Header, Layout};
use crate::site::btree::Place;
use crate::site::layout::list_body_bytes;

/// Where a record's body lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::site) enum Located {
    /// In the header, or nowhere.
    InHeader,
    /// Here: a body that is too long for its header, but was read to be understood.
    Bytes(Vec<u8>),
    /// It is the value at that place of that table, as it is.
    Value(u8, Place),
    /// It is the list of numbers at that place of that table.
    Numbers(u8, Place),
    /// It is the values at these places of these tables, one behind the other.
    Parts(Vec<(u8, Place)>),
    /// It is what a file holds, or what a link leads to: the entry of the inventory with this number, and its size in bytes.
    File(u32, u64),
    /// It is as much as this of the log file with this number.
    Log(u32, u64),
}

const IN_HEADER: u8 = 0;
const BYTES: u8 = 1;
const VALUE: u8 = 2;
const NUMBERS: u8 = 3;
const PARTS: u8 = 4;
const FILE: u8 = 5;
const LOG: u8 = 6;

impl Located {
    /// The length of the body in bytes; `None` if it stands in the header.
    pub fn length(&self, layout: Layout) -> Option<u64> {
        Some(match self {
            Located::InHeader => return None,
            Located::Bytes(bytes) => bytes.len() as u64,
            Located::Value(_, place) => u64::from(place.len()),
            Located::Numbers(_, place) => list_body_bytes(layout, u64::from(place.len())).unwrap_or(0),
            Located::Parts(parts) => parts.iter().map(|(_, place)| u64::from(place.len())).sum(),
            Located::File(_, bytes) | Located::Log(_, bytes) => *bytes,
        })
    }

    /// Opens the body.
    pub fn open<'s>(self, site: &'s Site, logs: &[LogFile]) -> Result<BodyReader<'s>, ReadSiteError> {
        let tables = site.tables();
        Ok(match self {
            Located::InHeader => BodyReader::nothing(),
            Located::Bytes(bytes) => {
                let length = bytes.len() as u64;
                BodyReader::new(Content::Bytes(bytes), length)
            }
            Located::Value(table, place) => {
                let length = u64::from(place.len());
                let values = tables.get(table).map(|pairs| pairs.value_at(place)).into_iter().collect();
                BodyReader::new(Content::Values(values), length)
            }
            Located::Numbers(table, place) => match tables.get(table) {
                None => BodyReader::nothing(),
                Some(pairs) => {
                    let value_bytes = u64::from(place.len());
                    BodyReader::numbers(pairs.value_at(place), value_bytes, tables.layout)
                }
            },
            Located::Parts(parts) => {
                let length = parts.iter().map(|(_, place)| u64::from(place.len())).sum();
                let values = parts.into_iter().filter_map(|(table, place)| Some(tables.get(table)?.value_at(place)));
                BodyReader::new(Content::Values(values.collect()), length)
            }
            Located::File(number, bytes) => match site.inventory().entries.get(number as usize) {
                None => BodyReader::nothing(),
                Some(entry) => files::content(site.parts(), entry, bytes)?,
            },
            Located::Log(number, bytes) => match logs.get(number as usize) {
                None => BodyReader::nothing(),
                Some(log) => files::open_log(log, bytes)?,
            },
        })
    }

    /// Opens the body of a record. One that is short enough is put into the header.
    pub fn open_with<'s>(
        self,
        header: &mut Header,
        site: &'s Site,
        logs: &[LogFile],
    ) -> Result<BodyReader<'s>, ReadSiteError> {
        if self == Located::InHeader {
            return Ok(BodyReader::nothing());
        }
        let body = self.open(site, logs)?;
        if body.length() <= header.kind.inline_body_bytes() as u64 {
            header.body = Some(Body::Inline(body.read_inline()?));
            return Ok(BodyReader::nothing());
        }
        header.body = Some(Body::Segments(body.length()));
        Ok(body)
    }

    /// Appends this to `bytes`, for a scratch file. The form is not for files that last.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Located::InHeader => bytes.push(IN_HEADER),
            Located::Bytes(body) => {
                bytes.push(BYTES);
                bytes.extend_from_slice(body);
            }
            Located::Value(table, place) => {
                bytes.extend_from_slice(&[VALUE, *table]);
                place.encode(bytes);
            }
            Located::Numbers(table, place) => {
                bytes.extend_from_slice(&[NUMBERS, *table]);
                place.encode(bytes);
            }
            Located::Parts(parts) => {
                bytes.push(PARTS);
                for (table, place) in parts {
                    let start = bytes.len();
                    bytes.extend_from_slice(&[*table, 0, 0, 0, 0]);
                    place.encode(bytes);
                    // A place holds less than a page, or two numbers.
                    let place_bytes = (bytes.len() - start - 5) as u32;
                    bytes[start + 1..start + 5].copy_from_slice(&place_bytes.to_le_bytes());
                }
            }
            Located::File(number, length) => encode_numbers(FILE, *number, *length, bytes),
            Located::Log(number, length) => encode_numbers(LOG, *number, *length, bytes),
        }
    }

    /// What [`Located::encode`] wrote; `None` when these bytes are nothing that it writes.
    pub fn decode(bytes: &[u8]) -> Option<Located> {
        let (form, rest) = bytes.split_first()?;
        match *form {
            IN_HEADER => Some(Located::InHeader),
            BYTES => Some(Located::Bytes(rest.to_vec())),
            VALUE => rest.split_first().and_then(|(table, place)| Some(Located::Value(*table, Place::decode(place)?))),
            NUMBERS => {
                rest.split_first().and_then(|(table, place)| Some(Located::Numbers(*table, Place::decode(place)?)))
            }
            PARTS => decode_parts(rest),
            FILE => decode_numbers(rest).map(|(number, length)| Located::File(number, length)),
            LOG => decode_numbers(rest).map(|(number, length)| Located::Log(number, length)),
            _ => None,
        }
    }
}

fn encode_numbers(form: u8, number: u32, length: u64, bytes: &mut Vec<u8>) {
    bytes.push(form);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
}

fn decode_numbers(bytes: &[u8]) -> Option<(u32, u64)> {
    let (number, length) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), u64::from_le_bytes(length.try_into().ok()?)))
}

fn decode_parts(mut bytes: &[u8]) -> Option<Located> {
    let mut parts = Vec::new();
    while let Some((table, rest)) = bytes.split_first() {
        let (place_bytes, rest) = rest.split_first_chunk::<4>()?;
        let (place, rest) = rest.split_at_checked(u32::from_le_bytes(*place_bytes) as usize)?;
        parts.push((*table, Place::decode(place)?));
        bytes = rest;
    }
    Some(Located::Parts(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_survives_a_scratch_file() {
        let chain = Place::Overflow { first_page: 7, length: 70_000 };
        for located in [
            Located::InHeader,
            Located::Bytes(vec![1, 2, 3]),
            Located::Value(14, Place::Inline(Vec::new())),
            Located::Numbers(1, chain.clone()),
            Located::Parts(Vec::new()),
            Located::Parts(vec![(0, Place::Inline(b"entry".to_vec())), (8, chain)]),
            Located::File(3, u64::MAX),
            Located::Log(0, 1),
        ] {
            let mut bytes = Vec::new();
            located.encode(&mut bytes);
            assert_eq!(Located::decode(&bytes), Some(located));
        }
        for wrong in [&b""[..], b"\x09", b"\x05abc", b"\x04\x00\xff\xff\xff\xff", b"\x02"] {
            assert_eq!(Located::decode(wrong), None);
        }
    }
}
