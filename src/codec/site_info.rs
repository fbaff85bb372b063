//! `site.cbor`, the first words about a site (`format-spec/archive.md`, section 4).

use super::CodecError;
use super::cbor::{Decoder, Encoder};
use super::header::{decode_owner, encode_owner};
use super::manifest::FORMAT_VERSION;
use crate::record::{ByteOrder, Layout, Model, Root, SiteInfo, Snapshot};

/// The longest `site.cbor` in bytes.
pub const MAX_SITE_INFO_BYTES: usize = 65_536;

/// Encodes what is known when a copy begins.
pub fn encode(site: &SiteInfo) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.map(9 + usize::from(site.layout_by.is_some()) + usize::from(site.release_by.is_some()));
    encoder.text("fqdn");
    encoder.string(&site.fqdn);
    encoder.text("node");
    encoder.string(&site.node);
    encoder.text("root");
    encode_root(&site.root, &mut encoder);
    encoder.text("tool");
    encoder.text(&site.tool);
    encoder.text("format");
    encoder.unsigned(FORMAT_VERSION);
    encoder.text("layout");
    encode_layout(site.layout, &mut encoder);
    encoder.text("release");
    encoder.int(site.release);
    encoder.text("without");
    encoder.array(site.without.len());
    site.without.iter().for_each(|what| encoder.text(what));
    encoder.text("snapshot");
    encoder.map(3);
    encoder.text("proof");
    encoder.text(&site.snapshot.proof);
    encoder.text("taken");
    encoder.int(site.snapshot.taken);
    encoder.text("method");
    encoder.text(&site.snapshot.method);
    for (name, by) in [("layout_by", &site.layout_by), ("release_by", &site.release_by)] {
        if let Some(by) = by {
            encoder.text(name);
            encoder.text(by);
        }
    }
    encoder.into_bytes()
}

/// Decodes `site.cbor`.
pub fn decode(bytes: &[u8]) -> Result<SiteInfo, CodecError> {
    if bytes.len() > MAX_SITE_INFO_BYTES {
        return Err(CodecError::TooLong { what: "site.cbor", bytes: bytes.len(), limit: MAX_SITE_INFO_BYTES });
    }
    let mut decoder = Decoder::new(bytes, "site.cbor");
    let (mut node, mut fqdn, mut root, mut tool, mut format) = (None, None, None, None, None);
    let (mut layout, mut release, mut without, mut snapshot) = (None, None, None, None);
    let (mut layout_by, mut release_by) = (None, None);
    let mut pairs = decoder.map()?;
    while let Some(name) = pairs.next(&mut decoder)? {
        match name {
            "fqdn" => fqdn = Some(decoder.string()?.to_vec()),
            "node" => node = Some(decoder.string()?.to_vec()),
            "root" => root = Some(decode_root(&mut decoder)?),
            "tool" => tool = Some(decoder.text()?.to_owned()),
            "format" => format = Some(decoder.unsigned()?),
            "layout" => layout = Some(decode_layout(&mut decoder)?),
            "release" => release = Some(decoder.int()?),
            "without" => without = Some(decode_texts(&mut decoder)?),
            "snapshot" => snapshot = Some(decode_snapshot(&mut decoder)?),
            "layout_by" => layout_by = Some(decoder.text()?.to_owned()),
            "release_by" => release_by = Some(decoder.text()?.to_owned()),
            _ => {
                return Err(
                    decoder.error("has an entry that format version 1 doesn't have; a newer ctdl-dump may read it")
                );
            }
        }
    }
    decoder.end()?;
    if format != Some(FORMAT_VERSION) {
        return Err(
            decoder.error("is of a format version that this program doesn't know; a newer ctdl-dump may read it")
        );
    }
    match (tool, node, fqdn, release, layout, without, snapshot, root) {
        (
            Some(tool),
            Some(node),
            Some(fqdn),
            Some(release),
            Some(layout),
            Some(without),
            Some(snapshot),
            Some(root),
        ) => Ok(SiteInfo { tool, node, fqdn, release, release_by, layout, layout_by, without, snapshot, root }),
        _ => Err(decoder.error("lacks an entry")),
    }
}

fn encode_root(root: &Root, encoder: &mut Encoder) {
    encoder.array(3);
    encoder.unsigned(u64::from(root.mode));
    for owner in [&root.owner, &root.group] {
        match owner {
            None => encoder.null(),
            Some(owner) => encode_owner(owner, encoder),
        }
    }
}

fn decode_root(decoder: &mut Decoder) -> Result<Root, CodecError> {
    decoder.array_of(3)?;
    let mode = u16::try_from(decoder.unsigned()?).map_err(|_| decoder.error("no mode of a directory"))?;
    let mut owner = || if decoder.null()? { Ok(None) } else { decode_owner(decoder).map(Some) };
    Ok(Root { mode, owner: owner()?, group: owner()? })
}

fn encode_layout(layout: Layout, encoder: &mut Encoder) {
    let has_wide_times = layout.time_bytes() > layout.word_bytes();
    encoder.map(2 + usize::from(has_wide_times));
    encoder.text("order");
    encoder.text(match layout.order {
        ByteOrder::Little => "little",
        ByteOrder::Big => "big",
    });
    encoder.text("word_bytes");
    encoder.unsigned(layout.word_bytes() as u64);
    if has_wide_times {
        encoder.text("time_alignment");
        encoder.unsigned(layout.time_alignment() as u64);
    }
}

fn decode_layout(decoder: &mut Decoder) -> Result<Layout, CodecError> {
    let (mut order, mut word_bytes, mut time_alignment) = (None, None, None);
    let mut pairs = decoder.map()?;
    while let Some(name) = pairs.next(decoder)? {
        match name {
            "order" => {
                order = Some(match decoder.text()? {
                    "little" => ByteOrder::Little,
                    "big" => ByteOrder::Big,
                    _ => return Err(decoder.error("an unknown byte order")),
                });
            }
            "word_bytes" => word_bytes = Some(decoder.unsigned()?),
            "time_alignment" => time_alignment = Some(decoder.unsigned()?),
            _ => return Err(decoder.error("an entry that layouts don't have")),
        }
    }
    let model = match (word_bytes, time_alignment) {
        (Some(8), None) => Model::Lp64,
        (Some(4), None) => Model::Ilp32,
        (Some(4), Some(4)) => Model::Ilp32Time64I386,
        (Some(4), Some(8)) => Model::Ilp32Time64,
        _ => return Err(decoder.error("an unknown word size")),
    };
    let order = order.ok_or_else(|| decoder.error("a layout that lacks an entry"))?;
    let layout = Layout { model, order };
    let is_known = Layout::ALL.iter().any(|(known, ..)| *known == layout);
    if is_known { Ok(layout) } else { Err(decoder.error("a layout that no machine has")) }
}

fn decode_texts(decoder: &mut Decoder) -> Result<Vec<String>, CodecError> {
    let count = decoder.array()?;
    (0..count).map(|_| decoder.text().map(str::to_owned)).collect()
}

fn decode_snapshot(decoder: &mut Decoder) -> Result<Snapshot, CodecError> {
    let (mut method, mut proof, mut taken) = (None, None, None);
    let mut pairs = decoder.map()?;
    while let Some(name) = pairs.next(decoder)? {
        match name {
            "proof" => proof = Some(decoder.text()?.to_owned()),
            "taken" => taken = Some(decoder.int()?),
            "method" => method = Some(decoder.text()?.to_owned()),
            _ => return Err(decoder.error("an entry that snapshots don't have")),
        }
    }
    match (method, proof, taken) {
        (Some(method), Some(proof), Some(taken)) => Ok(Snapshot { method, proof, taken }),
        _ => Err(decoder.error("a snapshot that lacks an entry")),
    }
}
