//! The digests that say what a record is, whatever the way it is stored (`format-spec/record.md`, section 7).

use super::Hasher;
use super::cbor::Encoder;
use super::header::{Stored, encode_fields, encode_key};
use super::side_by_side::SideBySide;
use crate::record::{Body, Header};

/// A blake3 digest.
pub type Digest = [u8; 32];

/// Keeps these digests apart from every other use of blake3.
const RECORD_CONTEXT: &str = "ctdl-dump record identity v1";
const SITE_CONTEXT: &str = "ctdl-dump site digest v1";

/// Computes the identity digest of one record after the other: over kind, key, fields, length of the body, and the body.
#[derive(Clone, Debug)]
pub struct RecordHasher {
    hasher: Hasher,
    encoder: Encoder,
}

impl Default for RecordHasher {
    fn default() -> Self {
        RecordHasher { hasher: Hasher::for_context(RECORD_CONTEXT), encoder: Encoder::new() }
    }
}

impl RecordHasher {
    /// Begins a record. A body inside the header is taken with it; the bytes of a longer one follow with `body`.
    pub fn begin(&mut self, header: &Header) {
        self.hasher.reset();
        self.hasher.update(beginning(header, &mut self.encoder, |encoder| anew(header, encoder)));
        self.inline_body(header);
    }

    /// The same, for a header that was read from these bytes: what stands there need not be encoded once more.
    pub fn begin_stored(&mut self, stored: &Stored, bytes: &[u8]) {
        self.hasher.reset();
        self.hasher.update(beginning(&stored.header, &mut self.encoder, |encoder| as_stored(stored, bytes, encoder)));
        self.inline_body(&stored.header);
    }

    fn inline_body(&mut self, header: &Header) {
        if let Some(Body::Inline(bytes)) = &header.body {
            self.hasher.update(bytes);
        }
    }

    /// Takes the next bytes of the body.
    pub fn body(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The digest of the record, whose body is complete.
    pub fn digest(&self) -> Digest {
        self.hasher.digest()
    }
}

/// What stands before a record's body in what is hashed.
fn beginning<'e>(header: &Header, encoder: &'e mut Encoder, key_and_fields: impl FnOnce(&mut Encoder)) -> &'e [u8] {
    encoder.clear();
    encoder.array(4);
    encoder.text(header.kind.name());
    key_and_fields(encoder);
    match &header.body {
        None => encoder.null(),
        Some(body) => encoder.unsigned(body.length()),
    }
    encoder.as_bytes()
}

fn anew(header: &Header, encoder: &mut Encoder) {
    encode_key(&header.key, encoder);
    encode_fields(&header.fields, encoder);
}

fn as_stored(stored: &Stored, bytes: &[u8], encoder: &mut Encoder) {
    encoder.encoded(&bytes[stored.key.clone()]);
    encoder.encoded(&bytes[stored.fields.clone()]);
}

/// Computes the identity digests of many records at a time, each with its body in its header or without one: faster than one after the other.
#[derive(Clone, Debug)]
pub struct ShortRecords {
    hashes: SideBySide,
    encoder: Encoder,
}

impl Default for ShortRecords {
    fn default() -> Self {
        ShortRecords { hashes: SideBySide::for_context(RECORD_CONTEXT), encoder: Encoder::new() }
    }
}

impl ShortRecords {
    /// Whether a record is one of those.
    pub fn take(header: &Header) -> bool {
        matches!(header.body, None | Some(Body::Inline(_)))
    }

    /// Takes a record.
    pub fn push(&mut self, header: &Header) {
        self.hashes.update(beginning(header, &mut self.encoder, |encoder| anew(header, encoder)));
        self.end(header);
    }

    /// The same, for a header that was read from these bytes.
    pub fn push_stored(&mut self, stored: &Stored, bytes: &[u8]) {
        self.hashes.update(beginning(&stored.header, &mut self.encoder, |encoder| as_stored(stored, bytes, encoder)));
        self.end(&stored.header);
    }

    fn end(&mut self, header: &Header) {
        if let Some(Body::Inline(bytes)) = &header.body {
            self.hashes.update(bytes);
        }
        self.hashes.end();
    }

    /// Appends the digests of all records that were taken, in their order, and begins anew.
    pub fn digests(&mut self, out: &mut Vec<Digest>) {
        self.hashes.digests(out);
    }
}

/// Computes the site digest: over the identity digests of all records of the site, in canonical order.
#[derive(Debug, Clone)]
pub struct SiteHasher(Hasher);

impl Default for SiteHasher {
    fn default() -> Self {
        SiteHasher(Hasher::for_context(SITE_CONTEXT))
    }
}

impl SiteHasher {
    /// Takes the next record; `loss` and `omitted` are no part of the site.
    pub fn record(&mut self, kind: crate::record::Kind, digest: &Digest) {
        if kind.is_of_the_site() {
            self.0.update(digest);
        }
    }

    /// The site digest.
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }
}

/// A digest in hexadecimal, as it is shown.
pub fn hex(digest: &Digest) -> String {
    blake3::Hash::from_bytes(*digest).to_hex().to_string()
}
