//! Rooms: which of them get messages that were files, and what else changes in them.

use std::collections::{BTreeMap, BTreeSet};

use super::refcounts::Refcounts;
use crate::archive::{RandomReader, Stream};
use crate::endpoint::Failure;
use crate::record::{Body, Fields, Header, Key, Kind};

/// The room that holds the site's own configuration, room banners and room pictures.
const SYSTEM_ROOM: &[u8] = b"Local System Configuration";
/// The room of every user that holds profile, picture, card and mail filter; the user's number with ten digits and a dot come before it.
const CONFIG_ROOM: &[u8] = b"My Citadel Config";
/// The room of outgoing mail.
const SPOOL_KEY: &[u8] = b"__citadelsmtpspoolout__";
/// How a queue is shown, since release 810.
const QUEUE_VIEW: i64 = 11;
/// Of a room's list so many numbers are kept, the last ones.
const MOST_NUMBERS: usize = 10_000;

/// In use, private.
const PRIVATE_FLAGS: i64 = 2 | 4;
/// A user's own.
const MAILBOX_FLAG: i64 = 16_384;
/// A room that users don't see.
const SYSTEM_FLAG: i64 = 1;

/// A room of which the messages are looked at.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub name: Vec<u8>,
    /// The last of its messages.
    pub messages: Vec<i64>,
    /// Whether there is no such room yet.
    is_new: bool,
}

/// All rooms of a site.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    release: i64,
    /// When the snapshot was taken: new rooms begin then.
    taken: i64,
    /// Name by number.
    names: BTreeMap<i64, Vec<u8>>,
    system: Option<Place>,
    /// By the user's number.
    config: BTreeMap<i64, Place>,
    /// Lists that stand apart from their rooms.
    apart: BTreeSet<i64>,
    pub highest_number: i64,
    pub highest_message: i64,
    /// Banner and picture of rooms by their numbers.
    banners: BTreeMap<i64, i64>,
    pictures: BTreeMap<i64, i64>,
    /// Messages that come at the end of a list.
    added: BTreeMap<i64, Vec<i64>>,
}

impl Rooms {
    /// Reads all rooms and lists, and counts how often messages are listed.
    pub fn read(archive: &RandomReader, refcounts: &mut Refcounts) -> Result<Rooms, Failure> {
        let site = archive.site();
        let mut rooms = Rooms { release: site.release, taken: site.snapshot.taken, ..Rooms::default() };
        let mut stream = archive.stream_from(Kind::Room).map_err(Failure::from)?;
        while stream.upcoming().map_err(Failure::from)?.is_some_and(|record| record.kind <= Kind::List) {
            let Some(header) = stream.next_record().map_err(Failure::from)? else { break };
            let messages = rooms.read_list(&header, &mut stream, refcounts)?;
            rooms.add(&header, messages);
        }
        Ok(rooms)
    }

    fn read_list(
        &mut self,
        header: &Header,
        stream: &mut Stream,
        refcounts: &mut Refcounts,
    ) -> Result<Vec<i64>, Failure> {
        let mut last = Vec::new();
        let mut take = |bytes: &[u8]| {
            for number in bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_be_bytes(*bytes)) {
                self.highest_message = self.highest_message.max(number);
                refcounts.listed(number);
                last.push(number);
            }
            last.drain(..last.len().saturating_sub(MOST_NUMBERS));
        };
        if let Some(Body::Inline(bytes)) = &header.body {
            take(bytes);
        }
        let mut segment = Vec::new();
        while stream.segment(&mut segment).map_err(Failure::from)? {
            take(&segment);
        }
        Ok(last)
    }

    fn add(&mut self, header: &Header, messages: Vec<i64>) {
        if header.kind == Kind::List {
            self.apart.insert(header.key.first_number().unwrap_or_default());
            return;
        }
        let (Some(number), Some(name)) = (header.fields.int("number"), header.fields.bytes("name")) else { return };
        self.highest_number = self.highest_number.max(number);
        if self.names.insert(number, name.to_vec()).is_some() {
            return;
        }
        let place = Place { number, name: name.to_vec(), messages, is_new: false };
        let key = header.key.last_name().unwrap_or_default();
        if key == SYSTEM_ROOM.to_ascii_lowercase() {
            self.system = Some(place);
        } else if let Some(user) = user_of(key) {
            self.config.insert(user, place);
        }
    }

    /// The name of the room with this number.
    pub fn name(&self, number: i64) -> Option<&[u8]> {
        self.names.get(&number).map(Vec::as_slice)
    }

    /// The room of the site's own configuration, if there is one.
    pub fn system(&self) -> Option<&Place> {
        self.system.as_ref()
    }

    /// The configuration rooms of users, by the users' numbers.
    pub fn config(&self) -> &BTreeMap<i64, Place> {
        &self.config
    }

    /// Puts a message at the end of a room: that of the site's own configuration, or a user's. Makes it if there is none. Gives the room's name;
    /// `None` if no number is left for another room.
    pub fn put(&mut self, user: Option<i64>, message: i64) -> Option<Vec<u8>> {
        let next = self.highest_number.checked_add(1)?;
        let name = match user {
            None => SYSTEM_ROOM.to_vec(),
            Some(user) => [format!("{user:010}.").as_bytes(), CONFIG_ROOM].concat(),
        };
        let new = || Place { number: next, name, messages: Vec::new(), is_new: true };
        let place = match user {
            None => self.system.get_or_insert_with(new),
            Some(user) => self.config.entry(user).or_insert_with(new),
        };
        self.highest_number = self.highest_number.max(place.number);
        self.added.entry(place.number).or_default().push(message);
        Some(place.name.clone())
    }

    /// A message holds the banner of the room with this number.
    pub fn set_banner(&mut self, room: i64, message: i64) {
        self.banners.insert(room, message);
    }

    /// A message holds the picture of the room with this number.
    pub fn set_picture(&mut self, room: i64, message: i64) {
        self.pictures.insert(room, message);
    }

    /// Changes a `room` or `list` record; gives the bytes that come at the end of its body.
    pub fn change(&mut self, header: &mut Header) -> Vec<u8> {
        let number = match header.kind {
            Kind::List => header.key.first_number(),
            _ => header.fields.int("number"),
        };
        let Some(number) = number else { return Vec::new() };
        let added = match header.kind {
            Kind::Room if header.body.is_none() && self.apart.contains(&number) => None,
            _ => self.added.get(&number),
        };
        let added = added.cloned().unwrap_or_default();
        if header.kind == Kind::Room {
            if self.release < 902 {
                // Each banner belongs to one room, also where two have the same number.
                header.fields.set_int("msgnum_info", self.banners.remove(&number).unwrap_or_default());
                header.fields.set_int("msgnum_pic", self.pictures.remove(&number).unwrap_or_default());
            }
            if self.release < 810 && header.key.last_name() == Some(SPOOL_KEY) {
                header.fields.set_int("defaultview", QUEUE_VIEW);
            }
            let highest = self.added.get(&number).and_then(|added| added.last()).copied();
            if let Some(highest) = highest.max(header.fields.int("highest")) {
                header.fields.set_int("highest", highest);
            }
        }
        list_body(&added)
    }

    /// The rooms that are new: records with their whole lists.
    pub fn made(&self) -> impl Iterator<Item = (Header, Vec<u8>)> {
        let users = self.config.values().map(|place| (place, PRIVATE_FLAGS | MAILBOX_FLAG));
        let all = self.system.iter().map(|place| (place, PRIVATE_FLAGS)).chain(users);
        all.filter(|(place, _)| place.is_new).map(|(place, flags)| {
            let added = self.added.get(&place.number).map(Vec::as_slice).unwrap_or_default();
            (self.new_room(place, flags, added), list_body(added))
        })
    }

    fn new_room(&self, place: &Place, flags: i64, messages: &[i64]) -> Header {
        let mut fields = Fields::new();
        fields.set_string("name", place.name.clone());
        for text in ["passwd", "dirname"] {
            fields.set_string(text, "");
        }
        for number in ["msgnum_info", "msgnum_pic", "floor", "ep_mode", "ep_value", "order", "defaultview"] {
            fields.set_int(number, 0);
        }
        fields.set_int("roomaide", -1);
        fields.set_int("highest", messages.last().copied().unwrap_or_default());
        fields.set_int("gen", self.taken);
        fields.set_int("mtime", self.taken);
        fields.set_int("flags", flags);
        fields.set_int("flags2", SYSTEM_FLAG);
        fields.set_int("number", place.number);
        let key = Key::name(place.name.to_ascii_lowercase());
        Header { kind: Kind::Room, key, fields, body: None, residue: None }
    }
}

/// The body of a list of these messages.
fn list_body(messages: &[i64]) -> Vec<u8> {
    messages.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// The user whose configuration room has this key.
fn user_of(key: &[u8]) -> Option<i64> {
    let number = key.strip_suffix(&*CONFIG_ROOM.to_ascii_lowercase())?.strip_suffix(b".")?;
    let number: i64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let name = [format!("{number:010}.").as_bytes(), &CONFIG_ROOM.to_ascii_lowercase()].concat();
    (name == key).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str, number: i64, body: Option<Vec<u8>>) -> Header {
        let rooms = Rooms::default();
        let place = Place { number, name: name.into(), messages: Vec::new(), is_new: true };
        let mut header = rooms.new_room(&place, 2, &[]);
        header.fields.set_int("msgnum_info", 77);
        header.body = body.map(Body::Inline);
        header
    }

    fn rooms(release: i64, headers: &[Header]) -> Rooms {
        let mut rooms = Rooms { release, taken: 1000, ..Rooms::default() };
        headers.iter().for_each(|header| rooms.add(header, Vec::new()));
        rooms
    }

    #[test]
    fn configuration_rooms_are_known_by_their_keys() {
        assert_eq!(user_of(b"0000000012.my citadel config"), Some(12));
        assert_eq!(user_of(b"00000000012.my citadel config"), None);
        assert_eq!(user_of(b"12.my citadel config"), None);
        assert_eq!(user_of(b"my citadel config"), None);
    }

    #[test]
    fn what_was_no_reference_to_a_banner_becomes_none() {
        let mut header = room("Lobby", 1, None);
        let mut old = rooms(772, &[header.clone()]);
        assert!(old.change(&mut header).is_empty());
        assert_eq!(header.fields.int("msgnum_info"), Some(0));
        let mut newer = room("Lobby", 1, None);
        rooms(902, &[newer.clone()]).change(&mut newer);
        assert_eq!(newer.fields.int("msgnum_info"), Some(77));
    }

    #[test]
    fn messages_come_at_the_end_of_an_existing_room() {
        let mut header = room("0000000003.My Citadel Config", 9, Some(vec![0; 8]));
        let mut rooms = rooms(772, &[header.clone()]);
        assert_eq!(rooms.put(Some(3), 501).as_deref(), Some(&b"0000000003.My Citadel Config"[..]));
        rooms.put(Some(3), 502);
        assert_eq!(rooms.change(&mut header), list_body(&[501, 502]));
        assert_eq!(header.fields.int("highest"), Some(502));
        assert_eq!(rooms.made().count(), 0);
    }

    #[test]
    fn a_room_that_there_isnt_is_made() {
        let mut rooms = rooms(772, &[room("Lobby", 7, None)]);
        rooms.put(Some(3), 501);
        rooms.put(None, 502);
        let made: Vec<_> = rooms.made().collect();
        let numbers: Vec<_> = made.iter().map(|(header, _)| header.fields.int("number")).collect();
        assert_eq!(numbers, [Some(9), Some(8)]);
        assert_eq!(made[1].0.key, Key::name("0000000003.my citadel config"));
        assert_eq!(made[1].1, list_body(&[501]));
        for (header, _) in made {
            crate::record::schema::check(&header).unwrap();
        }
    }

    #[test]
    fn a_site_whose_rooms_have_used_up_all_numbers_gets_no_other_room() {
        let mut rooms = rooms(772, &[room("Lobby", i64::MAX, None)]);
        assert_eq!(rooms.put(None, 501), None);
        assert_eq!(rooms.made().count(), 0);
    }

    #[test]
    fn a_list_that_stands_apart_gets_the_messages_of_its_room() {
        let mut header = room("Local System Configuration", 4, None);
        let mut list = Header {
            kind: Kind::List,
            key: Key::number(4),
            fields: Fields::new(),
            body: Some(Body::Inline(Vec::new())),
            residue: None,
        };
        let mut rooms = rooms(772, &[header.clone(), list.clone()]);
        rooms.put(None, 502);
        assert!(rooms.change(&mut header).is_empty());
        assert_eq!(rooms.change(&mut list), list_body(&[502]));
    }
}
