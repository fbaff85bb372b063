//! Whether a pair, once it is read from its table, gives the record that it was made of: looked at before it is written, so that nothing gets
//! into a table that would come out of it as something else.

use super::WriteSiteError;
use crate::record::{Header, Kind};
use crate::site::layout::{self, Dialect, MessageKey, Pair};

/// Looks at the pair of a record that is one pair; `body` is what of the record's body stands in it.
pub(super) fn of_pair(header: &Header, body: &[u8], pair: &Pair, target: Dialect) -> Result<(), WriteSiteError> {
    if header.kind == Kind::Table {
        // Bytes that are carried as they are.
        return Ok(());
    }
    let read = layout::decode_pair(pair.table, target, &pair.key, &pair.value);
    let is_same = read.header.kind == header.kind
        && read.header.key == header.key
        && read.header.fields == header.fields
        && read.body == body;
    agreed(is_same, header)
}

/// Looks at the key of a message's part, and at the value of its metadata.
pub(super) fn of_metadata(header: &Header, pair: &Pair, target: Dialect) -> Result<(), WriteSiteError> {
    let number = match layout::parse_message_key(target.layout, &pair.key) {
        Some(MessageKey::Metadata(number)) => Some(number).filter(|number| header.key.first_number() == Some(*number)),
        _ => None,
    };
    let is_read_as = |number| {
        let metadata = layout::decode_metadata(target, number, &pair.value)?;
        let parts = header.fields.iter().filter(|(name, _)| matches!(*name, "entry" | "big"));
        let is_same = metadata.fields.iter().len() + parts.count() == header.fields.iter().len()
            && metadata.fields.iter().all(|(name, value)| header.fields.get(name) == Some(value));
        is_same.then_some(())
    };
    let is_plain = header.residue.is_none() && layout::metadata_are(target, &pair.value, &header.fields);
    let is_same = number.is_some_and(|number| is_plain || is_read_as(number).is_some());
    agreed(is_same, header)
}

/// Looks at a key that is the number by which a body of the record is found.
pub(super) fn of_number(header: &Header, number: i64, read: Option<i64>) -> Result<(), WriteSiteError> {
    agreed(read == Some(number), header)
}

fn agreed(is_same: bool, header: &Header) -> Result<(), WriteSiteError> {
    if is_same {
        return Ok(());
    }
    Err(WriteSiteError::Altered { kind: header.kind, key: header.key.to_string() })
}
