//! The C structs of Citadel's tables, as a table: members, and the releases that have them. Padding is what no member covers.

use super::ctype::CType::{Char, Int, Long, Text, Time, Unsigned, UnsignedChar, UnsignedShort};
use super::ctype::{CType, StructField, StructLayout};

/// A member that all releases have.
pub(super) const fn always(name: &'static str, c_type: CType) -> StructField {
    StructField { name, c_type, since: 0, until: i64::MAX }
}

/// A member that came with a release.
pub(super) const fn since(since: i64, name: &'static str, c_type: CType) -> StructField {
    StructField { name, c_type, since, until: i64::MAX }
}

/// A member that was gone after a release.
pub(super) const fn until(until: i64, name: &'static str, c_type: CType) -> StructField {
    StructField { name, c_type, since: 0, until }
}

/// The last releases whose users have the size of a screen, and whose metadata have a guessed type: what came next were 789 and 922.
pub(super) const LAST_WITH_SCREEN: i64 = 788;
pub(super) const LAST_WITH_MIMETYPE: i64 = 921;

/// The first release whose table of what was seen before has numbers as keys.
pub(super) const FIRST_WITH_USE_NUMBERS: i64 = 975;

/// `struct ctdluser`, table 01.
pub static USER: StructLayout = StructLayout {
    name: "ctdluser",
    head: &[],
    fields: &[
        always("version", Int),
        always("uid", Unsigned),
        always("password", Text(32)),
        always("flags", Unsigned),
        always("timescalled", Long),
        always("posted", Long),
        always("axlevel", UnsignedChar),
        always("usernum", Long),
        always("lastcall", Time),
        always("userpurge", Int),
        always("fullname", Text(64)),
        until(LAST_WITH_SCREEN, "screenwidth", UnsignedChar),
        until(LAST_WITH_SCREEN, "screenheight", UnsignedChar),
        since(902, "msgnum_bio", Long),
        since(902, "msgnum_pic", Long),
        since(912, "emailaddrs", Text(512)),
        since(930, "msgnum_inboxrules", Long),
        since(930, "lastproc_inboxrules", Long),
    ],
    least: "uid",
};

/// `struct ctdlroom`, table 02.
pub static ROOM: StructLayout = StructLayout {
    name: "ctdlroom",
    head: &[],
    fields: &[
        always("name", Text(128)),
        always("passwd", Text(10)),
        always("roomaide", Long),
        always("highest", Long),
        always("gen", Time),
        always("flags", Unsigned),
        always("dirname", Text(15)),
        always("msgnum_info", Long),
        always("floor", Char),
        always("mtime", Time),
        always("ep_mode", Int),
        always("ep_value", Int),
        always("number", Long),
        always("order", Char),
        always("flags2", Unsigned),
        always("defaultview", Int),
        since(902, "msgnum_pic", Long),
    ],
    // Without its number a room can't be joined with its list.
    least: "number",
};

/// `struct floor`, table 03.
pub static FLOOR: StructLayout = StructLayout {
    name: "floor",
    head: &[],
    fields: &[
        always("flags", UnsignedShort),
        always("name", Text(256)),
        always("ref_count", Int),
        always("ep_mode", Int),
        always("ep_value", Int),
    ],
    least: "name",
};

/// `struct visit`, table 05, uncompressed.
pub static VISIT: StructLayout = StructLayout {
    name: "visit",
    head: &[Long, Long, Long],
    fields: &[
        always("lastseen", Long),
        always("flags", Unsigned),
        always("seen", Text(4096)),
        always("answered", Text(4096)),
        always("view", Int),
    ],
    least: "lastseen",
};

/// `struct MetaData`, table 00 under the negative number of the message.
pub static METADATA: StructLayout = StructLayout {
    name: "MetaData",
    head: &[Long],
    fields: &[
        always("refcount", Int),
        always("content_type", Text(64)),
        always("rfc822_length", Long),
        until(LAST_WITH_MIMETYPE, "mimetype", Text(64)),
    ],
    least: "refcount",
};

/// `struct UseTable`, table 07 since release 975.
pub static USE: StructLayout =
    StructLayout { name: "UseTable", head: &[Int], fields: &[always("time", Time)], least: "time" };

/// `struct UseTable` before.
pub static USEID: StructLayout =
    StructLayout { name: "UseTable", head: &[Text(4096)], fields: &[always("time", Time)], least: "time" };
