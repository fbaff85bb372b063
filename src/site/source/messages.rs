//! Messages: the entries and metadata of table 00 and the big bodies of table 08, brought together by number.

use super::located::Located;
use super::scan::read_small;
use super::strange::Strange;
use super::tables::Tables;
use super::{ReadSiteError, Walk};
use crate::record::schema::MAX_RAW_BYTES;
use crate::record::{Fields, Header, Key, Kind, Value};
use crate::site::btree::{Item, Place};
use crate::site::layout::{self, MessageKey, table};
use crate::site::sort::{Sorted, Sorter};

/// Memory for the sort of messages, in bytes.
const SORT_BYTES: usize = 32 << 20;

/// The parts of a message, in the order in which they are taken together.
const METADATA: u8 = 0;
const ENTRY: u8 = 1;
const BIG: u8 = 2;

/// All parts of all messages, in order of their numbers.
pub(super) struct Messages {
    parts: Sorted,
    key: Vec<u8>,
    payload: Vec<u8>,
    has_part: bool,
    /// The sum of the parts' lengths in bytes.
    pub bytes: u64,
}

impl Walk<'_> {
    /// Goes through tables 00 and 08, and keeps what is no part of a message for the `table` records.
    pub(super) fn messages(&mut self) -> Result<Messages, ReadSiteError> {
        let mut sorter = Sorter::new(&self.options.scratch, SORT_BYTES);
        let mut bytes = 0;
        for table_number in [table::MESSAGES, table::BIG_BODIES] {
            let tables = self.tables;
            let Some(pairs) = tables.get(table_number) else { continue };
            let mut items = pairs.items();
            let mut item = Item::default();
            let mut payload = Vec::new();
            let mut strange = Strange::of(self, table_number);
            while items.next_into(&mut item)? {
                self.check_interrupted()?;
                let message_key = layout::parse_message_key(tables.layout, &item.key);
                let part = match (message_key, table_number) {
                    (Some(MessageKey::Entry(message)), table::MESSAGES) => Some((message, ENTRY)),
                    (Some(MessageKey::Entry(message)), _) => Some((message, BIG)),
                    (Some(MessageKey::Metadata(message)), table::MESSAGES)
                        if item.value.len() as usize <= MAX_RAW_BYTES =>
                    {
                        Some((message, METADATA))
                    }
                    _ => None,
                };
                self.note_message(&mut strange, items.page(), &item, message_key, part.is_some())?;
                let Some((message, part)) = part else {
                    self.push_odd(table_number, &item)?;
                    continue;
                };
                let mut key = [part; 9];
                key[..8].copy_from_slice(&message.to_be_bytes());
                payload.clear();
                if part == METADATA {
                    match &item.value {
                        Place::Inline(value) => payload.extend_from_slice(value),
                        place => payload = read_small(pairs, place)?,
                    }
                } else {
                    item.value.encode(&mut payload);
                    bytes += u64::from(item.value.len());
                }
                sorter.push(&key, &payload)?;
            }
            self.end_table(strange, items.empty_leaf())?;
        }
        let mut messages =
            Messages { parts: sorter.finish()?, key: Vec::new(), payload: Vec::new(), has_part: false, bytes };
        messages.advance()?;
        Ok(messages)
    }
}

impl Messages {
    fn advance(&mut self) -> Result<(), ReadSiteError> {
        self.has_part = self.parts.next(&mut self.key, &mut self.payload)?;
        Ok(())
    }

    /// The next message, and where its body lies.
    pub fn next(&mut self, tables: &Tables) -> Result<Option<(Header, Located)>, ReadSiteError> {
        if !self.has_part {
            return Ok(None);
        }
        let number_bytes = self.key.first_chunk::<8>().copied().unwrap_or_default();
        let message = i64::from_be_bytes(number_bytes);
        let mut header =
            Header { kind: Kind::Message, key: Key::number(message), fields: Fields::new(), body: None, residue: None };
        let mut parts = Vec::new();
        while self.has_part && self.key.starts_with(&number_bytes) {
            match self.key.last() {
                Some(&METADATA) => {
                    // Only values that are short enough to be kept raw were put into the sort.
                    if let Some(metadata) = layout::decode_metadata(tables.dialect(), message, &self.payload) {
                        header.fields = metadata.fields;
                        header.residue = metadata.residue;
                    }
                }
                part => {
                    let (name, table_number) = match part {
                        Some(&ENTRY) => ("entry", table::MESSAGES),
                        _ => ("big", table::BIG_BODIES),
                    };
                    // The sort gives back what was put into it.
                    let place = Place::decode(&self.payload).unwrap_or(Place::Inline(Vec::new()));
                    header.fields.set(name, Value::Int(i64::from(place.len())));
                    parts.push((table_number, place));
                }
            }
            self.advance()?;
        }
        let located = if parts.is_empty() { Located::InHeader } else { Located::Parts(parts) };
        Ok(Some((header, located)))
    }
}
