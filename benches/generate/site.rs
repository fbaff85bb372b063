//! The plan of a site, and how it is carried out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ctdl_dump::record::{Fields, Key, Kind};

use crate::mail::{self, Text};
use crate::people::{self, Room, User};
use crate::random::Random;
use crate::tables::Tables;
use crate::words::Vocabulary;

/// The clock of the site begins here: 2020-01-01. A message comes each 64 seconds.
const BEGIN: i64 = 1_577_836_800;
const SECONDS_PER_MESSAGE: i64 = 64;

/// Longer bodies stand in a table of their own.
const LONGEST_BODY_IN_ENTRY: usize = 1024;

const PIECE_BYTES: usize = 1 << 20;

/// What the site is to hold.
pub struct Plan {
    pub messages: u32,
    pub users: u32,
    pub mail: mail::Plan,
    /// Lengths of big bodies, in bytes.
    pub big: Vec<u32>,
    pub seed: u64,
}

struct Site {
    tables: Tables,
    random: Random,
    vocabulary: Vocabulary,
    users: Vec<User>,
    rooms: Vec<Room>,
    /// How many of the rooms are public; the mailboxes follow them.
    public: usize,
    /// By rank of the word, the messages that have it.
    buckets: Vec<Vec<i64>>,
    body_bytes: u64,
}

impl Plan {
    /// Makes the site in an empty directory, and says how many bytes of message bodies it has.
    pub fn build(&self, directory: &Path) -> anyhow::Result<u64> {
        for (name, mode) in [("data", 0o700), ("files", 0o700), ("keys", 0o700), ("messages", 0o700)] {
            fs::create_dir(directory.join(name))?;
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(mode))?;
        }
        let mut random = Random::new(self.seed);
        let vocabulary = Vocabulary::new(&mut random);
        let users = people::users(self.users, &mut random, &vocabulary);
        let public = 3 + self.users as usize / 5;
        let rooms = people::rooms(&users, public, &mut random, &vocabulary);
        let tables = Tables::create(&directory.join("data"))?;
        let mut site = Site { tables, random, vocabulary, users, rooms, public, buckets: Vec::new(), body_bytes: 0 };
        for number in 1..=i64::from(self.messages) {
            site.message(number, &self.mail)?;
        }
        let mut last = i64::from(self.messages);
        for bytes in &self.big {
            last += 1;
            site.big_message(last, *bytes)?;
        }
        site.files(directory)?;
        site.rest(last)
    }
}

impl Site {
    fn message(&mut self, number: i64, plan: &mail::Plan) -> anyhow::Result<()> {
        let (from, to) = (self.random.below(self.users.len()), self.random.below(self.users.len()));
        let (text, rooms) = if self.random.below(10) < 3 {
            let room = self.random.below(self.public);
            (mail::post(plan, &mut self.random, &self.vocabulary), vec![room])
        } else {
            let mailbox = self.public + 3 * to;
            let sent = (self.random.below(10) == 0).then_some(self.public + 3 * from + 1);
            (mail::mail(plan, &mut self.random, &self.vocabulary), [mailbox].into_iter().chain(sent).collect())
        };
        for rank in &text.used {
            if self.buckets.len() <= *rank {
                self.buckets.resize(*rank + 1, Vec::new());
            }
            if self.buckets[*rank].last() != Some(&number) {
                self.buckets[*rank].push(number);
            }
        }
        self.put(number, (from, to), &rooms, &text)?;
        if text.body.len() > LONGEST_BODY_IN_ENTRY {
            let length = u32::try_from(text.body.len())?;
            self.tables.put_big_body(number, length, std::iter::once(text.body))?;
        }
        Ok(())
    }

    /// A message whose body is lines of base64, made as they are written: the largest part of a gigabyte is never in memory.
    fn big_message(&mut self, number: i64, bytes: u32) -> anyhow::Result<()> {
        let text = Text { format: 4, content_type: "application/octet-stream", body: String::new(), used: Vec::new() };
        self.put(number, (0, 0), &[self.public], &text)?;
        let headers = "Content-type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n";
        let headers = &headers[..headers.len().min(bytes as usize)];
        let mut left = bytes as usize - headers.len();
        self.body_bytes += u64::from(bytes);
        let Site { tables, random, .. } = self;
        let lines = std::iter::from_fn(|| {
            let piece = mail::attachment_lines(random, left.min(PIECE_BYTES));
            left -= piece.len();
            (!piece.is_empty()).then_some(piece)
        });
        tables.put_big_body(number, bytes, std::iter::once(headers.to_owned()).chain(lines))
    }

    fn put(&mut self, number: i64, (from, to): (usize, usize), rooms: &[usize], text: &Text) -> anyhow::Result<()> {
        let time = BEGIN + number * SECONDS_PER_MESSAGE;
        let rank = self.vocabulary.rank(&mut self.random);
        let (sender, recipient) = (&self.users[from], &self.users[to]);
        let mut entry = vec![0xff, b'A', text.format];
        let mut field = |letter: u8, value: &str| {
            entry.push(letter);
            entry.extend_from_slice(value.as_bytes());
            entry.push(0);
        };
        field(b'I', &format!("{time:08X}-{number:08X}@citadel.example.org"));
        field(b'P', &sender.address);
        field(b'T', &time.to_string());
        field(b'A', &sender.name);
        field(b'O', &self.rooms[rooms[0]].name);
        field(b'F', &sender.address);
        if text.format == 4 {
            field(b'R', &recipient.address);
        }
        field(b'U', &format!("About {}", self.vocabulary.word(rank)));
        if !text.body.is_empty() && text.body.len() <= LONGEST_BODY_IN_ENTRY {
            field(b'M', &text.body);
        }
        let mut fields = Fields::new();
        fields.set_int("refcount", rooms.len() as i64);
        fields.set_string("content_type", text.content_type);
        fields.set_int("rfc822_length", text.body.len() as i64 + 400);
        self.tables.put_message(number, &entry, fields)?;
        rooms.iter().for_each(|room| self.rooms[*room].list.push(number));
        self.body_bytes += text.body.len() as u64;
        Ok(())
    }

    /// Room libraries, a banner, and keys that are none.
    fn files(&mut self, directory: &Path) -> anyhow::Result<()> {
        for room in self.rooms.iter().filter(|room| !room.directory.is_empty()) {
            let library = directory.join("files").join(&room.directory);
            fs::create_dir(&library)?;
            let mut index = String::new();
            for number in 1..=5 {
                let bytes = self.random.size(1_000.0, 1_000_000.0);
                fs::write(library.join(format!("file{number}.bin")), self.random.bytes(bytes))?;
                index += &format!("file{number}.bin application/octet-stream A file\n");
            }
            fs::write(library.join("filedir"), index)?;
        }
        fs::write(directory.join("messages/hello"), "Welcome to ^humannode.\n")?;
        fs::write(directory.join("keys/citadel.key"), "no key\n")?;
        fs::write(directory.join("keys/citadel.cer"), "no certificate\n")?;
        Ok(())
    }

    /// Everything but messages: what is known only when all messages are.
    fn rest(mut self, last: i64) -> anyhow::Result<u64> {
        let tables = &mut self.tables;
        for (room, owner) in self.rooms.iter().zip(owners(self.public)) {
            tables.put(Kind::Room, Key::name(room.name.to_ascii_lowercase()), room_fields(room), None)?;
            tables.put_list(room.number, &room.list)?;
            if let Some(user) = owner.and_then(|owner| self.users.get(owner)) {
                tables.put(Kind::Visit, Key::numbers([room.number, BEGIN, user.number]), visit_fields(room), None)?;
            }
        }
        for user in &self.users {
            let key: String = user.name.chars().filter(char::is_ascii_alphanumeric).collect();
            tables.put(Kind::User, Key::name(key.to_lowercase()), user_fields(user), None)?;
            let mut name = Fields::new();
            name.set_string("user", user.name.as_bytes());
            tables.put(Kind::Usernumber, Key::number(user.number), name.clone(), None)?;
            tables.put(Kind::Directory, Key::name(user.address.as_bytes()), name, None)?;
        }
        for number in 0..16 {
            tables.put(Kind::Floor, Key::number(number), floor_fields(number), None)?;
        }
        for (token, list) in self.buckets.iter().enumerate().filter(|(_, list)| !list.is_empty()) {
            tables.put_bucket(token, list)?;
        }
        let rooms = self.rooms.len().to_string();
        let users = (1 + self.users.len()).to_string();
        let (last, begin) = (last.to_string(), BEGIN.to_string());
        let settings = [
            ("MM_fulltext_wordbreaker", "33"),
            ("MM_hosted_upgrade_level", "980"),
            ("MMflags", "0"),
            ("MMfulltext", &last),
            ("MMhighest", &last),
            ("MMnextroom", &rooms),
            ("MMnextuser", &users),
            ("c_aideroom", "Aide"),
            ("c_baseroom", "Lobby"),
            ("c_config_created_or_migrated", &begin),
            ("c_enable_fulltext", "1"),
            ("c_fqdn", "citadel.example.org"),
            ("c_humannode", "A synthetic site"),
            ("c_maxmsglen", "10000000"),
            ("c_nodename", "synthetic"),
            ("c_twitroom", "Trashcan"),
        ];
        for (name, value) in settings {
            tables.put(Kind::Config, Key::name(name), Fields::new(), Some(value.as_bytes()))?;
        }
        self.tables.finish()?;
        Ok(self.body_bytes)
    }
}

/// Whose each room is, in the order of the rooms: nobody's, or an index among the users.
fn owners(public: usize) -> impl Iterator<Item = Option<usize>> {
    std::iter::repeat_n(None, public).chain((0..).flat_map(|user| [Some(user); 3]))
}

fn room_fields(room: &Room) -> Fields {
    let mut fields = Fields::new();
    for name in ["msgnum_info", "msgnum_pic", "floor", "ep_mode", "ep_value", "flags2"] {
        fields.set_int(name, 0);
    }
    fields.set_string("name", room.name.as_bytes());
    fields.set_string("passwd", "");
    fields.set_string("dirname", room.directory.as_bytes());
    fields.set_int("roomaide", -1);
    fields.set_int("highest", room.list.last().copied().unwrap_or(0));
    fields.set_int("gen", BEGIN);
    fields.set_int("mtime", BEGIN);
    fields.set_int("flags", room.flags);
    fields.set_int("number", room.number);
    fields.set_int("order", 64);
    fields.set_int("defaultview", room.view);
    fields
}

fn visit_fields(room: &Room) -> Fields {
    let last = room.list.last().copied().unwrap_or(0);
    let mut fields = Fields::new();
    fields.set_int("lastseen", last);
    fields.set_int("flags", 0);
    fields.set_string("seen", format!("*:{last}"));
    fields.set_string("answered", "");
    fields.set_int("view", room.view);
    fields
}

fn user_fields(user: &User) -> Fields {
    let mut fields = Fields::new();
    for name in
        ["timescalled", "posted", "userpurge", "msgnum_bio", "msgnum_pic", "msgnum_inboxrules", "lastproc_inboxrules"]
    {
        fields.set_int(name, 0);
    }
    fields.set_int("version", 980);
    fields.set_int("uid", u32::MAX.into());
    fields.set_string("password", format!("secret{}", user.number));
    fields.set_int("flags", 0);
    fields.set_int("axlevel", 4);
    fields.set_int("usernum", user.number);
    fields.set_int("lastcall", BEGIN);
    fields.set_string("fullname", user.name.as_bytes());
    fields.set_string("emailaddrs", user.address.as_bytes());
    fields
}

fn floor_fields(number: i64) -> Fields {
    let mut fields = Fields::new();
    fields.set_int("flags", i64::from(number == 0));
    fields.set_string("name", if number == 0 { "Main Floor" } else { "" });
    for name in ["ref_count", "ep_mode", "ep_value"] {
        fields.set_int(name, 0);
    }
    fields
}
