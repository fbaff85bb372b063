//! Values of tables and fields of records, kind by kind. Nothing of compression, residue or raw values here.

use super::ctype::{check_text, of_word};
use super::{FLOOR, FromBody, Problem, ROOM, StructLayout, USE, USER, VISIT, bytes, decode, encode, keys};
use crate::record::{Fields, Header, Key, KeyPart, Kind, Layout};

/// The longest name that `directory` and `usernumber` records keep.
const MAX_NAME_BYTES: usize = 4096;

/// The struct that the value of a kind is.
fn layout_of(kind: Kind) -> Option<&'static StructLayout> {
    match kind {
        Kind::User => Some(&USER),
        Kind::Room => Some(&ROOM),
        Kind::Floor => Some(&FLOOR),
        Kind::Visit => Some(&VISIT),
        Kind::Use => Some(&USE),
        _ => None,
    }
}

/// The fields of a value; `None` if it is too short to have any, or too long for them.
pub(super) fn decode_fields(kind: Kind, layout: Layout, value: &[u8]) -> Option<Fields> {
    if let Some(layout_of) = layout_of(kind) {
        return (value.len() >= of_word(layout, layout_of.least)).then(|| decode(layout_of, layout, value));
    }
    let mut fields = Fields::new();
    match kind {
        Kind::Directory | Kind::Usernumber => {
            let user = up_to_nul(value);
            if user.len() > MAX_NAME_BYTES {
                return None;
            }
            fields.set_string("user", user);
        }
        Kind::Openid => fields.set_int("usernum", first_long(layout, value)?),
        Kind::Euid => fields.set_int("msgnum", first_long(layout, value)?),
        Kind::Config => {}
        _ => return None,
    }
    Some(fields)
}

/// The setting itself in a value of table 0d; `None` if the value doesn't begin with the setting's name and a NUL.
pub(super) fn config_body<'v>(key: &[u8], value: &'v [u8]) -> Option<&'v [u8]> {
    Some(up_to_nul(value.strip_prefix(key)?.strip_prefix(b"\0")?))
}

/// The value of a record in that layout; `body` is the logical body of those that have one.
pub(super) fn encode_value(header: &Header, body: &[u8], layout: Layout) -> Result<Vec<u8>, Problem> {
    let Header { kind, key, fields, .. } = header;
    if let Some(layout_of) = layout_of(*kind) {
        return encode(layout_of, layout, &numbers_in_head(layout_of, key), fields);
    }
    let mut value = Vec::new();
    match kind {
        Kind::Directory | Kind::Usernumber => {
            let user = fields.bytes("user").ok_or(Problem::FieldMissing { field: "user" })?;
            check_text("user", user, MAX_NAME_BYTES)?;
            value.extend_from_slice(user);
            value.push(0);
        }
        Kind::Openid => {
            push_long(&mut value, "usernum", fields, layout)?;
            value.extend_from_slice(name(key)?);
            value.push(0);
        }
        Kind::Euid => {
            push_long(&mut value, "msgnum", fields, layout)?;
            value.extend_from_slice(&keys::encode(*kind, key, layout)?.1);
        }
        Kind::Config => {
            check_text("the body", body, usize::MAX)?;
            value.extend_from_slice(name(key)?);
            value.push(0);
            value.extend_from_slice(body);
            value.push(0);
        }
        Kind::List | Kind::Fulltext => {
            let mut list = FromBody::new(layout);
            list.push(body, &mut value)?;
            list.finish()?;
        }
        Kind::Table => value.extend_from_slice(body),
        _ => return Err(Problem::NoPair),
    }
    Ok(value)
}

fn numbers_in_head(layout_of: &StructLayout, key: &Key) -> Vec<i64> {
    let number = |part: &KeyPart| if let KeyPart::Number(number) = part { Some(*number) } else { None };
    if layout_of.head.is_empty() { Vec::new() } else { key.parts().iter().filter_map(number).collect() }
}

fn up_to_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn first_long(layout: Layout, value: &[u8]) -> Option<i64> {
    value.get(..layout.word_bytes()).map(|word| bytes::read_signed(word, layout.order))
}

fn push_long(value: &mut Vec<u8>, field: &'static str, fields: &Fields, layout: Layout) -> Result<(), Problem> {
    let number = fields.int(field).ok_or(Problem::FieldMissing { field })?;
    bytes::push(value, field, number, layout.word_bytes(), layout)
}

fn name(key: &Key) -> Result<&[u8], Problem> {
    key.last_name().ok_or(Problem::FieldMissing { field: "the key" })
}
