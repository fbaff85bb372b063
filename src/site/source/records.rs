//! The walk over all records of a site: what they are, and where their bodies lie.

use super::files::{self, LogFile};
use super::located::Located;
use super::lost::Lost;
use super::messages::Messages;
use super::owners::Owners;
use super::queue::{Ordered, Queue};
use super::tables::Tables;
use super::{ReadOptions, ReadSiteError, Site, scan};
use crate::monitor::Monitor;
use crate::record::{Header, Kind};
use crate::site::inventory::{Entry, LeftOut};

/// All records in canonical order, without their bodies.
pub(in crate::site) struct Records<'s> {
    walk: Walk<'s>,
    stage: Stage<'s>,
}

/// What the stages share.
pub(super) struct Walk<'s> {
    pub(super) site: &'s Site,
    pub(super) tables: &'s Tables,
    pub(super) options: ReadOptions,
    monitor: &'s dyn Monitor,
    owners: Owners,
    logs: Vec<LogFile>,
    /// The `table` records found so far, in whatever table.
    pub(super) odd: Queue,
    /// Pairs that no record can hold.
    pub(super) lost: Lost,
    /// The `list` records, found together with the rooms.
    lists: Option<Ordered>,
    /// The parts of all messages, which are looked through before the `table` records come, since some of those are found there.
    messages: Option<Messages>,
    total_bytes: Option<u64>,
    /// Whether structs in files are taken for files like others.
    all_are_files: bool,
}

/// Where the records of the present kind come from.
enum Stage<'s> {
    Start,
    Ordered(Kind, Ordered),
    Messages(Messages),
    Files(Numbered<'s>),
    Logs(u32),
    Losses(std::collections::btree_map::IntoIter<String, String>),
    Omitted(std::slice::Iter<'s, LeftOut>),
    End,
}

type Numbered<'s> = std::iter::Zip<std::ops::RangeFrom<u32>, std::slice::Iter<'s, Entry>>;

impl<'s> Records<'s> {
    /// Begins the walk.
    pub fn begin(site: &'s Site, options: ReadOptions, monitor: &'s dyn Monitor) -> Self {
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
                lost: Lost::default(),
                lists: None,
                messages: None,
                total_bytes: None,
                all_are_files: false,
            },
            stage: Stage::Start,
        }
    }

    /// Begins with those that come behind all tables.
    pub(super) fn of_files(site: &'s Site, options: ReadOptions, monitor: &'s dyn Monitor) -> Self {
        let files = Stage::Files((0..).zip(&site.inventory().entries));
        let mut records = Records { stage: files, ..Records::begin(site, options, monitor) };
        records.walk.all_are_files = true;
        records
    }

    /// The next record, and where its body lies. The header's own body may be a placeholder for it.
    pub fn next(&mut self) -> Result<Option<(Header, Located)>, ReadSiteError> {
        loop {
            if let Some(record) = self.next_of_stage()? {
                return Ok(Some(record));
            }
            if matches!(self.stage, Stage::End) {
                return Ok(None);
            }
            self.stage = self.walk.stage_after(&self.stage)?;
        }
    }

    /// The log files that records are made of.
    pub fn logs(&self) -> &[LogFile] {
        &self.walk.logs
    }

    /// The sum of the lengths of all bodies in bytes, once it is known.
    pub fn total_bytes(&self) -> Option<u64> {
        self.walk.total_bytes
    }

    fn next_of_stage(&mut self) -> Result<Option<(Header, Located)>, ReadSiteError> {
        let walk = &mut self.walk;
        match &mut self.stage {
            Stage::Start | Stage::End => Ok(None),
            Stage::Ordered(_, ordered) => ordered.next(),
            Stage::Messages(messages) => messages.next(walk.tables),
            Stage::Files(entries) => Ok(entries
                .find(|(_, entry)| walk.all_are_files || !walk.site.structs().has(&entry.path))
                .map(|(number, entry)| files::file_record(number, entry, &mut walk.owners))),
            Stage::Logs(number) => {
                let Some(log) = walk.logs.get(*number as usize) else { return Ok(None) };
                let record = files::log_record(*number, log, &mut walk.owners)?;
                *number += 1;
                Ok(Some(record))
            }
            Stage::Losses(losses) => {
                Ok(losses.next().map(|(what, why)| (files::loss_record(&what, &why), Located::InHeader)))
            }
            Stage::Omitted(left_out) => Ok(left_out
                .find(|left_out| !left_out.why.is_expected())
                .map(|left_out| (files::omitted_record(left_out), Located::InHeader))),
        }
    }
}

impl<'s> Walk<'s> {
    pub(super) fn check_interrupted(&self) -> Result<(), ReadSiteError> {
        if self.monitor.is_interrupted() { Err(ReadSiteError::Interrupted) } else { Ok(()) }
    }

    pub(super) fn warn(&self, text: &str) {
        self.monitor.warning(text);
    }

    /// The canonical order of kinds, as steps from one to the next.
    fn stage_after(&mut self, stage: &Stage<'s>) -> Result<Stage<'s>, ReadSiteError> {
        let inventory = self.site.inventory();
        let next_kind = match stage {
            Stage::Start => {
                self.check_scratch()?;
                Kind::Config
            }
            Stage::Ordered(Kind::Config, _) => Kind::Control,
            Stage::Ordered(Kind::Control, _) => Kind::Refcount,
            Stage::Ordered(Kind::Refcount, _) => Kind::Floor,
            Stage::Ordered(Kind::Floor, _) => Kind::User,
            Stage::Ordered(Kind::User, _) => Kind::Room,
            Stage::Ordered(Kind::Room, _) => Kind::List,
            Stage::Ordered(Kind::List, _) => Kind::Visit,
            Stage::Ordered(Kind::Visit, _) => Kind::Use,
            Stage::Ordered(Kind::Use, _) => Kind::Useid,
            Stage::Ordered(Kind::Useid, _) => Kind::Directory,
            Stage::Ordered(Kind::Directory, _) => Kind::Openid,
            Stage::Ordered(Kind::Openid, _) => Kind::Euid,
            Stage::Ordered(Kind::Euid, _) => Kind::Usernumber,
            Stage::Ordered(Kind::Usernumber, _) if !self.options.without_fulltext => Kind::Fulltext,
            Stage::Ordered(Kind::Usernumber | Kind::Fulltext, _) => Kind::Table,
            Stage::Ordered(..) => {
                // `ordered_stage` left the messages behind when it looked for `table` records.
                return Ok(self.messages.take().map_or(Stage::End, Stage::Messages));
            }
            Stage::Messages(_) => return Ok(Stage::Files((0..).zip(&inventory.entries))),
            Stage::Files(_) => return Ok(Stage::Logs(0)),
            Stage::Logs(_) => {
                let lost = std::mem::take(&mut self.lost);
                return Ok(Stage::Losses(lost.finish(&self.site.parts().losses).into_iter()));
            }
            Stage::Losses(_) => return Ok(Stage::Omitted(inventory.left_out.iter())),
            Stage::Omitted(_) | Stage::End => return Ok(Stage::End),
        };
        Ok(Stage::Ordered(next_kind, self.ordered(next_kind)?))
    }

    /// Records that are at hand, in canonical order.
    fn small(&self, records: impl Iterator<Item = Header>) -> Result<Ordered, ReadSiteError> {
        let mut queue = self.queue();
        for record in records {
            self.check_interrupted()?;
            queue.push(&record, &Located::InHeader)?;
        }
        queue.finish()
    }

    fn ordered(&mut self, kind: Kind) -> Result<Ordered, ReadSiteError> {
        let structs = self.site.structs();
        match kind {
            Kind::Config if !structs.settings.is_empty() => self.small(structs.settings.iter().cloned()),
            Kind::Control => self.small(structs.controls.iter().cloned()),
            Kind::Refcount => self.small(structs.refcounts(self.tables.layout)),
            Kind::Use | Kind::Useid if kind != self.tables.dialect().kind_of_uses() => self.queue().finish(),
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
}
