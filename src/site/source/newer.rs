//! Sites of a release that is newer than all that are known.

use super::ReadSiteError;
use super::tables::Tables;
use crate::site::btree::Item;
use crate::site::layout::{
    FLOOR, MAX_PAIR_VALUE_BYTES, METADATA, MessageKey, ROOM, StructLayout, TRIED, USE, USER, VISIT, parse_message_key,
    table, visit_bytes,
};

/// Tables whose structs are counted, if they are longer than they were in the newest release that is known.
const STRUCTS: [(u8, &str, &StructLayout); 6] = [
    (table::USERS, "users", &USER),
    (table::ROOMS, "rooms", &ROOM),
    (table::FLOORS, "floors", &FLOOR),
    (table::VISITS, "visits", &VISIT),
    (table::USES, "entries of the use table", &USE),
    (table::MESSAGES, "metadata of messages", &METADATA),
];

/// What a person must know of such a site; `None` if its release is known.
pub(super) fn notice(tables: &Tables) -> Result<Option<String>, ReadSiteError> {
    let dialect = tables.dialect();
    if !dialect.is_newer() {
        return Ok(None);
    }
    let mut longer = Vec::new();
    for (number, name, struct_layout) in STRUCTS {
        let Some(pairs) = tables.get(number) else { continue };
        let expected_bytes = struct_layout.size(dialect);
        let sizes = struct_layout.sizes(dialect.layout);
        let (mut items, mut item, mut grown) = (pairs.items(), Item::default(), 0u64);
        while items.next_into(&mut item)? {
            let is_struct = number != table::MESSAGES
                || matches!(parse_message_key(dialect.layout, &item.key), Some(MessageKey::Metadata(_)));
            let value_bytes = match number {
                // One that is a `table` record whatever is in it.
                table::VISITS if item.value.len() as usize > MAX_PAIR_VALUE_BYTES => continue,
                // Packed; the beginning of one says its length.
                table::VISITS => {
                    let value = pairs.read_all(&item.value, MAX_PAIR_VALUE_BYTES as u64)?;
                    usize::try_from(visit_bytes(dialect.layout, &value)).unwrap_or(usize::MAX)
                }
                _ => item.value.len() as usize,
            };
            grown += u64::from(is_struct && value_bytes > expected_bytes && !sizes.contains(&value_bytes));
        }
        if grown > 0 {
            longer.push(format!(
                "{grown} {name} (cdb.{number:02x}) are longer than the {expected_bytes} bytes of {TRIED}"
            ));
        }
    }
    let found = match longer.is_empty() {
        true => {
            format!(
                "its users, rooms, floors and visits, and the metadata of its messages, are no longer than those of {TRIED}, and are taken for such"
            )
        }
        false => format!("{}: those are carried as bytes, and fit only a server of the same layout", longer.join(", ")),
    };
    Ok(Some(format!(
        "the site is of release {}, newer than {TRIED}, the last one that this program knows; {found}. Look whether there is a newer ctdl-dump",
        dialect.release
    )))
}
