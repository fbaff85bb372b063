//! One pass over each table, whose facts are then brought together by message, room and user.

use std::collections::BTreeMap;
use std::path::Path;

use super::by_name::Names;
use super::facts::Facts;
use super::finding::Collector;
use super::messages::MessageFacts;
use super::rooms::RoomFacts;
use super::users::UserFacts;
use super::{CheckError, Findings, Subject};
use crate::monitor::Monitor;
use crate::record::{Header, Kind, Layout};
use crate::site::btree::{Item, Place, Table};
use crate::site::layout::{self, Dialect, MAX_PAIR_VALUE_BYTES, table};
use crate::site::source::Tables;

/// Looks at what belongs together in the tables of a data directory, which must be whole ([`super::walk_tables`]). What doesn't fit into
/// memory is sorted in `scratch`. The tables are read by the layout `told`, or else by the one that they show.
///
/// The full text index is not looked at: it names deleted messages in every site, and the server builds it anew. Differences between
/// numbers of releases before 902 are not looked at either: their rooms keep other things in the same places.
///
/// # Errors
/// When a table can't be read, when the scratch directory fails, or when the user interrupts.
pub fn references(
    data: &Path,
    told: Option<Layout>,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Findings, CheckError> {
    let tables = Tables::open(data, told).map_err(Box::new)?;
    references_of(&tables, &[], scratch, monitor)
}

/// The same for tables that are open. `torn` are tables of which something is lost: what is normal otherwise, because a server removes
/// things in steps, then is what may be left of a loss, and is named.
pub(in crate::site) fn references_of(
    tables: &Tables,
    torn: &[u8],
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<Findings, CheckError> {
    let mut check = Check {
        tables,
        layout: tables.layout,
        torn,
        monitor,
        found: Collector::default(),
        messages: Facts::new(scratch),
        rooms: Facts::new(scratch),
        users: Facts::new(scratch),
        names: Names::new(scratch),
        floors: BTreeMap::new(),
    };
    check.floors()?;
    check.users()?;
    check.user_numbers()?;
    check.directory()?;
    check.rooms()?;
    check.lists()?;
    check.visits()?;
    check.settings()?;
    check.messages()?;
    check.big_bodies()?;
    check.euids()?;
    let Check { mut found, messages, rooms, users, names, .. } = check;
    names.check(torn, &mut found)?;
    super::users::check(users.sorted()?, torn, &mut found)?;
    super::rooms::check(rooms.sorted()?, torn, &mut found)?;
    super::messages::check(messages.sorted()?, tables, torn, monitor, &mut found)?;
    Ok(found.finish())
}

/// The pass over the tables.
pub(super) struct Check<'t> {
    pub tables: &'t Tables,
    pub layout: Layout,
    pub torn: &'t [u8],
    pub monitor: &'t dyn Monitor,
    pub found: Collector,
    pub messages: MessageFacts,
    pub rooms: RoomFacts,
    pub users: UserFacts,
    pub names: Names,
    /// Whether each floor is in use; rooms have one of 256.
    pub floors: BTreeMap<i8, bool>,
}

impl Check<'_> {
    fn floors(&mut self) -> Result<(), CheckError> {
        for_each(self.tables, table::FLOORS, self.monitor, |pairs, item| {
            let Some(header) = record(pairs, table::FLOORS, self.tables.dialect(), item)? else {
                let subject = Subject::of_pair(table::FLOORS, &item.key, |key| number(self.layout, key));
                self.found.damage(subject, table::FLOORS, "its record can't be understood");
                return Ok(());
            };
            let floor = header.key.first_number().and_then(|number| i8::try_from(number).ok());
            // Bit 1 of a floor's flags says that it is in use.
            let in_use = header.fields.int("flags").is_some_and(|flags| flags & 1 != 0);
            self.floors.extend(floor.map(|floor| (floor, in_use)));
            Ok(())
        })
    }
}

/// Goes through all pairs of a table, if it is there.
pub(super) fn for_each(
    tables: &Tables,
    table_number: u8,
    monitor: &dyn Monitor,
    mut each: impl FnMut(&Table, &Item) -> Result<(), CheckError>,
) -> Result<(), CheckError> {
    let Some(pairs) = tables.get(table_number) else { return Ok(()) };
    let mut items = pairs.items();
    let mut item = Item::default();
    while items.next_into(&mut item)? {
        if monitor.is_interrupted() {
            return Err(CheckError::Interrupted);
        }
        each(pairs, &item)?;
        monitor.progress(0, 1);
    }
    Ok(())
}

/// The record that a pair is; `None` if it can't be understood.
pub(super) fn record(
    pairs: &Table,
    table_number: u8,
    dialect: Dialect,
    item: &Item,
) -> Result<Option<Header>, CheckError> {
    if item.value.len() as usize > MAX_PAIR_VALUE_BYTES {
        return Ok(None);
    }
    let read;
    let value = match &item.value {
        Place::Inline(value) => value,
        place => {
            read = pairs.read_all(place, MAX_PAIR_VALUE_BYTES as u64)?;
            &read
        }
    };
    let header = layout::decode_pair(table_number, dialect, &item.key, value).header;
    let is_understood = header.kind != Kind::Table && header.fields.get("raw").is_none();
    Ok(is_understood.then_some(header))
}

/// A key that is one number of the site's machine.
pub(super) fn number(layout: Layout, key: &[u8]) -> Option<i64> {
    layout::parse_list_key(layout, key)
}

/// The first number of a key or a value.
pub(super) fn first_number(layout: Layout, bytes: &[u8]) -> Option<i64> {
    number(layout, bytes.get(..layout.word_bytes())?)
}
