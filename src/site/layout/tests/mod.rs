//! Whatever the bytes: they come back.

mod cases;
mod real;
mod releases;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::record::schema;
use crate::record::{Body, ByteOrder, Fields, KeyPart, Kind, Layout, Model, Value};

const LAYOUTS: [Layout; 7] = [
    Layout { model: Model::Lp64, order: ByteOrder::Little },
    Layout { model: Model::Lp64, order: ByteOrder::Big },
    Layout { model: Model::Ilp32, order: ByteOrder::Little },
    Layout { model: Model::Ilp32, order: ByteOrder::Big },
    Layout { model: Model::Ilp32Time64I386, order: ByteOrder::Little },
    Layout { model: Model::Ilp32Time64, order: ByteOrder::Little },
    Layout { model: Model::Ilp32Time64, order: ByteOrder::Big },
];

/// One release of each kind of struct.
const RELEASES: [i64; 8] = [706, 772, 789, 824, 902, 915, 930, 980];

static STRUCTS: [&StructLayout; 6] = [&USER, &ROOM, &FLOOR, &VISIT, &METADATA, &USE];

fn any_layout() -> impl Strategy<Value = Layout> {
    prop::sample::select(&LAYOUTS[..])
}

/// What a table holds after decoding and encoding; visits uncompressed.
fn there_and_back(table: u8, dialect: Dialect, key: &[u8], value: &[u8]) -> Pair {
    let decoded = decode_pair(table, dialect, key, value);
    schema::check(&decoded.header).unwrap();
    match &decoded.header.body {
        Some(Body::Inline(bytes)) => assert_eq!(bytes, decoded.body),
        Some(body) => assert_eq!(*body, Body::Segments(decoded.body.len() as u64)),
        None => assert!(decoded.body.is_empty()),
    }
    encode_pair(&decoded.header, decoded.body, dialect, true).unwrap()
}

fn assert_same_bytes(table: u8, dialect: impl Into<Dialect>, key: &[u8], value: &[u8]) {
    let dialect = dialect.into();
    let layout = dialect.layout;
    let pair = there_and_back(table, dialect, key, value);
    assert_eq!((pair.table, pair.key.as_slice()), (table, key));
    if table == table::VISITS {
        assert_eq!(visit::is_compressed(layout, &pair.value), visit::is_compressed(layout, value));
        assert_eq!(visit::open(layout, &pair.value), visit::open(layout, value));
    } else {
        assert_eq!(pair.value, value);
    }
}

fn any_dialect() -> impl Strategy<Value = Dialect> {
    (any_layout(), prop::sample::select(&RELEASES[..])).prop_map(|(layout, release)| Dialect { layout, release })
}

/// Fields of a struct of release 980, with numbers that fit all layouts.
fn any_fields(layout_of: &'static StructLayout) -> impl Strategy<Value = Fields> {
    any_fields_of(layout_of, 980)
}

/// Fields of a struct of a release, with numbers that fit all layouts.
fn any_fields_of(layout_of: &'static StructLayout, release: i64) -> impl Strategy<Value = Fields> {
    let members: Vec<_> = layout_of.fields.iter().filter(|field| field.until >= release).collect();
    let values: Vec<BoxedStrategy<Value>> = members
        .iter()
        .map(|field| match field.c_type {
            _ if field.since > release => Just(decode(layout_of, Dialect { release, ..LAYOUTS[0].into() }, &[]))
                .prop_map(|empty| empty.get(field.name).unwrap().clone())
                .boxed(),
            CType::Long | CType::Time | CType::Int => any::<i32>().prop_map(|n| Value::Int(n.into())).boxed(),
            CType::Unsigned => any::<u32>().prop_map(|n| Value::Int(n.into())).boxed(),
            CType::UnsignedShort => any::<u16>().prop_map(|n| Value::Int(n.into())).boxed(),
            CType::Char => any::<i8>().prop_map(|n| Value::Int(n.into())).boxed(),
            CType::UnsignedChar => any::<u8>().prop_map(|n| Value::Int(n.into())).boxed(),
            CType::UnusedLong | CType::Unused(_) => unreachable!("not in the structs of tables"),
            CType::Text(size) => {
                prop_oneof![vec(1u8.., 0..=size.min(200)), vec(1u8.., size)].prop_map(Value::String).boxed()
            }
        })
        .collect();
    values.prop_map(move |values| {
        let mut fields = Fields::new();
        for (field, value) in members.iter().zip(values) {
            fields.set(field.name, value);
        }
        fields
    })
}

/// A key that may or may not be one of the table, in that layout.
fn any_key(table: u8, layout: Layout) -> BoxedStrategy<Vec<u8>> {
    let word = layout.word_bytes();
    let likely = match table {
        table::FLOORS | table::USES | table::FULLTEXT => vec(any::<u8>(), 4).boxed(),
        table::VISITS => vec(any::<u8>(), 3 * word).boxed(),
        table::EUIDS => vec(any::<u8>(), word..60)
            .prop_map(|mut key| {
                key.push(0);
                key
            })
            .boxed(),
        table::USERS | table::ROOMS | table::DIRECTORY | table::OPENIDS | table::CONFIG => {
            vec(any::<u8>(), 0..60).boxed()
        }
        _ => vec(any::<u8>(), word).boxed(),
    };
    prop_oneof![4 => likely, 1 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 0..=4000)].boxed()
}

/// Mostly zeros and few different bytes, so that texts end and patches join.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..2000), vec(prop_oneof![8 => Just(0u8), 1 => any::<u8>()], 0..2000)]
}

fn any_pair() -> impl Strategy<Value = (u8, Dialect, Vec<u8>, Vec<u8>)> {
    (0u8..=table::COUNT, any_dialect())
        .prop_flat_map(|(table, dialect)| (Just(table), Just(dialect), any_key(table, dialect.layout), any_value()))
}

proptest! {
    #[test]
    fn any_fields_survive_the_struct_of_any_layout(
        (index, fields) in (0..STRUCTS.len()).prop_flat_map(|index| (Just(index), any_fields(STRUCTS[index]))),
        layout in any_layout(),
    ) {
        let layout_of = STRUCTS[index];
        let head = vec![KeyPart::Number(7); layout_of.head.len()];
        let value = encode(layout_of, layout, &head, &fields).unwrap();
        prop_assert_eq!(value.len(), layout_of.size(layout.into()));
        prop_assert_eq!(decode(layout_of, layout, &value), fields);
    }

    #[test]
    fn any_bytes_of_any_table_come_back_as_they_were((table, dialect, key, value) in any_pair()) {
        assert_same_bytes(table, dialect, &key, &value);
    }

    #[test]
    fn a_struct_with_a_few_changed_bytes_comes_back_as_it_was(
        (index, fields) in (0usize..5).prop_flat_map(|index| (Just(index), any_fields(STRUCTS[[0, 1, 2, 3, 5][index]]))),
        layout in any_layout(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        length in prop_oneof![3 => Just(None), 1 => (0usize..9000).prop_map(Some)],
        compressed in any::<bool>(),
    ) {
        let layout_of = STRUCTS[[0, 1, 2, 3, 5][index]];
        let table = [table::USERS, table::ROOMS, table::FLOORS, table::VISITS, table::USES][index];
        let word = layout.word_bytes();
        let key = vec![1; [5, 5, 4, 3 * word, 4][index]];
        let mut value = encode(layout_of, layout, &vec![KeyPart::Number(1); layout_of.head.len()], &fields).unwrap();
        for (index, byte) in changes {
            let at = index.index(value.len());
            value[at] = byte;
        }
        if let Some(length) = length {
            value.resize(length, 0);
        }
        if table == table::VISITS && compressed {
            value = visit::close(layout, &value);
        }
        assert_same_bytes(table, layout, &key, &value);
    }

    #[test]
    fn any_setting_comes_back_as_it_was(key in vec(any::<u8>(), 0..20), tail in vec(0u8..3, 0..60), layout in any_layout()) {
        let mut value = key.clone();
        value.push(0);
        value.extend_from_slice(&tail);
        assert_same_bytes(table::CONFIG, layout, &key, &value);
    }

    #[test]
    fn any_metadata_comes_back_as_it_was(number in 1..i32::MAX, value in any_value(), layout in any_layout()) {
        let number = i64::from(number);
        let metadata = decode_metadata(layout, number, &value).unwrap();
        let header = crate::record::Header {
            kind: Kind::Message,
            key: crate::record::Key::number(number),
            fields: metadata.fields,
            body: None,
            residue: metadata.residue,
        };
        schema::check(&header).unwrap();
        let pair = encode_metadata(&header, layout, true).unwrap().unwrap();
        prop_assert_eq!(parse_message_key(layout, &pair.key), Some(MessageKey::Metadata(number)));
        prop_assert_eq!(pair.value, value);
    }

    #[test]
    fn metadata_are_read_as_what_they_are_without_being_decoded(
        number in 1..i32::MAX, value in any_value(), layout in any_layout(), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let number = i64::from(number);
        let decoded = |value: &[u8]| {
            let mut fields = decode_metadata(layout, number, value).unwrap().fields;
            fields.set_int("entry", 7);
            fields
        };
        let fields = decoded(&value);
        let header = crate::record::Header {
            kind: Kind::Message,
            key: crate::record::Key::number(number),
            fields: fields.clone(),
            body: None,
            residue: None,
        };
        let mut value = encode_metadata(&header, layout, true).unwrap().unwrap().value;
        let is_raw = fields.get("raw_metadata").is_some();
        prop_assert_eq!(metadata_are(layout, &value, &fields), !is_raw);
        if !value.is_empty() {
            let index = at.index(value.len());
            value[index] = byte;
            prop_assert_eq!(metadata_are(layout, &value, &fields), !is_raw && decoded(&value) == fields);
            value.pop();
            prop_assert!(!metadata_are(layout, &value, &fields));
        }
    }

    #[test]
    fn a_record_is_the_same_whatever_layout_it_was_written_in(
        (index, fields) in (0usize..5).prop_flat_map(|index| (Just(index), any_fields(STRUCTS[[0, 1, 2, 3, 5][index]]))),
        from in any_layout(),
        to in any_layout(),
    ) {
        let kind = [Kind::User, Kind::Room, Kind::Floor, Kind::Visit, Kind::Use][index];
        let key = match kind {
            Kind::User | Kind::Room => crate::record::Key::name("somebody"),
            Kind::Visit => crate::record::Key::numbers([-1, 2, 3]),
            _ => crate::record::Key::number(-4),
        };
        let header = crate::record::Header { kind, key, fields, body: None, residue: None };
        let there = encode_pair(&header, &[], from, false).unwrap();
        let seen = decode_pair(there.table, from, &there.key, &there.value);
        prop_assert_eq!(&seen.header, &header);
        let over = encode_pair(&seen.header, seen.body, to, false).unwrap();
        prop_assert_eq!(decode_pair(over.table, to, &over.key, &over.value).header, header);
    }

    #[test]
    fn lists_cut_anywhere_survive(numbers in vec(any::<i32>(), 0..50), cuts in vec(1usize..20, 1..60), layout in any_layout()) {
        let in_pieces = |mut bytes: &[u8], take: &mut dyn FnMut(&[u8])| {
            for cut in cuts.iter().cycle() {
                let (piece, rest) = bytes.split_at((*cut).min(bytes.len()));
                take(piece);
                bytes = rest;
                if bytes.is_empty() {
                    break;
                }
            }
        };
        let body: Vec<u8> = numbers.iter().flat_map(|number| i64::from(*number).to_be_bytes()).collect();
        let (mut list, mut value) = (FromBody::new(layout), Vec::new());
        in_pieces(&body, &mut |piece| list.push(piece, &mut value).unwrap());
        list.finish().unwrap();
        prop_assert_eq!(list_value_bytes(layout, body.len() as u64), Some(value.len() as u64));
        prop_assert_eq!(list_body_bytes(layout, value.len() as u64), Some(body.len() as u64));
        let (mut list, mut again) = (ToBody::new(layout), Vec::new());
        in_pieces(&value, &mut |piece| list.push(piece, &mut again));
        prop_assert_eq!(again, body);
    }
}
