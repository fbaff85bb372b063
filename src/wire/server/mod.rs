//! Answers one client.

mod answer;
mod records;

use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use super::command::{Command, Follows, Misuse};
use super::error::WireError;
use super::line::{Input, Output};
use super::reply::{Code, Reply};
use super::served::{Refusal, Served, View};
use super::words::Abilities;
use super::{MAX_PIECE_BYTES, VERSION};
use crate::endpoint::Failure;
use crate::monitor::Monitor;

/// So many wrong tokens end a conversation.
const MOST_TOKENS: u32 = 3;
/// So many commands that can't be carried out end a conversation.
const MOST_MISUSES: u32 = 20;

/// How clients are answered.
#[derive(Clone, Debug)]
pub struct Server {
    /// Name and version of the program, for the greeting.
    pub program: String,
    /// What a client must know, if it must know anything.
    pub token: Option<String>,
    /// The level of zstd at which answers are packed for clients that want it; `None` to pack nothing.
    pub level: Option<i32>,
}

/// What happened in a conversation, for a log. Never holds a token.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The client gave the right token.
    LoggedIn,
    /// The client gave a command for the first time, where no token is wanted.
    Begun,
    /// The client gave a wrong token.
    WrongToken,
    /// A command was answered.
    Answered {
        /// The command.
        command: &'a str,
        /// The code of the reply.
        code: Code,
        /// Bytes that have gone over the stream since the conversation began.
        bytes_sent: u64,
    },
    /// A command was refused, or its answer broke off.
    Refused {
        /// The command, if it was one.
        command: &'a str,
        /// The code of the reply.
        code: Code,
        /// Its words.
        text: &'a str,
    },
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::LoggedIn => f.write_str("logged in"),
            Event::Begun => f.write_str("speaks the protocol"),
            Event::WrongToken => f.write_str("gave a wrong token"),
            Event::Answered { command, code, bytes_sent } => {
                write!(f, "{command}: {code}, {bytes_sent} bytes sent so far")
            }
            Event::Refused { command, code, text } => write!(f, "{command}: refused: {code} {text}"),
        }
    }
}

/// Takes the events of a conversation.
pub type Journal<'a> = &'a mut dyn FnMut(&Event);

/// What becomes of a conversation after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Close,
}

impl Server {
    /// Holds one conversation to its end. An error is what ended it early; the client was told, where it could be. When the monitor is interrupted the
    /// client is told that the server goes down, and that is the end.
    pub fn serve<R: Read, W: Write>(
        &self,
        served: &mut dyn Served,
        input: R,
        output: W,
        journal: Journal,
        monitor: &dyn Monitor,
    ) -> Result<(), WireError> {
        let mut session = Session {
            server: self,
            served,
            input: Input::new(input),
            output: Output::new(output),
            journal,
            monitor,
            view: None,
            is_logged_in: self.token.is_none(),
            is_identified: false,
            has_begun: self.token.is_some(),
            has_said_so: false,
            wrong_tokens: 0,
            misuses: 0,
        };
        session.greet()?;
        loop {
            match session.command() {
                Ok(Then::Close) => return Ok(()),
                Ok(Then::GoOn) if !monitor.is_interrupted() => {}
                Ok(Then::GoOn) => return session.go_down(),
                Err(error) => return Err(error),
            }
        }
    }
}

/// What a client is told at the end of the program.
fn going_down() -> Refusal {
    Refusal::new(Code::GOING_DOWN, "this server is going down; try again later")
}

/// What anybody is told who has not logged in. Of those that nobody knows no more is read than lines.
fn login_first(follows: Follows) -> Misuse {
    let follows = if follows == Follows::Bytes(0) { follows } else { Follows::Unknown };
    Misuse { code: Code::LOGIN_FIRST, text: "give the token first".into(), follows }
}

struct Session<'s, R: Read, W: Write> {
    server: &'s Server,
    served: &'s mut dyn Served,
    input: Input<R>,
    output: Output<W>,
    journal: Journal<'s>,
    monitor: &'s dyn Monitor,
    view: Option<Arc<dyn View>>,
    is_logged_in: bool,
    is_identified: bool,
    has_begun: bool,
    /// That this server goes down.
    has_said_so: bool,
    wrong_tokens: u32,
    misuses: u32,
}

impl<R: Read, W: Write> Session<'_, R, W> {
    fn greet(&mut self) -> Result<(), WireError> {
        let abilities = Abilities {
            zstd: self.server.level.is_some(),
            login: self.server.token.is_some(),
            ..self.served.abilities()
        };
        let text = format!("ctdl-dump wire {VERSION}|{}|{}", abilities.encode(), self.server.program);
        self.reply(Code::OK, text)
    }

    /// Reads one command and answers it.
    fn command(&mut self) -> Result<Then, WireError> {
        let line = match self.input.line() {
            Err(WireError::Closed) => return Ok(Then::Close),
            // Nothing is read any more, but the client may still listen.
            Err(error) if error.is_of_the_connection() && self.monitor.is_interrupted() => {
                self.go_down()?;
                return Ok(Then::Close);
            }
            Err(error @ WireError::Line { problem }) => {
                self.refuse("a line", &Refusal::new(Code::ILLEGAL, format!("your line {problem}")))?;
                return Err(error);
            }
            line => line?,
        };
        self.served.alive();
        match Command::parse(&line) {
            Ok(command) => {
                if !std::mem::replace(&mut self.has_begun, true) {
                    (self.journal)(&Event::Begun);
                }
                self.carry_out(command)
            }
            Err(misuse) if self.is_logged_in => self.misuse(misuse),
            Err(Misuse { follows, .. }) => self.misuse(login_first(follows)),
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<Then, WireError> {
        let is_early = matches!(command, Command::Pass(_) | Command::Noop | Command::Quit);
        if !self.is_logged_in && !is_early {
            return self.misuse(login_first(Follows::Bytes(command.counted_bytes())));
        }
        match command {
            Command::Quit => {
                // A client need not wait for it.
                let _ = self.reply(Code::OK, "goodbye");
                Ok(Then::Close)
            }
            Command::Noop => {
                // Of those who have not logged in none has a lease.
                let text = self.served.still_leased().map(|()| "ok".to_owned());
                self.done("NOOP", text)
            }
            Command::Pass(token) => self.login(&token),
            Command::Identify { version, abilities, .. } => self.identify(version, abilities),
            Command::Snapshot(id) => {
                let name = Command::Snapshot(id).encode();
                let taken = with_pulse(&mut self.output, |pulse| self.served.snapshot(id.as_ref(), pulse));
                let text = taken.map(|view| self.look_at(view));
                self.done(&name, text)
            }
            Command::Single { wait, expire } => {
                let name = command.encode();
                let taken = with_pulse(&mut self.output, |pulse| self.served.single_user(wait, expire, pulse));
                let text = taken.map(|view| format!("{}|{expire}", self.look_at(view)));
                self.done(&name, text)
            }
            Command::EndSingle(how) => {
                let text = self.served.end_single_user(how);
                self.done(&command.encode(), text)
            }
            Command::Sync(scope, action) => self.sync(scope, action),
        }
    }

    fn login(&mut self, token: &str) -> Result<Then, WireError> {
        let Some(expected) = self.server.token.as_ref().filter(|_| !self.is_logged_in) else {
            return self.done("PASS", Err(Refusal::new(Code::ALREADY, "no token is wanted here, or none any more")));
        };
        // Comparing digests of blake3's own type takes the same time wherever the two differ.
        if blake3::hash(token.as_bytes()) == blake3::hash(expected.as_bytes()) {
            self.is_logged_in = true;
            (self.journal)(&Event::LoggedIn);
            self.reply(Code::OK, "welcome")?;
            return Ok(Then::GoOn);
        }
        self.wrong_tokens += 1;
        (self.journal)(&Event::WrongToken);
        self.reply(Code::WRONG_TOKEN, "this is not the token")?;
        Ok(if self.wrong_tokens < MOST_TOKENS { Then::GoOn } else { Then::Close })
    }

    fn identify(&mut self, version: u64, abilities: Abilities) -> Result<Then, WireError> {
        if self.is_identified {
            return self.done("IDEN", Err(Refusal::new(Code::ALREADY, "you have said so before")));
        }
        if version != u64::from(VERSION) {
            let text = format!("this server speaks version {VERSION} of the protocol, and no other");
            return self.done("IDEN", Err(Refusal::new(Code::ILLEGAL, text)));
        }
        self.is_identified = true;
        let level = self.server.level.filter(|_| abilities.zstd);
        let agreed = Abilities { zstd: level.is_some(), ..Abilities::default() };
        let then = self.done("IDEN", Ok(format!("{VERSION}|{}", agreed.encode())))?;
        if let Some(level) = level {
            self.input.unpack()?;
            self.output.pack(level)?;
        }
        Ok(then)
    }

    /// Takes a snapshot for all that follows, and says which it is.
    fn look_at(&mut self, view: Arc<dyn View>) -> String {
        let text = format!("{}|{}", view.id(), view.site().snapshot.taken);
        self.view = Some(view);
        text
    }

    /// Answers a line that is no command that can be carried out.
    fn misuse(&mut self, misuse: Misuse) -> Result<Then, WireError> {
        let Misuse { code, text, follows } = misuse;
        self.misuses += 1;
        if let Follows::Bytes(bytes) = follows {
            self.pass_over(bytes)?;
        }
        self.refuse("a line", &Refusal::new(code, text))?;
        let is_last = follows == Follows::Unknown || self.misuses >= MOST_MISUSES;
        Ok(if is_last { Then::Close } else { Then::GoOn })
    }

    fn pass_over(&mut self, mut bytes: usize) -> Result<(), WireError> {
        let mut scratch = Vec::new();
        while bytes > 0 {
            let now = bytes.min(MAX_PIECE_BYTES);
            self.input.counted(now, "what follows a command", &mut scratch)?;
            bytes -= now;
        }
        Ok(())
    }

    /// Answers a command in one line.
    fn done(&mut self, command: &str, text: Result<String, Refusal>) -> Result<Then, WireError> {
        match text {
            Ok(text) => {
                self.reply(Code::OK, text)?;
                self.answered(command, Code::OK);
            }
            Err(refusal) => self.refuse(command, &refusal)?,
        }
        Ok(Then::GoOn)
    }

    fn refuse(&mut self, command: &str, refusal: &Refusal) -> Result<(), WireError> {
        let standard = going_down();
        // What broke off because of it is of no use to the client.
        let is_going_down = refusal.code == Code::GOING_DOWN;
        self.has_said_so |= is_going_down;
        let Refusal { code, text } = if is_going_down { &standard } else { refusal };
        (self.journal)(&Event::Refused { command, code: *code, text });
        self.reply(*code, text.as_str())
    }

    /// Tells the client, who may not have asked anything.
    fn go_down(&mut self) -> Result<(), WireError> {
        if self.has_said_so {
            return Ok(());
        }
        self.refuse("whatever comes next", &going_down())
    }

    fn answered(&mut self, command: &str, code: Code) {
        (self.journal)(&Event::Answered { command, code, bytes_sent: self.output.bytes_written() });
    }

    fn reply(&mut self, code: Code, text: impl Into<String>) -> Result<(), WireError> {
        self.output.line(&Reply::new(code, text).encode())?;
        self.output.flush()
    }
}

/// Does something that may take long, while the client is told that it goes on.
fn with_pulse<W: Write, T>(
    output: &mut Output<W>,
    work: impl FnOnce(&mut dyn FnMut(&str) -> Result<(), Failure>) -> T,
) -> T {
    work(&mut |text| {
        output.line(&Reply::new(Code::AT_WORK, text).encode())?;
        Ok(output.flush()?)
    })
}
