//! Values of tables and fields of records, kind by kind. Nothing of compression, residue or raw values here.

use super::ctype::check_text;
use super::structs::LAST_WITH_SCREEN;
use super::{Dialect, FLOOR, FromBody, Problem, ROOM, StructLayout, USE, USEID, USER, VISIT};
use super::{bytes, decode, encode, keys};
use crate::record::{Fields, Header, Key, Kind, Layout};

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
        Kind::Useid => Some(&USEID),
        _ => None,
    }
}

/// The fields of a value; `None` if it is too short to have any, or too long for them.
pub(super) fn decode_fields(kind: Kind, dialect: Dialect, value: &[u8]) -> Option<Fields> {
    let layout = dialect.layout;
    if let Some(layout_of) = layout_of(kind) {
        // Behind the members that are known a newer release has others, which are worth as much as these.
        let is_grown = dialect.is_newer() && value.len() > layout_of.size(dialect);
        if value.len() < layout_of.least(dialect) || is_grown {
            return None;
        }
        let fields = decode(layout_of, dialect, value);
        return Some(match kind {
            Kind::User => with_screen(fields, dialect, value),
            _ => fields,
        });
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

/// A user whom a server of an old release wrote and no newer one since, as that server wrote it.
fn with_screen(fields: Fields, dialect: Dialect, value: &[u8]) -> Fields {
    let old = Dialect { release: LAST_WITH_SCREEN, ..dialect };
    let is_old = fields.int("version").is_some_and(|version| (1..=LAST_WITH_SCREEN).contains(&version));
    if dialect.release > LAST_WITH_SCREEN && is_old && value.len() == USER.size(old) {
        decode(&USER, old, value)
    } else {
        fields
    }
}

/// The setting itself in a value of table 0d; `None` if the value doesn't begin with the setting's name and a NUL.
pub(super) fn config_body<'v>(key: &[u8], value: &'v [u8]) -> Option<&'v [u8]> {
    Some(up_to_nul(value.strip_prefix(key)?.strip_prefix(b"\0")?))
}

/// The value of a record in that layout; `body` is the logical body of those that have one.
pub(super) fn encode_value(header: &Header, body: &[u8], dialect: Dialect) -> Result<Vec<u8>, Problem> {
    let Header { kind, key, fields, .. } = header;
    let layout = dialect.layout;
    if let Some(layout_of) = layout_of(*kind) {
        let head = if layout_of.head.is_empty() { &[][..] } else { key.parts() };
        let has_screen = *kind == Kind::User && fields.get("screenwidth").is_some();
        let release = if has_screen { dialect.release.min(LAST_WITH_SCREEN) } else { dialect.release };
        return encode(layout_of, Dialect { release, ..dialect }, head, fields);
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
