//! Rooms, their floors, and what goes by their numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, SortedFacts, number_at, sortable};
use super::finding::Collector;
use super::references::{Check, for_each, number, record};
use super::{CheckError, Subject};
use crate::monitor::Monitor;
use crate::record::{Fields, printable};
use crate::site::layout::table;
use crate::site::source::Tables;

/// Facts about rooms, by number.
pub(super) type RoomFacts = Facts;

const ROOM: u8 = 0;
const LIST: u8 = 1;
const VISIT: u8 = 2;
const SETTING: u8 = 3;

/// Bits of a room's flags.
const IN_USE: i64 = 2;
const MAILBOX: i64 = 16_384;
/// How names of rooms that were killed begin.
const KILLED: &[u8] = b"9999999999.";
/// How settings of single rooms begin; ten digits follow.
const ROOM_SETTING: &[u8] = b"c_netconfig_";

/// The first release whose rooms have their banners as messages.
const FIRST_WITH_BANNER_MESSAGES: i64 = 902;

impl Check<'_> {
    pub(super) fn rooms(&mut self) -> Result<(), CheckError> {
        for_each(self.tables, table::ROOMS, self.monitor, |pairs, item| {
            let subject = Subject::Room(item.key.clone());
            let Some(header) = record(pairs, table::ROOMS, self.tables.dialect(), item)? else {
                self.found.damage(subject, table::ROOMS, "the record can't be understood");
                return Ok(());
            };
            let int = |field| header.fields.int(field).unwrap_or_default();
            // Generation, highest message, key.
            let mut payload = sortable(int("gen")).to_vec();
            payload.extend_from_slice(&sortable(int("highest")));
            payload.extend_from_slice(&item.key);
            self.rooms.push(int("number"), &[ROOM], &payload)?;
            if int("flags") & IN_USE == 0 {
                self.found.normal("rooms that are not in use", 1);
            }
            if int("flags") & MAILBOX != 0 {
                let name = header.fields.bytes("name").unwrap_or_default();
                self.mailbox(name, &item.key)?;
            } else {
                self.floor_of(&subject, &header.fields);
            }
            // Before, the field said when the banner changed, and the banner was a file.
            if self.tables.dialect().release >= FIRST_WITH_BANNER_MESSAGES {
                self.points_to(int("msgnum_info"), &subject, "the banner")?;
            }
            self.points_to(int("msgnum_pic"), &subject, "the picture")?;
            Ok(())
        })
    }

    /// The floor of a room must be there and in use; the server makes floor 0 where there is none.
    fn floor_of(&mut self, room: &Subject, fields: &Fields) {
        let floor = fields.int("floor").unwrap_or_default();
        let known = i8::try_from(floor).ok().and_then(|floor| self.floors.get(&floor));
        match known {
            Some(true) => {}
            None if floor == 0 => {}
            Some(false) => {
                let text = format!("it is on floor {floor}, which is not in use");
                self.found.damage(room.clone(), table::ROOMS, &text);
            }
            None if self.torn.contains(&table::FLOORS) => {
                let text = format!("{room} is on it, but its record is lost");
                self.found.damage(Subject::Floor(floor), table::FLOORS, &text);
            }
            None => {
                let text = format!("it is on floor {floor}, which does not exist");
                self.found.damage(room.clone(), table::ROOMS, &text);
            }
        }
    }

    pub(super) fn room_list(&mut self, room: i64, messages: u64) -> Result<(), CheckError> {
        Ok(self.rooms.push(room, &[LIST], &messages.to_le_bytes())?)
    }

    pub(super) fn room_visit(&mut self, room: i64, generation: i64) -> Result<(), CheckError> {
        Ok(self.rooms.push(room, &[VISIT], &sortable(generation))?)
    }

    pub(super) fn settings(&mut self) -> Result<(), CheckError> {
        // The two settings that point to messages (release 902 on).
        const POINTERS: [&[u8]; 2] = [b"application/x-citadel-internet-config", b"global_alias_table"];
        for_each(self.tables, table::CONFIG, self.monitor, |pairs, item| {
            let digits = item.key.strip_prefix(ROOM_SETTING).unwrap_or_default();
            if let Some(room) = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
                self.rooms.push(room, &[SETTING], &[])?;
            }
            if POINTERS.contains(&item.key.as_slice())
                && let Some(header) = record(pairs, table::CONFIG, self.tables.dialect(), item)?
                && let Some(crate::record::Body::Inline(text)) = &header.body
                && let Some(message) = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok())
            {
                self.points_to(message, &Subject::Setting(item.key.clone()), "what it points to")?;
            }
            Ok(())
        })
    }

    pub(super) fn euids(&mut self) -> Result<(), CheckError> {
        let word = self.layout.word_bytes();
        for_each(self.tables, table::EUIDS, self.monitor, |pairs, item| {
            let mut first = vec![0; word];
            let filled = pairs.value(&item.value).read_some(&mut first)?;
            let room = item.key.get(..word).and_then(|key| number(self.layout, key));
            let message = number(self.layout, &first[..filled]);
            if let (Some(room), Some(message)) = (room, message) {
                self.euid(message, room)?;
            }
            Ok(())
        })
    }
}

#[derive(Default)]
struct Group {
    number: i64,
    /// Key, generation and highest message of the first room with this number.
    room: Option<(Vec<u8>, i64, i64)>,
    list: Option<u64>,
    visits: u64,
    stale_visits: u64,
    settings: u64,
}

/// Brings the facts together.
pub(super) fn check(mut facts: SortedFacts, torn: &[u8], found: &mut Collector) -> Result<(), CheckError> {
    let mut group = Group::default();
    while let Some((number, order, payload)) = facts.next()? {
        if number != group.number {
            std::mem::replace(&mut group, Group { number, ..Group::default() }).end(torn, found);
        }
        match (order.first(), &group.room) {
            (Some(&ROOM), None) => {
                let key = payload.get(16..).unwrap_or_default().to_vec();
                group.room = Some((key, number_at(payload, 0), number_at(payload, 8)));
            }
            (Some(&ROOM), Some((first, ..))) => {
                let key = payload.get(16..).unwrap_or_default().to_vec();
                let text = format!("has number {number}, as the room {} has", printable(first));
                found.damage(Subject::Room(key), table::ROOMS, &text);
            }
            (Some(&LIST), _) => group.list = payload.first_chunk().map(|count| u64::from_le_bytes(*count)),
            (Some(&VISIT), Some((_, generation, _))) if *generation != number_at(payload, 0) => group.stale_visits += 1,
            (Some(&VISIT), _) => group.visits += 1,
            _ => group.settings += 1,
        }
    }
    group.end(torn, found);
    Ok(())
}

impl Group {
    fn end(self, torn: &[u8], found: &mut Collector) {
        found.normal("visits to rooms that were made anew since, which wait for the nightly purge", self.stale_visits);
        if let Some((key, _, highest)) = self.room {
            if self.list.is_none() && highest > 0 && !key.starts_with(KILLED) {
                let text = format!("its newest message was {highest}, but its list of messages is gone");
                found.damage(Subject::Room(key), table::LISTS, &text);
            }
        } else if torn.contains(&table::ROOMS) && (self.list.is_some() || self.visits + self.settings > 0) {
            let messages = self.list.map_or_else(String::new, |count| format!("its list of {count} messages, "));
            let text = format!(
                "its record is gone, but {messages}{} visits and {} settings of it are there: it was lost, or deleted before",
                self.visits, self.settings
            );
            found.damage(Subject::RoomNumber(self.number), table::ROOMS, &text);
        } else {
            found.normal("message lists of rooms that are gone", u64::from(self.list.is_some()));
            found.normal("visits to rooms that are gone, which wait for the nightly purge", self.visits);
            found.normal("settings of rooms that are gone", self.settings);
        }
    }
}

/// The keys of the rooms with these numbers, as far as there are such rooms.
pub(in crate::site) fn room_keys(
    tables: &Tables,
    wanted: &BTreeSet<i64>,
    monitor: &dyn Monitor,
) -> Result<BTreeMap<i64, Vec<u8>>, CheckError> {
    let mut keys = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(keys);
    }
    for_each(tables, table::ROOMS, monitor, |pairs, item| {
        let header = record(pairs, table::ROOMS, tables.dialect(), item)?;
        let room = header.and_then(|header| header.fields.int("number"));
        if let Some(room) = room.filter(|room| wanted.contains(room)) {
            keys.entry(room).or_insert_with(|| item.key.clone());
        }
        Ok(())
    })?;
    Ok(keys)
}
