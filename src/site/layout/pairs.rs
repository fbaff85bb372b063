//! One pair of a table, one record; both ways, to the byte.

use super::{Dialect, LayoutError, Problem, keys, table, values, visit};
use crate::record::schema::{self, MAX_RAW_BYTES};
use crate::record::{Body, Fields, Header, INLINE_BODY_BYTES, Key, Kind, Layout, Residue, Value};

/// A value longer than this is always a `table` record, whatever it holds, so that it can pass by in pieces. (Not number lists and message
/// parts: they pass by in pieces as what they are.)
pub const MAX_PAIR_VALUE_BYTES: usize = 1 << 20;

/// The most that a residue may take in a header, as `Residue::size` counts it.
pub(super) const MAX_RESIDUE_BYTES: usize = 8192;

/// A pair of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Number of the table.
    pub table: u8,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// What a pair became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'v> {
    /// The record's header.
    pub header: Header,
    /// The record's whole body, inline or not; empty where it has none.
    pub body: &'v [u8],
}

/// The record that a pair of a table is. Never fails: a value that can't be understood is `raw`, and what has no place in its kind is a
/// `table` record. `encode_pair` makes the same bytes of it again in the same layout (of a visit, the same uncompressed): that is tried
/// out here for each pair, and what wouldn't come out the same is kept as bytes.
///
/// Number lists and message parts (tables 00, 04, 08, 09) are `table` records here: the caller gives only those that nothing else fits. A
/// key of more than `MAX_KEY_BYTES` - 8 bytes makes a header that `schema::check` refuses.
pub fn decode_pair<'v>(table: u8, dialect: impl Into<Dialect>, key: &[u8], value: &'v [u8]) -> Decoded<'v> {
    let dialect = dialect.into();
    typed(table, dialect, key, value)
        .or_else(|| raw(table, dialect, key, value))
        .unwrap_or_else(|| Decoded { header: table_record(table, key, body_of(value)), body: value })
}

/// The header of a `table` record.
pub fn table_record(table: u8, key: &[u8], body: Body) -> Header {
    let key = Key::number_and_name(i64::from(table), key);
    Header { kind: Kind::Table, key, fields: Fields::new(), body: Some(body), residue: None }
}

/// The pair that a record becomes; `body` is its whole body, inline or not. With `same_layout` the record comes from a site of the target's
/// layout, and the bytes become exactly those that it had there. Without it residue is left out, and values that nobody could
/// interpret are errors, but in tables that hold only text.
///
/// A room's list and a message's parts are not made here: they pass by in pieces (`list_key`, `message_key`, `encode_metadata`).
pub fn encode_pair(
    header: &Header,
    body: &[u8],
    target: impl Into<Dialect>,
    same_layout: bool,
) -> Result<Pair, LayoutError> {
    pair(header, body, target.into(), same_layout).map_err(|problem| problem.of(header.kind, &header.key))
}

fn pair(header: &Header, body: &[u8], dialect: Dialect, same_layout: bool) -> Result<Pair, Problem> {
    let target = dialect.layout;
    let (table, key) = keys::encode(header.kind, &header.key, target)?;
    let raw = match header.fields.get("raw") {
        Some(Value::Binary(raw)) => Some(raw.as_slice()),
        _ => (header.kind == Kind::Table).then_some(body),
    };
    if let Some(raw) = raw {
        let portable = match header.kind {
            Kind::Table => matches!(table, table::DIRECTORY | table::CONFIG),
            kind => matches!(kind, Kind::Directory | Kind::Usernumber),
        };
        if !same_layout && !portable {
            return Err(Problem::NotPortable { target });
        }
        return Ok(Pair { table, key, value: raw.to_vec() });
    }
    let residue = header.residue.as_ref().filter(|_| same_layout);
    let value = patched(values::encode_value(header, body, dialect)?, residue)?;
    let compress = header.kind == Kind::Visit && !residue.is_some_and(|residue| residue.uncompressed);
    Ok(Pair { table, key, value: if compress { visit::close(target, &value) } else { value } })
}

/// Applies a residue, if there is one.
pub(super) fn patched(encoded: Vec<u8>, residue: Option<&Residue>) -> Result<Vec<u8>, Problem> {
    let Some(residue) = residue else { return Ok(encoded) };
    let bytes = encoded.len();
    residue.apply(encoded).ok_or(Problem::ResidueMisfit { bytes })
}

/// The residue that makes `actual` of `encoded`; `None` if it would be too large, or wouldn't do it.
pub(super) fn residue_between(encoded: Vec<u8>, actual: &[u8]) -> Option<Residue> {
    let residue = Residue::between(&encoded, actual);
    let fits = residue.size() <= MAX_RESIDUE_BYTES;
    (fits && residue.apply(encoded).is_some_and(|bytes| bytes == actual)).then_some(residue)
}

fn typed<'v>(table: u8, dialect: Dialect, key: &[u8], value: &'v [u8]) -> Option<Decoded<'v>> {
    let layout = dialect.layout;
    let kind = keys::kind_of(table, dialect)?;
    if value.len() > MAX_PAIR_VALUE_BYTES || kind != Kind::Visit && visit::is_compressed(layout, value) {
        return None;
    }
    let plain = visit::open(layout, value)?;
    let fields = values::decode_fields(kind, dialect, &plain)?;
    let body = if kind == Kind::Config { Some(values::config_body(key, value)?) } else { None };
    let mut header =
        Header { kind, key: keys::decode(kind, layout, key)?, fields, body: body.map(body_of), residue: None };
    let encoded = values::encode_value(&header, body.unwrap_or_default(), dialect).ok()?;
    let mut residue = residue_between(encoded, &plain)?;
    residue.uncompressed = kind == Kind::Visit && !visit::is_compressed(layout, value);
    header.residue = Some(residue).filter(|residue| !residue.is_empty());
    kept(Decoded { header, body: body.unwrap_or_default() }, layout, key)
}

fn raw<'v>(table: u8, dialect: Dialect, key: &[u8], value: &[u8]) -> Option<Decoded<'v>> {
    let layout = dialect.layout;
    let kind = keys::kind_of(table, dialect)?;
    let has_raw = schema::of(kind).fields.iter().any(|field| field.name == "raw");
    if !has_raw || value.len() > MAX_RAW_BYTES {
        return None;
    }
    let mut fields = Fields::new();
    fields.set("raw", Value::Binary(value.to_vec()));
    let header = Header { kind, key: keys::decode(kind, layout, key)?, fields, body: None, residue: None };
    kept(Decoded { header, body: &[] }, layout, key)
}

/// The record, if its key becomes the table's key again and its header is one that an archive takes.
fn kept<'v>(decoded: Decoded<'v>, layout: Layout, key: &[u8]) -> Option<Decoded<'v>> {
    let header = &decoded.header;
    let same_key = keys::encode(header.kind, &header.key, layout).is_ok_and(|(_, bytes)| bytes == key);
    (same_key && schema::check(header).is_ok()).then_some(decoded)
}

fn body_of(bytes: &[u8]) -> Body {
    if bytes.len() <= INLINE_BODY_BYTES { Body::Inline(bytes.to_vec()) } else { Body::Segments(bytes.len() as u64) }
}
