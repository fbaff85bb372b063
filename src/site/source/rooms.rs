//! Rooms and their message lists: two tables that become one record each, joined by the room's number.

use super::located::Located;
use super::queue::{Ordered, Queue};
use super::scan::{bodied, is_number_list, numbers};
use super::strange::Strange;
use super::{ReadSiteError, Walk};
use crate::record::{Header, Key, Kind};
use crate::site::btree::Item;
use crate::site::layout::{self, table};

impl Walk<'_> {
    /// The `room` records and the `list` records. A room has the list of its number, if no other room has that number.
    pub(super) fn rooms_and_lists(&mut self) -> Result<(Ordered, Ordered), ReadSiteError> {
        let mut joined = self.queue();
        let mut rooms = self.queue();
        let mut lists = self.queue();
        self.scan_rooms(&mut joined, &mut rooms)?;
        self.scan_lists(&mut joined)?;
        let mut joined = joined.finish()?;
        let mut group = Group::default();
        while let Some((header, body)) = joined.next()? {
            self.check_interrupted()?;
            if group.key != joined.key() {
                group.end(&mut rooms, &mut lists)?;
                group.key = joined.key().to_vec();
            }
            if header.kind == Kind::List {
                group.list = Some((header, body));
            } else {
                group.room(header, &mut rooms)?;
            }
        }
        group.end(&mut rooms, &mut lists)?;
        Ok((rooms.finish()?, lists.finish()?))
    }

    fn scan_rooms(&mut self, joined: &mut Queue, rooms: &mut Queue) -> Result<(), ReadSiteError> {
        let tables = self.tables;
        let Some(pairs) = tables.get(table::ROOMS) else { return Ok(()) };
        let mut items = pairs.items();
        let mut item = Item::default();
        let mut strange = Strange::of(self, table::ROOMS);
        while items.next_into(&mut item)? {
            self.check_interrupted()?;
            let typed = self.typed(pairs, table::ROOMS, &item)?;
            self.note_typed(&mut strange, items.page(), &item, typed.as_ref().map(|(header, _)| header))?;
            match typed {
                None => self.push_odd(table::ROOMS, &item)?,
                Some((header, body)) => match header.fields.int("number") {
                    Some(number) => joined.push_under(&join_key(number), &header, &body)?,
                    None => rooms.push(&header, &body)?,
                },
            }
        }
        self.end_table(strange, items.empty_leaf())
    }

    fn scan_lists(&mut self, joined: &mut Queue) -> Result<(), ReadSiteError> {
        let tables = self.tables;
        let Some(pairs) = tables.get(table::LISTS) else { return Ok(()) };
        let mut items = pairs.items();
        let mut item = Item::default();
        let mut strange = Strange::of(self, table::LISTS);
        while items.next_into(&mut item)? {
            self.check_interrupted()?;
            let room =
                layout::parse_list_key(tables.layout, &item.key).filter(|_| is_number_list(tables.layout, &item));
            self.note_list(&mut strange, items.page(), &item, room.is_some())?;
            match room {
                None => self.push_odd(table::LISTS, &item)?,
                Some(room) => {
                    let header = bodied(Kind::List, Key::number(room));
                    joined.push_under(&join_key(room), &header, &numbers(table::LISTS, &item))?;
                }
            }
        }
        self.end_table(strange, items.empty_leaf())
    }
}

fn join_key(room: i64) -> Vec<u8> {
    room.to_be_bytes().to_vec()
}

/// The rooms and the list of one room number. Of many rooms with one number only the first is held back, for it may be the only one.
#[derive(Default)]
struct Group {
    key: Vec<u8>,
    only_room: Option<Header>,
    has_more_rooms: bool,
    list: Option<(Header, Located)>,
}

impl Group {
    fn room(&mut self, header: Header, rooms: &mut Queue) -> Result<(), ReadSiteError> {
        if self.only_room.is_none() && !self.has_more_rooms {
            self.only_room = Some(header);
            return Ok(());
        }
        self.has_more_rooms = true;
        if let Some(first) = self.only_room.take() {
            rooms.push(&first, &Located::InHeader)?;
        }
        rooms.push(&header, &Located::InHeader)
    }

    fn end(&mut self, rooms: &mut Queue, lists: &mut Queue) -> Result<(), ReadSiteError> {
        match (self.only_room.take(), self.list.take()) {
            (Some(room), Some((list, body))) => rooms.push(&Header { body: list.body, ..room }, &body)?,
            (Some(room), None) => rooms.push(&room, &Located::InHeader)?,
            (None, Some((list, body))) => lists.push(&list, &body)?,
            (None, None) => {}
        }
        self.has_more_rooms = false;
        Ok(())
    }
}
