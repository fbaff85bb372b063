//! The one check of a header against the schema of its kind.

use super::{BodyRule, CONFIG_FILE, CONTROL_FILE, FieldType, PartType, REFCOUNT_FILE, of};
use crate::record::{Body, Header, KeyPart, Kind, MAX_KEY_BYTES, Value, is_same_name};

/// The first release whose `citadel.control` says of which Berkeley DB the tables are.
const FIRST_WITH_DBVERSION: i64 = 737;

/// How a header breaks the rules of its kind.
#[derive(Debug, thiserror::Error)]
#[error("{kind} record {key}: {problem}")]
pub struct SchemaError {
    kind: Kind,
    key: String,
    problem: String,
}

/// Holds a header against the schema of its kind.
pub fn check(header: &Header) -> Result<(), SchemaError> {
    problem(header)
        .map_or(Ok(()), |problem| Err(SchemaError { kind: header.kind, key: header.key.to_string(), problem }))
}

fn problem(header: &Header) -> Option<String> {
    let schema = of(header.kind);
    let parts = header.key.parts();
    if parts.len() != schema.key.len() || !parts.iter().zip(schema.key).all(|(part, rule)| part_fits(part, *rule)) {
        return Some(format!("the key doesn't have the form {:?}", schema.key));
    }
    if header.key.size() > MAX_KEY_BYTES {
        return Some(format!("the key has {} bytes, more than {MAX_KEY_BYTES}", header.key.size()));
    }
    for (name, value) in header.fields.iter() {
        match schema.fields.iter().find(|field| is_same_name(field.name, name)) {
            None => return Some(format!("has a field \"{name}\", which the kind doesn't have")),
            Some(field) if !value_fits(value, field.field_type) => {
                return Some(format!("field \"{name}\" is {value}, which is not {:?}", field.field_type));
            }
            Some(_) => {}
        }
    }
    if header.fields.get("raw").is_some() {
        if header.fields.iter().len() > 1 || header.residue.is_some() {
            return Some("has other fields or a residue beside \"raw\"".into());
        }
    } else if let Some(field) =
        schema.fields.iter().find(|field| field.required && header.fields.get(field.name).is_none())
    {
        return Some(format!("field \"{}\" is missing", field.name));
    }
    match (schema.body, &header.body) {
        (BodyRule::Never, Some(_)) => Some("has a body, which the kind doesn't have".into()),
        (BodyRule::Always, None) => Some("has no body".into()),
        _ => kind_problem(header),
    }
}

/// Rules that concern several fields of one kind.
fn kind_problem(header: &Header) -> Option<String> {
    let length = header.body.as_ref().map(Body::length);
    match header.kind {
        Kind::Config => (!matches!(header.fields.bytes("origin"), None | Some(CONFIG_FILE)))
            .then(|| "comes from a file that holds no settings".into()),
        Kind::Control => control_problem(header),
        Kind::Refcount => (header.key.first_number() < Some(0)).then(|| "the position is below 0".into()),
        Kind::User => (header.fields.get("screenwidth").is_some() != header.fields.get("screenheight").is_some())
            .then(|| "has a part of the screen's size only".into()),
        kind if kind.has_numbers() => {
            if matches!(header.body, Some(Body::Folded(_))) {
                return Some("has message numbers that are folded".into());
            }
            (!length.unwrap_or(0).is_multiple_of(8)).then(|| "the body is no list of 64-bit numbers".into())
        }
        Kind::Message => {
            let (entry, big) = (header.fields.int("entry"), header.fields.int("big"));
            let expected = (entry.is_some() || big.is_some())
                .then(|| entry.unwrap_or(0).unsigned_abs() + big.unwrap_or(0).unsigned_abs());
            let metadata = ["refcount", "content_type", "rfc822_length"].map(|name| header.fields.get(name).is_some());
            if header.key.first_number().is_none_or(|number| number <= 0) {
                Some("the number is not above 0".into())
            } else if expected != length {
                Some("the lengths of entry and big body don't add up to that of the body".into())
            } else if metadata != [metadata[0]; 3] {
                Some("has a part of the metadata only".into())
            } else if metadata[0] && header.fields.get("raw_metadata").is_some() {
                Some("has metadata twice".into())
            } else if !metadata[0] && header.fields.get("mimetype").is_some() {
                Some("has a part of the metadata only".into())
            } else if header.fields.iter().len() == 0 {
                Some("has neither parts nor metadata".into())
            } else {
                None
            }
        }
        Kind::File => {
            let is_link = header.fields.get("target").is_some();
            match (header.fields.bytes("type"), length.is_some()) {
                (Some(b"file"), true) if !is_link => None,
                (Some(b"directory"), false) if !is_link => None,
                (Some(b"link"), _) if is_link => None,
                _ => Some("type, target and body don't fit together".into()),
            }
        }
        _ => None,
    }
}

/// What the file of a `control` record is told by its key, and only `citadel.control` has numbers: those that its release has.
fn control_problem(header: &Header) -> Option<String> {
    const NUMBERS: [&str; 7] =
        ["highest", "flags", "nextuser", "nextroom", "version", "fulltext_wordbreaker", "fulltext"];
    let numbers = NUMBERS.iter().filter(|name| header.fields.get(name).is_some()).count();
    let has_dbversion = header.fields.get("dbversion").is_some();
    match header.key.last_name() {
        Some(CONTROL_FILE) if numbers < NUMBERS.len() => Some("lacks some of its numbers".into()),
        Some(CONTROL_FILE) => {
            let has_to = header.fields.int("version") >= Some(FIRST_WITH_DBVERSION);
            (has_to != has_dbversion).then(|| "its release and \"dbversion\" don't fit together".into())
        }
        Some(CONFIG_FILE | REFCOUNT_FILE) if numbers == 0 && !has_dbversion => None,
        Some(CONFIG_FILE | REFCOUNT_FILE) => Some("has numbers, which only that of citadel.control has".into()),
        _ => Some("is about a file that is no struct".into()),
    }
}

fn part_fits(part: &KeyPart, rule: PartType) -> bool {
    match (part, rule) {
        (KeyPart::Number(number), PartType::Number(bits)) => fits_signed(*number, bits),
        (KeyPart::Number(number), PartType::Unsigned(bits)) => fits_unsigned(*number, bits),
        (KeyPart::Name(_), PartType::Name) => true,
        _ => false,
    }
}

fn value_fits(value: &Value, field_type: FieldType) -> bool {
    match (value, field_type) {
        (Value::Int(number), FieldType::Signed(bits)) => fits_signed(*number, bits),
        (Value::Int(number), FieldType::Unsigned(bits)) => fits_unsigned(*number, bits),
        (Value::String(bytes), FieldType::Text(most)) | (Value::Binary(bytes), FieldType::Binary(most)) => {
            bytes.len() <= most
        }
        (Value::Owner(_), FieldType::Owner) => true,
        _ => false,
    }
}

fn fits_signed(number: i64, bits: u32) -> bool {
    bits >= 64 || (number >= -(1 << (bits - 1)) && number < 1 << (bits - 1))
}

fn fits_unsigned(number: i64, bits: u32) -> bool {
    number >= 0 && (bits >= 63 || number < 1 << bits)
}
