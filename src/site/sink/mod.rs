//! A staging directory as a sink of records: what will be the site once `site::install` puts it in place (`format-spec/site.md`).
//!
//! Tables are written anew, in the layout of the target's server; files, directories and links get their modes, owners and times.
//! What must be different on this machine (owners above all) is changed in the record before it is written. What was written is kept in a few
//! bytes: `Expected::read_back` compares it with what the finished staging directory holds.

mod adapt;
mod agreement;
mod builder;
mod checklist;
mod error;
mod files;
mod links;
mod misfits;
mod readback;
mod structs;
mod tables;
mod tally;
mod target;

use std::borrow::Cow;
use std::path::PathBuf;

pub use adapt::SiteOwner;
pub use error::WriteSiteError;
pub use misfits::Misfits;
pub use readback::Expected;
pub use target::layout_at;

use adapt::Adapter;
use builder::{Plan, Tallies};
use checklist::Checklist;
use files::FileWriter;
use structs::StructFiles;
use tables::{TableSet, ValueStream};

use crate::codec::{Digest, RecordHasher};
use crate::endpoint::{Failure, Sink};
use crate::record::{Body, End, Fields, Header, Kind, Layout, SiteInfo};
use crate::site::Arrangement;
use crate::site::layout::{self, Dialect, FromBody, LayoutError, MessageKey, table};

/// Writes a site into a directory.
pub struct SiteSink {
    target: Layout,
    /// The site's own release, and the target's layout.
    dialect: Dialect,
    structs: StructFiles,
    tables: TableSet,
    files: FileWriter,
    adapter: Adapter,
    checklist: Checklist,
    tallies: Tallies,
    hasher: RecordHasher,
    current: Current,
    /// The record as it is written, and whether it differs from the one that came; none for a message, which is complete when its bytes are.
    header: Option<(Header, bool)>,
    /// Records that don't fit the target's layout. From the first one on nothing is written any more; the rest is looked at to name them all.
    misfits: Misfits,
}

/// What is done with the body of the present record.
enum Current {
    Nothing,
    /// It is kept until it is complete, to be understood as a whole.
    Collect(Vec<u8>),
    /// It is a list of numbers.
    Numbers(FromBody, ValueStream),
    /// It is one value of a table after the other.
    Values(Vec<ValueStream>),
    File,
    /// It is the content of a link that leaves the site: whether the link is made depends on what it leads to here.
    Link,
}

impl SiteSink {
    /// A sink that fills the empty directory `site` for a server of the layout `target`, or the directories of one that is spread over several; scratch files of
    /// the tables go to `scratch`, whatever is the site's own belongs to `owner`.
    pub fn create(
        site: impl Into<Arrangement>,
        scratch: PathBuf,
        owner: SiteOwner,
        target: Layout,
    ) -> Result<SiteSink, WriteSiteError> {
        let site = site.into();
        let files = FileWriter::create(&site, owner.ids())?;
        Ok(SiteSink {
            target,
            dialect: target.into(),
            structs: StructFiles::default(),
            tables: TableSet::begin(Plan { data: site.data(), scratch, owner: owner.ids(), order: target.order })?,
            files,
            adapter: Adapter::new(owner, target),
            checklist: Checklist::default(),
            tallies: Tallies::new(),
            hasher: RecordHasher::default(),
            current: Current::Nothing,
            header: None,
            misfits: Misfits::new(target),
        })
    }

    /// What must be found in the finished directory, and what a person must know of the site.
    pub fn into_expected(self) -> (Expected, Vec<String>) {
        (Expected::new(self.tallies, self.checklist, self.target), self.adapter.into_notices())
    }

    fn begin_record(&mut self, header: &Header) -> Result<(), WriteSiteError> {
        let target = self.target;
        let length = header.body.as_ref().map_or(0, Body::length);
        self.current = match header.kind {
            Kind::Loss | Kind::Omitted => Current::Nothing,
            Kind::File | Kind::Log if self.misfits.count() > 0 => Current::Nothing,
            Kind::Config if header.fields.get("origin").is_some() => {
                self.structs.setting(header);
                return Ok(());
            }
            Kind::Control => {
                self.structs.control(header);
                Current::Nothing
            }
            Kind::Refcount => {
                self.structs.refcount(header, self.dialect, self.adapter.is_same_layout())?;
                Current::Nothing
            }
            Kind::File | Kind::Log => {
                self.tables.only(&[])?;
                self.struct_files(header.key.last_name().filter(|_| header.kind == Kind::File))?;
                self.files.begin(header)?;
                let is_link = header.fields.get("target").is_some() && header.body.is_some();
                if is_link { Current::Link } else { Current::File }
            }
            Kind::List => self.list(header, header.key.first_number().unwrap_or_default(), length)?,
            Kind::Fulltext => {
                let pair = layout::encode_pair(header, &[], target, true)?;
                let token = header.key.first_number().unwrap_or_default();
                agreement::of_number(header, token, layout::parse_fulltext_key(target, &pair.key))?;
                self.numbers(pair.table, pair.key, length)?
            }
            Kind::Room => {
                self.pair(header, &[])?;
                match (&header.body, header.fields.int("number")) {
                    (Some(_), Some(number)) => self.list(header, number, length)?,
                    (Some(_), None) => return Err(WriteSiteError::ListWithoutRoom { key: header.key.to_string() }),
                    (None, _) => Current::Nothing,
                }
            }
            Kind::Message => self.begin_message(header)?,
            Kind::Table => {
                let pair = layout::encode_pair(header, &[], target, self.adapter.is_same_layout())?;
                Current::Values(vec![ValueStream::new(pair.table, pair.key, length)?])
            }
            _ if header.body.is_some() => Current::Collect(Vec::new()),
            _ => {
                self.pair(header, &[])?;
                Current::Nothing
            }
        };
        if let Some(Body::Inline(bytes)) = &header.body {
            self.take(bytes)?;
        }
        Ok(())
    }

    /// Writes a record that is one pair.
    fn pair(&mut self, header: &Header, body: &[u8]) -> Result<(), WriteSiteError> {
        self.structs.see(header, body, self.dialect.release)?;
        let pair = layout::encode_pair(header, body, self.dialect, self.adapter.is_same_layout())?;
        agreement::of_pair(header, body, &pair, self.dialect)?;
        self.tables.put(&pair)
    }

    /// Begins the message list of the room with this number.
    fn list(&mut self, header: &Header, room: i64, body_bytes: u64) -> Result<Current, WriteSiteError> {
        let key = layout::list_key(room, self.target)?;
        agreement::of_number(header, room, layout::parse_list_key(self.target, &key))?;
        self.numbers(table::LISTS, key, body_bytes)
    }

    fn numbers(&mut self, table: u8, key: Vec<u8>, body_bytes: u64) -> Result<Current, WriteSiteError> {
        // The schema has checked that the body is a list of whole numbers.
        let length = layout::list_value_bytes(self.target, body_bytes).unwrap_or(0);
        Ok(Current::Numbers(FromBody::new(self.target), ValueStream::new(table, key, length)?))
    }

    fn begin_message(&mut self, header: &Header) -> Result<Current, WriteSiteError> {
        let target = self.target;
        self.tables.only(&[table::MESSAGES, table::BIG_BODIES])?;
        if let Some(pair) = layout::encode_metadata(header, target, self.adapter.is_same_layout())? {
            agreement::of_metadata(header, &pair, self.dialect)?;
            self.tables.put(&pair)?;
        }
        let number = header.key.first_number().unwrap_or_default();
        let mut values = Vec::new();
        for (name, table_number) in [("entry", table::MESSAGES), ("big", table::BIG_BODIES)] {
            if let Some(length) = header.fields.int(name) {
                let key = layout::message_key(number, target)?;
                let read = match layout::parse_message_key(target, &key) {
                    Some(MessageKey::Entry(read)) => Some(read),
                    _ => None,
                };
                agreement::of_number(header, number, read)?;
                values.push(ValueStream::new(table_number, key, length.unsigned_abs())?);
            }
        }
        Ok(Current::Values(values))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), WriteSiteError> {
        match &mut self.current {
            Current::Nothing => Ok(()),
            Current::Collect(body) => {
                if body.len() + bytes.len() > layout::MAX_PAIR_VALUE_BYTES {
                    return Err(WriteSiteError::ValueTooLong { limit: layout::MAX_PAIR_VALUE_BYTES });
                }
                body.extend_from_slice(bytes);
                Ok(())
            }
            Current::Numbers(numbers, value) => {
                let mut words = Vec::new();
                numbers.push(bytes, &mut words).map_err(|problem| WriteSiteError::Numbers { problem })?;
                self.tables.write(value, &words)
            }
            Current::Values(values) => {
                let mut rest = bytes;
                for value in values {
                    let count = value.left().min(rest.len() as u64) as usize;
                    let (now, later) = rest.split_at(count);
                    self.tables.write(value, now)?;
                    rest = later;
                }
                Ok(())
            }
            Current::File | Current::Link => self.files.write(bytes),
        }
    }

    /// Keeps a record that doesn't fit the target's layout for the end, when all of them are known.
    fn keep_misfit(&mut self, result: Result<(), WriteSiteError>) -> Result<(), WriteSiteError> {
        let misfit = match (result, &self.header) {
            (Err(WriteSiteError::Layout(misfit)), _) => misfit,
            (Err(WriteSiteError::Numbers { problem }), Some((header, _))) => {
                LayoutError { kind: header.kind, key: header.key.to_string(), problem }
            }
            (result, _) => return result,
        };
        self.misfits.add(misfit);
        self.tables.stop();
        self.current = Current::Nothing;
        Ok(())
    }

    fn end(&mut self, digest: &Digest) -> Result<(), WriteSiteError> {
        let header = self.header.take();
        match (std::mem::replace(&mut self.current, Current::Nothing), header) {
            (Current::Numbers(_, value), _) => self.tables.end(value),
            (Current::Values(values), _) => values.into_iter().try_for_each(|value| self.tables.end(value)),
            (Current::Collect(body), Some((header, _))) => self.pair(&header, &body),
            (Current::File, Some((header, is_changed))) => {
                self.files.end()?;
                let digest = if is_changed { self.hasher.digest() } else { *digest };
                self.checklist.record(header.kind, &header.key, &digest);
                Ok(())
            }
            (Current::Link, Some((header, is_changed))) => {
                let digest = if is_changed { self.hasher.digest() } else { *digest };
                self.end_link(header, &digest)
            }
            _ => Ok(()),
        }
    }
}

impl Sink for SiteSink {
    fn begin(&mut self, site: &SiteInfo) -> Result<(), Failure> {
        self.adapter.begin(site);
        self.dialect.release = site.release;
        self.tables.exist(table::count(site.release));
        Ok(self.files.set_root(&site.root, &self.adapter)?)
    }

    fn record(&mut self, header: &Header) -> Result<(), Failure> {
        if matches!(header.body, Some(Body::Folded(_))) {
            return Err(WriteSiteError::Folded { kind: header.kind, key: header.key.to_string() }.into());
        }
        let header = self.adapter.adapt(header);
        let is_changed = matches!(header, Cow::Owned(_));
        if is_changed {
            self.hasher.begin(&header);
        }
        let begun = self.begin_record(&header);
        match self.current {
            _ if header.kind == Kind::Message => {}
            Current::Nothing | Current::Numbers(..) | Current::Values(_) => {
                // It is only named from now on, if it doesn't fit.
                let (kind, key) = (header.kind, header.key.clone());
                let named = Header { kind, key, fields: Fields::new(), body: None, residue: None };
                self.header = Some((named, is_changed));
            }
            _ => self.header = Some((header.into_owned(), is_changed)),
        }
        Ok(self.keep_misfit(begun)?)
    }

    fn segment(&mut self, segment: &[u8]) -> Result<(), Failure> {
        if self.header.as_ref().is_some_and(|(_, is_changed)| *is_changed) {
            self.hasher.body(segment);
        }
        let taken = self.take(segment);
        Ok(self.keep_misfit(taken)?)
    }

    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure> {
        let ended = self.end(digest);
        Ok(self.keep_misfit(ended)?)
    }

    fn finish(&mut self, _end: &End) -> Result<(), Failure> {
        if self.misfits.count() > 0 {
            let misfits = std::mem::replace(&mut self.misfits, Misfits::new(self.target));
            return Err(WriteSiteError::Misfits(misfits).into());
        }
        self.structs.check_level(self.dialect.release)?;
        self.struct_files(None)?;
        self.tallies = self.tables.finish()?;
        Ok(self.files.finish()?)
    }
}
