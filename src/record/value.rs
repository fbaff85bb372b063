//! Fields of a header and their values.

use std::fmt::{self, Write as _};

/// The value of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any integer of Citadel's structs.
    Int(i64),
    /// Text as its author typed it: UTF-8 mostly, but any bytes.
    String(Vec<u8>),
    /// Bytes that are no text.
    Binary(Vec<u8>),
    /// An owner or a group that isn't the site's own.
    Owner(Owner),
}

/// A user or group of the machine: its number there, and its name if it had one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// uid or gid.
    pub number: u32,
    /// The name in the machine's user or group list; empty if it had none.
    pub name: String,
}

/// The fields of a header, by name. Names are those of `record::schema`, so a field costs no allocation for its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// No fields, and room for so many.
    pub fn with_capacity(fields: usize) -> Self {
        Fields(Vec::with_capacity(fields))
    }

    /// Sets a field. Kept in the order of deterministic CBOR: shorter names first, then by bytes.
    pub fn set(&mut self, name: &'static str, value: Value) {
        // Most fields come in their order.
        if self.0.last().is_none_or(|(last, _)| (last.len(), *last) < (name.len(), name)) {
            return self.0.push((name, value));
        }
        match self.0.binary_search_by(|(other, _)| (other.len(), *other).cmp(&(name.len(), name))) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (name, value)),
        }
    }

    /// Sets a field to an integer.
    pub fn set_int(&mut self, name: &'static str, value: i64) {
        self.set(name, Value::Int(value));
    }

    /// Sets a field to a string.
    pub fn set_string(&mut self, name: &'static str, value: impl Into<Vec<u8>>) {
        self.set(name, Value::String(value.into()));
    }

    /// Removes a field, if it is there.
    pub fn remove(&mut self, name: &str) {
        if let Some(index) = self.position(name) {
            self.0.remove(index);
        }
    }

    /// The field of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.position(name).map(|index| &self.0[index].1)
    }

    /// The field of that name, if it is an integer.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// The field of that name, if it is a string or binary.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.get(name) {
            Some(Value::String(value) | Value::Binary(value)) => Some(value),
            _ => None,
        }
    }

    /// All fields in the order of their encoding.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// One after the other: there are few of them, and their lengths tell most apart.
    fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(other, _)| is_same_name(other, name))
    }
}

/// Whether two names of fields are the same one. Both come from `record::schema` nearly always, and are the same text in the same place.
pub(crate) fn is_same_name(a: &str, b: &str) -> bool {
    a.len() == b.len() && (std::ptr::eq(a.as_ptr(), b.as_ptr()) || a == b)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => write!(f, "{value}"),
            Value::String(value) => write!(f, "\"{}\"", printable(value)),
            Value::Binary(value) => value.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Value::Owner(Owner { number, name }) if name.is_empty() => write!(f, "{number}"),
            Value::Owner(Owner { number, name }) => write!(f, "{name} ({number})"),
        }
    }
}

/// Bytes as a person reads them: UTF-8 stays; control characters and others that nobody sees ([`is_unseen`]), backslashes and what is not UTF-8 become `\n`, `\u{202e}`, `\\`, `\xf6`
/// and the like.
pub fn printable(bytes: &[u8]) -> String {
    escaped(bytes, |character| character == '\\' || is_unseen(character))
}

/// The same for text in which names were made printable before: its backslashes stay.
pub fn printable_text(bytes: &[u8]) -> String {
    escaped(bytes, is_unseen)
}

/// The same as [`printable`] for programs: nothing is hidden from them, so only control characters and backslashes are escaped.
pub(super) fn unambiguous(bytes: &[u8]) -> String {
    escaped(bytes, |character| character == '\\' || character.is_control())
}

/// Whether a character is one that a person doesn't see, but that changes what he sees: control characters, those that turn the direction
/// of writing, those without any width, and line ends that terminals don't show.
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escaped(bytes: &[u8], is_escaped: impl Fn(char) -> bool) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match is_escaped(character) {
                true => text.extend(character.escape_default()),
                false => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String can't fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_text, unambiguous};

    #[test]
    fn bytes_are_shown_without_control_characters_and_each_in_its_own_way() {
        assert_eq!(printable("a b/ü日".as_bytes()), "a b/ü日");
        assert_eq!(printable(b"\x1b[2J\xff\\n\n"), "\\u{1b}[2J\\xff\\\\n\\n");
        assert_eq!(
            printable("a\u{202e}b\u{200b}c\u{feff}\u{2069}".as_bytes()),
            "a\\u{202e}b\\u{200b}c\\u{feff}\\u{2069}"
        );
        assert_eq!(printable_text("a\\x00\u{202e}\n".as_bytes()), "a\\x00\\u{202e}\\n");
        assert_eq!(unambiguous("a\\\u{202e}\n".as_bytes()), "a\\\\\u{202e}\\n");
    }
}
