//! A record's header in CBOR (`format-spec/record.md`, section 4).

use std::ops::Range;

use super::cbor::{Decoder, Encoder, Head};
use super::{CodecError, numbers};
use crate::record::schema::{self, FieldType};
use crate::record::{Body, Fields, Header, Key, KeyPart, Kind, MAX_RESIDUE_VALUE_BYTES, Owner, Residue, Value};

/// The longest header in bytes, an inline body included.
pub const MAX_HEADER_BYTES: usize = 65_536;
/// How a header calls a body that is folded.
const FOLDED: &str = "folded";

/// Appends the encoding of a header.
pub fn encode(header: &Header, encoder: &mut Encoder) {
    encoder.map(3 + usize::from(header.body.is_some()) + usize::from(header.residue.is_some()));
    encoder.text("key");
    encode_key(&header.key, encoder);
    match &header.body {
        None => {}
        Some(Body::Inline(bytes)) if header.kind.has_numbers() => {
            let mut differences = Vec::with_capacity(bytes.len() / 4);
            numbers::differences(bytes, &mut differences);
            encoder.text("body");
            encoder.binary(&differences);
        }
        Some(Body::Inline(bytes)) => {
            encoder.text("body");
            encoder.binary(bytes);
        }
        Some(Body::Segments(length)) => {
            encoder.text("body");
            encoder.unsigned(*length);
        }
        Some(Body::Folded(length)) => {
            encoder.text("body");
            encoder.array(2);
            encoder.text(FOLDED);
            encoder.unsigned(*length);
        }
    }
    encoder.text("kind");
    encoder.text(header.kind.name());
    encoder.text("fields");
    encode_fields(&header.fields, encoder);
    if let Some(residue) = &header.residue {
        encoder.text("residue");
        encode_residue(residue, encoder);
    }
}

/// A header that was read, and which of the bytes are its key and its fields. There is one encoding of each, so that these bytes are what
/// `encode_key` and `encode_fields` would make of them.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The header.
    pub header: Header,
    /// Where its key stands in the decoder's bytes.
    pub key: Range<usize>,
    /// Where its fields stand there.
    pub fields: Range<usize>,
}

/// Reads one header and holds it against the schema of its kind.
pub fn decode(decoder: &mut Decoder) -> Result<Header, CodecError> {
    Ok(decode_stored(decoder)?.header)
}

/// Reads one header, holds it against the schema of its kind, and tells where its parts stand.
pub fn decode_stored(decoder: &mut Decoder) -> Result<Stored, CodecError> {
    let stored = decode_parts(decoder)?;
    schema::check(&stored.header)?;
    Ok(stored)
}

/// Reads a header that isn't held against the schema of its kind: one whose body is yet to come into its place.
pub fn decode_unchecked(decoder: &mut Decoder) -> Result<Header, CodecError> {
    Ok(decode_parts(decoder)?.header)
}

fn decode_parts(decoder: &mut Decoder) -> Result<Stored, CodecError> {
    let start = decoder.offset();
    let (mut key_at, mut fields_at) = (0..0, 0..0);
    let (mut kind, mut key, mut fields, mut body, mut residue) = (None, None, None, None, None);
    let mut pairs = decoder.map()?;
    while let Some(name) = pairs.next(decoder)? {
        let value_at = decoder.offset();
        match name {
            "key" => {
                key = Some(decode_key(decoder)?);
                key_at = value_at..decoder.offset();
            }
            "body" => body = Some(decode_body(decoder)?),
            "kind" => kind = Some(decode_kind(decoder)?),
            "fields" => {
                // "kind" sorts before "fields", so it is known by now if it is there at all.
                let kind = kind.ok_or_else(|| decoder.error("has no kind"))?;
                fields = Some(decode_fields(kind, decoder)?);
                fields_at = value_at..decoder.offset();
            }
            "residue" => residue = Some(decode_residue(decoder)?),
            _ => return Err(decoder.error("has an entry that headers don't have")),
        }
    }
    let (Some(kind), Some(key), Some(fields)) = (kind, key, fields) else {
        return Err(decoder.error("lacks its kind, key or fields"));
    };
    let bytes = decoder.offset() - start;
    if bytes > MAX_HEADER_BYTES {
        return Err(CodecError::TooLong { what: "header", bytes, limit: MAX_HEADER_BYTES });
    }
    let body = body.map(|entry| body_of(kind, entry).map_err(|problem| decoder.error(problem))).transpose()?;
    Ok(Stored { header: Header { kind, key, fields, body, residue }, key: key_at, fields: fields_at })
}

/// Appends a key: its only part, or an array of its parts.
pub fn encode_key(key: &Key, encoder: &mut Encoder) {
    let parts = key.parts();
    if parts.len() != 1 {
        encoder.array(parts.len());
    }
    for part in parts {
        match part {
            KeyPart::Number(number) => encoder.int(*number),
            KeyPart::Name(name) => encoder.string(name),
        }
    }
}

/// Reads a key.
pub fn decode_key(decoder: &mut Decoder) -> Result<Key, CodecError> {
    if !matches!(decoder.peek()?, Head::Array(_)) {
        return Ok(Key::one(decode_key_part(decoder)?));
    }
    let parts = decoder.array()?;
    if !(2..=3).contains(&parts) {
        return Err(decoder.error("a key has one, two or three parts"));
    }
    let mut key = Vec::with_capacity(parts);
    for _ in 0..parts {
        key.push(decode_key_part(decoder)?);
    }
    Ok(Key::new(key))
}

fn decode_key_part(decoder: &mut Decoder) -> Result<KeyPart, CodecError> {
    Ok(match decoder.peek()? {
        Head::Positive(_) | Head::Negative(_) => KeyPart::Number(decoder.int()?),
        _ => KeyPart::Name(decoder.string()?.to_vec()),
    })
}

/// Reads the name of a kind.
pub fn decode_kind(decoder: &mut Decoder) -> Result<Kind, CodecError> {
    decoder.text()?.parse().map_err(|_| decoder.error("a kind that this version doesn't know"))
}

/// Appends the map of fields.
pub fn encode_fields(fields: &Fields, encoder: &mut Encoder) {
    encoder.map(fields.iter().len());
    for (name, value) in fields.iter() {
        encoder.text(name);
        match value {
            Value::Int(value) => encoder.int(*value),
            Value::String(value) => encoder.string(value),
            Value::Binary(value) => encoder.binary(value),
            Value::Owner(owner) => encode_owner(owner, encoder),
        }
    }
}

fn decode_fields(kind: Kind, decoder: &mut Decoder) -> Result<Fields, CodecError> {
    let known = schema::of(kind).fields;
    let mut pairs = decoder.map()?;
    let mut fields = Fields::with_capacity(pairs.left().min(known.len()));
    while let Some(name) = pairs.next(decoder)? {
        let field = known
            .iter()
            .find(|field| field.name == name)
            .ok_or_else(|| decoder.error("a field that its kind doesn't have"))?;
        let value = match field.field_type {
            FieldType::Signed(_) | FieldType::Unsigned(_) => Value::Int(decoder.int()?),
            FieldType::Text(_) => Value::String(decoder.string()?.to_vec()),
            FieldType::Binary(_) => Value::Binary(decoder.binary()?.to_vec()),
            FieldType::Owner => Value::Owner(decode_owner(decoder)?),
        };
        fields.set(field.name, value);
    }
    Ok(fields)
}

/// Appends an owner: an array of number and name.
pub fn encode_owner(owner: &Owner, encoder: &mut Encoder) {
    encoder.array(2);
    encoder.int(i64::from(owner.number));
    encoder.text(&owner.name);
}

/// Reads an owner.
pub fn decode_owner(decoder: &mut Decoder) -> Result<Owner, CodecError> {
    decoder.array_of(2)?;
    let number = u32::try_from(decoder.int()?).map_err(|_| decoder.error("no number of a user or group"))?;
    Ok(Owner { number, name: decoder.text()?.to_owned() })
}

/// The entry "body" as it stands in the header, before the kind of the record, which says what it means.
enum BodyEntry<'a> {
    Bytes(&'a [u8]),
    Length(u64),
    Folded(u64),
}

fn decode_body<'a>(decoder: &mut Decoder<'a>) -> Result<BodyEntry<'a>, CodecError> {
    if matches!(decoder.peek()?, Head::Bytes(_)) {
        return Ok(BodyEntry::Bytes(decoder.binary()?));
    }
    let is_folded = matches!(decoder.peek()?, Head::Array(_));
    if is_folded {
        decoder.array_of(2)?;
        if decoder.text()? != FOLDED {
            return Err(decoder.error("a body that is stored in a way that this version doesn't know"));
        }
    }
    let length = decoder.unsigned()?;
    Ok(if is_folded { BodyEntry::Folded(length) } else { BodyEntry::Length(length) })
}

/// The body of a record of this kind, or what is wrong with it.
fn body_of(kind: Kind, entry: BodyEntry) -> Result<Body, &'static str> {
    let limit = kind.inline_body_bytes();
    let in_segments = |length: u64| {
        let fits = length > limit as u64 && length <= i64::MAX as u64;
        if fits { Ok(length) } else { Err("a body whose length doesn't fit segments") }
    };
    Ok(match entry {
        BodyEntry::Bytes(differences) if kind.has_numbers() => {
            let mut bytes = Vec::new();
            numbers::list(differences, limit / 8, &mut bytes).map_err(|error| error.problem)?;
            Body::Inline(bytes)
        }
        BodyEntry::Bytes(bytes) if bytes.len() > limit => {
            return Err("a body inside the header that is too long for it");
        }
        BodyEntry::Bytes(bytes) => Body::Inline(bytes.to_vec()),
        BodyEntry::Length(length) => Body::Segments(in_segments(length)?),
        BodyEntry::Folded(length) => Body::Folded(in_segments(length)?),
    })
}

fn encode_residue(residue: &Residue, encoder: &mut Encoder) {
    let pairs = usize::from(residue.length.is_some())
        + usize::from(!residue.patches.is_empty())
        + usize::from(residue.uncompressed);
    encoder.map(pairs);
    if let Some(length) = residue.length {
        encoder.text("length");
        encoder.unsigned(u64::from(length));
    }
    if !residue.patches.is_empty() {
        encoder.text("patches");
        encoder.array(residue.patches.len());
        for (offset, patch) in &residue.patches {
            encoder.array(2);
            encoder.unsigned(u64::from(*offset));
            encoder.binary(patch);
        }
    }
    if residue.uncompressed {
        encoder.text("uncompressed");
        encoder.unsigned(1);
    }
}

fn decode_residue(decoder: &mut Decoder) -> Result<Residue, CodecError> {
    let mut residue = Residue::default();
    let mut pairs = decoder.map()?;
    while let Some(name) = pairs.next(decoder)? {
        match name {
            "length" => {
                let length = decode_u32(decoder)?;
                if length > MAX_RESIDUE_VALUE_BYTES {
                    return Err(decoder.error("a residue of a longer value than has one"));
                }
                residue.length = Some(length);
            }
            "patches" => {
                let count = decoder.array()?;
                if count == 0 {
                    return Err(decoder.error("an empty list of patches"));
                }
                let mut end_of_last = None;
                for _ in 0..count {
                    decoder.array_of(2)?;
                    let offset = decode_u32(decoder)?;
                    let patch = decoder.binary()?;
                    if patch.is_empty() || end_of_last.is_some_and(|end| u64::from(offset) <= end) {
                        return Err(decoder.error("a patch that is empty or not behind the last one"));
                    }
                    end_of_last = Some(u64::from(offset) + patch.len() as u64);
                    residue.patches.push((offset, patch.to_vec()));
                }
            }
            "uncompressed" if decoder.unsigned()? == 1 => residue.uncompressed = true,
            _ => return Err(decoder.error("a residue with an entry that residues don't have")),
        }
    }
    if residue.is_empty() {
        return Err(decoder.error("an empty residue"));
    }
    Ok(residue)
}

fn decode_u32(decoder: &mut Decoder) -> Result<u32, CodecError> {
    u32::try_from(decoder.unsigned()?).map_err(|_| decoder.error("a number of more than 32 bits"))
}
