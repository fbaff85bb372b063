//! Faults in the row of frames, and behind the last of them.

use super::*;

pub fn in_frames() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let raw_frame = |descriptor: u8, rest: &[u8]| Frame {
        bytes: [&[0x28, 0xb5, 0x2f, 0xfd, descriptor], rest].concat(),
        unpacked: 1,
    };
    vec![
        (
            "bomb",
            "would unpack to 18446744073709551615 bytes",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0xe4, &[0xff; 8]));
            }),
        ),
        (
            "frame-longer-than-2-mib",
            "would unpack to 2097153 bytes",
            with_frames(|frames| {
                frames.insert(DATA, Frame::of(&vec![0; (2 << 20) + 1]));
            }),
        ),
        ("frame-a-little-longer-than-any", "it is longer than 2162688 bytes", {
            // The content of one byte stands behind as many empty blocks as make it so long, its checksum included.
            let mut rest = vec![0; (2 << 20) + 65_536 + 3 - 4];
            rest.truncate(1 + (rest.len() - 10) / 3 * 3);
            rest[0] = 1;
            rest.extend([1 << 3 | 1, 0, 0, b'x', 0, 0, 0, 0]);
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x24, &rest));
            })
        }),
        (
            "frame-that-unpacks-to-less",
            "zstd says",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x24, &[100, 0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
            }),
        ),
        (
            "frame-without-checksum",
            "no checksum",
            with_frames(|frames| {
                frames.insert(DATA, Frame { bytes: zstd::bulk::compress(b"data", 3).unwrap(), unpacked: 4 });
            }),
        ),
        (
            "frame-without-size",
            "no size of its content",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x04, &[0x58, 0x01, 0, 0, 0, 0, 0, 0]));
            }),
        ),
        (
            "frame-with-dictionary",
            "a dictionary",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x25, &[1, 1, 0x09, 0, 0, b'x', 0, 0, 0, 0]));
            }),
        ),
        (
            "frame-with-large-window",
            "too large a window",
            with_frames(|frames| {
                frames.insert(DATA, raw_frame(0x84, &[0xa0, 1, 0, 0, 0, 0x09, 0, 0, b'x', 0, 0, 0, 0]));
            }),
        ),
        ("empty-frame", "would unpack to 0 bytes", with_frames(|frames| frames.insert(DATA, Frame::of(b"")))),
        (
            "skippable-frame-in-the-middle",
            "skippable frame where the format has none",
            with_frames(|frames| {
                frames.insert(DATA, Frame { bytes: skippable(0x184D_2A53, b"hidden"), unpacked: 0 });
            }),
        ),
        (
            "digest-in-the-middle",
            "the digest of the",
            with_frames(|frames| {
                frames.insert(DATA, Frame { bytes: skippable(0x184D_2A50, &[7; 32]), unpacked: 0 });
            }),
        ),
        ("data-cut-elsewhere", "shorter than 2097152 bytes", {
            let mut forge = forge();
            forge.frame_bytes = 1 << 16;
            forge.seal()
        }),
        ("manifest-segment-not-alone", "must have a frame of its own", {
            let mut forge = forge();
            let data: Vec<u8> = forge.only_block().members.iter().flat_map(Member::bytes).collect();
            let mut frames = forge.frames();
            let segment = zstd::bulk::decompress(&frames[DATA + 1].bytes, 1 << 20).unwrap();
            frames.splice(DATA..DATA + 2, [Frame::of(&[data, segment].concat())]);
            seal(&frames)
        }),
        (
            "site-not-alone",
            "more or less than this one member",
            with_frames(|frames| {
                let mut content = zstd::bulk::decompress(&frames[SITE].bytes, 1 << 20).unwrap();
                content.extend_from_slice(&[0; 512]);
                frames[SITE] = Frame::of(&content);
            }),
        ),
        (
            "frame-after-the-final-manifest",
            "follows the final manifest",
            with_frames(|frames| {
                frames.push(Frame::of(b"more"));
            }),
        ),
        (
            "final-manifest-twice",
            "follows the final manifest",
            with_frames(|frames| {
                frames.push(frames.last().unwrap().clone());
            }),
        ),
        ("no-final-manifest", "without its final manifest", with_frames(|frames| drop(frames.pop()))),
        (
            "no-end-of-the-tar",
            "more or less than this one member",
            with_frames(|frames| {
                let last = frames.last_mut().unwrap();
                let content = zstd::bulk::decompress(&last.bytes, 1 << 20).unwrap();
                *last = Frame::of(&content[..content.len() - 512]);
            }),
        ),
    ]
}

pub fn in_the_tail() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let frames = forge().frames();
    let body: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.clone()).collect();
    let digest = skippable(0x184D_2A50, blake3::hash(&body).as_bytes());
    let table = seek_table(&frames, 0);
    let mut other_sizes = frames.clone();
    other_sizes[DATA].unpacked -= 1;
    let mut fewer = frames.clone();
    fewer.pop();
    vec![
        ("wrong-digest-of-the-file", "digest of the", [&body, &skippable(0x184D_2A50, &[0; 32])[..], &table].concat()),
        (
            "short-digest-of-the-file",
            "wrong length",
            [&body, &skippable(0x184D_2A50, &digest[8..24])[..], &table].concat(),
        ),
        ("no-digest-of-the-file", "skippable frame where the format has none", [&body[..], &table].concat()),
        ("wrong-seek-table", "in its seek table", [&body[..], &digest, &seek_table(&other_sizes, 0)].concat()),
        ("seek-table-that-lacks-a-frame", "in its seek table", [&body[..], &digest, &seek_table(&fewer, 0)].concat()),
        ("seek-table-with-checksums", "in its seek table", [&body[..], &digest, &seek_table(&frames, 0x80)].concat()),
        ("no-seek-table", "cut short", [&body[..], &digest].concat()),
        ("seek-table-twice", "bytes follow the end", [&body[..], &digest, &table, &table].concat()),
    ]
}
