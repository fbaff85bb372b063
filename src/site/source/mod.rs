//! A site on disk as a source of records (`format-spec/site.md`).
//!
//! `Site::open` looks whether the site is settled and opens its tables, `Site::of` takes the parts of a snapshot; `Site::source` walks over it. The walk takes one kind after the
//! other: a pass over the kind's table in page order, the external sort, then the records in canonical order. Large values are read where
//! they lie. Nothing is ever written to the site.

mod ahead;
mod body;
mod error;
mod files;
mod fresh;
mod located;
mod lost;
mod messages;
mod newer;
mod owners;
mod parts;
mod queue;
mod records;
mod rooms;
mod scan;
mod site;
mod strange;
mod structs;
mod tables;

use std::path::PathBuf;

pub use ahead::SiteSource;
pub use error::ReadSiteError;
pub use fresh::freshness;
pub use parts::{OwnSetting, Parts, Watch, data_directory, snapshot_now};
pub use site::Site;

pub(in crate::site) use body::BodyReader;
pub(in crate::site) use files::LogFile;
pub(in crate::site) use located::Located;
pub(in crate::site) use records::Records;

use records::Walk;
pub(in crate::site) use tables::{Tables, table_number};

use crate::monitor::Monitor;
use crate::record::{Body, Header};

/// How a site is to be read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// A directory for scratch files, outside the site.
    pub scratch: PathBuf,
    /// Log files from elsewhere that are to be taken along.
    pub logs: Vec<PathBuf>,
    /// Leave the full text index to the server.
    pub without_fulltext: bool,
    /// Leave out what an archive can't hold, and name it as a loss; else it is an error.
    pub salvages: bool,
}

/// The records of a site, one after the other, each to be read to the end of its body.
struct WithBodies<'s> {
    site: &'s Site,
    records: Records<'s>,
    body: BodyReader<'s>,
    done_bytes: u64,
}

impl<'s> WithBodies<'s> {
    fn begin(site: &'s Site, options: ReadOptions, monitor: &'s dyn Monitor) -> Self {
        WithBodies::of(site, Records::begin(site, options, monitor))
    }

    /// Those that come behind all tables.
    fn of_files(site: &'s Site, options: ReadOptions, monitor: &'s dyn Monitor) -> Self {
        WithBodies::of(site, Records::of_files(site, options, monitor))
    }

    fn of(site: &'s Site, records: Records<'s>) -> Self {
        WithBodies { site, records, body: BodyReader::nothing(), done_bytes: 0 }
    }

    /// The next record; `None` at the end.
    fn next(&mut self) -> Result<Option<Header>, ReadSiteError> {
        let Some((mut header, located)) = self.records.next()? else { return Ok(None) };
        self.body = located.open_with(&mut header, self.site, self.records.logs())?;
        self.done_bytes += header.body.as_ref().map_or(0, Body::length);
        Ok(Some(header))
    }

    /// Whether there is more of the record's body.
    fn has_segment(&self) -> bool {
        self.body.has_segment()
    }

    /// The next segment of it.
    fn segment(&mut self, segment: &mut Vec<u8>) -> Result<(), ReadSiteError> {
        self.body.segment(segment)
    }

    /// How far the walk is: bytes of so many bytes, once that is known.
    fn position(&self) -> Option<(u64, u64)> {
        self.records.total_bytes().map(|total| (self.done_bytes.min(total), total))
    }
}
