//! The C structs of release 980, as a table. Offsets are those of LP64 and ILP32; padding is what no member covers.

use super::ctype::CType::{Char, Int, Long, Text, Time, Unsigned, UnsignedChar, UnsignedShort};
use super::ctype::{CType, StructField, StructLayout};

const fn at(name: &'static str, c_type: CType, lp64: usize, ilp32: usize) -> StructField {
    StructField { name, c_type, offset: [lp64, ilp32] }
}

/// `struct ctdluser`, table 01.
pub static USER: StructLayout = StructLayout {
    name: "ctdluser",
    head: &[],
    fields: &[
        at("version", Int, 0, 0),
        at("uid", Unsigned, 4, 4),
        at("password", Text(32), 8, 8),
        at("flags", Unsigned, 40, 40),
        at("timescalled", Long, 48, 44),
        at("posted", Long, 56, 48),
        at("axlevel", UnsignedChar, 64, 52),
        at("usernum", Long, 72, 56),
        at("lastcall", Time, 80, 60),
        at("userpurge", Int, 88, 64),
        at("fullname", Text(64), 92, 68),
        at("msgnum_bio", Long, 160, 132),
        at("msgnum_pic", Long, 168, 136),
        at("emailaddrs", Text(512), 176, 140),
        at("msgnum_inboxrules", Long, 688, 652),
        at("lastproc_inboxrules", Long, 696, 656),
    ],
    size: [704, 660],
    least: [8, 8],
};

/// `struct ctdlroom`, table 02.
pub static ROOM: StructLayout = StructLayout {
    name: "ctdlroom",
    head: &[],
    fields: &[
        at("name", Text(128), 0, 0),
        at("passwd", Text(10), 128, 128),
        at("roomaide", Long, 144, 140),
        at("highest", Long, 152, 144),
        at("gen", Time, 160, 148),
        at("flags", Unsigned, 168, 152),
        at("dirname", Text(15), 172, 156),
        at("msgnum_info", Long, 192, 172),
        at("floor", Char, 200, 176),
        at("mtime", Time, 208, 180),
        at("ep_mode", Int, 216, 184),
        at("ep_value", Int, 220, 188),
        at("number", Long, 224, 192),
        at("order", Char, 232, 196),
        at("flags2", Unsigned, 236, 200),
        at("defaultview", Int, 240, 204),
        at("msgnum_pic", Long, 248, 208),
    ],
    size: [256, 212],
    // Without its number a room can't be joined with its list.
    least: [232, 196],
};

/// `struct floor`, table 03.
pub static FLOOR: StructLayout = StructLayout {
    name: "floor",
    head: &[],
    fields: &[
        at("flags", UnsignedShort, 0, 0),
        at("name", Text(256), 2, 2),
        at("ref_count", Int, 260, 260),
        at("ep_mode", Int, 264, 264),
        at("ep_value", Int, 268, 268),
    ],
    size: [272, 272],
    least: [258, 258],
};

/// `struct visit`, table 05, uncompressed.
pub static VISIT: StructLayout = StructLayout {
    name: "visit",
    head: &[Long, Long, Long],
    fields: &[
        at("lastseen", Long, 24, 12),
        at("flags", Unsigned, 32, 16),
        at("seen", Text(4096), 36, 20),
        at("answered", Text(4096), 4132, 4116),
        at("view", Int, 8228, 8212),
    ],
    size: [8232, 8216],
    least: [32, 16],
};

/// `struct MetaData`, table 00 under the negative number of the message.
pub static METADATA: StructLayout = StructLayout {
    name: "MetaData",
    head: &[Long],
    fields: &[at("refcount", Int, 8, 4), at("content_type", Text(64), 12, 8), at("rfc822_length", Long, 80, 72)],
    size: [88, 76],
    least: [12, 8],
};

/// `struct UseTable`, table 07.
pub static USE: StructLayout =
    StructLayout { name: "UseTable", head: &[Int], fields: &[at("time", Time, 8, 4)], size: [16, 8], least: [16, 8] };
