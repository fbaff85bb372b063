//! The metadata of a message (table 00, under the negative number): fields of the message's record.

use super::ctype::{Dialect, gives};
use super::pairs::{patched, residue_between};
use super::structs::LAST_WITH_MIMETYPE;
use super::{LayoutError, METADATA, Pair, Problem, decode, encode, metadata_key, table};
use crate::record::schema::MAX_RAW_BYTES;
use crate::record::{Fields, Header, KeyPart, Layout, Residue, Value};

/// What the metadata gives to its message's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// `refcount`, `content_type` and `rfc822_length`, in old ones `mimetype`, or `raw_metadata` alone.
    pub fields: Fields,
    /// What the fields don't reproduce.
    pub residue: Option<Residue>,
}

/// Reads the metadata of message `number`. `None` if its bytes are too many to be kept there: then the pair is a `table` record.
pub fn decode_metadata(dialect: impl Into<Dialect>, number: i64, value: &[u8]) -> Option<Metadata> {
    typed(dialect.into(), number, value).or_else(|| {
        let mut fields = Fields::new();
        fields.set("raw_metadata", Value::Binary(value.to_vec()));
        (value.len() <= MAX_RAW_BYTES).then_some(Metadata { fields, residue: None })
    })
}

fn typed(site: Dialect, number: i64, value: &[u8]) -> Option<Metadata> {
    let with_mimetype = METADATA.size(dialect(site.layout, true));
    let dialect = dialect(site.layout, value.len() >= with_mimetype);
    // What is longer than in any release that is known has members that nobody knows.
    let is_grown = site.is_newer() && value.len() > METADATA.size(dialect);
    if value.len() < METADATA.least(dialect) || is_grown {
        return None;
    }
    let fields = decode(&METADATA, dialect, value);
    let encoded = encode(&METADATA, dialect, &[KeyPart::Number(number)], &fields).ok()?;
    let residue = residue_between(encoded, value)?;
    Some(Metadata { fields, residue: Some(residue).filter(|residue| !residue.is_empty()) })
}

/// Whether metadata that have no residue are read as what these fields of their message say, and nothing else. Tells it without making what
/// `decode_metadata` makes; `false` also where only that can tell.
pub fn metadata_are(dialect: impl Into<Dialect>, value: &[u8], fields: &Fields) -> bool {
    let dialect = self::dialect(dialect.into().layout, fields.get("mimetype").is_some());
    let parts = ["entry", "big"].iter().filter(|name| fields.get(name).is_some()).count();
    gives(&METADATA, dialect, value, fields) == Some(fields.iter().len() - parts)
}

/// Servers leave old metadata as they are, so their length tells what they hold, and not the site's release.
fn dialect(layout: Layout, has_mimetype: bool) -> Dialect {
    Dialect { layout, release: if has_mimetype { LAST_WITH_MIMETYPE } else { LAST_WITH_MIMETYPE + 1 } }
}

/// The metadata pair of a message's record; `None` if it has no metadata. `same_layout` as for `encode_pair`.
pub fn encode_metadata(header: &Header, target: Layout, same_layout: bool) -> Result<Option<Pair>, LayoutError> {
    let Header { kind, key, fields, residue, .. } = header;
    let number = key.first_number().ok_or_else(|| Problem::FieldMissing { field: "the key" }.of(*kind, key))?;
    let value = if let Some(raw) = fields.bytes("raw_metadata") {
        if !same_layout {
            return Err(Problem::NotPortable { target }.of(*kind, key));
        }
        raw.to_vec()
    } else if fields.get("refcount").is_some() {
        let dialect = dialect(target, fields.get("mimetype").is_some());
        encode(&METADATA, dialect, &[KeyPart::Number(number)], fields)
            .and_then(|encoded| patched(encoded, residue.as_ref().filter(|_| same_layout)))
            .map_err(|problem| problem.of(*kind, key))?
    } else {
        return Ok(None);
    };
    Ok(Some(Pair { table: table::MESSAGES, key: metadata_key(number, target)?, value }))
}
