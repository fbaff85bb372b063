//! Keys of records and their canonical order (`format-spec/record.md`, section 3).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The longest key in bytes: 8 for each number and the length of each name.
pub const MAX_KEY_BYTES: usize = 4352;

/// One part of a key. Numbers go by value and before names; names go by their bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPart {
    /// A number of Citadel's: of a message, a room, a user, a floor ...
    Number(i64),
    /// The bytes of a name, a path, an address; UTF-8 or not.
    Name(Vec<u8>),
}

/// What tells a record from all others of its kind. The order is canonical.
#[derive(Clone)]
pub struct Key(Parts);

/// Every record has a key, and most keys are numbers: they take no memory of their own.
#[derive(Clone)]
enum Parts {
    One([KeyPart; 1]),
    Two([KeyPart; 2]),
    Three([KeyPart; 3]),
    /// No kind has so many, or none.
    Others(Vec<KeyPart>),
}

impl Key {
    /// A key of several parts. `record::schema` says which parts each kind has.
    pub fn new(parts: Vec<KeyPart>) -> Self {
        let parts = <[KeyPart; 1]>::try_from(parts).map(Parts::One);
        let parts = parts.or_else(|parts| <[KeyPart; 2]>::try_from(parts).map(Parts::Two));
        let parts = parts.or_else(|parts| <[KeyPart; 3]>::try_from(parts).map(Parts::Three));
        Key(parts.unwrap_or_else(Parts::Others))
    }

    /// A key that is one part.
    pub fn one(part: KeyPart) -> Self {
        Key(Parts::One([part]))
    }

    /// A key that is one number.
    pub fn number(number: i64) -> Self {
        Key::one(KeyPart::Number(number))
    }

    /// A key that is one name.
    pub fn name(name: impl Into<Vec<u8>>) -> Self {
        Key::one(KeyPart::Name(name.into()))
    }

    /// A number and a name: `euid` (room, EUID) and `table` (table, key).
    pub fn number_and_name(number: i64, name: impl Into<Vec<u8>>) -> Self {
        Key(Parts::Two([KeyPart::Number(number), KeyPart::Name(name.into())]))
    }

    /// Three numbers: `visit` (room, generation, user).
    pub fn numbers(numbers: [i64; 3]) -> Self {
        Key(Parts::Three(numbers.map(KeyPart::Number)))
    }

    /// The parts.
    pub fn parts(&self) -> &[KeyPart] {
        match &self.0 {
            Parts::One(parts) => parts,
            Parts::Two(parts) => parts,
            Parts::Three(parts) => parts,
            Parts::Others(parts) => parts,
        }
    }

    /// The first number of the key, if it begins with one.
    pub fn first_number(&self) -> Option<i64> {
        match self.parts().first() {
            Some(KeyPart::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The name at the end of the key, if it ends with one.
    pub fn last_name(&self) -> Option<&[u8]> {
        match self.parts().last() {
            Some(KeyPart::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Size in bytes, as `MAX_KEY_BYTES` counts it.
    pub fn size(&self) -> usize {
        self.parts()
            .iter()
            .map(|part| match part {
                KeyPart::Number(_) => 8,
                KeyPart::Name(name) => name.len(),
            })
            .sum()
    }

    /// Appends bytes whose plain order is the order of keys of one kind (a name comes last in every kind).
    pub fn sort_bytes(&self, out: &mut Vec<u8>) {
        for part in self.parts() {
            match part {
                KeyPart::Number(number) => {
                    out.push(1);
                    // Flipping the sign bit puts negative numbers before positive ones.
                    out.extend_from_slice(&((*number as u64) ^ (1 << 63)).to_be_bytes());
                }
                KeyPart::Name(name) => {
                    out.push(2);
                    out.extend_from_slice(name);
                }
            }
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(other.parts())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.parts()).finish()
    }
}

/// As a person reads it: numbers in decimal, names as text with what is not printable escaped, parts separated by `/`. With `{:#}` as a program reads it, to
/// which signs are left that a person doesn't see.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts().iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match part {
                KeyPart::Number(number) => write!(f, "{number}")?,
                KeyPart::Name(name) if f.alternate() => f.write_str(&super::value::unambiguous(name))?,
                KeyPart::Name(name) => f.write_str(&super::printable(name))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![
            any::<i64>().prop_map(Key::number),
            any::<Vec<u8>>().prop_map(Key::name),
            (any::<i64>(), any::<Vec<u8>>()).prop_map(|(n, name)| Key::number_and_name(n, name)),
            any::<[i64; 3]>().prop_map(Key::numbers),
        ]
    }

    proptest! {
        #[test]
        fn sort_bytes_have_the_order_of_keys(a in any_key(), b in any_key()) {
            let (mut bytes_a, mut bytes_b) = (Vec::new(), Vec::new());
            a.sort_bytes(&mut bytes_a);
            b.sort_bytes(&mut bytes_b);
            prop_assert_eq!(a.cmp(&b), bytes_a.cmp(&bytes_b));
        }
    }
}
