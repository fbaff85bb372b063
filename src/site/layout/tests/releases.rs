//! Structs of all releases, held against the offsets and sizes that stand in `format-spec/site.md`.

use super::*;
use crate::record::{Header, Key};

/// LP64, ILP32, ILP32 with 64-bit times as on i386, and as on ARM.
const MODELS: [Layout; 4] = [LAYOUTS[0], LAYOUTS[2], LAYOUTS[4], LAYOUTS[5]];

fn offsets(layout_of: &StructLayout, release: i64, name: &str) -> [usize; 4] {
    MODELS.map(|layout| {
        let mut members = layout_of.members(Dialect { layout, release });
        members.find(|(field, _)| field.name == name).map_or(0, |(_, offset)| offset)
    })
}

fn sizes(layout_of: &StructLayout, release: i64) -> [usize; 4] {
    MODELS.map(|layout| layout_of.size(Dialect { layout, release }))
}

#[test]
fn users_of_all_releases_have_the_sizes_that_were_seen() {
    for (release, size) in [
        (732, [160, 136, 140, 144]),
        (788, [160, 136, 140, 144]),
        (789, [160, 132, 136, 144]),
        (805, [160, 132, 136, 144]),
        (902, [176, 140, 144, 152]),
        (912, [688, 652, 656, 664]),
        (930, [704, 660, 664, 672]),
        (980, [704, 660, 664, 672]),
    ] {
        assert_eq!(sizes(&USER, release), size, "release {release}");
    }
    assert_eq!(offsets(&USER, 772, "screenwidth"), [156, 132, 136, 140]);
    assert_eq!(offsets(&USER, 980, "lastcall"), [80, 60, 60, 64]);
    assert_eq!(offsets(&USER, 980, "emailaddrs"), [176, 140, 144, 148]);
    assert_eq!(offsets(&USER, 980, "lastproc_inboxrules"), [696, 656, 660, 664]);
}

#[test]
fn rooms_metadata_and_uses_of_all_releases_have_the_sizes_that_were_seen() {
    assert_eq!(sizes(&ROOM, 901), [248, 208, 216, 224]);
    assert_eq!(sizes(&ROOM, 902), [256, 212, 220, 232]);
    assert_eq!(offsets(&ROOM, 980, "mtime"), [208, 180, 184, 192]);
    assert_eq!(offsets(&ROOM, 980, "number"), [224, 192, 200, 208]);
    assert_eq!(MODELS.map(|layout| ROOM.least(layout.into())), [232, 196, 204, 212]);
    assert_eq!(sizes(&METADATA, 921), [152, 140, 140, 140]);
    assert_eq!(sizes(&METADATA, 922), [88, 76, 76, 76]);
    assert_eq!(sizes(&METADATA, 980), [88, 76, 76, 76]);
    assert_eq!(sizes(&VISIT, 980), [8232, 8216, 8216, 8216]);
    assert_eq!(sizes(&FLOOR, 980), [272; 4]);
    assert_eq!(sizes(&USE, 980), [16, 8, 12, 16]);
    assert_eq!(sizes(&USEID, 902), [4104, 4100, 4104, 4104]);
}

#[test]
fn the_structs_in_files_have_the_sizes_that_were_seen() {
    for (release, size) in [
        (706, [2904, 2884]),
        (721, [2968, 2948]),
        (724, [3224, 3204]),
        (725, [3232, 3212]),
        (732, [3232, 3212]),
        (737, [3248, 3220]),
        (787, [3256, 3224]),
        (824, [3256, 3228]),
        (901, [3264, 3236]),
    ] {
        assert_eq!(sizes(&CONFIG, release)[..2], size, "release {release}");
    }
    for (name, offset) in [
        ("c_site_location", [352, 348]),
        ("c_net_freq", [656, 640]),
        ("c_ldap_host", [936, 916]),
        ("c_default_cal_zone", [1985, 1965]),
        ("c_pager_program", [2965, 2945]),
        ("c_pop3_fastest", [3240, 3216]),
        ("c_nntps_port", [3260, 3232]),
    ] {
        assert_eq!(offsets(&CONFIG, 901, name)[..2], offset, "{name}");
    }
    assert_eq!(sizes(&CONTROL, 736)[..2], [48, 28]);
    assert_eq!(sizes(&CONTROL, 772)[..2], [56, 32]);
    assert_eq!(MODELS.map(refcount_bytes), [16, 8, 8, 8]);
}

#[test]
fn what_is_longer_in_a_newer_release_is_kept_whole() {
    let newer = Dialect { layout: LAYOUTS[0], release: 990 };
    for (number, key, size) in
        [(table::USERS, &b"bob"[..], 704), (table::ROOMS, b"lobby", 256), (table::FLOORS, &[0; 4], 272)]
    {
        let known = decode_pair(number, newer, key, &vec![0; size]).header;
        assert_eq!(known.fields.get("raw"), None, "what fits is taken for what it was");
        let mut value = vec![0; size + 8];
        value[size] = 1;
        let longer = decode_pair(number, newer, key, &value).header;
        assert_eq!((longer.fields.bytes("raw"), &longer.residue), (Some(value.as_slice()), &None));
        assert_same_bytes(number, newer, key, &value);
        let error = encode_pair(&longer, &[], Dialect { layout: LAYOUTS[2], release: 990 }, false).unwrap_err();
        assert_eq!(error.problem, Problem::NotPortable { target: LAYOUTS[2] });
        assert!(
            decode_pair(number, LAYOUTS[0], key, &value).header.fields.get("raw").is_none(),
            "in 980 it is residue"
        );
    }
    for (size, is_raw) in [(88, false), (152, false), (96, true), (160, true)] {
        let metadata = decode_metadata(newer, 5, &vec![0; size]).unwrap();
        assert_eq!(metadata.fields.get("raw_metadata").is_some(), is_raw, "{size} bytes");
    }
}

#[test]
fn a_user_that_no_newer_server_has_written_keeps_the_size_of_the_screen() {
    let old = Dialect { layout: LAYOUTS[2], release: 772 };
    let mut fields = decode(&USER, old, &[]);
    for (name, number) in [("version", 772), ("screenwidth", 80), ("screenheight", 24)] {
        fields.set_int(name, number);
    }
    let stored = encode(&USER, old, &[], &fields).unwrap();
    for release in [772, 902, 980] {
        let dialect = Dialect { release, ..old };
        let header = decode_pair(table::USERS, dialect, b"bob", &stored).header;
        assert_eq!((header.fields.int("screenwidth"), header.fields.int("msgnum_bio")), (Some(80), Some(0)));
        assert_eq!(header.residue, None, "release {release}");
        assert_same_bytes(table::USERS, dialect, b"bob", &stored);
    }
}

#[test]
fn what_a_release_does_not_keep_is_refused_by_name() {
    let mut header = decode_pair(table::USERS, LAYOUTS[0], b"bob", &[0; 704]).header;
    header.fields.set_string("emailaddrs", *b"bob@example.org");
    let error = encode_pair(&header, &[], Dialect { layout: LAYOUTS[0], release: 902 }, true).unwrap_err();
    assert_eq!(error.problem, Problem::NotInRelease { field: "emailaddrs", release: 902 });
}

#[test]
fn an_id_seen_before_keeps_the_stack_behind_it() {
    let dialect = Dialect { layout: LAYOUTS[0], release: 902 };
    let mut value = vec![0xaa; 4104];
    value[..10].copy_from_slice(b"rss/abcde\0");
    value[4096..].copy_from_slice(&1_466_000_000u64.to_le_bytes());
    let header = decode_pair(table::USES, dialect, b"rss/abcde", &value).header;
    assert_eq!((header.kind, header.key), (Kind::Useid, Key::name("rss/abcde")));
    assert_eq!(header.fields.int("time"), Some(1_466_000_000));
    assert_same_bytes(table::USES, dialect, b"rss/abcde", &value);
}

proptest! {
    #[test]
    fn records_of_any_release_are_the_same_in_every_layout(
        (index, release, fields) in (0usize..4, prop::sample::select(&RELEASES[..])).prop_flat_map(|(index, release)| {
            (Just(index), Just(release), any_fields_of([&USER, &ROOM, &USE, &USEID][index], release))
        }),
        from in any_layout(),
        to in any_layout(),
    ) {
        let release = [release, release, 980, 902][index];
        let kind = [Kind::User, Kind::Room, Kind::Use, Kind::Useid][index];
        let key = if kind == Kind::Use { Key::number(-4) } else { Key::name("somebody") };
        let mut fields = fields;
        if kind == Kind::User {
            fields.set_int("version", release);
        }
        let header = Header { kind, key, fields, body: None, residue: None };
        let (from, to) = (Dialect { layout: from, release }, Dialect { layout: to, release });
        let there = encode_pair(&header, &[], from, false).unwrap();
        let seen = decode_pair(there.table, from, &there.key, &there.value);
        prop_assert_eq!(&seen.header, &header);
        let over = encode_pair(&seen.header, seen.body, to, false).unwrap();
        prop_assert_eq!(decode_pair(over.table, to, &over.key, &over.value).header, header);
    }

    #[test]
    fn any_file_of_settings_comes_back_as_it_was(file in vec(prop_oneof![8 => Just(0u8), 1 => any::<u8>()], 2870..3300), dialect in any_dialect()) {
        if let Some(ConfigFile { settings, residue }) = decode_config_file(dialect, &file) {
            settings.iter().for_each(|setting| schema::check(setting).unwrap());
            let key = Key::name(schema::CONFIG_FILE);
            let control = Header { kind: Kind::Control, key, fields: Fields::new(), body: None, residue };
            prop_assert_eq!(encode_config_file(dialect, &settings, &control, true).unwrap(), file);
        }
    }

    #[test]
    fn any_control_file_and_queue_come_back_as_they_were(file in vec(any::<u8>(), 0..70), layout in any_layout()) {
        if let Some((fields, residue)) = decode_control_file(layout, &file) {
            let key = Key::name(schema::CONTROL_FILE);
            let control = Header { kind: Kind::Control, key, fields, body: None, residue };
            prop_assert_eq!(encode_control_file(&control, layout, true).unwrap(), file.clone());
        }
        let mut again = Vec::new();
        for entry in file.chunks_exact(refcount_bytes(layout)) {
            let header = decode_refcount(layout, 0, entry);
            schema::check(&header).unwrap();
            again.extend(encode_refcount(&header, layout, true).unwrap());
        }
        let tail = refcount_tail(layout, &file).unwrap_or_default();
        again.extend(tail.apply(Vec::new()).unwrap());
        prop_assert_eq!(again, file);
    }
}
