//! Users, the index of their numbers, and their mailboxes.

use super::facts::{Facts, SortedFacts};
use super::finding::Collector;
use super::references::{Check, first_number, for_each, number, record};
use super::{CheckError, Subject};
use crate::record::printable;
use crate::site::layout::table;

/// Facts about users, by number.
pub(super) type UserFacts = Facts;

const USER: u8 = 0;
const NUMBERED: u8 = 1;
const MAILBOX: u8 = 2;
const VISIT: u8 = 3;

/// The owner's number of rooms that were killed and wait for the purge: no user ever has it.
const KILLED: i64 = 9_999_999_999;
/// Longest name that is kept of the index, in bytes; users' names have 63.
const MOST_NAME_BYTES: usize = 4096;

impl Check<'_> {
    pub(super) fn users(&mut self) -> Result<(), CheckError> {
        for_each(self.tables, table::USERS, self.monitor, |pairs, item| {
            let Some(header) = record(pairs, table::USERS, self.tables.dialect(), item)? else {
                let subject = Subject::User(item.key.clone());
                self.found.damage(subject, table::USERS, "the record can't be understood");
                return Ok(());
            };
            let name = header.fields.bytes("fullname").unwrap_or_default();
            let user_number = header.fields.int("usernum").unwrap_or_default();
            let mut payload = (item.key.len() as u32).to_le_bytes().to_vec();
            payload.extend_from_slice(&item.key);
            payload.extend_from_slice(name);
            self.users.push(user_number, &[USER], &payload)?;
            self.names.user(name)?;
            for (field, what) in
                [("msgnum_bio", "the profile"), ("msgnum_pic", "the picture"), ("msgnum_inboxrules", "the inbox rules")]
            {
                let message = header.fields.int(field).unwrap_or_default();
                self.points_to(message, &Subject::User(item.key.clone()), what)?;
            }
            Ok(())
        })
    }

    pub(super) fn user_numbers(&mut self) -> Result<(), CheckError> {
        for_each(self.tables, table::USER_NUMBERS, self.monitor, |pairs, item| {
            let Some(user_number) = number(self.layout, &item.key) else { return Ok(()) };
            if item.value.len() as usize <= MOST_NAME_BYTES {
                let value = pairs.read_all(&item.value, MOST_NAME_BYTES as u64)?;
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                self.users.push(user_number, &[NUMBERED], name)?;
            }
            Ok(())
        })
    }

    /// A mailbox room, whose owner's number stands before the point in its name.
    pub(super) fn mailbox(&mut self, name: &[u8], key: &[u8]) -> Result<(), CheckError> {
        let digits = name.split(|byte| *byte == b'.').next().unwrap_or_default();
        match std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i64>().ok()) {
            Some(KILLED) => {
                self.found.normal("rooms that were killed and wait for the nightly purge", 1);
                Ok(())
            }
            Some(owner) => Ok(self.users.push(owner, &[MAILBOX], key)?),
            None => {
                let subject = Subject::Room(key.to_vec());
                self.found.damage(
                    subject,
                    table::ROOMS,
                    "it is a mailbox, but its name doesn't begin with its owner's number",
                );
                Ok(())
            }
        }
    }

    pub(super) fn visits(&mut self) -> Result<(), CheckError> {
        let word = self.layout.word_bytes();
        for_each(self.tables, table::VISITS, self.monitor, |_, item| {
            let part = |index: usize| item.key.get(index * word..).and_then(|rest| first_number(self.layout, rest));
            if let (true, Some(room), Some(generation), Some(user)) =
                (item.key.len() == 3 * word, part(0), part(1), part(2))
            {
                self.users.push(user, &[VISIT], &[])?;
                self.room_visit(room, generation)?;
            }
            Ok(())
        })
    }
}

#[derive(Default)]
struct Group {
    number: i64,
    /// Keys and names of the users with this number.
    users: Vec<(Vec<u8>, Vec<u8>)>,
    numbered: Option<Vec<u8>>,
    mailboxes: u64,
    /// One of the mailboxes.
    mailbox: Vec<u8>,
    visits: u64,
}

/// Brings the facts together.
pub(super) fn check(mut facts: SortedFacts, torn: &[u8], found: &mut Collector) -> Result<(), CheckError> {
    let mut group = Group::default();
    while let Some((number, order, payload)) = facts.next()? {
        if number != group.number {
            std::mem::replace(&mut group, Group { number, ..Group::default() }).end(torn, found);
        }
        match order.first() {
            Some(&USER) => {
                let (length, rest) = payload.split_at_checked(4).unwrap_or_default();
                let length = length.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
                let (key, name) = rest.split_at_checked(length).unwrap_or_default();
                // Two are enough to say so.
                if group.users.len() < 2 {
                    group.users.push((key.to_vec(), name.to_vec()));
                }
            }
            Some(&NUMBERED) => group.numbered = Some(payload.to_vec()),
            Some(&MAILBOX) => {
                group.mailboxes += 1;
                if group.mailboxes == 1 {
                    group.mailbox = payload.to_vec();
                }
            }
            _ => group.visits += 1,
        }
    }
    group.end(torn, found);
    Ok(())
}

impl Group {
    fn end(self, torn: &[u8], found: &mut Collector) {
        let number = self.number;
        match (self.users.as_slice(), &self.numbered) {
            ([], Some(name)) => {
                let text = format!(
                    "the index of users has number {number} for {}, but there is no such user; {} mailbox rooms are there",
                    printable(name),
                    self.mailboxes
                );
                found.damage(Subject::User(user_key(name)), table::USERS, &text);
            }
            ([], None) if self.mailboxes > 0 && torn.contains(&table::USERS) => {
                let text = format!(
                    "there is no such user, but {} mailbox rooms are there, one of them {}: the user was lost, or deleted before",
                    self.mailboxes,
                    printable(&self.mailbox)
                );
                found.damage(Subject::UserNumber(number), table::USERS, &text);
            }
            ([], None) => {
                found.normal("mailbox rooms of deleted users, which wait for the nightly purge", self.mailboxes);
            }
            // Numbers of 0 and below are of the server's own user, of users without a name, and of those that old releases purged.
            _ if number <= 0 => {}
            ([(first, _), (second, _), ..], _) => {
                let text = format!("has number {number}, as the user {} has", printable(first));
                found.damage(Subject::User(second.clone()), table::USERS, &text);
            }
            ([(key, _)], None) => {
                if torn.contains(&table::USER_NUMBERS) {
                    let text = format!("the index of users has lost number {number}");
                    found.damage(Subject::User(key.clone()), table::USER_NUMBERS, &text);
                } else {
                    found.normal("users that the index by number lacks", 1);
                }
            }
            ([(_, name)], Some(numbered)) if name != numbered => {
                found.normal("users whose former name the index by number has", 1);
            }
            _ => {}
        }
        if self.users.is_empty() {
            found.normal("visits of deleted users, which wait for the nightly purge", self.visits);
        }
    }
}

/// The key that a server from release 928 on makes of a user's name: ASCII letters and digits, in lower case.
pub(super) fn user_key(name: &[u8]) -> Vec<u8> {
    let key: Vec<u8> =
        name.iter().take(63).filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    if key.is_empty() { name.to_vec() } else { key }
}
