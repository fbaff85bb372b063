//! Keys of tables and keys of records.

use super::{Dialect, LayoutError, Problem, bytes, table};
use crate::record::{Key, KeyPart, Kind, Layout, MAX_KEY_BYTES};

/// What a key of table 00 is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKey {
    /// A message of that number, above 0.
    Entry(i64),
    /// The metadata of the message of that number, above 0.
    Metadata(i64),
}

/// The table whose pairs are records of the kind, and the other way round. Messages and lists have more than one or are joined.
const KINDS: [(u8, Kind); 13] = [
    (table::USERS, Kind::User),
    (table::ROOMS, Kind::Room),
    (table::FLOORS, Kind::Floor),
    (table::LISTS, Kind::List),
    (table::VISITS, Kind::Visit),
    (table::DIRECTORY, Kind::Directory),
    (table::USES, Kind::Use),
    (table::USES, Kind::Useid),
    (table::FULLTEXT, Kind::Fulltext),
    (table::EUIDS, Kind::Euid),
    (table::USER_NUMBERS, Kind::Usernumber),
    (table::OPENIDS, Kind::Openid),
    (table::CONFIG, Kind::Config),
];

/// The kind of a table's pairs.
pub(super) fn kind_of(table: u8, dialect: Dialect) -> Option<Kind> {
    if table == table::USES {
        return Some(dialect.kind_of_uses());
    }
    KINDS.iter().find(|(number, _)| *number == table).map(|(_, kind)| *kind)
}

/// The number in the key of table 04; `None` if the key isn't one `long`.
pub fn parse_list_key(layout: Layout, key: &[u8]) -> Option<i64> {
    (key.len() == layout.word_bytes()).then(|| bytes::read_signed(key, layout.order))
}

/// The token in the key of table 09; `None` if the key isn't one `int`.
pub fn parse_fulltext_key(layout: Layout, key: &[u8]) -> Option<i64> {
    (key.len() == 4).then(|| bytes::read_signed(key, layout.order))
}

/// The message that a key of table 00 or 08 is about; `None` if the key isn't one `long`, or is 0, or the lowest `long`, which has no
/// positive counterpart. In table 08 only `Entry` makes sense.
pub fn parse_message_key(layout: Layout, key: &[u8]) -> Option<MessageKey> {
    let number = parse_list_key(layout, key)?;
    let lowest = if layout.word_bytes() == 8 { i64::MIN } else { i64::from(i32::MIN) };
    match number {
        1.. => Some(MessageKey::Entry(number)),
        0 => None,
        _ if number == lowest => None,
        _ => Some(MessageKey::Metadata(-number)),
    }
}

/// The key of a room's list in table 04.
pub fn list_key(number: i64, layout: Layout) -> Result<Vec<u8>, LayoutError> {
    word(number, layout, Kind::List)
}

/// The key of a message's parts in tables 00 and 08.
pub fn message_key(number: i64, layout: Layout) -> Result<Vec<u8>, LayoutError> {
    word(number, layout, Kind::Message)
}

/// The key of a message's metadata in table 00.
pub fn metadata_key(number: i64, layout: Layout) -> Result<Vec<u8>, LayoutError> {
    word(number.wrapping_neg(), layout, Kind::Message)
}

fn word(number: i64, layout: Layout, kind: Kind) -> Result<Vec<u8>, LayoutError> {
    let mut key = Vec::new();
    bytes::push(&mut key, "the key", number, layout.word_bytes(), layout)
        .map_err(|problem| problem.of(kind, &Key::number(number)))?;
    Ok(key)
}

/// The longest key of a table that a record can have: the number that precedes it in the key of a `table` record takes 8 bytes.
pub const MAX_TABLE_KEY_BYTES: usize = MAX_KEY_BYTES - 8;

/// The record's key; `None` if the bytes don't have the form that keys of the kind have.
pub(super) fn decode(kind: Kind, layout: Layout, key: &[u8]) -> Option<Key> {
    if key.len() > MAX_TABLE_KEY_BYTES {
        return None;
    }
    let word = layout.word_bytes();
    let number = |bytes: &[u8]| bytes::read_signed(bytes, layout.order);
    match kind {
        Kind::Floor | Kind::Use | Kind::Fulltext => (key.len() == 4).then(|| Key::number(number(key))),
        Kind::List | Kind::Usernumber => (key.len() == word).then(|| Key::number(number(key))),
        Kind::Visit => (key.len() == 3 * word)
            .then(|| Key::numbers([0, 1, 2].map(|index| number(&key[index * word..(index + 1) * word])))),
        Kind::Euid => {
            let (room, euid) = key.split_at_checked(word)?;
            let (0, euid) = euid.split_last()? else { return None };
            Some(Key::number_and_name(number(room), euid))
        }
        Kind::User | Kind::Room | Kind::Useid | Kind::Directory | Kind::Openid | Kind::Config => Some(Key::name(key)),
        _ => None,
    }
}

/// The table and the key bytes of a record.
pub(super) fn encode(kind: Kind, key: &Key, layout: Layout) -> Result<(u8, Vec<u8>), Problem> {
    if let (Kind::Table, [KeyPart::Number(table), KeyPart::Name(name)]) = (kind, key.parts()) {
        let table = u8::try_from(*table).map_err(|_| Problem::FieldMissing { field: "the key" })?;
        return Ok((table, name.clone()));
    }
    let table = KINDS.iter().find(|(_, other)| *other == kind).map(|(table, _)| *table).ok_or(Problem::NoPair)?;
    let number_bytes = match kind {
        Kind::Floor | Kind::Use | Kind::Fulltext => 4,
        _ => layout.word_bytes(),
    };
    let mut bytes = Vec::new();
    for part in key.parts() {
        match part {
            KeyPart::Number(number) => bytes::push(&mut bytes, "the key", *number, number_bytes, layout)?,
            KeyPart::Name(name) => bytes.extend_from_slice(name),
        }
    }
    if kind == Kind::Euid {
        bytes.push(0);
    }
    Ok((table, bytes))
}
