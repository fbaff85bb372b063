//! What changes on the way of a site to release 980.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::accounts::Accounts;
use super::aliases::{GLOBAL_ALIAS_TABLE, alias_table};
use super::content::Piece;
use super::domains::Domains;
use super::made::{Made, Making};
use super::mails::Mails;
use super::network_lines::unknown_words;
use super::new_message::NewMessage;
use super::notices::Notices;
use super::old_files::{Found, OldFiles, picture_type};
use super::people::{Gifts, People};
use super::refcounts::Refcounts;
use super::rooms::Rooms;
use super::seen_hash::seen_hash;
use super::settings::Settings;
use crate::archive::RandomReader;
use crate::endpoint::{Class, Failure};
use crate::monitor::Monitor;
use crate::record::{Body, Fields, Header, Key, Kind};

/// The word breaker of release 980: a full text index that another one made is not used.
const WORD_BREAKER: i64 = 33;

/// A file of text is looked at up to there.
const MOST_LOOKED_AT: usize = 1 << 20;
/// And so much of a word is told.
const MOST_WORD_BYTES: usize = 40;

/// All that changes, and what is told of it.
pub struct Plan {
    pub(super) release: i64,
    pub(super) settings: Settings,
    pub(super) rooms: Rooms,
    pub(super) refcounts: Refcounts,
    pub(super) files: OldFiles,
    pub(super) keeps_fulltext: bool,
    pub(super) made: Made,
    pub(super) notices: Notices,
    /// How many records of tables were left out, by why.
    pub(super) left_out: BTreeMap<&'static str, u64>,
}

/// The survey under way.
struct Survey<'a> {
    archive: &'a RandomReader,
    release: i64,
    settings: Settings,
    accounts: Accounts,
    rooms: Rooms,
    files: OldFiles,
    gifts: BTreeMap<i64, Gifts>,
    making: Making,
    next_message: i64,
    notices: Notices,
}

impl Plan {
    /// Looks at an archive and decides what changes. Scratch files go to `scratch`.
    pub fn survey(archive: &RandomReader, scratch: &Path, monitor: &dyn Monitor) -> Result<Plan, Failure> {
        monitor.task("survey");
        let release = archive.site().release;
        let settings = Settings::read(archive)?;
        let mut refcounts = Refcounts::default();
        for record in archive.headers(Some(Kind::Refcount)).map_err(Failure::from)? {
            refcounts.add(&record.map_err(Failure::from)?.0.fields);
        }
        let mut accounts = Accounts::new(release);
        for record in archive.headers(Some(Kind::User)).map_err(Failure::from)? {
            accounts.add(&record.map_err(Failure::from)?.0);
        }
        accounts.settle();
        let rooms = Rooms::read(archive, &mut refcounts)?;
        if monitor.is_interrupted() {
            return Err(Failure::interrupted());
        }
        let mails = Mails::read(archive, &rooms)?;
        let mut domains = Domains::of(settings.text("c_fqdn"), settings.text("c_nodename"));
        domains.add_configuration(&mails.internet_configuration);
        let last_message = last_message(archive)?;
        let mut survey = Survey {
            archive,
            release,
            next_message: last_message.max(rooms.highest_message).max(settings.number("MMhighest")),
            settings,
            accounts,
            rooms,
            files: OldFiles::find(archive, release)?,
            gifts: BTreeMap::new(),
            making: Making::new(scratch),
            notices: Notices::default(),
        };
        if monitor.is_interrupted() {
            return Err(Failure::interrupted());
        }
        survey.notices.say(format!(
            "the site was of release {release}; what is written is a site of release {}:",
            super::CURRENT_RELEASE
        ));
        survey.make_messages(&mails)?;
        survey.make_network_configurations()?;
        survey.make_seen()?;
        survey.make_people(&mails, &domains)?;
        survey.finish(refcounts)
    }
}

/// The highest number of a message record.
fn last_message(archive: &RandomReader) -> Result<i64, Failure> {
    let mut last = 0;
    for record in archive.records(Some(Kind::Message)).map_err(Failure::from)? {
        last = record.map_err(Failure::from)?.key.first_number().unwrap_or_default();
    }
    Ok(last)
}

impl Survey<'_> {
    /// Profiles, pictures, banners and the table of aliases become messages, in this order.
    fn make_messages(&mut self, mails: &Mails) -> Result<(), Failure> {
        let (profiles, photos) = (self.files.profiles.clone(), self.files.photos.clone());
        let users: BTreeMap<i64, ()> = self.accounts.iter().map(|account| (account.number, ())).collect();
        let mut counts = [0; 4];
        for (user, found) in profiles.into_iter().filter(|(user, _)| users.contains_key(user)) {
            let number =
                self.message_of(Some(user), &found, "Profile imported from bio", ("text/plain", "; charset=UTF-8"))?;
            self.gifts.entry(user).or_default().profile = Some(number);
            counts[0] += 1;
        }
        for (user, found) in photos.into_iter().filter(|(user, _)| users.contains_key(user)) {
            let content_type = (picture_type(&found.beginning), "");
            let number = self.message_of(Some(user), &found, "Photo imported from file", content_type)?;
            self.gifts.entry(user).or_default().photo = Some(number);
            counts[1] += 1;
        }
        for (room, found) in self.files.banners.clone() {
            let Some(name) = self.rooms.name(room).map(<[u8]>::to_vec) else { continue };
            let subject = [b"Imported room banner for ", name.as_slice()].concat();
            let number = self.message_of(None, &found, subject, ("text/plain", "; charset=UTF-8"))?;
            self.rooms.set_banner(room, number);
            counts[2] += 1;
        }
        for (room, found) in self.files.room_pictures.clone() {
            let Some(name) = self.rooms.name(room).map(<[u8]>::to_vec) else { continue };
            let subject = [b"Imported room icon for ", name.as_slice()].concat();
            let number = self.message_of(None, &found, subject, (picture_type(&found.beginning), ""))?;
            self.rooms.set_picture(room, number);
            counts[3] += 1;
        }
        if counts.iter().any(|count| *count > 0) {
            let [profiles, photos, banners, pictures] = counts;
            self.notices.say(format!(
                "{profiles} profiles, {photos} pictures of users, {banners} room banners and {pictures} room pictures, which were files, are messages"
            ));
        }
        self.make_aliases(mails)
    }

    /// The number of a new message that holds a file.
    fn message_of(
        &mut self,
        user: Option<i64>,
        found: &Found,
        subject: impl Into<Vec<u8>>,
        (content_type, parameters): (&'static str, &'static str),
    ) -> Result<i64, Failure> {
        let content = Piece::File { path: found.path.clone(), bytes: found.bytes, in_lines: true };
        self.files.converted(&found.path);
        self.message(user, found.time, subject.into(), (content_type, parameters, "base64"), content)
    }

    fn message(
        &mut self,
        user: Option<i64>,
        time: i64,
        subject: Vec<u8>,
        (content_type, parameters, encoding): (&'static str, &'static str, &'static str),
        content: Piece,
    ) -> Result<i64, Failure> {
        let used_up = |what: &str| {
            let text = format!(
                "the site has a {what} with the highest number that there is, so no other can be made; --keep-release imports it as it is"
            );
            Failure::new(Class::Failed, text)
        };
        self.next_message = self.next_message.checked_add(1).ok_or_else(|| used_up("message"))?;
        let number = self.next_message;
        let room = self.rooms.put(user, number).ok_or_else(|| used_up("room"))?;
        let message = NewMessage { number, time, room, subject, content_type, parameters, encoding, content };
        let (header, pieces) = message.record(self.settings.text("c_fqdn"));
        self.making.with_body(header, pieces);
        Ok(number)
    }

    fn make_aliases(&mut self, mails: &Mails) -> Result<(), Failure> {
        // Releases up to 902 look into the file alone, also where somebody has made a table.
        let has_table = self.release > 902 && (mails.has_alias_table || self.settings.number(GLOBAL_ALIAS_TABLE) > 0);
        let Some(found) = self.files.aliases.clone().filter(|found| !has_table && found.bytes < MOST_LOOKED_AT as u64)
        else {
            return Ok(());
        };
        let file = content_of(self.archive, &found.path)?;
        let (mut table, others) = alias_table(&file);
        let aliases = table.iter().filter(|byte| **byte == b'\n').count();
        // As the server writes it, a NUL comes behind it.
        table.push(0);
        let number =
            self.message(None, found.time, Vec::new(), (GLOBAL_ALIAS_TABLE, "", "7bit"), Piece::Bytes(table))?;
        self.settings.set(GLOBAL_ALIAS_TABLE, number);
        self.files.converted(&found.path);
        self.notices.say(format!("{aliases} aliases of mail.aliases are in the table of aliases of the new server"));
        if others > 0 {
            self.notices.say(format!("{others} lines of mail.aliases are no aliases and were left behind"));
        }
        Ok(())
    }

    /// Files below `netconfigs/` become settings.
    fn make_network_configurations(&mut self) -> Result<(), Failure> {
        let files = self.files.network_configurations.clone();
        let mut unknown = BTreeSet::new();
        for (room, found) in &files {
            let key = Key::name(format!("c_netconfig_{room:010}"));
            let piece = Piece::File { path: found.path.clone(), bytes: found.bytes, in_lines: false };
            let header = Header {
                kind: Kind::Config,
                key,
                fields: Fields::new(),
                body: Some(Body::Segments(piece.length())),
                residue: None,
            };
            self.making.with_body(header, vec![piece]);
            self.files.converted(&found.path);
            let text = content_of(self.archive, &found.path)?;
            unknown.extend(unknown_words(&text).map(|word| word[..word.len().min(MOST_WORD_BYTES)].to_vec()));
        }
        self.notices.say_names(
            "lines in network configurations that release 980 does nothing with, kept in them",
            &unknown.into_iter().collect::<Vec<_>>(),
        );
        if !files.is_empty() {
            self.notices
                .say(format!("{} network configurations of rooms, which were files, are settings", files.len()));
        }
        Ok(())
    }

    /// What was fetched or seen before: numbers in place of the ids, where release 980 still makes the same id of the same thing.
    fn make_seen(&mut self) -> Result<(), Failure> {
        let (mut kept, mut others) = (0, 0);
        for record in self.archive.headers(Some(Kind::Useid)).map_err(Failure::from)? {
            let (header, _) = record.map_err(Failure::from)?;
            let id = header.key.last_name().unwrap_or_default();
            let is_same = id.starts_with(b"rss/") || self.release >= 902 && id.starts_with(b"pop3/");
            let (true, Some(time)) = (is_same, header.fields.int("time")) else {
                others += 1;
                continue;
            };
            let mut fields = Fields::new();
            fields.set_int("time", time);
            let key = Key::number(seen_hash(id).into());
            self.making.plain(&Header { kind: Kind::Use, key, fields, body: None, residue: None })?;
            kept += 1;
        }
        if kept + others > 0 {
            self.notices.say(format!(
                "of {} things that were fetched or seen before {kept} are remembered; the ids of {others} have another form now, and feeds or mailboxes \
                 that they are from may be fetched a second time",
                kept + others
            ));
        }
        Ok(())
    }

    fn make_people(&mut self, mails: &Mails, domains: &Domains) -> Result<(), Failure> {
        let mut people = People::new(self.release, &self.accounts, mails, domains);
        people.make(self.archive, &self.gifts, &mut self.making)?;
        people.tell(&mut self.notices);
        self.accounts.tell(&mut self.notices);
        if !mails.too_long.is_empty() {
            self.notices.say(format!(
                "{} cards, mail filters or configurations are too long to be looked at",
                mails.too_long.len()
            ));
        }
        Ok(())
    }

    fn finish(mut self, refcounts: Refcounts) -> Result<Plan, Failure> {
        for (mut header, body) in self.rooms.made() {
            header.body = Some(Body::Segments(body.len() as u64));
            self.making.with_body(header, vec![Piece::Bytes(body)]);
        }
        let settings = &mut self.settings;
        settings.raise("MMhighest", self.next_message);
        settings.raise("MMnextuser", self.accounts.highest_number());
        settings.raise("MMnextroom", self.rooms.highest_number);
        let keeps_fulltext = settings.number("MM_fulltext_wordbreaker") == WORD_BREAKER;
        if !keeps_fulltext {
            settings.set("MM_fulltext_wordbreaker", 0);
            settings.set("MMfulltext", 0);
        }
        settings.bring_up_to_date(self.archive.site().snapshot.taken);
        for (name, value) in settings.changed() {
            let body = Some(Body::Segments(value.len() as u64));
            let header =
                Header { kind: Kind::Config, key: Key::name(name), fields: Fields::new(), body, residue: None };
            self.making.with_body(header, vec![Piece::Bytes(value.into())]);
        }
        self.files.settle(self.release);
        Ok(Plan {
            release: self.release,
            settings: self.settings,
            rooms: self.rooms,
            refcounts,
            files: self.files,
            keeps_fulltext,
            made: self.making.finish()?,
            notices: self.notices,
            left_out: BTreeMap::new(),
        })
    }
}

/// The content of a file, at most so much of it.
fn content_of(archive: &RandomReader, path: &[u8]) -> Result<Vec<u8>, Failure> {
    let record = archive.open_record(Kind::File, &Key::name(path)).map_err(Failure::from)?;
    let mut content = Vec::new();
    let Some((header, mut body)) = record else { return Ok(content) };
    if let Some(Body::Inline(bytes)) = header.body {
        return Ok(bytes);
    }
    let mut segment = Vec::new();
    while content.len() < MOST_LOOKED_AT && body.segment(&mut segment).map_err(Failure::from)? {
        content.extend_from_slice(&segment);
    }
    Ok(content)
}
