//! Whether the tables of a target hold no more than what a server makes at its first start (seen with release 980).

use std::path::Path;

use super::ReadSiteError;
use super::tables::Tables;
use crate::site::btree::Item;
use crate::site::install::Freshness;
use crate::site::layout::{self, MessageKey, table};

/// The accounts of the first start, by their keys.
const FIRST_USERS: [&[u8]; 2] = [b"admin", b"syscitadel"];
/// The first start writes one message and eight rooms; a login of the first admin adds rooms of its own.
const FIRST_MESSAGES: usize = 2;
const FIRST_ROOMS: usize = 16;

/// Whether the tables in a data directory are fresh.
pub fn freshness(data: &Path) -> Freshness {
    match used(data) {
        Ok(None) => Freshness::Fresh,
        Ok(Some(what)) => Freshness::Used(what),
        Err(error) => Freshness::Used(format!("its tables can't be read ({error})")),
    }
}

fn used(data: &Path) -> Result<Option<String>, ReadSiteError> {
    let tables = Tables::open(data, None)?;
    let users = count(&tables, table::USERS, |key| !FIRST_USERS.contains(&key))?;
    if users > 0 {
        return Ok(Some(format!("it has {users} users besides the first admin")));
    }
    let is_message = |key: &[u8]| matches!(layout::parse_message_key(tables.layout, key), Some(MessageKey::Entry(_)));
    let messages = count(&tables, table::MESSAGES, is_message)?;
    if messages > FIRST_MESSAGES {
        return Ok(Some(format!("it holds {messages} messages")));
    }
    let rooms = count(&tables, table::ROOMS, |_| true)?;
    Ok((rooms > FIRST_ROOMS).then(|| format!("it has {rooms} rooms")))
}

fn count(tables: &Tables, number: u8, counts: impl Fn(&[u8]) -> bool) -> Result<usize, ReadSiteError> {
    let Some(pairs) = tables.get(number) else { return Ok(0) };
    let mut items = pairs.items();
    let mut item = Item::default();
    let mut found = 0;
    while items.next_into(&mut item)? {
        found += usize::from(counts(&item.key));
    }
    Ok(found)
}
