//! The fourteen tables of a site, filled with records.

use std::path::Path;

use anyhow::Context;
use ctdl_dump::record::{Body, Fields, Header, Key, Kind, Layout};
use ctdl_dump::site::btree::{DEFAULT_PAGE_SIZE, TableWriter};
use ctdl_dump::site::layout::{encode_metadata, encode_pair, list_key, message_key, table};

/// What the external sort of each table may hold. Fourteen times that is the most that all take together.
const SORT_BYTES: usize = 16 << 20;

/// The machine that the site pretends to come from.
const LAYOUT: Layout = Layout::LP64_LITTLE;

pub struct Tables(Vec<TableWriter>);

impl Tables {
    pub fn create(data: &Path) -> anyhow::Result<Tables> {
        let create = |number| {
            let path = data.join(format!("cdb.{number:02x}"));
            TableWriter::create(&path, &std::env::temp_dir(), SORT_BYTES, DEFAULT_PAGE_SIZE)
        };
        Ok(Tables((0..table::COUNT).map(create).collect::<Result<_, _>>()?))
    }

    /// Puts a record that is one pair of one table.
    pub fn put(&mut self, kind: Kind, key: Key, fields: Fields, body: Option<&[u8]>) -> anyhow::Result<()> {
        let header =
            Header { kind, key, fields, body: body.map(|body| Body::Segments(body.len() as u64)), residue: None };
        let pair = encode_pair(&header, body.unwrap_or_default(), LAYOUT, true)?;
        self.put_raw(pair.table, &pair.key, &pair.value)
    }

    /// Puts the message list of a room.
    pub fn put_list(&mut self, room: i64, list: &[i64]) -> anyhow::Result<()> {
        self.put_raw(table::LISTS, &list_key(room, LAYOUT)?, &numbers(list))
    }

    /// Puts the full-text bucket of a word.
    pub fn put_bucket(&mut self, token: usize, list: &[i64]) -> anyhow::Result<()> {
        let token = i32::try_from(token).context("a token has 16 bits")?;
        self.put_raw(table::FULLTEXT, &token.to_le_bytes(), &numbers(list))
    }

    /// Puts a message: its entry, and its metadata from `fields`.
    pub fn put_message(&mut self, number: i64, entry: &[u8], fields: Fields) -> anyhow::Result<()> {
        let header = Header { kind: Kind::Message, key: Key::number(number), fields, body: None, residue: None };
        if let Some(metadata) = encode_metadata(&header, LAYOUT, true)? {
            self.put_raw(metadata.table, &metadata.key, &metadata.value)?;
        }
        self.put_raw(table::MESSAGES, &message_key(number, LAYOUT)?, entry)
    }

    /// Puts the big body of a message, from pieces that are `length` bytes together, and the NUL that ends it.
    pub fn put_big_body(
        &mut self,
        number: i64,
        length: u32,
        pieces: impl Iterator<Item = String>,
    ) -> anyhow::Result<()> {
        let stored = length.checked_add(1).context("a body of 4 GiB has no room in a table")?;
        let bodies = &mut self.0[usize::from(table::BIG_BODIES)];
        let mut value = bodies.put_big(&message_key(number, LAYOUT)?, stored)?;
        for piece in pieces {
            value.write(bodies, piece.as_bytes())?;
        }
        value.write(bodies, b"\0")?;
        Ok(value.finish(bodies)?)
    }

    pub fn finish(self) -> anyhow::Result<()> {
        for writer in self.0 {
            writer.finish()?;
        }
        Ok(())
    }

    fn put_raw(&mut self, table: u8, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
        Ok(self.0[usize::from(table)].put(key, value)?)
    }
}

fn numbers(list: &[i64]) -> Vec<u8> {
    list.iter().flat_map(|number| number.to_le_bytes()).collect()
}
