//! The C structs that servers of old releases keep as files (`format-spec/site.md`, section 7.1).

use super::files;
use super::owners::Owners;
use super::{Parts, ReadSiteError};
use crate::record::schema::{CONFIG_FILE, CONTROL_FILE, REFCOUNT_FILE};
use crate::record::{Fields, Header, Key, Kind, Layout, Residue};
use crate::site::inventory::{Entry, What};
use crate::site::layout::{self, Dialect};

/// A larger file is none of a server's structs; the queue of reference counts has a million entries then.
const MOST_BYTES: u64 = 16 << 20;

/// The first release that has applied the queue of reference counts for good.
const FIRST_WITHOUT_QUEUE: i64 = 922;

/// What the structs become.
#[derive(Default)]
pub(super) struct Structs {
    /// The settings of `citadel.config`.
    pub settings: Vec<Header>,
    /// The `control` records.
    pub controls: Vec<Header>,
    /// The queue of reference counts, as it is stored.
    queue: Vec<u8>,
}

/// The release that stands in `citadel.control`; `None` if there is no such file, or it can't be understood.
pub(super) fn release_in_control_file(parts: &Parts, layout: Layout) -> Result<Option<i64>, ReadSiteError> {
    let Some(entry) = parts.inventory.entries.iter().find(|entry| entry.path == CONTROL_FILE) else { return Ok(None) };
    let file = read(parts, entry)?;
    let numbers = file.and_then(|file| layout::decode_control_file(layout, &file));
    Ok(numbers.and_then(|(fields, _)| fields.int("version")))
}

impl Structs {
    /// Reads those that a server of the release would read. What isn't understood stays a file.
    pub fn read(
        parts: &Parts,
        dialect: Dialect,
        has_settings: bool,
        owners: &mut Owners,
    ) -> Result<Structs, ReadSiteError> {
        let layout = dialect.layout;
        let mut structs = Structs::default();
        for entry in parts.inventory.entries.iter().filter(|entry| matches!(entry.what, What::File { .. })) {
            let is_struct = match entry.path.as_slice() {
                CONFIG_FILE | CONTROL_FILE => !has_settings,
                REFCOUNT_FILE => dialect.release < FIRST_WITHOUT_QUEUE,
                _ => false,
            };
            let Some(file) = (if is_struct { read(parts, entry)? } else { None }) else { continue };
            let found = match entry.path.as_slice() {
                CONFIG_FILE => layout::decode_config_file(dialect, &file).map(|config| {
                    structs.settings = config.settings;
                    (Fields::new(), config.residue)
                }),
                CONTROL_FILE => layout::decode_control_file(layout, &file),
                _ => {
                    let tail = layout::refcount_tail(layout, &file);
                    structs.queue = file;
                    Some((Fields::new(), tail))
                }
            };
            if let Some((numbers, residue)) = found {
                structs.controls.push(control(entry, numbers, residue, owners));
            }
        }
        Ok(structs)
    }

    /// Whether a file has become records of other kinds than `file`.
    pub fn has(&self, path: &[u8]) -> bool {
        self.controls.iter().any(|control| control.key.last_name() == Some(path))
    }

    /// The entries of the queue of reference counts.
    pub fn refcounts(&self, layout: Layout) -> impl Iterator<Item = Header> {
        let entries = self.queue.chunks_exact(layout::refcount_bytes(layout));
        (0..).zip(entries).map(move |(position, entry)| layout::decode_refcount(layout, position, entry))
    }
}

fn control(entry: &Entry, mut fields: Fields, residue: Option<Residue>, owners: &mut Owners) -> Header {
    fields.set_int("mode", i64::from(entry.mode));
    fields.set_int("mtime", entry.mtime.0);
    fields.set_int("mtime_ns", i64::from(entry.mtime.1));
    owners.set_fields(entry.uid, entry.gid, &mut fields);
    Header { kind: Kind::Control, key: Key::name(entry.path.clone()), fields, body: None, residue }
}

/// The whole file; `None` if it is too long.
fn read(parts: &Parts, entry: &Entry) -> Result<Option<Vec<u8>>, ReadSiteError> {
    let (What::File { bytes } | What::Link { content: Some(bytes), .. }) = entry.what else { return Ok(None) };
    if bytes > MOST_BYTES {
        return Ok(None);
    }
    let mut body = files::content(parts, entry, bytes)?;
    let (mut file, mut segment) = (Vec::new(), Vec::new());
    while body.has_segment() {
        body.segment(&mut segment)?;
        file.extend_from_slice(&segment);
    }
    Ok(Some(file))
}
