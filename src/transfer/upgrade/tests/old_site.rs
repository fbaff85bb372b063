//! A made-up site of release 772 in an archive, and a sink that keeps what it gets.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use crate::archive::{Options, Writer};
use crate::codec::{Digest, RecordHasher};
use crate::endpoint::{Failure, Sink, Source};
use crate::monitor::Silent;
use crate::record::{Body, End, Fields, Header, Key, Kind, Layout, Root, SiteInfo, Snapshot, Value, schema};

fn site() -> SiteInfo {
    SiteInfo {
        tool: "test".into(),
        node: b"old".to_vec(),
        fqdn: b"old.example.org".to_vec(),
        release: 772,
        release_by: None,
        layout: Layout::LP64_LITTLE,
        layout_by: None,
        without: Vec::new(),
        snapshot: Snapshot { method: "made up".into(), proof: String::new(), taken: 1_795_500_000 },
        root: Root { mode: 0o755, owner: None, group: None },
    }
}

/// A record of which the fields that are not given are 0 or empty.
fn record(kind: Kind, key: Key, given: &[(&'static str, Value)], body: Option<Vec<u8>>) -> (Header, Vec<u8>) {
    let mut fields = Fields::new();
    for field in schema::of(kind).fields.iter().filter(|field| field.required) {
        match field.field_type {
            schema::FieldType::Text(_) => fields.set_string(field.name, ""),
            _ => fields.set_int(field.name, 0),
        }
    }
    given.iter().for_each(|(name, value)| fields.set(name, value.clone()));
    let (inline, rest) = match body {
        Some(body) if body.len() > kind.inline_body_bytes() => (Some(Body::Segments(body.len() as u64)), body),
        body => (body.map(Body::Inline), Vec::new()),
    };
    (Header { kind, key, fields, body: inline, residue: None }, rest)
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn number(number: i64) -> Value {
    Value::Int(number)
}

fn setting(name: &str, value: &str) -> (Header, Vec<u8>) {
    record(Kind::Config, Key::name(name), &[("origin", text("citadel.config"))], Some(value.into()))
}

fn user(key: &str, name: &str, number_of: i64) -> (Header, Vec<u8>) {
    let screen = [("screenwidth", number(80)), ("screenheight", number(24))];
    let fields = [[("fullname", text(name)), ("usernum", number(number_of))], screen].concat();
    record(Kind::User, Key::name(key), &fields, None)
}

pub(super) fn room(name: &str, number_of: i64, list: &[i64]) -> (Header, Vec<u8>) {
    let body = list.iter().flat_map(|number| number.to_be_bytes()).collect();
    let fields = [("name", text(name)), ("number", number(number_of)), ("msgnum_info", number(77))];
    record(Kind::Room, Key::name(name.to_ascii_lowercase()), &fields, Some(body))
}

fn message(number_of: i64, content_type: &str, refcount: i64, text_of: &str) -> (Header, Vec<u8>) {
    let entry = [b"\xffA\x04T1\0M", text_of.as_bytes(), b"\0"].concat();
    let fields = [
        ("entry", number(entry.len() as i64)),
        ("refcount", number(refcount)),
        ("content_type", text(content_type)),
        ("rfc822_length", number(1)),
        ("mimetype", text("")),
    ];
    record(Kind::Message, Key::number(number_of), &fields, Some(entry))
}

pub(super) fn file(path: &str, content: &[u8]) -> (Header, Vec<u8>) {
    let fields =
        [("type", text("file")), ("mode", number(0o644)), ("mtime", number(1_700_000_000)), ("mtime_ns", number(0))];
    record(Kind::File, Key::name(path), &fields, Some(content.to_vec()))
}

pub(super) fn old_site() -> Vec<(Header, Vec<u8>)> {
    let control = [
        ("highest", number(500)),
        ("flags", number(4)),
        ("nextuser", number(9)),
        ("nextroom", number(5)),
        ("version", number(772)),
        ("fulltext_wordbreaker", number(33)),
        ("fulltext", number(490)),
        ("dbversion", number(5_003_028)),
    ];
    let card = "Content-type: text/x-vcard\n\nbegin:vcard\nemail;internet:bob@old.example.org\nemail;internet:bob@elsewhere.org\nend:vcard\n";
    let long: Vec<u8> = (0..100_000u32).map(|number| (number % 251) as u8).collect();
    vec![
        setting("c_ep_mode", "0"),
        setting("c_fqdn", "old.example.org"),
        setting("c_ipgm_secret", "12345"),
        setting("c_phonenum", "US 555"),
        record(Kind::Control, Key::name("citadel.config"), &[], None),
        record(Kind::Control, Key::name("citadel.control"), &control, None),
        record(Kind::Refcount, Key::number(0), &[("msgnum", number(10)), ("delta", number(-1))], None),
        record(Kind::Refcount, Key::number(1), &[("msgnum", number(11)), ("delta", number(1))], None),
        user("bob builder", "Bob Builder", 3),
        user("bob-builder", "Bob-Builder", 4),
        user("日本", "日本", 5),
        room("0000000003.My Citadel Config", 8, &[12]),
        room("Local System Configuration", 4, &[]),
        room("Lobby", 1, &[11]),
        record(Kind::Useid, Key::name("<1@2>"), &[("time", number(7))], None),
        record(Kind::Useid, Key::name("rss/item-0"), &[("time", number(7))], None),
        record(Kind::Directory, Key::name("x@old.example.org"), &[("user", text("x @ old"))], None),
        record(Kind::Openid, Key::name("http://x/"), &[("usernum", number(3))], None),
        record(Kind::Usernumber, Key::number(3), &[("user", text("Bob Builder"))], None),
        record(Kind::Fulltext, Key::number(1), &[], Some(10i64.to_be_bytes().to_vec())),
        message(10, "text/plain", 1, "gone"),
        message(11, "text/plain", 1, "here"),
        message(12, "text/x-vcard", 1, card),
        message(501, "text/plain", 1, "above all counters"),
        record(Kind::File, Key::name("bio"), &[("type", text("directory")), ("mode", number(0o755))], None),
        file("bio/3", b"I am Bob"),
        file("bio/5", b""),
        file("images/1", b"\x89PNG\r\n\x1a\n and so on"),
        file("images/floor.1.gif", b"GIF89a"),
        file("info/1", b"Welcome"),
        file("info/99", b"of no room"),
        file("netconfigs/1", b"lastsent|5\nignet_push_share|node|room\n"),
        file("netconfigs/x", b"garbage"),
        file("network/mail.aliases", b"team,alice,Bob Builder\n"),
        file("userpics/3.gif", &long),
        file("userpics/77.gif", b"of nobody"),
    ]
}

struct Rows {
    site: SiteInfo,
    rows: std::vec::IntoIter<(Header, Vec<u8>)>,
    rest: Vec<u8>,
    hasher: RecordHasher,
}

impl Source for Rows {
    fn site(&self) -> &SiteInfo {
        &self.site
    }

    fn next(&mut self) -> Result<Option<Header>, Failure> {
        let Some((header, rest)) = self.rows.next() else { return Ok(None) };
        schema::check(&header).unwrap();
        self.hasher.begin(&header);
        self.rest = rest;
        Ok(Some(header))
    }

    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        let later = self.rest.split_off(self.rest.len().min(65_536));
        *segment = std::mem::replace(&mut self.rest, later);
        self.hasher.body(segment);
        Ok(!segment.is_empty())
    }

    fn digest(&self) -> Digest {
        self.hasher.digest()
    }

    fn finish(&mut self) -> Result<End, Failure> {
        Ok(End::default())
    }
}

pub(super) fn archive_of(mut rows: Vec<(Header, Vec<u8>)>) -> File {
    rows.sort_by(|a, b| (a.0.kind, &a.0.key).cmp(&(b.0.kind, &b.0.key)));
    let mut source = Rows { site: site(), rows: rows.into_iter(), rest: Vec::new(), hasher: RecordHasher::default() };
    let mut writer = Writer::new(Vec::new(), Options::default());
    crate::transfer::copy(&mut source, &mut writer, &Silent).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&writer.into_output()).unwrap();
    file
}

/// Takes all records, and checks what every sink relies on: canonical order, the schema, lengths, digests.
#[derive(Default)]
pub(super) struct Taken {
    pub records: BTreeMap<(Kind, String), (Header, Vec<u8>)>,
    last: Option<(Kind, Key)>,
    present: Option<(Header, Vec<u8>)>,
}

impl Sink for Taken {
    fn begin(&mut self, site: &SiteInfo) -> Result<(), Failure> {
        assert_eq!(site.release, 980);
        Ok(())
    }

    fn record(&mut self, header: &Header) -> Result<(), Failure> {
        schema::check(header).unwrap();
        let limit = header.kind.inline_body_bytes();
        let fits =
            header.body.as_ref().is_none_or(|body| matches!(body, Body::Inline(_)) == (body.length() <= limit as u64));
        assert!(fits, "{} {}: a body in the wrong place", header.kind, header.key);
        let this = (header.kind, header.key.clone());
        assert!(self.last.as_ref().is_none_or(|last| *last < this), "{:?} before {this:?}", self.last);
        self.last = Some(this);
        let body = match &header.body {
            Some(Body::Inline(bytes)) => bytes.clone(),
            _ => Vec::new(),
        };
        self.present = Some((header.clone(), body));
        Ok(())
    }

    fn segment(&mut self, segment: &[u8]) -> Result<(), Failure> {
        self.present.as_mut().unwrap().1.extend_from_slice(segment);
        Ok(())
    }

    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure> {
        let (header, body) = self.present.take().unwrap();
        assert_eq!(header.body.as_ref().map_or(0, Body::length), body.len() as u64, "{}", header.key);
        let mut hasher = RecordHasher::default();
        hasher.begin(&header);
        if matches!(header.body, Some(Body::Segments(_))) {
            hasher.body(&body);
        }
        assert_eq!(hasher.digest(), *digest, "{} {}", header.kind, header.key);
        self.records.insert((header.kind, header.key.to_string()), (header, body));
        Ok(())
    }

    fn finish(&mut self, _end: &End) -> Result<(), Failure> {
        Ok(())
    }
}

impl Taken {
    pub fn get(&self, kind: Kind, key: &str) -> &(Header, Vec<u8>) {
        self.records.get(&(kind, key.to_owned())).unwrap_or_else(|| panic!("no {kind} {key}"))
    }

    pub fn setting(&self, name: &str) -> &str {
        std::str::from_utf8(&self.get(Kind::Config, name).1).unwrap()
    }

    pub fn int(&self, kind: Kind, key: &str, field: &str) -> Option<i64> {
        self.get(kind, key).0.fields.int(field)
    }

    pub fn has(&self, kind: Kind, key: &str) -> bool {
        self.records.contains_key(&(kind, key.to_owned()))
    }

    pub fn list(&self, room: &str) -> Vec<i64> {
        self.get(Kind::Room, room).1.as_chunks::<8>().0.iter().map(|bytes| i64::from_be_bytes(*bytes)).collect()
    }
}

/// The same with two more accounts and their mail filters: an active script, and rules that are switched off.
pub(super) fn old_site_with_filters() -> Vec<(Header, Vec<u8>)> {
    const TYPE: &str = "application/x-citadel-sieve-config";
    let filter = |scripts: &str| {
        let separator = "\n-=<CtdlSieveConfigSeparator>=-\n";
        format!("Content-type: {TYPE}\n\n{separator}lastproc|0{separator}{scripts}{separator}")
    };
    let mut rows = old_site();
    let mut insert = |behind: Key, row: (Header, Vec<u8>)| {
        let at = rows.iter().position(|(header, _)| header.kind == row.0.kind && header.key == behind).unwrap();
        rows.insert(at + 1, row);
    };
    insert(Key::name("日本"), user("日本 a", "日本 a", 6));
    insert(Key::name("日本 a"), user("日本 b", "日本 b", 7));
    insert(Key::name("0000000003.my citadel config"), room("0000000006.My Citadel Config", 9, &[13]));
    insert(Key::name("0000000006.my citadel config"), room("0000000007.My Citadel Config", 10, &[14]));
    insert(Key::number(12), message(13, TYPE, 1, &filter("script|mine|1|discard;\n")));
    insert(Key::number(13), message(14, TYPE, 1, &filter("script|rules|0|# WEBCIT_RULE|0|MHxz|\ndiscard;\n")));
    rows
}
