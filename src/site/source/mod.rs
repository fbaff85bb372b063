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
mod messages;
mod owners;
mod parts;
mod queue;
mod rooms;
mod scan;
mod site;
mod tables;

use std::path::PathBuf;

pub use ahead::SiteSource;
pub use error::ReadSiteError;
pub use fresh::freshness;
pub use parts::{OwnSetting, Parts, Watch, data_directory, snapshot_now};
pub use site::Site;

use body::{BodyReader, Content};
use files::LogFile;
use messages::Messages;
use owners::Owners;
use queue::{Body as Queued, Ordered, Queue};
pub(in crate::site) use tables::{Tables, table_number};

use crate::monitor::Monitor;
use crate::record::{Body, Header, INLINE_BODY_BYTES, Kind};
use crate::site::inventory::{Entry, LeftOut};

/// How a site is to be read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// A directory for scratch files, outside the site.
    pub scratch: PathBuf,
    /// Log files from elsewhere that are to be taken along.
    pub logs: Vec<PathBuf>,
    /// Leave the full text index to the server.
    pub without_fulltext: bool,
}

/// The records of a site, one after the other, each to be read to the end of its body.
struct Records<'s> {
    walk: Walk<'s>,
    stage: Stage<'s>,
    body: BodyReader<'s>,
    done_bytes: u64,
}

/// What the stages share.
struct Walk<'s> {
    site: &'s Site,
    tables: &'s Tables,
    options: ReadOptions,
    monitor: &'s dyn Monitor,
    owners: Owners,
    logs: Vec<LogFile>,
    /// The `table` records found so far, in whatever table.
    odd: Queue,
    /// The `list` records, found together with the rooms.
    lists: Option<Ordered>,
    /// The parts of all messages, which are looked through before the `table` records come, since some of those are found there.
    messages: Option<Messages>,
    total_bytes: Option<u64>,
}

/// Where the records of the present kind come from.
enum Stage<'s> {
    Start,
    Ordered(Kind, Ordered),
    Messages(Messages),
    Files(std::slice::Iter<'s, Entry>),
    Logs(std::vec::IntoIter<LogFile>),
    Losses(std::slice::Iter<'s, (String, String)>),
    Omitted(std::slice::Iter<'s, LeftOut>),
    End,
}

impl<'s> Records<'s> {
    fn begin(site: &'s Site, options: ReadOptions, monitor: &'s dyn Monitor) -> Self {
        let odd = Queue::new(&options.scratch, 1 << 20);
        let logs = files::log_files(site.root(), &site.inventory().logs, &options.logs);
        Records {
            walk: Walk {
                site,
                tables: site.tables(),
                owners: site.owners(),
                logs,
                options,
                monitor,
                odd,
                lists: None,
                messages: None,
                total_bytes: None,
            },
            stage: Stage::Start,
            body: BodyReader::nothing(),
            done_bytes: 0,
        }
    }

    /// The next record of the present stage, and its body; the header's own body may be a placeholder for it.
    fn next_of_stage(&mut self) -> Result<Option<(Header, BodyReader<'s>, bool)>, ReadSiteError> {
        match &mut self.stage {
            Stage::Start | Stage::End => Ok(None),
            Stage::Ordered(_, ordered) => {
                let Some((header, queued)) = ordered.next()? else { return Ok(None) };
                let (body, replaces) = self.walk.open_queued(queued);
                Ok(Some((header, body, replaces)))
            }
            Stage::Messages(messages) => Ok(messages.next(self.walk.tables)?.map(|(header, body)| {
                let has_body = header.fields.get("entry").is_some() || header.fields.get("big").is_some();
                (header, body, has_body)
            })),
            Stage::Files(entries) => {
                let parts = self.walk.site.parts();
                entries.next().map(|entry| files::file_record(parts, entry, &mut self.walk.owners)).transpose()
            }
            Stage::Logs(logs) => {
                let record = logs.next().map(|log| files::log_record(&log, &mut self.walk.owners)).transpose()?;
                Ok(record.map(|(header, body)| (header, body, true)))
            }
            Stage::Losses(losses) => {
                Ok(losses.next().map(|(what, why)| (files::loss_record(what, why), BodyReader::nothing(), false)))
            }
            Stage::Omitted(left_out) => Ok(left_out
                .find(|left_out| !left_out.why.is_expected())
                .map(|left_out| (files::omitted_record(left_out), BodyReader::nothing(), false))),
        }
    }

    /// The next record; `None` at the end.
    fn next(&mut self) -> Result<Option<Header>, ReadSiteError> {
        loop {
            if let Some((mut header, mut body, replaces)) = self.next_of_stage()? {
                self.done_bytes += body.length();
                if replaces {
                    header.body = Some(if body.length() <= INLINE_BODY_BYTES as u64 {
                        Body::Inline(std::mem::replace(&mut body, BodyReader::nothing()).read_inline()?)
                    } else {
                        Body::Segments(body.length())
                    });
                }
                self.body = body;
                return Ok(Some(header));
            }
            if matches!(self.stage, Stage::End) {
                return Ok(None);
            }
            self.stage = self.walk.stage_after(&self.stage)?;
        }
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
        self.walk.total_bytes.map(|total| (self.done_bytes.min(total), total))
    }
}

impl<'s> Walk<'s> {
    fn check_interrupted(&self) -> Result<(), ReadSiteError> {
        if self.monitor.is_interrupted() { Err(ReadSiteError::Interrupted) } else { Ok(()) }
    }

    /// The canonical order of kinds, as steps from one to the next.
    fn stage_after(&mut self, stage: &Stage<'s>) -> Result<Stage<'s>, ReadSiteError> {
        let inventory = self.site.inventory();
        let next_kind = match stage {
            Stage::Start => {
                self.check_scratch()?;
                Kind::Config
            }
            Stage::Ordered(Kind::Config, _) => Kind::Floor,
            Stage::Ordered(Kind::Floor, _) => Kind::User,
            Stage::Ordered(Kind::User, _) => Kind::Room,
            Stage::Ordered(Kind::Room, _) => Kind::List,
            Stage::Ordered(Kind::List, _) => Kind::Visit,
            Stage::Ordered(Kind::Visit, _) => Kind::Use,
            Stage::Ordered(Kind::Use, _) => Kind::Directory,
            Stage::Ordered(Kind::Directory, _) => Kind::Openid,
            Stage::Ordered(Kind::Openid, _) => Kind::Euid,
            Stage::Ordered(Kind::Euid, _) => Kind::Usernumber,
            Stage::Ordered(Kind::Usernumber, _) if !self.options.without_fulltext => Kind::Fulltext,
            Stage::Ordered(Kind::Usernumber | Kind::Fulltext, _) => Kind::Table,
            Stage::Ordered(..) => {
                // `ordered_stage` left the messages behind when it looked for `table` records.
                return Ok(self.messages.take().map_or(Stage::End, Stage::Messages));
            }
            Stage::Messages(_) => return Ok(Stage::Files(inventory.entries.iter())),
            Stage::Files(_) => return Ok(Stage::Logs(std::mem::take(&mut self.logs).into_iter())),
            Stage::Logs(_) => return Ok(Stage::Losses(self.site.parts().losses.iter())),
            Stage::Losses(_) => return Ok(Stage::Omitted(inventory.left_out.iter())),
            Stage::Omitted(_) | Stage::End => return Ok(Stage::End),
        };
        Ok(Stage::Ordered(next_kind, self.ordered(next_kind)?))
    }

    fn ordered(&mut self, kind: Kind) -> Result<Ordered, ReadSiteError> {
        match kind {
            Kind::Room => {
                let (rooms, lists) = self.rooms_and_lists()?;
                self.lists = Some(lists);
                Ok(rooms)
            }
            Kind::List => match self.lists.take() {
                Some(lists) => Ok(lists),
                None => self.queue().finish(),
            },
            Kind::Table => {
                let messages = self.messages()?;
                self.total_bytes = Some(messages.bytes + self.site.file_bytes());
                self.messages = Some(messages);
                self.unknown_tables()?;
                let none_left = self.queue();
                std::mem::replace(&mut self.odd, none_left).finish()
            }
            kind => match scan::table_of(kind) {
                Some(table) => self.scan(table),
                None => self.queue().finish(),
            },
        }
    }

    /// The body of a queued record, and whether it takes the place of what stands in the header.
    fn open_queued(&self, queued: Queued) -> (BodyReader<'s>, bool) {
        match queued {
            Queued::InHeader => (BodyReader::nothing(), false),
            Queued::Bytes(bytes) => {
                let length = bytes.len() as u64;
                (BodyReader::new(Content::Bytes(bytes), length), true)
            }
            Queued::Value(table, place) => {
                let values = self.tables.get(table).map(|pairs| pairs.value(&place)).into_iter().collect();
                (BodyReader::new(Content::Values(values), u64::from(place.len())), true)
            }
            Queued::Numbers(table, place) => match self.tables.get(table) {
                None => (BodyReader::nothing(), true),
                Some(pairs) => {
                    let length = u64::from(place.len());
                    (BodyReader::numbers(pairs.value(&place), length, self.tables.layout), true)
                }
            },
        }
    }
}
