//! What a server was asked and has not answered yet.

use std::collections::VecDeque;
use std::io::{Read, Write};

use super::Client;
use crate::codec::Digest;
use crate::wire::command::{Action, Command, Level, Scope};
use crate::wire::error::WireError;
use crate::wire::reply::{Code, Reply};
use crate::wire::words::{Abilities, number};
use crate::wire::{MAX_UNANSWERED_BYTES, VERSION};

/// The most bytes that the line of a `get` or a `list` of chosen segments has, its end included.
const LINE_BYTES: usize = 64;

/// A question whose answer is sure to be wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead<'a> {
    /// What there is in all: [`Client::info`].
    Info,
    /// All records: [`Client::get_all`].
    All,
    /// The nodes that differ from these: [`Client::since`].
    Since(Level, &'a [Digest]),
}

/// What is said before anything is asked, and needs an answer that says no more than that it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// The token.
    Login,
    /// The version, and whether everything behind it is packed.
    Version { is_packed: bool },
    /// That a snapshot is wanted, whichever.
    Snapshot,
}

/// Commands in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    opening: VecDeque<Opening>,
    asked: VecDeque<Asked>,
    /// What the opening and all that was asked have in bytes.
    opening_bytes: usize,
    asked_bytes: usize,
}

#[derive(Debug)]
struct Asked {
    bytes: usize,
    /// The digest of a question that was asked ahead, until somebody wants the answer.
    ahead: Option<Digest>,
}

impl Unanswered {
    /// Whether a command followed by so many bytes can be sent.
    pub(super) fn has_room(&self, counted: usize) -> bool {
        let waiting = self.opening_bytes + self.asked_bytes;
        waiting == 0 || waiting + counted + LINE_BYTES <= MAX_UNANSWERED_BYTES
    }

    /// The first answer has come.
    pub(super) fn answered(&mut self) {
        if let Some(first) = self.asked.pop_front() {
            self.asked_bytes -= first.bytes;
        }
    }

    fn push(&mut self, bytes: usize, ahead: Option<Digest>) {
        self.asked.push_back(Asked { bytes, ahead });
        self.asked_bytes += bytes;
    }

    /// Whether this question was asked ahead: then it is so no more.
    fn take_ahead(&mut self, question: &Digest) -> Result<bool, WireError> {
        match self.asked.iter_mut().find(|asked| asked.ahead.is_some()) {
            None => Ok(false),
            Some(asked) if asked.ahead.as_ref() == Some(question) => {
                asked.ahead = None;
                Ok(true)
            }
            Some(_) => Err(WireError::AskedAhead),
        }
    }
}

impl<R: Read, W: Write> Client<R, W> {
    /// Asks before the answers to what was asked before have come, if there is room; whoever asks for the same later gets the answer without waiting
    /// for the way there. All that is asked ahead must be asked for later, in this order.
    pub fn ask_ahead(&mut self, question: Ahead) -> Result<(), WireError> {
        let (action, counted) = match question {
            Ahead::Info => (Action::Info, &[][..]),
            Ahead::All => (Action::GetAll(None), &[][..]),
            Ahead::Since(level, known) => (Action::Since(level, known.len() * 32), known.as_flattened()),
        };
        let command = Command::Sync(Scope::All, action);
        if !self.may_ask(counted.len()) {
            return Ok(());
        }
        let ahead = Some(digest(&command, counted));
        self.put_into_queue(&command, counted, ahead)
    }

    /// Waits until the server has answered to all that a conversation begins with.
    pub fn settle(&mut self) -> Result<(), WireError> {
        while let Some(opening) = self.unanswered.opening.pop_front() {
            let reply = self.next_reply(&mut |_, _| ())?;
            match opening {
                Opening::Login => drop(reply.expect(Code::OK, "the answer to PASS")?),
                Opening::Version { is_packed } => self.see_version(reply, is_packed)?,
                Opening::Snapshot => drop(self.see_snapshot(&reply.expect(Code::OK, "a snapshot")?)?),
            }
        }
        self.unanswered.opening_bytes = 0;
        Ok(())
    }

    /// Says something that a conversation begins with.
    pub(super) fn open(&mut self, command: &Command, opening: Opening) -> Result<(), WireError> {
        self.unanswered.opening.push_back(opening);
        self.unanswered.opening_bytes += command.encode().len() + 1;
        self.write(command, &[])
    }

    /// Sends a command, unless that was done ahead.
    pub(super) fn send(&mut self, command: &Command, counted: &[u8]) -> Result<(), WireError> {
        if self.unanswered.take_ahead(&digest(command, counted))? {
            return Ok(());
        }
        if !self.may_ask(counted.len()) {
            self.settle()?;
        }
        self.put_into_queue(command, counted, None)
    }

    fn put_into_queue(&mut self, command: &Command, counted: &[u8], ahead: Option<Digest>) -> Result<(), WireError> {
        self.unanswered.push(LINE_BYTES + counted.len(), ahead);
        self.write(command, counted)
    }

    fn write(&mut self, command: &Command, counted: &[u8]) -> Result<(), WireError> {
        let line = command.encode();
        let sent =
            self.output.line(&line).and_then(|()| self.output.counted(counted)).and_then(|()| self.output.flush());
        sent.map_err(|error| self.why_not(error))
    }

    /// A server that takes nothing any more may have said why.
    fn why_not(&mut self, error: WireError) -> WireError {
        match self.settle() {
            Err(refused @ WireError::Refused { .. }) => refused,
            Ok(()) if self.unanswered.asked.len() <= 1 => self.last_words(&mut |_, _| ()).unwrap_or(error),
            _ => error,
        }
    }

    fn see_version(&mut self, reply: Reply, is_packed: bool) -> Result<(), WireError> {
        let reply = reply.expect(Code::OK, "the answer to IDEN")?;
        let agreed = match reply.fields().as_slice() {
            [version, agreed, ..] if number(version) == Some(u64::from(VERSION)) => Abilities::parse(agreed),
            _ => return Err(WireError::unexpected(&reply.encode(), "the version and abilities that are agreed on")),
        };
        match (agreed.zstd, is_packed) {
            (true, true) => self.input.unpack(),
            (false, false) => Ok(()),
            (true, false) => Err(WireError::Disagreement { problem: "it packs though nobody asked for that" }),
            (false, true) => Err(WireError::Disagreement { problem: "it offers to pack, and then does not" }),
        }
    }
}

/// Tells one question from another.
fn digest(command: &Command, counted: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(command.encode().as_bytes());
    hasher.update(b"\n");
    hasher.update(counted);
    hasher.finalize().into()
}
