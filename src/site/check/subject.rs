//! What is damaged or lost, by the name that people know it by.

use std::fmt;

use crate::record::printable;
use crate::site::layout::table;

/// Longest name that is shown whole, in bytes.
const SHOWN_BYTES: usize = 300;

/// Something of a site that has a name. The order is that in which it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Subject {
    /// A table as a whole.
    Table(u8),
    /// A page of a table.
    Page {
        /// The table.
        table: u8,
        /// The page.
        page: u32,
    },
    /// A pair of a table that has no better name.
    Pair {
        /// The table.
        table: u8,
        /// Its key.
        key: Vec<u8>,
    },
    /// A floor.
    Floor(i64),
    /// A user, by the key of table 01.
    User(Vec<u8>),
    /// A user whose name is not known.
    UserNumber(i64),
    /// A room, by the key of table 02.
    Room(Vec<u8>),
    /// A room whose name is not known.
    RoomNumber(i64),
    /// A setting.
    Setting(Vec<u8>),
    /// An Internet address.
    Address(Vec<u8>),
    /// What a user has seen of a room.
    Visit {
        /// Number of the room.
        room: i64,
        /// Number of the user.
        user: i64,
    },
    /// A message.
    Message(i64),
    /// So many others, for which there was no room.
    Rest(u64),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Table(table) => write!(f, "table cdb.{table:02x}"),
            Subject::Page { table, page } => write!(f, "table cdb.{table:02x}, page {page}"),
            Subject::Pair { table, key } => write!(f, "table cdb.{table:02x}, key {}", key_text(key)),
            Subject::Floor(number) => write!(f, "floor {number}"),
            Subject::User(key) => write!(f, "user {}", name_text(key)),
            Subject::UserNumber(number) => write!(f, "user number {number}"),
            Subject::Room(key) => write!(f, "room {}", name_text(key)),
            Subject::RoomNumber(number) => write!(f, "room number {number}"),
            Subject::Setting(name) => write!(f, "setting {}", name_text(name)),
            Subject::Address(address) => write!(f, "address {}", name_text(address)),
            Subject::Visit { room, user } => write!(f, "visit of user number {user} to room number {room}"),
            Subject::Message(number) => write!(f, "message {number}"),
            Subject::Rest(count) => write!(f, "{count} more"),
        }
    }
}

impl Subject {
    /// What a pair of a table belongs to, judged by its key. `parse_number` reads a key that is one number of the site's machine.
    pub fn of_pair(table_number: u8, key: &[u8], parse_number: impl Fn(&[u8]) -> Option<i64>) -> Subject {
        let number = |make: fn(i64) -> Subject| parse_number(key).map(make);
        let named = |make: fn(Vec<u8>) -> Subject| Some(make(key.to_vec()));
        let subject = match table_number {
            table::MESSAGES | table::BIG_BODIES => {
                parse_number(key).filter(|number| *number != 0).map(|number| Subject::Message(number.saturating_abs()))
            }
            table::LISTS => number(Subject::RoomNumber),
            table::FLOORS => number(Subject::Floor),
            table::USER_NUMBERS => number(Subject::UserNumber),
            table::USERS => named(Subject::User),
            table::ROOMS => named(Subject::Room),
            table::CONFIG => named(Subject::Setting),
            table::DIRECTORY => named(Subject::Address),
            table::VISITS => {
                let word = key.len() / 3;
                let parts = [key.get(..word), key.get(2 * word..)].map(|part| part.and_then(&parse_number));
                match parts {
                    [Some(room), Some(user)] if key.len().is_multiple_of(3) => Some(Subject::Visit { room, user }),
                    _ => None,
                }
            }
            _ => None,
        };
        subject.unwrap_or_else(|| Subject::Pair { table: table_number, key: key.to_vec() })
    }
}

/// A name as people can read it, cut if it is longer than any that a server makes.
fn name_text(name: &[u8]) -> String {
    match name.get(..SHOWN_BYTES) {
        Some(cut) if name.len() > SHOWN_BYTES => format!("{}... ({} bytes)", printable(cut), name.len()),
        _ => printable(name),
    }
}

/// Text where it is text, else hexadecimal.
pub(in crate::site) fn key_text(key: &[u8]) -> String {
    if !key.is_empty() && key.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f) {
        return name_text(key);
    }
    let cut = &key[..key.len().min(SHOWN_BYTES / 2)];
    let hex: String = cut.iter().map(|byte| format!("{byte:02x}")).collect();
    let more = if key.len() > cut.len() { format!("... ({} bytes)", key.len()) } else { String::new() };
    format!("0x{hex}{more}")
}
