//! From a table to records in canonical order: one pass in page order, then the external sort.

use super::located::Located;
use super::queue::{Ordered, Queue};
use super::strange::Strange;
use super::{OwnSetting, ReadSiteError, Walk};
use crate::record::{self, Fields, Header, Key, Kind, Layout};
use crate::site::btree::{Item, Place, Table};
use crate::site::check::Subject;
use crate::site::layout::{self, MAX_PAIR_VALUE_BYTES, table};

/// Memory for the sort of one small table, in bytes.
const SORT_BYTES: usize = 16 << 20;

/// What the table of a kind holds, for the kinds whose records are one pair each.
pub(super) fn table_of(kind: Kind) -> Option<u8> {
    Some(match kind {
        Kind::Config => table::CONFIG,
        Kind::Floor => table::FLOORS,
        Kind::User => table::USERS,
        Kind::Visit => table::VISITS,
        Kind::Use | Kind::Useid => table::USES,
        Kind::Directory => table::DIRECTORY,
        Kind::Openid => table::OPENIDS,
        Kind::Euid => table::EUIDS,
        Kind::Usernumber => table::USER_NUMBERS,
        Kind::Fulltext => table::FULLTEXT,
        _ => return None,
    })
}

impl Walk<'_> {
    /// Fails if the scratch directory has no room for what doesn't fit into memory.
    pub(super) fn check_scratch(&self) -> Result<(), ReadSiteError> {
        let needed_bytes = self.tables.sorted_bytes();
        if needed_bytes <= SORT_BYTES as u64 {
            return Ok(());
        }
        let scratch = &self.options.scratch;
        let found = rustix::fs::statvfs(scratch)
            .map_err(|error| ReadSiteError::Io { path: scratch.clone(), source: error.into() })?;
        let free_bytes = found.f_bavail.saturating_mul(found.f_frsize);
        if free_bytes < needed_bytes {
            return Err(ReadSiteError::NoScratchSpace { scratch: scratch.clone(), free_bytes, needed_bytes });
        }
        Ok(())
    }

    /// An empty queue.
    pub(super) fn queue(&self) -> Queue {
        Queue::new(&self.options.scratch, SORT_BYTES)
    }

    /// The records of a table whose pairs are one record each, in canonical order. What is none goes to the odd ones.
    pub(super) fn scan(&mut self, table_number: u8) -> Result<Ordered, ReadSiteError> {
        let mut queue = self.queue();
        let tables = self.tables;
        if let Some(table) = tables.get(table_number) {
            let mut items = table.items();
            let mut item = Item::default();
            let mut strange = Strange::of(self, table_number);
            while items.next_into(&mut item)? {
                self.check_interrupted()?;
                if table_number == table::CONFIG && !self.restore_setting(&mut item) {
                    continue;
                }
                let typed = self.typed(table, table_number, &item)?;
                self.note_typed(&mut strange, items.page(), &item, typed.as_ref().map(|(header, _)| header))?;
                match typed {
                    Some((header, body)) => queue.push(&header, &body)?,
                    None => self.push_odd(table_number, &item)?,
                }
            }
            self.end_table(strange, items.empty_leaf())?;
        }
        queue.finish()
    }

    /// Puts the site's own value into a setting that was changed for the snapshot; `false` if the site has no such setting of its own.
    fn restore_setting(&self, item: &mut Item) -> bool {
        let is_changed = |setting: &&OwnSetting| setting.name.as_bytes() == item.key && setting.is_in(&item.value);
        let changed = self.site.parts().setting.as_ref().filter(is_changed);
        match changed.map(OwnSetting::pair_value) {
            None => true,
            Some(None) => false,
            Some(Some(value)) => {
                item.value = Place::Inline(value);
                true
            }
        }
    }

    /// The record that a pair is; `None` for one that only a `table` record can express.
    pub(super) fn typed(
        &self,
        table: &Table,
        table_number: u8,
        item: &Item,
    ) -> Result<Option<(Header, Located)>, ReadSiteError> {
        let layout = self.tables.layout;
        if table_number == table::FULLTEXT {
            let token = layout::parse_fulltext_key(layout, &item.key).filter(|_| is_number_list(layout, item));
            return Ok(token.map(|token| (bodied(Kind::Fulltext, Key::number(token)), numbers(table_number, item))));
        }
        if item.value.len() as usize > MAX_PAIR_VALUE_BYTES {
            return Ok(None);
        }
        let value = read_small(table, &item.value)?;
        let decoded = layout::decode_pair(table_number, self.tables.dialect(), &item.key, &value);
        if decoded.header.kind == Kind::Table {
            return Ok(None);
        }
        let body = match decoded.header.body {
            Some(record::Body::Segments(_)) => Located::Bytes(decoded.body.to_vec()),
            _ => Located::InHeader,
        };
        Ok(Some((decoded.header, body)))
    }

    /// Keeps all pairs of the tables that nobody knows.
    pub(super) fn unknown_tables(&mut self) -> Result<(), ReadSiteError> {
        let tables = self.tables;
        for table_number in tables.numbers().filter(|number| *number >= table::COUNT) {
            let Some(pairs) = tables.get(table_number) else { continue };
            let mut items = pairs.items();
            let mut item = Item::default();
            while items.next_into(&mut item)? {
                self.check_interrupted()?;
                self.push_odd(table_number, &item)?;
            }
        }
        Ok(())
    }

    /// Keeps a pair that is none of the typed records for the `table` records.
    pub(super) fn push_odd(&mut self, table_number: u8, item: &Item) -> Result<(), ReadSiteError> {
        if item.key.len() > layout::MAX_TABLE_KEY_BYTES {
            return self.leave_out(table_number, &item.key);
        }
        let key = Key::number_and_name(i64::from(table_number), item.key.clone());
        self.odd.push(&bodied(Kind::Table, key), &Located::Value(table_number, item.value.clone()))
    }

    /// Names a pair as lost whose key no record can have; fails where nothing may be lost.
    fn leave_out(&mut self, table_number: u8, key: &[u8]) -> Result<(), ReadSiteError> {
        let (bytes, limit) = (key.len(), layout::MAX_TABLE_KEY_BYTES);
        let pair = Subject::Pair { table: table_number, key: key.to_owned() };
        if !self.options.salvages {
            let path = self.tables.get(table_number).map(|table| table.path().to_owned()).unwrap_or_default();
            return Err(ReadSiteError::KeyTooLong { path, pair: pair.to_string(), bytes, limit });
        }
        let why = format!("its key has {bytes} bytes, and an archive takes no longer one than {limit}");
        self.lost.add(&pair, &why);
        Ok(())
    }
}

/// A header without fields whose body comes later.
pub(super) fn bodied(kind: Kind, key: Key) -> Header {
    Header { kind, key, fields: Fields::new(), body: Some(record::Body::Inline(Vec::new())), residue: None }
}

/// The value of an item as a list of numbers.
pub(super) fn numbers(table_number: u8, item: &Item) -> Located {
    Located::Numbers(table_number, item.value.clone())
}

/// Whether a value is made of whole numbers.
pub(super) fn is_number_list(layout: Layout, item: &Item) -> bool {
    layout::list_body_bytes(layout, u64::from(item.value.len())).is_some()
}

/// A value that is at most `MAX_PAIR_VALUE_BYTES` long.
pub(super) fn read_small(table: &Table, place: &Place) -> Result<Vec<u8>, ReadSiteError> {
    match place {
        Place::Inline(value) => Ok(value.clone()),
        place => Ok(table.read_all(place, MAX_PAIR_VALUE_BYTES as u64)?),
    }
}
