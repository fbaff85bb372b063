//! Pairs and records with one thing about them.

use super::*;

#[test]
fn every_member_of_a_struct_is_a_field_of_the_schema() {
    for (layout_of, kind) in
        STRUCTS.into_iter().zip([Kind::User, Kind::Room, Kind::Floor, Kind::Visit, Kind::Message, Kind::Use])
    {
        for field in layout_of.fields {
            assert!(schema::of(kind).fields.iter().any(|other| other.name == field.name), "{}", field.name);
        }
    }
}

#[test]
fn a_full_text_without_nul_keeps_all_its_bytes() {
    let mut fields = decode(&ROOM, Layout::LP64_LITTLE, &[]);
    fields.set_string("passwd", *b"0123456789");
    let value = encode(&ROOM, Layout::LP64_LITTLE, &[], &fields).unwrap();
    assert_eq!(&value[128..138], b"0123456789");
    assert_eq!(decode(&ROOM, Layout::LP64_LITTLE, &value), fields);
}

#[test]
fn a_number_beyond_a_32_bit_long_is_refused_by_name() {
    let mut decoded = decode_pair(table::USERS, Layout::LP64_LITTLE, b"bob", &[0; 704]);
    decoded.header.fields.set_int("lastcall", 5_000_000_000);
    let error = encode_pair(&decoded.header, &[], LAYOUTS[2], false).unwrap_err().to_string();
    assert_eq!(
        error,
        "user record bob: lastcall is 5000000000, but a 32-bit little-endian server keeps it in 4 bytes, from -2147483648 to \
         2147483647; import onto a 64-bit server"
    );
    assert!(list_key(1 << 40, LAYOUTS[3]).is_err());
}

#[test]
fn a_hostile_text_that_the_server_would_cut_is_refused() {
    let mut header = decode_pair(table::USERS, Layout::LP64_LITTLE, b"bob", &[0; 704]).header;
    header.fields.set_string("fullname", *b"Bob\0Builder");
    let error = encode_pair(&header, &[], Layout::LP64_LITTLE, true).unwrap_err();
    assert_eq!(error.problem, Problem::NulInText { field: "fullname", offset: 3 });
    header.fields.set_string("fullname", [b'x'; 65]);
    let error = encode_pair(&header, &[], Layout::LP64_LITTLE, true).unwrap_err();
    assert_eq!(error.problem, Problem::TextTooLong { field: "fullname", bytes: 65, limit: 64 });
}

#[test]
fn bytes_that_nobody_understood_go_only_where_they_came_from() {
    let decoded = decode_pair(table::USERS, Layout::LP64_LITTLE, b"bob", b"???");
    assert_eq!(decoded.header.fields.bytes("raw"), Some(&b"???"[..]));
    assert!(encode_pair(&decoded.header, &[], Layout::LP64_LITTLE, true).is_ok());
    let error = encode_pair(&decoded.header, &[], LAYOUTS[1], false).unwrap_err();
    assert_eq!(error.problem, Problem::NotPortable { target: LAYOUTS[1] });
    let text = decode_pair(table::CONFIG, Layout::LP64_LITTLE, b"c_x", b"other\0value\0");
    assert_eq!(text.header.kind, Kind::Table);
    assert!(encode_pair(&text.header, text.body, LAYOUTS[1], false).is_ok());
}

#[test]
fn keys_and_values_that_fit_no_kind_are_table_records() {
    let layout = Layout::LP64_LITTLE;
    for (table, key, value) in [
        (table::VISITS, vec![1; 23], vec![0; 8232]),
        (table::EUIDS, vec![1; 12], vec![0; 20]),
        (table::USERS, b"long".to_vec(), vec![0xaa; 9000]),
        (table::LISTS, vec![1; 8], vec![0; 7]),
        (0x0e, b"new".to_vec(), b"unknown".to_vec()),
        (table::CONFIG, b"c_big".to_vec(), [b"c_big\0".to_vec(), vec![b'x'; MAX_PAIR_VALUE_BYTES]].concat()),
    ] {
        assert_eq!(decode_pair(table, layout, &key, &value).header.kind, Kind::Table, "table {table}");
        assert_same_bytes(table, layout, &key, &value);
    }
}

#[test]
fn message_keys_of_no_message_are_none() {
    for layout in LAYOUTS {
        let lowest = message_key(if layout.word_bytes() == 8 { i64::MIN } else { i32::MIN.into() }, layout).unwrap();
        assert_eq!(parse_message_key(layout, &lowest), None);
        assert_eq!(parse_message_key(layout, &message_key(0, layout).unwrap()), None);
        assert_eq!(parse_message_key(layout, &[1; 5]), None);
        assert_eq!(parse_message_key(layout, &message_key(9, layout).unwrap()), Some(MessageKey::Entry(9)));
        assert_eq!(parse_message_key(layout, &metadata_key(9, layout).unwrap()), Some(MessageKey::Metadata(9)));
    }
}

#[test]
fn a_visit_whose_compression_lies_is_raw() {
    let layout = Layout::LP64_LITTLE;
    let key = [[1, 0, 0, 0, 0, 0, 0, 0]; 3].concat();
    let good = visit::close(layout, &[0; 8232]);
    assert!(decode_pair(table::VISITS, layout, &key, &good).header.fields.get("raw").is_none());
    let mut padded = good.clone();
    padded[4] = 0x7f;
    assert!(decode_pair(table::VISITS, layout, &key, &padded).header.fields.get("raw").is_none());
    let changes: [fn(&mut Vec<u8>); 6] = [
        |value| value[8] ^= 1,
        |value| value[16] ^= 1,
        |value| value[14] = 0xff,
        |value| value.push(0),
        |value| value.truncate(20),
        |value| *value.last_mut().unwrap() ^= 1,
    ];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(decode_pair(table::VISITS, layout, &key, &bad).header.fields.bytes("raw"), Some(bad.as_slice()));
        assert_same_bytes(table::VISITS, layout, &key, &bad);
    }
}
