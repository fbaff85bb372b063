//! Where a value stands.

/// A value of a table: small ones come along with their key, large ones are read through [`super::Table::value`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The value itself.
    Inline(Vec<u8>),
    /// On a chain of overflow pages.
    Overflow {
        /// The first page of the chain.
        first_page: u32,
        /// Bytes of the value, as its item says.
        length: u32,
    },
}

const INLINE: u8 = 0;
const OVERFLOW: u8 = 1;

impl Place {
    /// Bytes of the value.
    pub fn len(&self) -> u32 {
        match self {
            // An inline value is shorter than a page.
            Place::Inline(bytes) => bytes.len() as u32,
            Place::Overflow { length, .. } => *length,
        }
    }

    /// Whether the value has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first overflow page; `None` for a value that stands beside its key.
    pub fn first_page(&self) -> Option<u32> {
        match self {
            Place::Inline(_) => None,
            Place::Overflow { first_page, .. } => Some(*first_page),
        }
    }

    /// Appends the place to `bytes`, for a way through the external sort. The form is not for files that last.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        self.half().encode(bytes);
    }

    /// What [`Place::encode`] wrote; `None` when these bytes are nothing that it writes.
    pub fn decode(bytes: &[u8]) -> Option<Place> {
        Half::decode(bytes).map(Half::to_place)
    }

    fn half(&self) -> Half<'_> {
        match self {
            Place::Inline(bytes) => Half::Inline(bytes),
            Place::Overflow { first_page, length } => Half::Overflow { first_page: *first_page, length: *length },
        }
    }
}

/// Half a pair, a key or a value, as an item of a page shows it.
#[derive(Clone, Copy)]
pub(super) enum Half<'a> {
    Inline(&'a [u8]),
    Overflow { first_page: u32, length: u32 },
}

impl<'a> Half<'a> {
    pub(super) fn to_place(self) -> Place {
        match self {
            Half::Inline(bytes) => Place::Inline(bytes.to_vec()),
            Half::Overflow { first_page, length } => Place::Overflow { first_page, length },
        }
    }

    pub(super) fn encode(self, bytes: &mut Vec<u8>) {
        match self {
            Half::Inline(value) => {
                bytes.push(INLINE);
                bytes.extend_from_slice(value);
            }
            Half::Overflow { first_page, length } => {
                bytes.push(OVERFLOW);
                bytes.extend_from_slice(&first_page.to_le_bytes());
                bytes.extend_from_slice(&length.to_le_bytes());
            }
        }
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Option<Half<'a>> {
        match bytes.split_first()? {
            (&INLINE, value) => Some(Half::Inline(value)),
            (&OVERFLOW, numbers) => {
                let (first_page, length) = numbers.split_first_chunk::<4>()?;
                Some(Half::Overflow {
                    first_page: u32::from_le_bytes(*first_page),
                    length: u32::from_le_bytes(length.try_into().ok()?),
                })
            }
            _ => None,
        }
    }
}
