//! `citadel.control` and `refcount_adjustments.dat`: numbers that old releases keep as structs (`format-spec/site.md`, section 7.1).

use super::ctype::CType::{Int, Long, Unsigned};
use super::ctype::{Dialect, StructLayout};
use super::pairs::{patched, residue_between};
use super::structs::{always, since};
use super::{LayoutError, TRIED, decode, encode};
use crate::record::{Fields, Header, Key, Kind, Layout, Residue};

const FIRST_WITH_DBVERSION: i64 = 737;

/// `struct CitControl`.
pub static CONTROL: StructLayout = StructLayout {
    name: "CitControl",
    head: &[],
    fields: &[
        always("highest", Long),
        always("flags", Unsigned),
        always("nextuser", Long),
        always("nextroom", Long),
        always("version", Int),
        always("fulltext_wordbreaker", Int),
        always("fulltext", Long),
        since(FIRST_WITH_DBVERSION, "dbversion", Int),
    ],
    least: "fulltext",
};

/// An entry of the queue of reference counts.
pub static REFCOUNT: StructLayout = StructLayout {
    name: "refcount adjustment",
    head: &[],
    fields: &[always("msgnum", Long), always("delta", Int)],
    least: "delta",
};

/// Reads `citadel.control`: the numbers of its record, among them `version`, the release, and what they don't reproduce. `None` if it is too
/// short, or has too much behind its end.
pub fn decode_control_file(layout: Layout, file: &[u8]) -> Option<(Fields, Option<Residue>)> {
    let newest = Dialect { layout, release: TRIED };
    if file.len() < CONTROL.least(newest) {
        return None;
    }
    let release = decode(&CONTROL, newest, file).int("version")?;
    let mut fields = decode(&CONTROL, Dialect { layout, release }, file);
    if release < FIRST_WITH_DBVERSION {
        fields.remove("dbversion");
    }
    let encoded = encode(&CONTROL, Dialect { layout, release }, &[], &fields).ok()?;
    let residue = residue_between(encoded, file)?;
    Some((fields, Some(residue).filter(|residue| !residue.is_empty())))
}

/// The file `citadel.control` of its record.
///
/// # Errors
/// When a number doesn't fit the target's type.
pub fn encode_control_file(control: &Header, layout: Layout, same_layout: bool) -> Result<Vec<u8>, LayoutError> {
    let release = control.fields.int("version").unwrap_or_default();
    encode(&CONTROL, Dialect { layout, release }, &[], &control.fields)
        .and_then(|file| patched(file, control.residue.as_ref().filter(|_| same_layout)))
        .map_err(|problem| problem.of(control.kind, &control.key))
}

/// Size of an entry of the queue in bytes.
pub fn refcount_bytes(layout: Layout) -> usize {
    REFCOUNT.size(layout.into())
}

/// The record of the entry at a position of the queue.
pub fn decode_refcount(layout: Layout, position: i64, entry: &[u8]) -> Header {
    let fields = decode(&REFCOUNT, layout, entry);
    let encoded = encode(&REFCOUNT, layout, &[], &fields).unwrap_or_default();
    let residue = Some(Residue::between(&encoded, entry)).filter(|residue| !residue.is_empty());
    Header { kind: Kind::Refcount, key: Key::number(position), fields, body: None, residue }
}

/// The entry of a record.
///
/// # Errors
/// When a number doesn't fit the target's type.
pub fn encode_refcount(refcount: &Header, layout: Layout, same_layout: bool) -> Result<Vec<u8>, LayoutError> {
    encode(&REFCOUNT, layout, &[], &refcount.fields)
        .and_then(|entry| patched(entry, refcount.residue.as_ref().filter(|_| same_layout)))
        .map_err(|problem| problem.of(refcount.kind, &refcount.key))
}

/// What stands behind the last whole entry, of the queue's `control` record; nothing in another layout.
///
/// # Errors
/// When the residue is none that could stand there.
pub fn encode_refcount_tail(control: &Header, same_layout: bool) -> Result<Vec<u8>, LayoutError> {
    patched(Vec::new(), control.residue.as_ref().filter(|_| same_layout))
        .map_err(|problem| problem.of(control.kind, &control.key))
}

/// What stands behind the last whole entry, as the residue of the queue's `control` record.
pub fn refcount_tail(layout: Layout, file: &[u8]) -> Option<Residue> {
    let tail = &file[file.len() - file.len() % refcount_bytes(layout)..];
    (!tail.is_empty()).then(|| Residue::between(&[], tail))
}
