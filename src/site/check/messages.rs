//! Messages: entries, metadata, big bodies, and everything that points to them.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::body_of;
use super::facts::{Facts, SortedFacts, sortable};
use super::finding::Collector;
use super::message::{Draft, Group, Verdicts};
use super::references::{Check, for_each, number};
use super::rooms::room_keys;
use super::{CheckError, Subject};
use crate::monitor::Monitor;
use crate::site::layout::{self, METADATA, MessageKey, ToBody, table};
use crate::site::source::Tables;

/// Facts about messages, by number.
pub(super) type MessageFacts = Facts;

pub(super) const ENTRY: u8 = 0;
pub(super) const META: u8 = 1;
pub(super) const BIG: u8 = 2;
/// Followed by the room, then by what of it.
pub(super) const IN_ROOM: u8 = 3;
pub(super) const POINTER: u8 = 4;

/// What of a room names a message.
pub(super) const LISTED: u8 = 0;
pub(super) const EUID: u8 = 1;

/// Metadata is looked at up to this length, in bytes; the longest of any release has 152.
const MOST_METADATA_BYTES: u64 = 4096;

impl Check<'_> {
    pub(super) fn messages(&mut self) -> Result<(), CheckError> {
        for_each(self.tables, table::MESSAGES, self.monitor, |pairs, item| {
            match layout::parse_message_key(self.layout, &item.key) {
                Some(MessageKey::Entry(message)) => {
                    let body = body_of(pairs, &item.value)?;
                    self.messages.push(message, &[ENTRY], &[body.code()])?;
                }
                Some(MessageKey::Metadata(message)) if u64::from(item.value.len()) <= MOST_METADATA_BYTES => {
                    let value = pairs.read_all(&item.value, MOST_METADATA_BYTES)?;
                    let fields = layout::decode(&METADATA, self.layout, &value);
                    let rooms = fields.int("refcount").unwrap_or_default();
                    self.messages.push(message, &[META], &sortable(rooms))?;
                }
                _ => {}
            }
            Ok(())
        })
    }

    pub(super) fn big_bodies(&mut self) -> Result<(), CheckError> {
        for_each(self.tables, table::BIG_BODIES, self.monitor, |_, item| {
            if let Some(MessageKey::Entry(message)) = layout::parse_message_key(self.layout, &item.key) {
                self.messages.push(message, &[BIG], &[])?;
            }
            Ok(())
        })
    }

    pub(super) fn lists(&mut self) -> Result<(), CheckError> {
        for_each(self.tables, table::LISTS, self.monitor, |pairs, item| {
            let Some(room) = number(self.layout, &item.key) else { return Ok(()) };
            let mut order = vec![IN_ROOM];
            order.extend_from_slice(&sortable(room));
            order.push(LISTED);
            let mut numbers = ToBody::new(self.layout);
            let (mut value, mut body, mut count) = (pairs.value(&item.value), Vec::new(), 0);
            while let Some(piece) = value.piece()? {
                numbers.push(piece, &mut body);
                for message in body.chunks_exact(8).filter_map(|bytes| bytes.first_chunk().copied()) {
                    let message = i64::from_be_bytes(message);
                    // The server skips these.
                    if message > 0 {
                        self.messages.push(message, &order, &[])?;
                        count += 1;
                    }
                }
                body.clear();
            }
            self.room_list(room, count)
        })
    }

    pub(super) fn euid(&mut self, message: i64, room: i64) -> Result<(), CheckError> {
        let mut order = vec![IN_ROOM];
        order.extend_from_slice(&sortable(room));
        order.push(EUID);
        Ok(self.messages.push(message, &order, &[])?)
    }

    /// Something of a user, a room or a setting is kept in a message; 0 where there is nothing.
    pub(super) fn points_to(&mut self, message: i64, from: &Subject, what: &str) -> Result<(), CheckError> {
        let (kind, name) = match from {
            Subject::User(key) => (b'u', key),
            Subject::Room(key) => (b'r', key),
            Subject::Setting(name) => (b's', name),
            _ => return Ok(()),
        };
        if message > 0 {
            let mut payload = vec![kind, what.len() as u8];
            payload.extend_from_slice(what.as_bytes());
            payload.extend_from_slice(name);
            self.messages.push(message, &[POINTER], &payload)?;
        }
        Ok(())
    }
}

/// Brings the facts together.
pub(super) fn check(
    mut facts: SortedFacts,
    tables: &Tables,
    torn: &[u8],
    monitor: &dyn Monitor,
    found: &mut Collector,
) -> Result<(), CheckError> {
    let mut verdicts = Verdicts::new(torn, found);
    let mut group = Group::default();
    while let Some((number, order, payload)) = facts.next()? {
        if number != group.number {
            if monitor.is_interrupted() {
                return Err(CheckError::Interrupted);
            }
            std::mem::replace(&mut group, Group::of(number)).end(&mut verdicts);
        }
        group.take(order, payload);
    }
    group.end(&mut verdicts);
    verdicts.end();
    let Verdicts { found, drafts, .. } = verdicts;
    let names = room_names(tables, &drafts, monitor)?;
    for draft in drafts {
        let mut text = draft.text;
        let mut listed: Vec<String> = draft.rooms.iter().filter_map(|room| names.get(room).cloned()).collect();
        if draft.more_rooms > 0 {
            listed.push(format!("{} more", draft.more_rooms));
        }
        if !listed.is_empty() {
            text.push_str(&format!(" (listed in {})", listed.join(", ")));
        }
        found.damage(Subject::Message(draft.message), draft.table, &text);
    }
    Ok(())
}

/// The names of the rooms that the drafts speak of.
fn room_names(tables: &Tables, drafts: &[Draft], monitor: &dyn Monitor) -> Result<BTreeMap<i64, String>, CheckError> {
    let wanted: BTreeSet<i64> = drafts.iter().flat_map(|draft| draft.rooms.iter().copied()).collect();
    let mut names: BTreeMap<i64, String> =
        wanted.iter().map(|room| (*room, Subject::RoomNumber(*room).to_string())).collect();
    for (room, key) in room_keys(tables, &wanted, monitor)? {
        names.insert(room, Subject::Room(key).to_string());
    }
    Ok(names)
}
