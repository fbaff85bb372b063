//! The client of a server's `citadel-admin.socket`: one command, one answer, each within its time.
//!
//! A session there may do everything an aide may, is never refused because of too many sessions, and is not logged in. Only commands are sent
//! that are answered at once and want nothing more: a server that is left alone in the middle of an upload spins for ever.

mod connect;
mod reply;
mod session;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use self::reply::Reply;
pub(super) use self::session::Session;
use super::LiveError;
use super::lines::{Input, Lines, wait_for};

/// How long the greeting may take. A server that is stopped accepts connections, and says nothing.
const GREETING_WITHIN: Duration = Duration::from_secs(10);
/// How long an answer may take: a setting is written through to the disk, behind whatever else is being written.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// What stands in errors for the command, when it was to be the first answer.
const CONNECTING: &str = "a new connection";
/// The longest listing: `RWHO` has a line for each session.
const MOST_LINES: usize = 65_536;

/// A session at the admin socket of a server.
#[derive(Debug)]
pub(super) struct Admin {
    lines: Lines<UnixStream>,
    socket: PathBuf,
}

/// What `INFO` says, as far as we need it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Info {
    /// The number of our own session.
    pub(super) session: u64,
    /// The number of the release, as it stands there.
    pub(super) release: String,
}

impl Admin {
    /// Connects, and says who we are. Root or `owner` must be at the other end.
    pub(super) fn open(socket: &Path, owner: u32) -> Result<Self, LiveError> {
        let stream = connect::connect(socket, owner, GREETING_WITHIN)?;
        let mut admin = Admin { lines: Lines::new(stream), socket: socket.to_owned() };
        let greeting = admin.reply(CONNECTING, Instant::now() + GREETING_WITHIN)?;
        let words = "ADMIN CONNECTION ready";
        if !greeting.is_ok() || !greeting.text_lossy().contains(words) {
            let what = format!("{:?} instead of a greeting with {words:?}", greeting.line_lossy());
            return Err(admin.nonsense(CONNECTING, what));
        }
        // Developer 0, client 0: numbers that nobody has. The name is what RWHO shows.
        admin.ok("IDEN 0|0|1|ctdl-dump|localhost")?;
        Ok(admin)
    }

    /// `INFO`.
    pub(super) fn info(&mut self) -> Result<Info, LiveError> {
        let lines = self.listing("INFO")?;
        let line = |at: usize| lines.get(at).map(|line| String::from_utf8_lossy(line).trim().to_owned());
        match (line(0).and_then(|number| number.parse().ok()), line(5)) {
            (Some(session), Some(release)) => Ok(Info { session, release }),
            _ => Err(self.nonsense("INFO", format!("{} lines without session and release", lines.len()))),
        }
    }

    /// When the server was started, in seconds since 1970: the fourth field of `TIME`. It tells one run of a server from the next.
    pub(super) fn server_start(&mut self) -> Result<u64, LiveError> {
        let reply = self.ok("TIME")?;
        let start = reply.fields().nth(3).and_then(|field| String::from_utf8_lossy(field).trim().parse().ok());
        start.ok_or_else(|| self.nonsense("TIME", format!("{:?}", reply.line_lossy())))
    }

    /// The value of a setting; `None` if there is none of this name (`500 |`, releases 902 and 980).
    pub(super) fn setting(&mut self, name: &str) -> Result<Option<Vec<u8>>, LiveError> {
        let command = format!("CONF GETVAL|{name}");
        let reply = self.command(&command)?;
        if reply.code == 500 && reply.text.trim_ascii() == b"|" {
            return Ok(None);
        }
        let reply = self.must_be_ok(&command, reply)?;
        match reply.text.strip_suffix(b"|") {
            Some(value) => Ok(Some(value.to_vec())),
            None => Err(self.nonsense(&command, format!("{:?} has no bar at its end", reply.line_lossy()))),
        }
    }

    /// Changes a setting, at once and for good.
    pub(super) fn change_setting(&mut self, name: &str, value: &str) -> Result<(), LiveError> {
        self.ok(&format!("CONF PUTVAL|{name}|{value}")).map(drop)
    }

    /// `RWHO`: all sessions, ours too.
    pub(super) fn sessions(&mut self) -> Result<Vec<Session>, LiveError> {
        let lines = self.listing("RWHO")?;
        let parse = |line: &Vec<u8>| {
            Session::parse(line)
                .ok_or_else(|| self.nonsense("RWHO", format!("the line {:?}", String::from_utf8_lossy(line))))
        };
        lines.iter().map(parse).collect()
    }

    /// Asks whoever sits at a session to leave. Nothing of it is stored, in contrast to a page, which becomes a message in a room.
    pub(super) fn ask_to_leave(&mut self, session: u64) -> Result<(), LiveError> {
        self.ok(&format!("REQT {session}")).map(drop)
    }

    /// Marks a session to be ended after its present command; it's no error if it has ended.
    pub(super) fn end_session(&mut self, session: u64) -> Result<(), LiveError> {
        let command = format!("TERM {session}");
        let reply = self.command(&command)?;
        // 512: no such session.
        if reply.code == 512 { Ok(()) } else { self.must_be_ok(&command, reply).map(drop) }
    }

    /// `DOWN`: has the server stop in order. It is still at it when this returns.
    pub(super) fn stop_server(&mut self) -> Result<(), LiveError> {
        self.ok("DOWN").map(drop)
    }

    /// Ends the session as a polite client does.
    pub(super) fn quit(mut self) {
        // It is over either way.
        let _ = self.command("QUIT");
    }

    /// Whether the server has closed the connection, or says something unasked.
    pub(super) fn is_broken(&self) -> bool {
        wait_for(self.lines.file(), PollFlags::IN, Instant::now()).unwrap_or(true)
    }

    fn ok(&mut self, command: &str) -> Result<Reply, LiveError> {
        let reply = self.command(command)?;
        self.must_be_ok(command, reply)
    }

    fn must_be_ok(&self, command: &str, reply: Reply) -> Result<Reply, LiveError> {
        if reply.is_ok() { Ok(reply) } else { Err(self.refused(command, &reply)) }
    }

    fn command(&mut self, command: &str) -> Result<Reply, LiveError> {
        self.send(command)?;
        self.reply(command, Instant::now() + ANSWER_WITHIN)
    }

    fn listing(&mut self, command: &str) -> Result<Vec<Vec<u8>>, LiveError> {
        let reply = self.command(command)?;
        if !reply.is_listing() {
            return Err(self.refused(command, &reply));
        }
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut lines = Vec::new();
        loop {
            let line = self.line(command, deadline)?;
            if line == b"000" {
                return Ok(lines);
            }
            if lines.len() == MOST_LINES {
                return Err(self.nonsense(command, format!("more than {MOST_LINES} lines")));
            }
            lines.push(line);
        }
    }

    fn send(&mut self, command: &str) -> Result<(), LiveError> {
        let line = format!("{command}\n");
        let mut stream = self.lines.file();
        stream.write_all(line.as_bytes()).map_err(|_| self.closed(command))
    }

    fn reply(&mut self, command: &str, deadline: Instant) -> Result<Reply, LiveError> {
        let line = self.line(command, deadline)?;
        Reply::parse(&line).ok_or_else(|| {
            self.nonsense(command, format!("{:?} does not begin with three digits", String::from_utf8_lossy(&line)))
        })
    }

    fn line(&mut self, command: &str, deadline: Instant) -> Result<Vec<u8>, LiveError> {
        match self.lines.next(deadline) {
            Ok(Input::Line(line)) => Ok(line),
            Ok(Input::End) => Err(self.closed(command)),
            Ok(Input::Nothing) => Err(LiveError::Silent {
                socket: self.socket.clone(),
                command: command.into(),
                seconds: if command == CONNECTING { GREETING_WITHIN } else { ANSWER_WITHIN }.as_secs(),
            }),
            Err(error) => Err(self.nonsense(command, error.to_string())),
        }
    }

    fn closed(&self, command: &str) -> LiveError {
        LiveError::Closed { socket: self.socket.clone(), command: command.into() }
    }

    fn nonsense(&self, command: &str, what: String) -> LiveError {
        LiveError::Nonsense { socket: self.socket.clone(), command: command.into(), what }
    }

    fn refused(&self, command: &str, reply: &Reply) -> LiveError {
        LiveError::Refused { socket: self.socket.clone(), command: command.into(), answer: reply.line_lossy() }
    }
}
