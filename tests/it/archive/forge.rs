//! Archives made by hand: taken apart, changed in one place, and put together again with everything else right.

use ctdl_dump::archive::Options;
use ctdl_dump::codec::cbor::{Decoder, Encoder};
use ctdl_dump::codec::fold::Unfolder;
use ctdl_dump::codec::manifest::{Count, IndexEncoder, IndexEntry, IndexSegment, Root, Segment};
use ctdl_dump::codec::numbers::restore_segment;
use ctdl_dump::codec::{RecordHasher, SiteHasher, header};
use ctdl_dump::record::{Body, Header, Kind};

use super::records::Record;
use super::write_folded;

const FRAME_BYTES: usize = 2 << 20;

/// A frame as it stands in the file.
#[derive(Clone)]
pub struct Frame {
    pub bytes: Vec<u8>,
    pub unpacked: u32,
}

impl Frame {
    pub fn of(content: &[u8]) -> Self {
        let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
        compressor.include_checksum(true).unwrap();
        Frame { bytes: compressor.compress(content).unwrap(), unpacked: content.len() as u32 }
    }
}

/// A member of the tar.
#[derive(Clone)]
pub struct Member {
    pub header: Vec<u8>,
    pub content: Vec<u8>,
    pub padding: Vec<u8>,
}

impl Member {
    pub fn new(name: &str, content: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        header.set_cksum();
        let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
        Member { header: header.as_bytes().to_vec(), content: content.to_vec(), padding }
    }

    pub fn name(&self) -> String {
        String::from_utf8(self.header[..100].split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
    }

    /// Gives it another name, with a header and padding that fit.
    pub fn rename(&mut self, name: &str) {
        *self = Member::new(name, &self.content);
    }

    /// Gives it another content, with a header and padding that fit.
    pub fn refill(&mut self, content: &[u8]) {
        *self = Member::new(&self.name(), content);
    }

    /// Changes its tar header, and makes the checksum right again.
    pub fn change_header(&mut self, change: impl FnOnce(&mut tar::Header)) {
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(&self.header);
        change(&mut header);
        header.set_cksum();
        self.header = header.as_bytes().to_vec();
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.header.as_slice(), &self.content, &self.padding].concat()
    }
}

/// A block and what the manifest says of it.
#[derive(Clone)]
pub struct Block {
    pub members: Vec<Member>,
    pub segment: Segment,
}

/// An archive in parts.
pub struct Forge {
    pub site: Vec<u8>,
    /// The blocks, in the groups in which their manifest segments come.
    pub groups: Vec<Vec<Block>>,
    pub root: Root,
    /// Where data frames are cut.
    pub frame_bytes: usize,
}

impl Forge {
    /// Takes a right archive of these records apart. Bodies with base64 in them are folded.
    pub fn new(records: &[Record]) -> Self {
        let (archive, _) = write_folded(records, Options::default());
        let contents = unpack(&archive);
        let mut forge = Forge {
            site: members(&contents[0])[0].content.clone(),
            groups: Vec::new(),
            root: Root::decode(&members(contents.last().unwrap())[0].content).unwrap(),
            frame_bytes: FRAME_BYTES,
        };
        let (mut data, mut group, mut in_group) = (Vec::new(), Vec::new(), false);
        for content in &contents[1..] {
            let first = Member { header: content[..512].to_vec(), content: Vec::new(), padding: Vec::new() };
            let is_segment = first.name().starts_with("manifest/0");
            if in_group && !is_segment {
                forge.groups.push(std::mem::take(&mut group));
            }
            in_group = is_segment;
            if is_segment {
                let segment = Segment::decode(&members(content)[0].content).unwrap();
                let rest = data.split_off(segment.block_bytes as usize);
                group.push(Block { members: members(&data), segment });
                data = rest;
            } else {
                data.extend_from_slice(content);
            }
        }
        forge
    }

    pub fn only_block(&mut self) -> &mut Block {
        assert_eq!(self.groups.iter().map(Vec::len).collect::<Vec<_>>(), [1]);
        &mut self.groups[0][0]
    }

    /// Changes the headers in a member of the only block, and everything that follows from it.
    pub fn change_headers(&mut self, number: usize, change: impl FnOnce(&mut Vec<Header>)) {
        let block = self.only_block();
        let mut headers = headers(&block.members[number].content);
        change(&mut headers);
        block.members[number].refill(&encode(&headers));
        self.describe();
    }

    /// Makes the identity and storage parts of all segments those of the headers that stand in the blocks.
    pub fn describe(&mut self) {
        for block in self.groups.iter_mut().flatten() {
            block.segment.identities.clear();
            block.segment.storages.clear();
            let mut offset = 0;
            let mut members = block.members.iter().peekable();
            while let Some(member) = members.next() {
                let mut header_offset = offset + 512;
                offset += member.bytes().len();
                for header in headers(&member.content) {
                    let mut hasher = RecordHasher::default();
                    hasher.begin(&header);
                    let (mut stored, mut text) = (Vec::new(), Vec::new());
                    if let Some(Body::Segments(mut left) | Body::Folded(mut left)) = header.body {
                        while let Some(segment) = members.next_if(|member| !member.name().ends_with(".cbor")) {
                            stored.extend_from_slice(&segment.content);
                            offset += segment.bytes().len();
                            let mut numbers = segment.content.clone();
                            if header.kind.has_numbers() {
                                // A body that can't be has no digest that would be right.
                                let _ = restore_segment(&segment.content, left.min(65_536) as usize, &mut numbers);
                            }
                            left = left.saturating_sub(65_536);
                            text.extend_from_slice(&numbers);
                        }
                    }
                    if let Some(Body::Folded(length)) = header.body {
                        text.clear();
                        // A body that can't be unfolded has no digest that would be right.
                        let _ = Unfolder::new(length).push(&stored, &mut text);
                    }
                    hasher.body(&text);
                    let header_bytes = encode(std::slice::from_ref(&header)).len();
                    block.segment.storages.push(ctdl_dump::codec::manifest::Storage {
                        offset: header_offset as u64,
                        header_bytes: header_bytes as u32,
                        body_bytes: stored.len() as u64,
                    });
                    header_offset += header_bytes;
                    block.segment.identities.push(ctdl_dump::codec::manifest::Identity {
                        kind: header.kind,
                        length: header.body.as_ref().map(Body::length),
                        digest: hasher.digest(),
                        key: header.key,
                    });
                }
            }
        }
        let mut site_hasher = SiteHasher::default();
        let mut kinds: Vec<(Kind, Count)> = Vec::new();
        for identity in self.groups.iter().flatten().flat_map(|block| &block.segment.identities) {
            site_hasher.record(identity.kind, &identity.digest);
            if kinds.last().is_none_or(|(kind, _)| *kind != identity.kind) {
                kinds.push((identity.kind, Count::default()));
            }
            let (_, count) = kinds.last_mut().unwrap();
            count.records += 1;
            count.body_bytes += identity.length.unwrap_or(0);
        }
        self.root.site_digest = site_hasher.digest();
        self.root.kinds = kinds;
    }

    /// The frames, with block lengths and digests, index and root made right.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames_with(|_| {}, |_| {})
    }

    /// The same, but with a manifest segment or the root changed at last.
    pub fn frames_with(&self, change_segment: impl Fn(&mut Segment), change_root: impl Fn(&mut Root)) -> Vec<Frame> {
        let mut frames = vec![Frame::of(&Member::new("site.cbor", &self.site).bytes())];
        let (mut position, mut number) = (0u64, 0);
        let mut index = IndexEncoder::default();
        let mut index_segments = Vec::new();
        for group in &self.groups {
            let mut data = Vec::new();
            let mut starts = Vec::new();
            for block in group {
                starts.push((position + data.len() as u64, data.len()));
                block.members.iter().for_each(|member| data.extend_from_slice(&member.bytes()));
            }
            position += data.len() as u64;
            data.chunks(self.frame_bytes).for_each(|chunk| frames.push(Frame::of(chunk)));
            for (block, (start, offset)) in group.iter().zip(starts) {
                let bytes: Vec<u8> = block.members.iter().flat_map(Member::bytes).collect();
                assert_eq!(data[offset..offset + bytes.len()], bytes);
                let mut segment = block.segment.clone();
                segment.block_bytes = bytes.len() as u64;
                segment.block_digest = blake3::hash(&bytes).into();
                change_segment(&mut segment);
                let encoded = segment.encode();
                let member = Member::new(&format!("manifest/{number:08}.cbor"), &encoded.bytes).bytes();
                index_segments.extend(index.push(&IndexEntry {
                    kind: segment.identities[0].kind,
                    key: segment.identities[0].key.clone(),
                    identity_digest: encoded.identity_digest,
                    position: start,
                    segment_position: position,
                    segment_bytes: encoded.bytes.len() as u32,
                    segment_digest: blake3::hash(&encoded.bytes).into(),
                }));
                number += 1;
                position += member.len() as u64;
                frames.push(Frame::of(&member));
            }
        }
        index_segments.extend(index.finish());
        let mut root = self.root.clone();
        root.site_info_digest = blake3::hash(&self.site).into();
        root.index.clear();
        for (number, content) in index_segments.iter().enumerate() {
            let digest = blake3::hash(content).into();
            root.index.push(IndexSegment { position, bytes: content.len() as u32, digest });
            let member = Member::new(&format!("manifest/index-{number:08}.cbor"), content).bytes();
            position += member.len() as u64;
            frames.push(Frame::of(&member));
        }
        change_root(&mut root);
        let mut last = Member::new("manifest.cbor", &root.encode().unwrap()).bytes();
        last.resize(last.len() + 1024, 0);
        frames.push(Frame::of(&last));
        frames
    }

    pub fn seal(&self) -> Vec<u8> {
        seal(&self.frames())
    }
}

/// Frames with their digest and seek table.
pub fn seal(frames: &[Frame]) -> Vec<u8> {
    let mut file: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.clone()).collect();
    let digest = skippable(0x184D_2A50, blake3::hash(&file).as_bytes());
    file.extend_from_slice(&digest);
    file.extend_from_slice(&seek_table(frames, 0));
    file
}

pub fn seek_table(frames: &[Frame], descriptor: u8) -> Vec<u8> {
    let mut table = Vec::new();
    for (compressed, unpacked) in frames.iter().map(|frame| (frame.bytes.len() as u32, frame.unpacked)).chain([(40, 0)])
    {
        table.extend_from_slice(&compressed.to_le_bytes());
        table.extend_from_slice(&unpacked.to_le_bytes());
    }
    table.extend_from_slice(&(frames.len() as u32 + 1).to_le_bytes());
    table.push(descriptor);
    table.extend_from_slice(&0x8F92_EAB1u32.to_le_bytes());
    skippable(0x184D_2A5E, &table)
}

pub fn skippable(magic: u32, content: &[u8]) -> Vec<u8> {
    [&magic.to_le_bytes(), &(content.len() as u32).to_le_bytes(), content].concat()
}

/// The contents of all frames.
pub fn unpack(archive: &[u8]) -> Vec<Vec<u8>> {
    let mut contents = Vec::new();
    let mut rest = archive;
    while rest.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let (frame, behind) = rest.split_at(zstd::zstd_safe::find_frame_compressed_size(rest).unwrap());
        contents.push(zstd::bulk::decompress(frame, FRAME_BYTES).unwrap());
        rest = behind;
    }
    contents
}

pub fn members(mut tar: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    while tar.first().is_some_and(|byte| *byte != 0) {
        let size = usize::from_str_radix(std::str::from_utf8(&tar[124..135]).unwrap(), 8).unwrap();
        let end = 512 + size;
        let padded = end.next_multiple_of(512);
        members.push(Member {
            header: tar[..512].to_vec(),
            content: tar[512..end].to_vec(),
            padding: tar[end..padded].to_vec(),
        });
        tar = &tar[padded..];
    }
    members
}

pub fn headers(content: &[u8]) -> Vec<Header> {
    let mut headers = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let mut decoder = Decoder::new(rest, "header");
        headers.push(header::decode(&mut decoder).unwrap());
        rest = &rest[decoder.offset()..];
    }
    headers
}

pub fn encode(headers: &[Header]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    headers.iter().for_each(|header| header::encode(header, &mut encoder));
    encoder.into_bytes()
}
