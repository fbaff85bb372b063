//! Faults in headers, bodies and their order.

use super::*;

pub fn in_records() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        (
            "body-shorter-than-its-header-says",
            "it has 4464 bytes, but by its record's header it must have 65536",
            with_headers(MESSAGES, |headers| {
                headers[1].body = Some(Body::Segments(140_000));
                headers[1].fields.set_int("entry", 140_000);
            }),
        ),
        (
            "body-longer-than-its-header-says",
            "it has 4464 bytes, but by its record's header it must have 4463",
            with_headers(MESSAGES, |headers| {
                headers[1].body = Some(Body::Segments(69_999));
                headers[1].fields.set_int("entry", 69_999);
            }),
        ),
        ("body-of-petabytes", "it has 5000 bytes, but by its record's header it must have 65536", {
            let mut forge = Forge::new(&[Record::config("a", &body(5_000, 1))]);
            forge.change_headers(CONFIGS, |headers| headers[0].body = Some(Body::Segments(i64::MAX as u64)));
            forge.seal()
        }),
        (
            "body-cut-at-another-size",
            "it has 65024 bytes, but by its record's header it must have 65536",
            with_members(|members| {
                let all = [members[SEGMENT_0].content.clone(), members[SEGMENT_1].content.clone()].concat();
                members[SEGMENT_0].refill(&all[..65_024]);
                members[SEGMENT_1].refill(&all[65_024..]);
            }),
        ),
        ("records-out-of-order", "config record a comes after config record b", {
            let mut forge = forge();
            let members = &mut forge.only_block().members;
            let mut both = headers(&members[CONFIGS].content);
            both.swap(0, 1);
            members[CONFIGS].refill(&encode(&both));
            members[CONFIGS].rename(&config_name(&both[0].key));
            forge.describe();
            forge.seal()
        }),
        (
            "record-twice",
            "config record a comes after config record a",
            with_headers(CONFIGS, |headers| {
                headers[1] = headers[0].clone();
            }),
        ),
        ("members-out-of-order", "config record a comes after message record 1", {
            let mut forge = Forge::new(&records()[..3]);
            forge.only_block().members.swap(0, 1);
            forge.describe();
            forge.seal()
        }),
        ("kinds-in-one-member", "stands in a member of another kind", {
            let mut forge = Forge::new(&records()[..3]);
            let members = &mut forge.only_block().members;
            let content = [members[0].content.clone(), members[1].content.clone()].concat();
            members.truncate(1);
            members[0].refill(&content);
            forge.describe();
            forge.seal()
        }),
        ("member-that-ends-early", "has room in the one before it", {
            let mut forge = forge();
            let members = &mut forge.only_block().members;
            let both = headers(&members[CONFIGS].content);
            members[CONFIGS].refill(&encode(&both[..1]));
            members.insert(CONFIGS + 1, Member::new("config/b-0c3da65a11a2ab2d.cbor", &encode(&both[1..])));
            let name = config_name(&both[1].key);
            members[CONFIGS + 1].rename(&name);
            forge.describe();
            forge.seal()
        }),
        ("record-behind-a-long-body", "other records follow it in its member", {
            let mut forge = forge();
            let members = &mut forge.only_block().members;
            let content = [members[MESSAGES].content.clone(), members[LAST_MESSAGE].content.clone()].concat();
            members[MESSAGES].refill(&content);
            members.remove(LAST_MESSAGE);
            forge.seal()
        }),
        (
            "header-not-deterministic",
            "longer than necessary",
            with_members(|members| {
                let mut content = members[CONFIGS].content.clone();
                content.splice(0..1, [0xb8, content[0] & 0x1f]);
                members[CONFIGS].refill(&content);
            }),
        ),
        (
            "header-with-unknown-entry",
            "byte",
            with_members(|members| {
                let content = String::from_utf8(members[CONFIGS].content.clone());
                let content = content.unwrap_or_default().replace("fields", "fieldz");
                members[CONFIGS].refill(content.as_bytes());
            }),
        ),
        (
            "header-of-unknown-kind",
            "a kind that this version doesn't know",
            with_members(|members| {
                let at = members[CONFIGS].content.windows(6).position(|bytes| bytes == b"config").unwrap();
                let mut content = members[CONFIGS].content.clone();
                content[at..at + 6].copy_from_slice(b"konfig");
                members[CONFIGS].refill(&content);
            }),
        ),
        (
            "header-cut-short",
            "byte",
            with_members(|members| {
                let content = members[CONFIGS].content.clone();
                members[CONFIGS].refill(&content[..content.len() - 1]);
            }),
        ),
        (
            "message-zero",
            "the number is not above 0",
            with_members(|members| {
                let mut zero = headers(&members[LAST_MESSAGE].content);
                zero[0].key = Key::number(0);
                members[LAST_MESSAGE].refill(&encode(&zero));
            }),
        ),
        (
            "field-out-of-its-range",
            "field \"ref_count\"",
            with_floor(|floor| floor.fields.set_int("ref_count", 1 << 40)),
        ),
        ("field-missing", "field \"ref_count\" is missing", with_floor(|floor| floor.fields.remove("ref_count"))),
        ("field-too-long", "field \"name\"", with_floor(|floor| floor.fields.set_string("name", vec![b'x'; 257]))),
        (
            "field-of-another-kind",
            "a field that its kind doesn't have",
            with_floor(|floor| floor.fields.set_int("gen", 1)),
        ),
        ("body-where-none-is", "has a body", with_floor(|floor| floor.body = Some(Body::Inline(vec![1])))),
        ("raw-beside-fields", "beside \"raw\"", with_floor(|floor| floor.fields.set("raw", Value::Binary(vec![1])))),
        ("residue-of-too-long-a-value", "a residue of a longer value than has one", {
            let mut floor = floor();
            let of_length = |bytes| Some(Residue { length: Some(bytes), ..Residue::default() });
            floor.header.residue = of_length(1 << 20);
            let mut forge = Forge::new(std::slice::from_ref(&floor));
            floor.header.residue = of_length((1 << 20) + 1);
            forge.only_block().members[0].refill(&encode(&[floor.header]));
            forge.seal()
        }),
        ("block-not-ended", "must begin a new block", {
            let mut forge = many_blocks();
            merge_blocks(&mut forge);
            forge.describe();
            forge.seal()
        }),
        ("block-ended-early", "has room in the one before it", {
            let mut forge = forge();
            split_block(&mut forge);
            forge.describe();
            forge.seal()
        }),
    ]
}
