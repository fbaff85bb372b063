//! Records of every kind, made up.

use ctdl_dump::record::schema::{self, BodyRule, FieldType, PartType};
use ctdl_dump::record::{
    Body, Fields, Header, Key, KeyPart, Kind, Layout, Owner, Residue, Root, SiteInfo, Snapshot, Value,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A record with its body, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub header: Header,
    pub body: Vec<u8>,
}

impl Record {
    pub fn new(kind: Kind, key: Key, fields: Fields, body: Option<Vec<u8>>) -> Self {
        let header_body = body.as_ref().map(|body| match body.len() {
            length if length <= kind.inline_body_bytes() => Body::Inline(body.clone()),
            length => Body::Segments(length as u64),
        });
        let header = Header { kind, key, fields, body: header_body, residue: None };
        schema::check(&header).unwrap();
        Record { header, body: body.unwrap_or_default() }
    }

    /// A setting, which is the simplest record there is.
    pub fn config(name: &str, value: &[u8]) -> Self {
        Record::new(Kind::Config, Key::name(name), Fields::new(), Some(value.to_vec()))
    }

    /// A bucket of the full text index.
    pub fn fulltext(bucket: i64, numbers: &[i64]) -> Self {
        let body = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        Record::new(Kind::Fulltext, Key::number(bucket), Fields::new(), Some(body))
    }

    /// A message without metadata.
    pub fn message(number: i64, body: Vec<u8>) -> Self {
        let mut fields = Fields::new();
        fields.set_int("entry", body.len() as i64);
        Record::new(Kind::Message, Key::number(number), fields, Some(body))
    }
}

pub fn site() -> SiteInfo {
    SiteInfo {
        tool: "ctdl-dump test".to_owned(),
        node: b"uncensored".to_vec(),
        fqdn: b"uncensored.example.org".to_vec(),
        release: 980,
        release_by: None,
        layout: Layout::LP64_LITTLE,
        layout_by: None,
        without: Vec::new(),
        snapshot: Snapshot { method: "made up".to_owned(), proof: "none".to_owned(), taken: 1_700_000_000 },
        root: Root { mode: 0o755, owner: None, group: Some(Owner { number: 7, name: "seven".to_owned() }) },
    }
}

/// Bytes that don't compress, the same for the same seed.
pub fn packed(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Numbers that rise by little, as those of messages do; the same for the same seed.
pub fn rising(count: usize, seed: u64) -> Vec<i64> {
    let steps = packed(count, seed);
    steps.iter().scan(0, |sum, step| Some(std::mem::replace(sum, *sum + 1 + i64::from(*step) / 100))).collect()
}

/// A mail with an attachment, in lines of 76 characters.
pub fn attachment(content: &[u8], end: &str) -> Vec<u8> {
    let mut mail = format!("Content-Transfer-Encoding: base64{end}{end}").into_bytes();
    for line in base64_simd::STANDARD.encode_to_string(content).as_bytes().chunks(76) {
        mail.extend_from_slice(line);
        mail.extend_from_slice(end.as_bytes());
    }
    mail.extend_from_slice(format!("{end}--end{end}").as_bytes());
    mail
}

/// Bytes that compress about as text does, the same for the same seed.
pub fn body(length: usize, seed: u64) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "lobby ",
        "room ",
        "the ",
        "of ",
        "a ",
        "message ",
        "citadel ",
        "and ",
        "floor ",
        "is ",
        "to ",
        "in ",
        "mail ",
        "\u{fc}ber ",
        "we ",
        "\r\n",
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 16);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(WORDS[(state >> 60) as usize].as_bytes());
        bytes.push(b'a' + (state >> 32) as u8 % 26);
    }
    bytes.truncate(length);
    bytes
}

/// Messages enough for several frames, blocks, groups and index segments; some long.
pub fn many() -> Vec<Record> {
    (1..30_000i64)
        .map(|number| {
            let length = match number % 1000 {
                0 => 200_000,
                500 => 2_500_000,
                _ => 100 + (number * 37 % 1500) as usize,
            };
            Record::message(number, body(length, number as u64))
        })
        .collect()
}

/// Lengths around every edge there is.
fn any_length(most: usize) -> impl Strategy<Value = usize> {
    let edges: Vec<usize> = [0, 1, 7, 8, 4096, 4097, 32_768, 32_776, 65_535, 65_536, 65_537, 131_072, 3 << 20]
        .into_iter()
        .filter(|length| *length <= most)
        .collect();
    prop_oneof![3 => 0usize..300, 1 => prop::sample::select(edges)]
}

/// Any record of any kind whose body has at most so many bytes.
pub fn any_record(most_body_bytes: usize) -> impl Strategy<Value = Record> {
    prop::sample::select(Kind::ALL.to_vec()).prop_flat_map(move |kind| any_record_of(kind, most_body_bytes))
}

/// Any records in canonical order, none twice.
pub fn any_records(most: usize, most_body_bytes: usize) -> impl Strategy<Value = Vec<Record>> {
    vec(any_record(most_body_bytes), 0..most).prop_map(sorted)
}

pub fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    let order = |record: &Record| (record.header.kind, record.header.key.clone());
    records.sort_by_key(order);
    records.dedup_by_key(|record| order(record));
    records
}

/// Any record of a kind.
pub fn any_record_of(kind: Kind, most_body_bytes: usize) -> BoxedStrategy<Record> {
    let schema = schema::of(kind);
    let key: Vec<_> = schema.key.iter().map(|part| any_part(*part)).collect();
    let fields: Vec<_> = schema
        .fields
        .iter()
        .map(|field| (any::<bool>(), any_value(field.field_type)).prop_map(move |(there, value)| (field, there, value)))
        .collect();
    let has_body = match schema.body {
        BodyRule::Never => Just(false).boxed(),
        BodyRule::Optional => any::<bool>().boxed(),
        BodyRule::Always => Just(true).boxed(),
    };
    (key, fields, has_body, any_length(most_body_bytes), any::<u64>(), option::weighted(0.2, any_residue()))
        .prop_map(move |(key, fields, has_body, length, seed, residue)| {
            let mut set = Fields::new();
            let raw = fields.iter().find(|(field, there, _)| *there && field.name == "raw" && seed % 7 == 0);
            match raw {
                Some((field, _, value)) => set.set(field.name, value.clone()),
                None => fields
                    .iter()
                    .filter(|(field, there, _)| field.required || (*there && field.name != "raw"))
                    .for_each(|(field, _, value)| set.set(field.name, value.clone())),
            }
            let mut key = Key::new(key);
            let mut length = has_body.then_some(length);
            fit(kind, &mut key, &mut set, &mut length);
            let body = |length: usize| match kind.has_numbers() && seed % 4 > 0 {
                true => rising(length / 8, seed).iter().flat_map(|number| number.to_be_bytes()).collect(),
                false => body(length, seed),
            };
            let mut record = Record::new(kind, key, set, length.map(body));
            if raw.is_none() {
                record.header.residue = residue;
            }
            record
        })
        .boxed()
}

/// Makes a made-up record obey the rules that concern several fields.
fn fit(kind: Kind, key: &mut Key, fields: &mut Fields, length: &mut Option<usize>) {
    match kind {
        Kind::Config if fields.get("origin").is_some() => fields.set_string("origin", schema::CONFIG_FILE),
        Kind::Control => fit_control(key, fields),
        Kind::Refcount => *key = Key::number(key.first_number().unwrap() & i64::MAX),
        Kind::User => {
            if fields.get("raw").is_none() && fields.get("screenwidth").is_some() {
                fields.set_int("screenheight", 24);
            } else {
                fields.remove("screenheight");
            }
        }
        Kind::Room | Kind::List | Kind::Fulltext => *length = length.map(|length| length / 8 * 8),
        Kind::Message => {
            *key = Key::number(key.first_number().unwrap().checked_abs().unwrap_or(1).max(1));
            for name in ["entry", "big", "raw_metadata"] {
                fields.remove(name);
            }
            if let Some(length) = *length {
                fields.set_int("entry", length as i64 / 3);
                fields.set_int("big", length as i64 - length as i64 / 3);
            }
            for (name, value) in [
                ("refcount", Value::Int(1)),
                ("content_type", Value::String(Vec::new())),
                ("rfc822_length", Value::Int(-1)),
            ] {
                fields.set(name, value);
            }
        }
        Kind::File => {
            let is_link = fields.get("target").is_some();
            let name = match (is_link, &length) {
                (true, _) => "link",
                (false, Some(_)) => "file",
                (false, None) => "directory",
            };
            fields.set_string("type", name);
        }
        _ => {}
    }
}

/// The numbers are those of `citadel.control` alone.
fn fit_control(key: &mut Key, fields: &mut Fields) {
    const NUMBERS: [&str; 8] =
        ["highest", "flags", "nextuser", "nextroom", "version", "fulltext_wordbreaker", "fulltext", "dbversion"];
    let version = fields.int("version").unwrap_or(0);
    NUMBERS.iter().for_each(|name| fields.remove(name));
    if version == 0 {
        *key = Key::name(schema::REFCOUNT_FILE);
        return;
    }
    *key = Key::name(schema::CONTROL_FILE);
    let numbers = if version >= 737 { &NUMBERS[..] } else { &NUMBERS[..7] };
    numbers.iter().for_each(|name| fields.set_int(name, 5));
    fields.set_int("version", version);
}

fn any_part(part: PartType) -> BoxedStrategy<KeyPart> {
    match part {
        PartType::Number(bits) => any_signed(bits).prop_map(KeyPart::Number).boxed(),
        PartType::Unsigned(bits) => any_unsigned(bits).prop_map(KeyPart::Number).boxed(),
        PartType::Name => any_bytes(300).prop_map(KeyPart::Name).boxed(),
    }
}

fn any_value(field_type: FieldType) -> BoxedStrategy<Value> {
    match field_type {
        FieldType::Signed(bits) => any_signed(bits).prop_map(Value::Int).boxed(),
        FieldType::Unsigned(bits) => any_unsigned(bits).prop_map(Value::Int).boxed(),
        FieldType::Text(most) => any_bytes(most.min(300)).prop_map(Value::String).boxed(),
        FieldType::Binary(most) => any_bytes(most.min(300)).prop_map(Value::Binary).boxed(),
        FieldType::Owner => {
            (any::<u32>(), "[a-z]{0,8}").prop_map(|(number, name)| Value::Owner(Owner { number, name })).boxed()
        }
    }
}

/// Bytes that are text as often as not.
fn any_bytes(most: usize) -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        "\\PC{0,20}".prop_map(move |text| { if text.len() <= most { text.into_bytes() } else { Vec::new() } }),
        vec(any::<u8>(), 0..=most.min(40)),
        vec(any::<u8>(), most),
    ]
    .boxed()
}

fn any_signed(bits: u32) -> BoxedStrategy<i64> {
    let most = i64::MAX >> (64 - bits);
    prop_oneof![-9i64..9, -most - 1..=most].prop_map(move |number| number.clamp(-most - 1, most)).boxed()
}

fn any_unsigned(bits: u32) -> BoxedStrategy<i64> {
    let most = (1i64 << bits) - 1;
    prop_oneof![0i64..9, 0..=most].boxed()
}

fn any_residue() -> impl Strategy<Value = Residue> {
    (any::<Vec<u8>>(), any::<Vec<u8>>(), any::<bool>()).prop_map(|(encoded, mut actual, uncompressed)| {
        actual.push(1);
        let mut residue = Residue::between(&encoded, &actual);
        residue.uncompressed = uncompressed || residue.is_empty();
        residue
    })
}
