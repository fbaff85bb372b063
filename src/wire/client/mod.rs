//! Asks a server.
//!
//! What is asked goes into a queue, and answers are read in its order. So whatever is known to be wanted can be asked before the answers to what was asked
//! before have come, and a link of a long delay is waited for once, not for every command: the login, the version and the snapshot always go ahead
//! of what is asked first, and `ask_ahead` sends more.

mod ahead;
mod chosen;
mod listing;
mod push;
mod steady;

use std::io::{Read, Write};

pub use self::ahead::Ahead;
use self::ahead::{Opening, Unanswered};
pub use self::chosen::SteadyChosen;
pub use self::listing::{Listed, Listing};
pub use self::push::Offered;
pub use self::steady::{Connector, Steady, SteadyRecords};
use super::VERSION;
use super::command::{Action, Command, EndOfLease, Level, Resume, Scope};
use super::error::{WireError, shortened};
use super::frame::{MOST_AT_WORK_LINES, Position, next_item, site, state};
use super::item::Item;
use super::line::{Input, Output};
use super::reply::{Code, Reply};
use super::served::SnapshotId;
use super::totals::Totals;
use super::words::{self, Abilities, number, time};
use crate::codec::{Digest, site_info};
use crate::record::{Key, Kind, SiteInfo};

/// Who asks, and how.
#[derive(Clone, Debug)]
pub struct Login<'a> {
    /// Name and version of the program.
    pub program: &'a str,
    /// What the server wants to hear.
    pub token: Option<&'a str>,
    /// The level of zstd at which commands are packed, if the server can do that; `None` for a stream that is faster than any packing.
    pub level: Option<i32>,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// What it can do.
    pub abilities: Abilities,
    /// Name and version of its program.
    pub program: String,
}

/// A snapshot that a server has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which one.
    pub id: SnapshotId,
    /// When, in seconds since 1970.
    pub at: i64,
}

/// What a server says of all of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// What `site.cbor` says.
    pub site: SiteInfo,
    /// What there is of each kind that occurs.
    pub kinds: Vec<(Kind, Totals)>,
    /// What there is in all.
    pub total: Totals,
    /// How the source was found at the end.
    pub state_after: String,
}

/// One connection to a server.
pub struct Client<R: Read, W: Write> {
    input: Input<R>,
    output: Output<W>,
    greeting: Greeting,
    snapshot: Option<Taken>,
    unanswered: Unanswered,
}

impl<R: Read, W: Write> Client<R, W> {
    /// Reads the greeting, logs in and agrees on the version.
    pub fn connect(input: R, output: W, login: &Login) -> Result<Self, WireError> {
        let mut client = Client::begin(input, output, login)?;
        client.settle()?;
        Ok(client)
    }

    /// Reads the greeting, and sends what must be said to it. Whatever is read first also reads how the server has answered that.
    pub fn begin(input: R, output: W, login: &Login) -> Result<Self, WireError> {
        let mut input = Input::new(input);
        let greeting = read_greeting(&mut input)?;
        let output = Output::new(output);
        let mut client = Client { input, output, greeting, snapshot: None, unanswered: Unanswered::default() };
        if client.greeting.abilities.login {
            let Some(token) = login.token else {
                let text = "it wants a token, and none was given".to_owned();
                return Err(WireError::Refused { code: Code::LOGIN_FIRST, text });
            };
            client.open(&Command::Pass(token.to_owned()), Opening::Login)?;
        }
        let level = login.level.filter(|_| client.greeting.abilities.zstd);
        let abilities = Abilities { zstd: level.is_some(), ..Abilities::default() };
        let program = login.program.to_owned();
        let command = Command::Identify { version: u64::from(VERSION), abilities, program };
        client.open(&command, Opening::Version { is_packed: level.is_some() })?;
        if let Some(level) = level {
            client.output.pack(level)?;
        }
        Ok(client)
    }

    /// Asks for a snapshot, whichever, before the answers to what was said before have come.
    pub fn ask_snapshot(&mut self) -> Result<(), WireError> {
        self.open(&Command::Snapshot(None), Opening::Snapshot)
    }

    /// What the server says of itself.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// The snapshot that all answers are of, once there was one.
    pub fn present_snapshot(&self) -> Option<Taken> {
        self.snapshot
    }

    /// Bytes that came and went over the streams so far.
    pub fn bytes(&self) -> (u64, u64) {
        (self.input.bytes_read(), self.output.bytes_written())
    }

    /// Asks for a snapshot: this one, if it is still there. `at_work` gets what the server says meanwhile.
    pub fn take_snapshot(&mut self, id: Option<SnapshotId>, at_work: &mut dyn FnMut(&str)) -> Result<Taken, WireError> {
        let reply = self.ask_for(&Command::Snapshot(id), "a snapshot", at_work)?;
        self.snapshot = None;
        self.see_snapshot(&reply)
    }

    /// Has the server take its site single-user, and take a snapshot of it.
    pub fn single_user(&mut self, wait: u32, expire: u32, at_work: &mut dyn FnMut(&str)) -> Result<Taken, WireError> {
        let reply = self.ask_for(&Command::Single { wait, expire }, "the answer to SNGL", at_work)?;
        self.snapshot = None;
        self.see_snapshot(&reply)
    }

    /// Ends single-user mode, and gives the server's words on how it stands then. An error of code [`Code::NO_LEASE`] says that it had ended before.
    pub fn end_single_user(&mut self, how: EndOfLease) -> Result<String, WireError> {
        self.ask_for(&Command::EndSingle(how), "the answer to ESNG", &mut |_| ()).map(|reply| reply.text)
    }

    /// A sign of life.
    pub fn noop(&mut self) -> Result<(), WireError> {
        self.ask_for(&Command::Noop, "the answer to NOOP", &mut |_| ()).map(|_| ())
    }

    /// Says goodbye.
    pub fn quit(mut self) -> Result<(), WireError> {
        self.ask_for(&Command::Quit, "the answer to QUIT", &mut |_| ()).map(|_| ())
    }

    /// Says goodbye, and waits for nothing: when all has come, no more depends on how the server takes it.
    pub fn leave(mut self) {
        // Whoever doesn't hear it any more sees that the connection ends.
        let _ = self.output.line(&Command::Quit.encode()).and_then(|()| self.output.flush());
    }

    /// What there is in all.
    pub fn info(&mut self) -> Result<Info, WireError> {
        self.ask_for_answer(&Command::Sync(Scope::All, Action::Info), &[])?;
        let site = site_info::decode(&site(&mut self.input)?)?;
        let mut kinds: Vec<(Kind, Totals)> = Vec::new();
        loop {
            match next_item(&mut self.input, "COUNT or TOTAL")? {
                Item::Count(kind, _) if kinds.last().is_some_and(|(last, _)| *last >= kind) => {
                    return Err(WireError::Disagreement { problem: "the kinds are not in canonical order" });
                }
                Item::Count(kind, totals) => kinds.push((kind, totals)),
                Item::Total(total) => {
                    let state_after = state(&mut self.input)?;
                    self.end_answer()?;
                    if !total.is_sum_of(kinds.iter().map(|(_, totals)| totals)) {
                        return Err(WireError::Disagreement {
                            problem: "all kinds together are not what there is in all",
                        });
                    }
                    return Ok(Info { site, kinds, total, state_after });
                }
                item => return Err(WireError::unexpected(&item.encode(), "COUNT or TOTAL")),
            }
        }
    }

    /// What there is of a kind.
    pub fn info_of(&mut self, kind: Kind) -> Result<Totals, WireError> {
        const EXPECTED: &str = "what there is of the kind";
        let reply = self.ask_for(&Command::Sync(Scope::Kind(kind), Action::Info), EXPECTED, &mut |_| ())?;
        match reply.fields().as_slice() {
            [name, totals @ ..] if *name == kind.name() => Totals::parse(totals),
            _ => None,
        }
        .ok_or_else(|| WireError::unexpected(&reply.encode(), EXPECTED))
    }

    /// The nodes that are not among those whose digests are given, and the numbers of those that are. Without any, all of them.
    pub fn since(&mut self, scope: Scope, level: Level, known: &[Digest]) -> Result<Listing<'_, R>, WireError> {
        let counted = known.as_flattened();
        self.ask_for_answer(&Command::Sync(scope, Action::Since(level, counted.len())), counted)?;
        Ok(Listing::since(&mut self.input, level, known.len()))
    }

    /// Asks for the manifest segments with these digests, ahead of the answers before. The answer comes in its turn: `begin_answer`, then
    /// `listed_segments`.
    pub fn ask_segments(&mut self, scope: Scope, chosen: &[Digest]) -> Result<(), WireError> {
        let counted = chosen.as_flattened();
        self.send(&Command::Sync(scope, Action::List(Some(counted.len()))), counted)
    }

    /// The manifest segments with these digests.
    pub fn segments(&mut self, scope: Scope, chosen: &[Digest]) -> Result<Listing<'_, R>, WireError> {
        self.ask_segments(scope, chosen)?;
        self.begin_answer()?;
        Ok(self.listed_segments(chosen))
    }

    /// The answer to `ask_segments`, which has begun.
    pub fn listed_segments(&mut self, chosen: &[Digest]) -> Listing<'_, R> {
        Listing::chosen(&mut self.input, chosen)
    }

    /// Asks for all records, or those behind a position. They come by way of a receiver that knows the position.
    pub fn get_all(&mut self, scope: Scope, after: Option<&Position>) -> Result<(), WireError> {
        let position = after.map(|last| words::encode_position(last.kind, &last.key)).unwrap_or_default();
        let resume = after.map(|last| Resume { offset: last.offset, bytes: position.len() });
        self.ask_for_answer(&Command::Sync(scope, Action::GetAll(resume)), &position)
    }

    /// Whether a command followed by so many bytes can be sent before earlier ones were answered.
    pub fn may_ask(&self, bytes: usize) -> bool {
        self.unanswered.has_room(bytes)
    }

    /// Asks for records by their keys, which rise; the body of the first from an offset on. The answers come in the order in which they were
    /// asked for: for each, `begin_answer`, then a receiver of these keys.
    pub fn ask(&mut self, kind: Kind, keys: &[Key], offset: u64) -> Result<(), WireError> {
        let keys = words::encode_keys(keys);
        self.send(&Command::Sync(Scope::Kind(kind), Action::Get { offset, bytes: keys.len() }), &keys)
    }

    /// Reads the beginning of the next answer.
    pub fn begin_answer(&mut self) -> Result<(), WireError> {
        const EXPECTED: &str = "the answer to SYNC";
        let reply = self.reply(&mut |_| ())?.expect(Code::FRAMES, EXPECTED)?;
        self.see_snapshot(&reply).map(|_| ())
    }

    /// The stream that answers come over, for a receiver.
    pub fn input(&mut self) -> &mut Input<R> {
        &mut self.input
    }

    fn ask_for(
        &mut self,
        command: &Command,
        expected: &'static str,
        at_work: &mut dyn FnMut(&str),
    ) -> Result<Reply, WireError> {
        self.send(command, &[])?;
        self.reply(at_work)?.expect(Code::OK, expected)
    }

    /// Sends a question that several items answer, and reads the beginning of the answer.
    fn ask_for_answer(&mut self, command: &Command, counted: &[u8]) -> Result<(), WireError> {
        self.send(command, counted)?;
        self.begin_answer()
    }

    fn reply(&mut self, at_work: &mut dyn FnMut(&str)) -> Result<Reply, WireError> {
        self.reply_told(&mut |_, text| at_work(text))
    }

    /// The reply to what was asked first of all that is unanswered.
    fn reply_told(&mut self, told: &mut dyn FnMut(Code, &str)) -> Result<Reply, WireError> {
        self.settle()?;
        self.unanswered.answered();
        self.next_reply(told)
    }

    fn next_reply(&mut self, told: &mut dyn FnMut(Code, &str)) -> Result<Reply, WireError> {
        for _ in 0..MOST_AT_WORK_LINES {
            let line = self.input.line()?;
            let reply = Reply::parse(&line).ok_or_else(|| WireError::unexpected(&line, "a reply"))?;
            if reply.code.class() != 9 {
                return Ok(reply);
            }
            told(reply.code, &reply.text);
        }
        Err(WireError::Silent)
    }

    /// Reads which snapshot a reply is about. All answers must be about the same one.
    fn see_snapshot(&mut self, reply: &Reply) -> Result<Taken, WireError> {
        let taken = match reply.fields().as_slice() {
            [id, at, ..] => SnapshotId::parse(id).zip(time(at)).map(|(id, at)| Taken { id, at }),
            _ => None,
        };
        let taken = taken.ok_or_else(|| WireError::unexpected(&reply.encode(), "a snapshot's id and time"))?;
        if self.snapshot.is_some_and(|before| before.id != taken.id) {
            return Err(WireError::Disagreement { problem: "the snapshot changed in the middle of a connection" });
        }
        self.snapshot = Some(taken);
        Ok(taken)
    }

    fn end_answer(&mut self) -> Result<(), WireError> {
        match next_item(&mut self.input, "the end of the answer")? {
            Item::End => Ok(()),
            item => Err(WireError::unexpected(&item.encode(), "the end of the answer")),
        }
    }
}

fn read_greeting<R: Read>(input: &mut Input<R>) -> Result<Greeting, WireError> {
    let line = match input.line() {
        Err(WireError::Line { .. }) => return Err(WireError::NoGreeting { found: "something that is no text".into() }),
        line => line?,
    };
    let nothing = || WireError::NoGreeting { found: shortened(&line) };
    let reply = Reply::parse(&line).ok_or_else(nothing)?.expect(Code::OK, "a greeting")?;
    match reply.fields().as_slice() {
        [name, abilities, program, ..]
            if name.strip_prefix("ctdl-dump wire ").and_then(number).is_some_and(|version| version > 0) =>
        {
            Ok(Greeting { abilities: Abilities::parse(abilities), program: (*program).to_owned() })
        }
        _ => Err(nothing()),
    }
}
