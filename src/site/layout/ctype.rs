//! What the table of C structs is made of, and the one reader and the one writer that it drives.

use super::{Problem, bytes};
use crate::record::{Fields, Layout, Value};

/// A type of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CType {
    /// `long`: 8 or 4 bytes.
    Long,
    /// `time_t`: as `long` on all machines that are read (32-bit machines with a `time_t` of 64 bits are not).
    Time,
    /// `int`: 4 bytes.
    Int,
    /// `unsigned int`, `uid_t`: 4 bytes.
    Unsigned,
    /// `unsigned short`: 2 bytes.
    UnsignedShort,
    /// `char` holding a number. Read with a sign on all machines, though some have none: what Citadel keeps there is 0 to 127.
    Char,
    /// `unsigned char`.
    UnsignedChar,
    /// `char[n]`: text up to a NUL, or to the end of the array where there is none.
    Text(usize),
}

impl CType {
    /// Size in bytes.
    pub fn size(self, layout: Layout) -> usize {
        match self {
            CType::Long | CType::Time => layout.word_bytes(),
            CType::Int | CType::Unsigned => 4,
            CType::UnsignedShort => 2,
            CType::Char | CType::UnsignedChar => 1,
            CType::Text(size) => size,
        }
    }

    fn is_signed(self) -> bool {
        !matches!(self, CType::Unsigned | CType::UnsignedShort | CType::UnsignedChar)
    }
}

/// A member of a struct.
#[derive(Clone, Copy, Debug)]
pub struct StructField {
    /// Its name in `record::schema`.
    pub name: &'static str,
    /// Its type.
    pub c_type: CType,
    /// Its offset: where `long` has 8 bytes, where it has 4.
    pub offset: [usize; 2],
}

/// A struct of Citadel's `server.h`, as release 980 has it.
#[derive(Clone, Copy, Debug)]
pub struct StructLayout {
    /// Its name there.
    pub name: &'static str,
    /// Members at its beginning that repeat the key.
    pub head: &'static [CType],
    /// The other members.
    pub fields: &'static [StructField],
    /// Its size: where `long` has 8 bytes, where it has 4.
    pub size: [usize; 2],
    /// A value shorter than this has nothing to go by. Between this and `size` it is of an older release, and the rest counts as zero.
    pub least: [usize; 2],
}

/// Picks the number that belongs to the layout: the first for 8-byte words.
pub(super) fn of_word(layout: Layout, numbers: [usize; 2]) -> usize {
    if layout.word_bytes() == 8 { numbers[0] } else { numbers[1] }
}

/// Reads the fields of a value. What a value lacks at its end counts as zero, as the server takes it; what it has beyond is not looked at.
/// Texts end at their first NUL.
pub fn decode(layout_of: &StructLayout, layout: Layout, value: &[u8]) -> Fields {
    let size = of_word(layout, layout_of.size);
    let mut whole = value.get(..size).unwrap_or(value).to_vec();
    whole.resize(size, 0);
    let mut fields = Fields::new();
    for field in layout_of.fields {
        let start = of_word(layout, field.offset);
        let stored = &whole[start..start + field.c_type.size(layout)];
        let value = match field.c_type {
            CType::Text(_) => Value::String(stored.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
            c_type if c_type.is_signed() => Value::Int(bytes::read_signed(stored, layout.order)),
            // At most 4 bytes, so it never exceeds an i64.
            _ => Value::Int(bytes::read_unsigned(stored, layout.order) as i64),
        };
        fields.set(field.name, value);
    }
    fields
}

/// Writes a struct: `head` are the numbers of the key, padding is zero.
pub fn encode(layout_of: &StructLayout, layout: Layout, head: &[i64], fields: &Fields) -> Result<Vec<u8>, Problem> {
    let mut value = Vec::with_capacity(of_word(layout, layout_of.size));
    if head.len() != layout_of.head.len() {
        return Err(Problem::FieldMissing { field: "the key" });
    }
    for (number, c_type) in head.iter().zip(layout_of.head) {
        bytes::push(&mut value, "the key", *number, c_type.size(layout), layout)?;
    }
    value.resize(of_word(layout, layout_of.size), 0);
    for field in layout_of.fields {
        let size = field.c_type.size(layout);
        let start = of_word(layout, field.offset);
        let place = &mut value[start..start + size];
        match (field.c_type, fields.get(field.name)) {
            (CType::Text(_), Some(Value::String(text))) => {
                check_text(field.name, text, size)?;
                place[..text.len()].copy_from_slice(text);
            }
            (CType::Text(_), _) => return Err(Problem::FieldMissing { field: field.name }),
            (c_type, Some(Value::Int(number))) => {
                bytes::check(field.name, *number, size, c_type.is_signed(), layout)?;
                bytes::write(*number, layout.order, place);
            }
            _ => return Err(Problem::FieldMissing { field: field.name }),
        }
    }
    Ok(value)
}

/// Whether a text fits into its place and would be read back as it is.
pub(super) fn check_text(field: &'static str, text: &[u8], limit: usize) -> Result<(), Problem> {
    if text.len() > limit {
        return Err(Problem::TextTooLong { field, bytes: text.len(), limit });
    }
    match text.iter().position(|byte| *byte == 0) {
        Some(offset) => Err(Problem::NulInText { field, offset }),
        None => Ok(()),
    }
}
