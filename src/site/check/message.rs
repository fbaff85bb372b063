//! The verdict on one message, from all that is known of its number.
//!
//! A server (release 980) stores a new message in this order: entry, big body, metadata with reference count 0, list of the room, reference count. It takes one
//! away in this: list of the room, reference count, and when that is 0: entry, big body, metadata. Where a crash cuts these rows short,
//! only what no room lists is incomplete.

use super::Subject;
use super::entry::Body;
use super::facts::number_at;
use super::finding::Collector;
use super::messages::{BIG, ENTRY, EUID, IN_ROOM, LISTED, META};
use crate::site::layout::table;

/// How many rooms that list a message, and how many pointers to it, are named.
const MOST_NAMED: usize = 5;
/// Most drafts that wait for the names of their rooms.
const MOST_DRAFTS: usize = 10_000;

/// All facts about one number.
#[derive(Default)]
pub(super) struct Group {
    pub number: i64,
    entry: Option<Body>,
    /// The number of rooms that list it, as its metadata says.
    refcount: Option<i64>,
    is_big: bool,
    rooms: u64,
    first_rooms: Vec<i64>,
    last_room: Option<i64>,
    euids: u64,
    /// Entries of the EUID index for rooms that don't list it.
    stale_euids: u64,
    pointers: Vec<(Subject, String)>,
}

/// Damage of a message, before the names of the rooms that list it are known.
pub(super) struct Draft {
    pub message: i64,
    pub table: u8,
    pub text: String,
    pub rooms: Vec<i64>,
    pub more_rooms: u64,
}

/// Where the verdict goes.
pub(super) struct Verdicts<'f> {
    pub torn: &'f [u8],
    pub found: &'f mut Collector,
    pub drafts: Vec<Draft>,
    /// Messages that no room lists, though rooms did, and how many rooms; the first of them.
    unlisted: Vec<(i64, i64)>,
    unlisted_count: u64,
    /// Whether a list names numbers of which nothing else is known.
    lists_are_wrong: bool,
}

impl<'f> Verdicts<'f> {
    pub fn new(torn: &'f [u8], found: &'f mut Collector) -> Verdicts<'f> {
        Verdicts { torn, found, drafts: Vec::new(), unlisted: Vec::new(), unlisted_count: 0, lists_are_wrong: false }
    }

    fn damage(&mut self, draft: Draft) {
        if self.drafts.len() < MOST_DRAFTS {
            self.drafts.push(draft);
        } else {
            self.found.more(1);
        }
    }

    /// Says of the messages that no room lists whether that is normal. A server that lives on after a crash without recovery
    /// (release 980) takes any bytes for a list, keeps the true numbers that happen to be in it and forgets the others.
    pub fn end(&mut self) {
        if !self.lists_are_wrong {
            self.found.normal("messages that no room lists", self.unlisted_count);
            return;
        }
        let unlisted = std::mem::take(&mut self.unlisted);
        self.found.more(self.unlisted_count - unlisted.len() as u64);
        for (message, rooms) in unlisted {
            let text = format!("no room lists it any more, and {rooms} did; lists of messages are wrong");
            self.damage(Draft { message, table: table::LISTS, text, rooms: Vec::new(), more_rooms: 0 });
        }
    }
}

impl Group {
    pub fn of(number: i64) -> Group {
        Group { number, ..Group::default() }
    }

    /// Takes a fact, in the order of the sort.
    pub fn take(&mut self, order: &[u8], payload: &[u8]) {
        match order.first() {
            Some(&ENTRY) => self.entry = payload.first().map(|code| Body::of_code(*code)),
            Some(&META) => self.refcount = Some(number_at(payload, 0)),
            Some(&BIG) => self.is_big = true,
            Some(&IN_ROOM) => {
                let room = number_at(order, 1);
                match order.last() {
                    // A list may name a message twice, if it is damaged.
                    Some(&LISTED) if self.last_room == Some(room) => {}
                    Some(&LISTED) => {
                        self.last_room = Some(room);
                        self.rooms += 1;
                        if self.first_rooms.len() < MOST_NAMED {
                            self.first_rooms.push(room);
                        }
                    }
                    Some(&EUID) => {
                        self.euids += 1;
                        self.stale_euids += u64::from(self.last_room != Some(room));
                    }
                    _ => {}
                }
            }
            _ => self.pointers.extend(pointer(payload).filter(|_| self.pointers.len() < MOST_NAMED)),
        }
    }

    /// Says what is wrong with the message.
    pub fn end(&self, verdicts: &mut Verdicts<'_>) {
        match self.entry {
            None => self.without_entry(verdicts),
            Some(body) => self.with_entry(body, verdicts),
        }
    }

    fn without_entry(&self, verdicts: &mut Verdicts<'_>) {
        let is_torn = |table| verdicts.torn.contains(&table);
        let is_listed = self.rooms > 0;
        let was_listed = self.refcount.is_some_and(|rooms| rooms > 0);
        if is_listed || is_torn(table::MESSAGES) || is_torn(table::LISTS) {
            for (subject, what) in &self.pointers {
                let text = format!("{what} is message {}, which is not there", self.number);
                verdicts.found.damage(subject.clone(), table::MESSAGES, &text);
            }
        } else {
            verdicts.found.normal(
                "profiles, pictures, banners and the like whose message was deleted",
                self.pointers.len() as u64,
            );
        }
        let left = match (self.is_big, self.refcount) {
            (true, Some(_)) => "; its big body and its metadata are there",
            (true, None) => "; its big body is there",
            (false, Some(_)) => "; its metadata is there",
            (false, None) => "",
        };
        if is_listed {
            verdicts.lists_are_wrong |= left.is_empty();
            self.damage(verdicts, table::MESSAGES, &format!("there is no such message{left}"));
        } else if self.is_big && self.refcount != Some(0) || is_torn(table::MESSAGES) && (self.is_big || was_listed) {
            self.damage(verdicts, table::MESSAGES, &format!("its entry is missing{left}"));
        } else if self.is_big || self.refcount.is_some() {
            verdicts.found.normal("rests of deleted messages that nothing points to", 1);
        }
        verdicts
            .found
            .normal("entries of the EUID index for deleted messages, which wait for the nightly purge", self.euids);
    }

    fn with_entry(&self, body: Body, verdicts: &mut Verdicts<'_>) {
        let is_torn = |table| verdicts.torn.contains(&table);
        let is_listed = self.rooms > 0;
        let mut is_cut_short = false;
        match body {
            Body::Here if self.is_big => {
                self.damage(verdicts, table::BIG_BODIES, "it has a body in its entry and another one in table cdb.08");
            }
            Body::Elsewhere if !self.is_big && (is_listed || is_torn(table::BIG_BODIES)) => {
                self.damage(verdicts, table::BIG_BODIES, "its big body is missing");
            }
            Body::Elsewhere if !self.is_big => is_cut_short = true,
            Body::NoEntry => self.damage(verdicts, table::MESSAGES, "its entry can't be understood"),
            Body::Here | Body::Elsewhere => {}
        }
        match self.refcount {
            None if is_listed || is_torn(table::MESSAGES) => {
                self.damage(verdicts, table::MESSAGES, "its metadata is missing");
            }
            None => is_cut_short = true,
            Some(rooms) if is_torn(table::LISTS) && rooms > 0 && self.rooms < rooms as u64 => {
                let text = format!("{} of {rooms} message lists that named it are lost", rooms as u64 - self.rooms);
                self.damage(verdicts, table::LISTS, &text);
            }
            Some(rooms) if is_torn(table::LISTS) && self.rooms > rooms.max(0) as u64 => {
                let text = format!("{} rooms list it, but its metadata counts {rooms}", self.rooms);
                self.damage(verdicts, table::LISTS, &text);
            }
            Some(rooms) => {
                let differs = is_listed && rooms != self.rooms as i64;
                verdicts.found.normal(
                    "messages whose reference count is not the number of rooms that list them",
                    u64::from(differs),
                );
            }
        }
        match self.refcount {
            _ if is_cut_short => {
                verdicts.found.normal("messages whose storing was cut short, and that no room lists", 1);
            }
            Some(rooms @ 1..) if !is_listed && !is_torn(table::LISTS) => {
                verdicts.unlisted_count += 1;
                if verdicts.unlisted.len() < MOST_DRAFTS {
                    verdicts.unlisted.push((self.number, rooms));
                }
            }
            _ => verdicts.found.normal("messages that no room lists", u64::from(!is_listed)),
        }
        verdicts.found.normal("entries of the EUID index that are behind", self.stale_euids);
    }

    fn damage(&self, verdicts: &mut Verdicts<'_>, table: u8, text: &str) {
        verdicts.damage(Draft {
            message: self.number,
            table,
            text: text.to_owned(),
            rooms: self.first_rooms.clone(),
            more_rooms: self.rooms - self.first_rooms.len() as u64,
        });
    }
}

/// What points to the message, and with what: a letter, the length of the words, the words, the name.
fn pointer(payload: &[u8]) -> Option<(Subject, String)> {
    let (&[kind, length], rest) = payload.split_first_chunk::<2>()?;
    let (what, name) = rest.split_at_checked(usize::from(length))?;
    let name = name.to_vec();
    let subject = match kind {
        b'u' => Subject::User(name),
        b'r' => Subject::Room(name),
        _ => Subject::Setting(name),
    };
    Some((subject, String::from_utf8_lossy(what).into_owned()))
}
