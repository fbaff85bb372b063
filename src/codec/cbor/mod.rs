//! The part of CBOR that the format uses, in its one deterministic encoding (RFC 8949, section 4.2.1): integers of 64 bits, byte strings,
//! text strings, arrays, maps with text keys, null, all of definite length with shortest heads. `Decoder` refuses everything else.

mod head;

pub use head::Head;

use super::CodecError;

/// Appends items to a buffer.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// The encoded bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The encoded bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Forgets what was encoded and keeps the buffer's memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// An integer.
    pub fn int(&mut self, value: i64) {
        if value < 0 {
            self.head(Head::Negative(!(value as u64)));
        } else {
            self.head(Head::Positive(value as u64));
        }
    }

    /// An unsigned integer.
    pub fn unsigned(&mut self, value: u64) {
        self.head(Head::Positive(value));
    }

    /// A byte string.
    pub fn binary(&mut self, value: &[u8]) {
        self.head(Head::Bytes(value.len() as u64));
        self.bytes.extend_from_slice(value);
    }

    /// A text string.
    pub fn text(&mut self, value: &str) {
        self.head(Head::Text(value.len() as u64));
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// A string that may not be UTF-8: text if it is, a byte string if it isn't.
    pub fn string(&mut self, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(text) => self.text(text),
            Err(_) => self.binary(value),
        }
    }

    /// The head of an array of so many items.
    pub fn array(&mut self, items: usize) {
        self.head(Head::Array(items as u64));
    }

    /// The head of a map of so many pairs; the caller gives the pairs in the order of the encoded keys.
    pub fn map(&mut self, pairs: usize) {
        self.head(Head::Map(pairs as u64));
    }

    /// Items that are encoded already.
    pub fn encoded(&mut self, items: &[u8]) {
        self.bytes.extend_from_slice(items);
    }

    /// The value null.
    pub fn null(&mut self) {
        self.head(Head::Null);
    }

    fn head(&mut self, head: Head) {
        head.encode(&mut self.bytes);
    }
}

/// Reads items from bytes that are all there, and refuses every encoding but the one that `Encoder` makes.
#[derive(Debug)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    offset: usize,
    what: &'static str,
}

impl<'a> Decoder<'a> {
    /// A decoder of `bytes`; `what` names the structure in errors.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Decoder { bytes, offset: 0, what }
    }

    /// How many bytes were read.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether all bytes were read.
    pub fn is_at_end(&self) -> bool {
        self.offset == self.bytes.len()
    }

    /// Fails unless all bytes were read.
    pub fn end(&self) -> Result<(), CodecError> {
        if self.is_at_end() { Ok(()) } else { Err(self.error("has bytes after its end")) }
    }

    /// An error at the present offset.
    pub fn error(&self, problem: &'static str) -> CodecError {
        CodecError::Encoding { what: self.what, offset: self.offset, problem }
    }

    /// An integer between the smallest and the largest i64.
    pub fn int(&mut self) -> Result<i64, CodecError> {
        let value = match self.head()? {
            Head::Positive(value) => i64::try_from(value).ok(),
            Head::Negative(value) => i64::try_from(value).ok().map(|value| !value),
            _ => return Err(self.error("no integer where one is expected")),
        };
        value.ok_or_else(|| self.error("an integer of more than 64 bits with sign"))
    }

    /// An unsigned integer.
    pub fn unsigned(&mut self) -> Result<u64, CodecError> {
        match self.head()? {
            Head::Positive(value) => Ok(value),
            _ => Err(self.error("no unsigned integer where one is expected")),
        }
    }

    /// A byte string.
    pub fn binary(&mut self) -> Result<&'a [u8], CodecError> {
        match self.head()? {
            Head::Bytes(length) => self.take(length),
            _ => Err(self.error("no byte string where one is expected")),
        }
    }

    /// A byte string of exactly 32 bytes: a digest.
    pub fn digest(&mut self) -> Result<super::Digest, CodecError> {
        self.binary()?.try_into().map_err(|_| self.error("no digest of 32 bytes where one is expected"))
    }

    /// A text string.
    pub fn text(&mut self) -> Result<&'a str, CodecError> {
        match self.head()? {
            Head::Text(length) => {
                let bytes = self.take(length)?;
                std::str::from_utf8(bytes).map_err(|_| self.error("text that is not UTF-8"))
            }
            _ => Err(self.error("no text where some is expected")),
        }
    }

    /// A string that may not be UTF-8, as `Encoder::string` makes it.
    pub fn string(&mut self) -> Result<&'a [u8], CodecError> {
        match self.head()? {
            Head::Text(length) => {
                let bytes = self.take(length)?;
                std::str::from_utf8(bytes).map_err(|_| self.error("text that is not UTF-8"))?;
                Ok(bytes)
            }
            Head::Bytes(length) => {
                let bytes = self.take(length)?;
                match std::str::from_utf8(bytes) {
                    Ok(_) => Err(self.error("a byte string that should be text")),
                    Err(_) => Ok(bytes),
                }
            }
            _ => Err(self.error("no string where one is expected")),
        }
    }

    /// The number of items of an array, which can't be more than the bytes that are left.
    pub fn array(&mut self) -> Result<usize, CodecError> {
        match self.head()? {
            Head::Array(items) if items <= self.left() as u64 => Ok(items as usize),
            Head::Array(_) => Err(self.error("an array with more items than bytes")),
            _ => Err(self.error("no array where one is expected")),
        }
    }

    /// Fails unless an array of so many items comes next.
    pub fn array_of(&mut self, items: usize) -> Result<(), CodecError> {
        if self.array()? == items { Ok(()) } else { Err(self.error("an array with another number of items")) }
    }

    /// The pairs of a map, whose keys must come in rising order.
    pub fn map(&mut self) -> Result<Pairs<'a>, CodecError> {
        match self.head()? {
            Head::Map(pairs) if pairs <= self.left() as u64 => Ok(Pairs { left: pairs as usize, previous: None }),
            Head::Map(_) => Err(self.error("a map with more pairs than bytes")),
            _ => Err(self.error("no map where one is expected")),
        }
    }

    /// Whether null comes next; if so it is read.
    pub fn null(&mut self) -> Result<bool, CodecError> {
        let start = self.offset;
        if self.head()? == Head::Null {
            return Ok(true);
        }
        self.offset = start;
        Ok(false)
    }

    /// What comes next, without reading it.
    pub fn peek(&mut self) -> Result<Head, CodecError> {
        let start = self.offset;
        let head = self.head();
        self.offset = start;
        head
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.offset
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CodecError> {
        let rest = &self.bytes[self.offset..];
        let taken = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let taken = taken.ok_or_else(|| self.error("a string that is longer than what is left"))?;
        self.offset += taken.len();
        Ok(taken)
    }

    fn head(&mut self) -> Result<Head, CodecError> {
        let (head, bytes) = Head::decode(&self.bytes[self.offset..]).map_err(|problem| self.error(problem))?;
        self.offset += bytes;
        Ok(head)
    }
}

/// The keys of a map as they are read, which must rise.
#[derive(Debug)]
pub struct Pairs<'a> {
    left: usize,
    previous: Option<&'a str>,
}

impl<'a> Pairs<'a> {
    /// How many pairs were not read yet.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next key; its value must be read before the next call. `None` at the end.
    pub fn next(&mut self, decoder: &mut Decoder<'a>) -> Result<Option<&'a str>, CodecError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let key = decoder.text()?;
        if let Some(previous) = self.previous
            && (previous.len(), previous) >= (key.len(), key)
        {
            return Err(decoder.error("the keys of a map are not in rising order"));
        }
        self.previous = Some(key);
        Ok(Some(key))
    }
}

#[cfg(test)]
mod tests;
