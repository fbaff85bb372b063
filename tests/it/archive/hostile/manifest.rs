//! Faults in the manifest, everything that it speaks of being right.

use super::*;

pub fn in_the_manifest() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let segment = |change: fn(&mut ctdl_dump::codec::manifest::Segment)| seal(&forge().frames_with(change, |_| {}));
    let root = |change: fn(&mut ctdl_dump::codec::manifest::Root)| seal(&forge().frames_with(|_| {}, change));
    vec![
        (
            "wrong-digest-of-a-record",
            "message record 2 has the digest",
            segment(|segment| {
                segment.identities[3].digest = [7; 32];
            }),
        ),
        (
            "wrong-length-of-a-record",
            "another length than the record has",
            segment(|segment| {
                segment.identities[3].length = Some(1);
            }),
        ),
        (
            "record-missing-in-the-manifest",
            "it has 4 records, its block 5",
            segment(|segment| {
                segment.identities.pop();
                segment.storages.pop();
            }),
        ),
        (
            "record-of-another-name-in-the-manifest",
            "where its block has config record b",
            segment(|segment| {
                segment.identities[1].key = Key::name("c");
            }),
        ),
        ("wrong-place-of-a-record", "elsewhere than it stands", segment(|segment| segment.storages[2].offset += 1)),
        ("wrong-length-of-a-block", "by it its block has 1 bytes", segment(|segment| segment.block_bytes = 1)),
        (
            "wrong-digest-of-a-block",
            "by it its block has the digest",
            segment(|segment| segment.block_digest = [7; 32]),
        ),
        ("wrong-site-digest", "by it the site digest is", root(|root| root.site_digest = [7; 32])),
        ("wrong-digest-of-site-cbor", "manifest of another site.cbor", root(|root| root.site_info_digest = [7; 32])),
        ("wrong-count", "it counts 4 records of kind message", root(|root| root.kinds[1].1.records += 1)),
        ("wrong-sum-of-bodies", "with 1 bytes of bodies", root(|root| root.kinds[0].1.body_bytes = 1)),
        (
            "kind-too-many",
            "a kind that the archive doesn't have",
            root(|root| {
                root.kinds.push((Kind::Omitted, Default::default()));
            }),
        ),
        ("wrong-place-of-the-index", "doesn't list the index segments", root(|root| root.index[0].position += 512)),
        ("index-missing-in-the-root", "doesn't list the index segments", root(|root| root.index.clear())),
        (
            "wrong-index",
            "not the index of the blocks",
            with_frames(|frames| {
                let number = frames.len() - 2;
                let content = zstd::bulk::decompress(&frames[number].bytes, 1 << 20).unwrap();
                let mut changed = content.clone();
                let size = usize::from_str_radix(std::str::from_utf8(&content[124..135]).unwrap(), 8).unwrap();
                changed[512 + size - 1] ^= 1;
                frames[number] = Frame::of(&changed);
            }),
        ),
        ("group-early", "no group of manifest segments was due", {
            let mut forge = many_blocks();
            let rest = forge.groups[0].split_off(1);
            forge.groups.insert(1, rest);
            forge.seal()
        }),
        ("group-late", "manifest segments are missing", {
            let mut forge = many_blocks();
            let rest = forge.groups.remove(1);
            forge.groups[0].extend(rest);
            forge.seal()
        }),
        (
            "no-manifest-segments",
            "its name is manifest/index-00000000.cbor",
            with_frames(|frames| drop(frames.remove(DATA + 1))),
        ),
        ("site-of-another-format-version", "format version that this program doesn't know", {
            let mut forge = forge();
            let at = forge.site.windows(6).position(|bytes| bytes == b"format").unwrap() + 6;
            assert_eq!(forge.site[at], 1);
            forge.site[at] = 2;
            forge.seal()
        }),
    ]
}
