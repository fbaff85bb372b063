//! The head of a CBOR item (RFC 8949, section 3): what sort of item it is, and a number. Tens of millions of them are read in an import.

/// A head that the format uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// An integer of 0 or more.
    Positive(u64),
    /// An integer below 0: -1 less this.
    Negative(u64),
    /// A byte string of so many bytes.
    Bytes(u64),
    /// A text string of so many bytes.
    Text(u64),
    /// An array of so many items.
    Array(u64),
    /// A map of so many pairs.
    Map(u64),
    /// The value null, which is nothing but its head.
    Null,
}

/// The head of null.
const NULL: u8 = 0xf6;
/// In the lower five bits of the first byte: the number follows in 1 byte, and with the next three values in 2, 4 and 8.
const IN_ONE_BYTE: u8 = 24;
/// The length shows at the end.
const INDEFINITE: u8 = 31;
/// Tags, and behind them floats and other simple values.
const FIRST_UNUSED_SORT: u8 = 6;

impl Head {
    /// Appends it in its shortest form.
    pub fn encode(self, out: &mut Vec<u8>) {
        let (sort, number) = match self {
            Head::Positive(number) => (0, number),
            Head::Negative(number) => (1, number),
            Head::Bytes(number) => (2, number),
            Head::Text(number) => (3, number),
            Head::Array(number) => (4, number),
            Head::Map(number) => (5, number),
            Head::Null => return out.push(NULL),
        };
        let first = sort << 5;
        match number {
            0..=23 => out.push(first | number as u8),
            24..=0xff => out.extend_from_slice(&[first | IN_ONE_BYTE, number as u8]),
            0x100..=0xffff => {
                out.push(first | (IN_ONE_BYTE + 1));
                out.extend_from_slice(&(number as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                out.push(first | (IN_ONE_BYTE + 2));
                out.extend_from_slice(&(number as u32).to_be_bytes());
            }
            _ => {
                out.push(first | (IN_ONE_BYTE + 3));
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
    }

    /// The head that these bytes begin with, and how many it has; or what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<(Head, usize), &'static str> {
        const NO_CBOR: &str = "ends early, or is no CBOR";
        const UNUSED: &str = "a CBOR item that the format doesn't use";
        let (&first, rest) = bytes.split_first().ok_or(NO_CBOR)?;
        if first == NULL {
            return Ok((Head::Null, 1));
        }
        let (sort, low) = (first >> 5, first & 31);
        if sort >= FIRST_UNUSED_SORT || low == INDEFINITE {
            return Err(UNUSED);
        }
        let (number, bytes) = match low {
            ..IN_ONE_BYTE => (u64::from(low), 1),
            // With 28 to 30 it would be 16 bytes and more.
            _ => match (1usize << (low - IN_ONE_BYTE), rest) {
                (1, [a, ..]) => (u64::from(*a), 2),
                (2, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 3),
                (4, [a, b, c, d, ..]) => (u64::from(u32::from_be_bytes([*a, *b, *c, *d])), 5),
                (8, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 9),
                _ => return Err(NO_CBOR),
            },
        };
        let least = match bytes {
            1 => 0,
            2 => 24,
            3 => 0x100,
            5 => 0x1_0000,
            _ => 0x1_0000_0000,
        };
        if number < least {
            return Err("a head that is longer than necessary");
        }
        let head = match sort {
            0 => Head::Positive(number),
            1 => Head::Negative(number),
            2 => Head::Bytes(number),
            3 => Head::Text(number),
            4 => Head::Array(number),
            _ => Head::Map(number),
        };
        Ok((head, bytes))
    }
}

#[cfg(test)]
mod tests {
    use ciborium_ll::Header as Other;
    use proptest::prelude::*;

    use super::*;

    fn other(head: Head) -> Other {
        match head {
            Head::Positive(number) => Other::Positive(number),
            Head::Negative(number) => Other::Negative(number),
            Head::Bytes(number) => Other::Bytes(Some(number as usize)),
            Head::Text(number) => Other::Text(Some(number as usize)),
            Head::Array(number) => Other::Array(Some(number as usize)),
            Head::Map(number) => Other::Map(Some(number as usize)),
            Head::Null => Other::Simple(ciborium_ll::simple::NULL),
        }
    }

    fn any_head() -> impl Strategy<Value = Head> {
        let edges = [0, 23, 24, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
        let number = prop_oneof![any::<u64>(), 0u64..70_000, prop::sample::select(edges.to_vec())];
        (number, 0..7).prop_map(|(number, sort)| match sort {
            0 => Head::Positive(number),
            1 => Head::Negative(number),
            2 => Head::Bytes(number),
            3 => Head::Text(number),
            4 => Head::Array(number),
            5 => Head::Map(number),
            _ => Head::Null,
        })
    }

    proptest! {
        #[test]
        fn heads_are_those_that_others_write_and_come_back(head in any_head(), behind: [u8; 3]) {
            let (mut bytes, mut others) = (Vec::new(), Vec::new());
            head.encode(&mut bytes);
            ciborium_ll::Encoder::from(&mut others).push(other(head)).unwrap();
            prop_assert_eq!(&bytes, &others);
            bytes.extend_from_slice(&behind);
            prop_assert_eq!(Head::decode(&bytes), Ok((head, others.len())));
        }

        #[test]
        fn what_is_taken_for_a_head_is_one_for_others_and_the_shortest(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..2], 0..10)) {
            if let Ok((head, taken)) = Head::decode(&bytes) {
                let mut rest = bytes.as_slice();
                prop_assert_eq!(ciborium_ll::Decoder::from(&mut rest).pull().ok(), Some(other(head)));
                let mut again = Vec::new();
                head.encode(&mut again);
                prop_assert_eq!(again.as_slice(), &bytes[..taken]);
            }
        }
    }
}
