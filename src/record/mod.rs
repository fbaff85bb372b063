//! The values: what a record is, its kind, key, fields and body length, and the canonical order of records.
//!
//! Obeys `format-spec/record.md`. Nothing in here knows how a record is encoded or where it is kept.

mod header;
mod key;
mod kind;
mod layout;
pub mod schema;
mod site_info;
mod value;

pub use header::{Body, Header, INLINE_BODY_BYTES, INLINE_NUMBERS_BYTES, MAX_RESIDUE_VALUE_BYTES, Residue};
pub use key::{Key, KeyPart, MAX_KEY_BYTES};
pub use kind::{Kind, UnknownKind};
pub use layout::{ByteOrder, Layout, Model, UnknownLayout};
pub use site_info::{End, Root, SiteInfo, Snapshot};
pub(crate) use value::is_same_name;
pub use value::{Fields, Owner, Value, is_unseen, printable, printable_text};
