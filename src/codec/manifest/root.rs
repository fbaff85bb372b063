//! The root, `manifest.cbor`: what is known of the whole only at its end.

use super::{FORMAT_VERSION, IndexSegment, within_limit};
use crate::codec::cbor::{Decoder, Encoder};
use crate::codec::header::decode_kind;
use crate::codec::{CodecError, Digest};
use crate::record::Kind;

/// Records and body bytes of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many records there are.
    pub records: u64,
    /// The sum of their logical body lengths in bytes.
    pub body_bytes: u64,
}

/// The root, `manifest.cbor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// blake3 of `site.cbor`.
    pub site_info_digest: Digest,
    /// The site digest: over the identity digests of all records.
    pub site_digest: Digest,
    /// Counts per kind, in canonical order; kinds without records are left out.
    pub kinds: Vec<(Kind, Count)>,
    /// The index segments.
    pub index: Vec<IndexSegment>,
    /// What the second look at the source found.
    pub state_after: String,
}

/// What an archive holds when it is not a part: the whole site.
const WHOLE_SITE: &str = "site";

impl Root {
    /// Encodes the root; fails when the site has more blocks than the format can list.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut encoder = Encoder::new();
        encoder.map(7);
        encoder.text("site");
        encoder.binary(&self.site_info_digest);
        encoder.text("index");
        encoder.array(self.index.len());
        for segment in &self.index {
            encoder.array(3);
            encoder.unsigned(segment.position);
            encoder.unsigned(u64::from(segment.bytes));
            encoder.binary(&segment.digest);
        }
        encoder.text("kinds");
        encoder.array(self.kinds.len());
        for (kind, count) in &self.kinds {
            encoder.array(3);
            encoder.text(kind.name());
            encoder.unsigned(count.records);
            encoder.unsigned(count.body_bytes);
        }
        encoder.text("scope");
        encoder.text(WHOLE_SITE);
        encoder.text("digest");
        encoder.binary(&self.site_digest);
        encoder.text("format");
        encoder.unsigned(FORMAT_VERSION);
        encoder.text("state_after");
        encoder.text(&self.state_after);
        within_limit("final manifest", encoder.as_bytes())?;
        Ok(encoder.into_bytes())
    }

    /// Decodes the root.
    pub fn decode(bytes: &[u8]) -> Result<Root, CodecError> {
        within_limit("final manifest", bytes)?;
        let mut decoder = Decoder::new(bytes, "final manifest");
        let mut pairs = decoder.map()?;
        let (mut site_info_digest, mut site_digest, mut kinds, mut index) = (None, None, None, None);
        let (mut state_after, mut scope, mut format) = (None, None, None);
        while let Some(name) = pairs.next(&mut decoder)? {
            match name {
                "site" => site_info_digest = Some(decoder.digest()?),
                "index" => index = Some(decode_root_index(&mut decoder)?),
                "kinds" => kinds = Some(decode_counts(&mut decoder)?),
                "scope" => scope = Some(decoder.text()?),
                "digest" => site_digest = Some(decoder.digest()?),
                "format" => format = Some(decoder.unsigned()?),
                "state_after" => state_after = Some(decoder.text()?.to_owned()),
                _ => return Err(decoder.error("has an entry that final manifests don't have")),
            }
        }
        decoder.end()?;
        if format != Some(FORMAT_VERSION) {
            return Err(decoder.error("is of a format version that this program doesn't know"));
        }
        if scope != Some(WHOLE_SITE) {
            return Err(decoder.error("is of a part of a site, which this program doesn't read yet"));
        }
        match (site_info_digest, site_digest, kinds, index, state_after) {
            (Some(site_info_digest), Some(site_digest), Some(kinds), Some(index), Some(state_after)) => {
                Ok(Root { site_info_digest, site_digest, kinds, index, state_after })
            }
            _ => Err(decoder.error("lacks an entry")),
        }
    }
}

fn decode_root_index(decoder: &mut Decoder) -> Result<Vec<IndexSegment>, CodecError> {
    let count = decoder.array()?;
    let mut index = Vec::new();
    for _ in 0..count {
        decoder.array_of(3)?;
        let position = decoder.unsigned()?;
        let bytes =
            u32::try_from(decoder.unsigned()?).map_err(|_| decoder.error("an index segment that is too long"))?;
        index.push(IndexSegment { position, bytes, digest: decoder.digest()? });
    }
    Ok(index)
}

fn decode_counts(decoder: &mut Decoder) -> Result<Vec<(Kind, Count)>, CodecError> {
    let count = decoder.array()?;
    let mut kinds: Vec<(Kind, Count)> = Vec::new();
    for _ in 0..count {
        decoder.array_of(3)?;
        let kind = decode_kind(decoder)?;
        if kinds.last().is_some_and(|(last, _)| *last >= kind) {
            return Err(decoder.error("the kinds are not in canonical order"));
        }
        kinds.push((kind, Count { records: decoder.unsigned()?, body_bytes: decoder.unsigned()? }));
    }
    Ok(kinds)
}
