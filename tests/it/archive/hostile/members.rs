//! Faults in tar headers and in the row of members.

use super::*;

pub fn in_tar_headers() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let field = |change: fn(&mut tar::Header)| with_members(|members| members[CONFIGS].change_header(change));
    vec![
        (
            "member-with-another-name",
            "its name is config/zzz.cbor",
            with_members(|members| {
                members[CONFIGS].rename("config/zzz.cbor");
            }),
        ),
        (
            "member-of-another-kind",
            "its name is floor/",
            with_members(|members| {
                let name = members[CONFIGS].name().replace("config", "floor");
                members[CONFIGS].rename(&name);
            }),
        ),
        (
            "member-that-climbs",
            "its name is config/../../a.cbor",
            with_members(|members| {
                members[CONFIGS].rename("config/../../a.cbor");
            }),
        ),
        (
            "member-with-absolute-name",
            "its name is /etc/passwd",
            with_members(|members| {
                members[CONFIGS].rename("/etc/passwd");
            }),
        ),
        (
            "segment-with-another-name",
            "its name is message/00000000000000000001.000002",
            with_members(|members| {
                members[SEGMENT_1].rename("message/00000000000000000001.000002");
            }),
        ),
        (
            "segments-swapped",
            "its name is message/00000000000000000001.000001",
            with_members(|members| {
                members.swap(SEGMENT_0, SEGMENT_1);
            }),
        ),
        (
            "link",
            "field \"type\"",
            field(|header| {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name("/etc/passwd").unwrap();
            }),
        ),
        ("hard-link", "field \"type\"", field(|header| header.set_entry_type(tar::EntryType::Link))),
        ("directory", "field \"type\"", field(|header| header.set_entry_type(tar::EntryType::Directory))),
        ("link-target", "field \"link target\"", field(|header| header.set_link_name("x").unwrap())),
        ("mode", "field \"mode\"", field(|header| header.set_mode(0o4755))),
        ("owner", "field \"owner\"", field(|header| header.set_uid(1000))),
        ("group", "field \"group\"", field(|header| header.set_gid(1000))),
        ("time", "field \"time\"", field(|header| header.set_mtime(1))),
        ("checksum", "field \"checksum\"", with_members(|members| members[CONFIGS].header[150] ^= 1)),
        (
            "owner-name",
            "field \"owner's name\"",
            field(|header| {
                header.as_ustar_mut().unwrap().set_username("root").unwrap();
            }),
        ),
        ("prefix", "field \"prefix\"", field(|header| header.as_ustar_mut().unwrap().prefix[0] = b'x')),
        ("gnu-magic", "field \"magic\"", field(|header| header.as_ustar_mut().unwrap().magic = *b"ustar ")),
        (
            "size-in-base-256",
            "field \"size\"",
            with_members(|members| {
                members[CONFIGS]
                    .change_header(|header| header.as_old_mut().size = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
            }),
        ),
        (
            "member-of-a-gigabyte",
            "1073741824 bytes; no member has more than 65,536",
            with_members(|members| {
                members[CONFIGS].change_header(|header| header.set_size(1 << 30));
            }),
        ),
        (
            "padding-of-headers",
            "padding behind it is not zero",
            with_members(|members| {
                *members[CONFIGS].padding.last_mut().unwrap() = 1;
            }),
        ),
        (
            "padding-of-a-segment",
            "padding behind it is not zero",
            with_members(|members| {
                *members[SEGMENT_1].padding.last_mut().unwrap() = 1;
            }),
        ),
        (
            "foreign-member",
            "its name is hello, but by its content",
            with_members(|members| {
                let content = members[CONFIGS].content.clone();
                members[CONFIGS] = Member::new("hello", &content);
            }),
        ),
        (
            "empty-member",
            "ends early",
            with_members(|members| {
                let name = members[CONFIGS].name();
                members.insert(CONFIGS, Member::new(&name, b""));
            }),
        ),
    ]
}
