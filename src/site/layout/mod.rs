//! The translation between one pair of a Citadel table (key bytes, value bytes) and the header of a record, in both directions, for the
//! tables of all releases from 2008 on, on machines of 64 and 32 bits and of either byte order.
//!
//! Obeys `format-spec/site.md`. No table is opened here: pairs come in and go out as bytes. What is too long to be held (number lists,
//! message parts, bodies of `table` records) passes by in pieces; for these there are keys and [`ToBody`], [`FromBody`].

mod bytes;
mod config_file;
mod control_file;
mod ctype;
mod detect;
mod error;
mod keys;
mod metadata;
mod numbers;
mod pairs;
mod release;
mod shown;
mod structs;
#[cfg(test)]
mod tests;
mod values;
mod visit;

pub use config_file::{CONFIG, ConfigFile, decode_config_file, encode_config_file};
pub use control_file::{
    CONTROL, REFCOUNT, decode_control_file, decode_refcount, encode_control_file, encode_refcount,
    encode_refcount_tail, refcount_bytes, refcount_tail,
};
pub use ctype::{CType, Dialect, StructField, StructLayout, decode, encode};
pub use detect::{DetectError, Detected, byte_order, detect, only_fitting};
pub use error::{LayoutError, Problem};
pub use keys::{
    MAX_TABLE_KEY_BYTES, MessageKey, list_key, message_key, metadata_key, parse_fulltext_key, parse_list_key,
    parse_message_key,
};
pub use metadata::{Metadata, decode_metadata, encode_metadata, metadata_are};
pub use numbers::{FromBody, ToBody, list_body_bytes, list_value_bytes};
pub use pairs::{Decoded, MAX_PAIR_VALUE_BYTES, Pair, decode_pair, encode_pair, table_record};
pub use release::{FIRST, RELEASE_SETTING, ReleaseError, release};
pub use shown::Shown;
pub use structs::{FLOOR, METADATA, ROOM, USE, USEID, USER, VISIT};
pub use visit::visit_bytes;

/// The release that all this was tried with last.
pub(super) const TRIED: i64 = 980;

/// The tables of release 980 by number: `data/cdb.00` to `data/cdb.0d`.
pub mod table {
    /// Messages (positive keys) and their metadata (negative keys).
    pub const MESSAGES: u8 = 0x00;
    /// Users.
    pub const USERS: u8 = 0x01;
    /// Rooms.
    pub const ROOMS: u8 = 0x02;
    /// Floors.
    pub const FLOORS: u8 = 0x03;
    /// Message lists of rooms.
    pub const LISTS: u8 = 0x04;
    /// Visits.
    pub const VISITS: u8 = 0x05;
    /// Internet addresses of users.
    pub const DIRECTORY: u8 = 0x06;
    /// What was fetched or seen before.
    pub const USES: u8 = 0x07;
    /// Big bodies of messages.
    pub const BIG_BODIES: u8 = 0x08;
    /// Full text index.
    pub const FULLTEXT: u8 = 0x09;
    /// Exclusive ids of messages.
    pub const EUIDS: u8 = 0x0a;
    /// Names of users by number.
    pub const USER_NUMBERS: u8 = 0x0b;
    /// External identities of users.
    pub const OPENIDS: u8 = 0x0c;
    /// Settings of the server.
    pub const CONFIG: u8 = 0x0d;
    /// How many tables release 980 has.
    pub const COUNT: u8 = 14;

    /// How many tables a release has.
    pub const fn count(release: i64) -> u8 {
        match release {
            ..736 => 11,
            736 => 12,
            737..902 => 13,
            _ => COUNT,
        }
    }
}
