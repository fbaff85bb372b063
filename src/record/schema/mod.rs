//! What each kind of record has: its key, its fields, its body (`format-spec/record.md`, section 5). One table.

mod check;

pub use check::{SchemaError, check};

use super::Kind;

/// What a part of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartType {
    /// A number within a signed range of so many bits.
    Number(u32),
    /// A number of 0 or more, of so many bits.
    Unsigned(u32),
    /// A name.
    Name,
}

/// What the value of a field can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// An integer of so many bits with a sign.
    Signed(u32),
    /// An integer of so many bits without a sign.
    Unsigned(u32),
    /// A string of at most so many bytes, UTF-8 or not.
    Text(usize),
    /// Bytes that are no text, at most so many.
    Binary(usize),
    /// An owner or group.
    Owner,
}

/// A field of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in the header: that of Citadel's `server.h` without its prefix, where the field is one of a C struct.
    pub name: &'static str,
    /// What it can hold.
    pub field_type: FieldType,
    /// Whether every record of the kind has it (but those with a `raw` field, which have nothing else).
    pub required: bool,
}

/// Whether records of a kind have a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// Never.
    Never,
    /// Some have one.
    Optional,
    /// Always.
    Always,
}

/// What records of one kind look like.
#[derive(Debug)]
pub struct Schema {
    /// The parts of the key.
    pub key: &'static [PartType],
    /// The fields.
    pub fields: &'static [Field],
    /// The body.
    pub body: BodyRule,
}

use FieldType::{Binary, Owner, Signed, Text, Unsigned};

const fn required(name: &'static str, field_type: FieldType) -> Field {
    Field { name, field_type, required: true }
}

const fn optional(name: &'static str, field_type: FieldType) -> Field {
    Field { name, field_type, required: false }
}

/// The longest value that is kept as a `raw` field; a longer one is a `table` record.
pub const MAX_RAW_BYTES: usize = 4096;

/// Present instead of all other fields when the value in the table could not be understood.
const RAW: Field = optional("raw", Binary(MAX_RAW_BYTES));

const PATH_BYTES: usize = 4352;

/// Where the `config` records of a site before release 902 come from: their field `origin`.
pub const CONFIG_FILE: &[u8] = b"citadel.config";

/// The file whose numbers stand in its `control` record.
pub const CONTROL_FILE: &[u8] = b"citadel.control";

/// The file whose entries are `refcount` records.
pub const REFCOUNT_FILE: &[u8] = b"refcount_adjustments.dat";

static CONFIG: Schema =
    Schema { key: &[PartType::Name], fields: &[optional("origin", Text(14))], body: BodyRule::Always };

static CONTROL: Schema = Schema {
    key: &[PartType::Name],
    fields: &[
        required("mode", Unsigned(16)),
        required("mtime", Signed(64)),
        required("mtime_ns", Unsigned(30)),
        optional("owner", Owner),
        optional("group", Owner),
        optional("highest", Signed(64)),
        optional("flags", Unsigned(32)),
        optional("nextuser", Signed(64)),
        optional("nextroom", Signed(64)),
        optional("version", Signed(32)),
        optional("fulltext_wordbreaker", Signed(32)),
        optional("fulltext", Signed(64)),
        optional("dbversion", Signed(32)),
    ],
    body: BodyRule::Never,
};

static REFCOUNT: Schema = Schema {
    key: &[PartType::Number(64)],
    fields: &[required("msgnum", Signed(64)), required("delta", Signed(32))],
    body: BodyRule::Never,
};

static FLOOR: Schema = Schema {
    key: &[PartType::Number(32)],
    fields: &[
        required("flags", Unsigned(16)),
        required("name", Text(256)),
        required("ref_count", Signed(32)),
        required("ep_mode", Signed(32)),
        required("ep_value", Signed(32)),
        RAW,
    ],
    body: BodyRule::Never,
};

static USER: Schema = Schema {
    key: &[PartType::Name],
    fields: &[
        required("version", Signed(32)),
        required("uid", Unsigned(32)),
        required("password", Text(32)),
        required("flags", Unsigned(32)),
        required("timescalled", Signed(64)),
        required("posted", Signed(64)),
        required("axlevel", Unsigned(8)),
        required("usernum", Signed(64)),
        required("lastcall", Signed(64)),
        required("userpurge", Signed(32)),
        required("fullname", Text(64)),
        optional("screenwidth", Unsigned(8)),
        optional("screenheight", Unsigned(8)),
        required("msgnum_bio", Signed(64)),
        required("msgnum_pic", Signed(64)),
        required("emailaddrs", Text(512)),
        required("msgnum_inboxrules", Signed(64)),
        required("lastproc_inboxrules", Signed(64)),
        RAW,
    ],
    body: BodyRule::Never,
};

static ROOM: Schema = Schema {
    key: &[PartType::Name],
    fields: &[
        required("name", Text(128)),
        required("passwd", Text(10)),
        required("roomaide", Signed(64)),
        required("highest", Signed(64)),
        required("gen", Signed(64)),
        required("flags", Unsigned(32)),
        required("dirname", Text(15)),
        required("msgnum_info", Signed(64)),
        required("floor", Signed(8)),
        required("mtime", Signed(64)),
        required("ep_mode", Signed(32)),
        required("ep_value", Signed(32)),
        required("number", Signed(64)),
        required("order", Signed(8)),
        required("flags2", Unsigned(32)),
        required("defaultview", Signed(32)),
        required("msgnum_pic", Signed(64)),
        RAW,
    ],
    body: BodyRule::Optional,
};

static LIST: Schema = Schema { key: &[PartType::Number(64)], fields: &[], body: BodyRule::Always };

static VISIT: Schema = Schema {
    key: &[PartType::Number(64), PartType::Number(64), PartType::Number(64)],
    fields: &[
        required("lastseen", Signed(64)),
        required("flags", Unsigned(32)),
        required("seen", Text(4096)),
        required("answered", Text(4096)),
        required("view", Signed(32)),
        RAW,
    ],
    body: BodyRule::Never,
};

static USE: Schema =
    Schema { key: &[PartType::Number(32)], fields: &[required("time", Signed(64)), RAW], body: BodyRule::Never };

static USEID: Schema =
    Schema { key: &[PartType::Name], fields: &[required("time", Signed(64)), RAW], body: BodyRule::Never };

static DIRECTORY: Schema =
    Schema { key: &[PartType::Name], fields: &[required("user", Text(4096)), RAW], body: BodyRule::Never };

static OPENID: Schema =
    Schema { key: &[PartType::Name], fields: &[required("usernum", Signed(64)), RAW], body: BodyRule::Never };

static EUID: Schema = Schema {
    key: &[PartType::Number(64), PartType::Name],
    fields: &[required("msgnum", Signed(64)), RAW],
    body: BodyRule::Never,
};

static USERNUMBER: Schema =
    Schema { key: &[PartType::Number(64)], fields: &[required("user", Text(4096)), RAW], body: BodyRule::Never };

static FULLTEXT: Schema = Schema { key: &[PartType::Number(32)], fields: &[], body: BodyRule::Always };

static TABLE: Schema = Schema { key: &[PartType::Unsigned(8), PartType::Name], fields: &[], body: BodyRule::Always };

static MESSAGE: Schema = Schema {
    key: &[PartType::Number(64)],
    fields: &[
        optional("entry", Unsigned(32)),
        optional("big", Unsigned(32)),
        optional("refcount", Signed(32)),
        optional("content_type", Text(64)),
        optional("rfc822_length", Signed(64)),
        optional("mimetype", Text(64)),
        optional("raw_metadata", Binary(MAX_RAW_BYTES)),
    ],
    body: BodyRule::Optional,
};

static FILE: Schema = Schema {
    key: &[PartType::Name],
    fields: &[
        required("type", Text(9)),
        optional("mode", Unsigned(16)),
        optional("mtime", Signed(64)),
        optional("mtime_ns", Unsigned(30)),
        optional("owner", Owner),
        optional("group", Owner),
        optional("target", Text(PATH_BYTES)),
    ],
    body: BodyRule::Optional,
};

static LOG: Schema = Schema {
    key: &[PartType::Name],
    fields: &[
        required("mode", Unsigned(16)),
        required("mtime", Signed(64)),
        required("mtime_ns", Unsigned(30)),
        optional("owner", Owner),
        optional("group", Owner),
    ],
    body: BodyRule::Always,
};

static LOSS: Schema = Schema { key: &[PartType::Name], fields: &[required("why", Text(4096))], body: BodyRule::Never };

static OMITTED: Schema =
    Schema { key: &[PartType::Name], fields: &[required("why", Text(4096))], body: BodyRule::Never };

/// The schema of a kind.
pub fn of(kind: Kind) -> &'static Schema {
    match kind {
        Kind::Config => &CONFIG,
        Kind::Control => &CONTROL,
        Kind::Refcount => &REFCOUNT,
        Kind::Floor => &FLOOR,
        Kind::User => &USER,
        Kind::Room => &ROOM,
        Kind::List => &LIST,
        Kind::Visit => &VISIT,
        Kind::Use => &USE,
        Kind::Useid => &USEID,
        Kind::Directory => &DIRECTORY,
        Kind::Openid => &OPENID,
        Kind::Euid => &EUID,
        Kind::Usernumber => &USERNUMBER,
        Kind::Fulltext => &FULLTEXT,
        Kind::Table => &TABLE,
        Kind::Message => &MESSAGE,
        Kind::File => &FILE,
        Kind::Log => &LOG,
        Kind::Loss => &LOSS,
        Kind::Omitted => &OMITTED,
    }
}
