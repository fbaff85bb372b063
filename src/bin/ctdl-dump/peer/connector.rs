//! Connections to a peer, one after the other.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::wire::{Client, Connector, Login, WireError};

use super::{Errand, OtherEnd, Peer, child, tls};
use crate::args::PeerOptions;
use crate::interrupt::Interrupt;
use crate::paced::{MOST_SILENCE, Pace, Paced};
use crate::screen::Screen;
use crate::token;

/// How we call ourselves to peers.
pub const PROGRAM: &str = concat!("ctdl-dump ", env!("CARGO_PKG_VERSION"));
/// How long the greeting may take.
const GREETING_WITHIN: Duration = Duration::from_secs(30);
/// The same where ssh may ask a person for a password meanwhile.
const GREETING_AFTER_PASSWORD_WITHIN: Duration = Duration::from_secs(600);
/// The level of zstd at which commands are packed.
const LEVEL: i32 = 3;
/// The first wait before another connection is made; each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The two halves of a connection.
type Streams = (Input, Output);
/// What a peer sends, whatever is between.
pub type Input = Box<dyn Read + Send>;
/// What is sent to it.
pub type Output = Box<dyn Write + Send>;

/// Makes connections to a peer, as often as the user wants.
pub struct PeerConnector {
    peer: Peer,
    options: PeerOptions,
    token: Option<String>,
    interrupt: Arc<Interrupt>,
    screen: Screen,
    /// Whether there was a connection at all: a mistake in the command line is not worth a second attempt.
    was_connected: bool,
    attempts: u32,
    errand: Errand,
}

impl PeerConnector {
    /// Will connect to this peer. Fails if the token can't be read.
    pub fn new(peer: Peer, options: &PeerOptions, interrupt: &Arc<Interrupt>, screen: &Screen) -> anyhow::Result<Self> {
        Ok(PeerConnector {
            peer,
            options: options.clone(),
            token: options.token_file.as_deref().map(token::read).transpose()?,
            interrupt: Arc::clone(interrupt),
            screen: screen.clone(),
            was_connected: options.was_reached,
            attempts: 0,
            errand: Errand::Get,
        })
    }

    /// Will give records to the peer instead of asking it for some.
    pub fn giving(self, replace: bool) -> Self {
        PeerConnector { errand: Errand::Give { replace }, ..self }
    }

    /// The other end, as far as it matters for what it says.
    pub fn other_end(&self) -> OtherEnd {
        OtherEnd::new(&self.peer, &self.options, self.errand)
    }

    fn streams(&self) -> Result<Streams, WireError> {
        let first = match self.peer {
            Peer::Ssh { .. } | Peer::Command(_) => GREETING_AFTER_PASSWORD_WITHIN,
            _ => GREETING_WITHIN,
        };
        let pace = Pace::new(&self.interrupt, first, MOST_SILENCE);
        if let Some((command, name)) = child::command_for(&self.peer, &self.options.remote_program, self.errand) {
            let started = child::start(command, name, &pace, self.other_end(), &self.screen);
            let (said, told) =
                started.map_err(|error| self.unreachable(format!("{name} can't be started: {error}")))?;
            return Ok((Box::new(said), Box::new(told)));
        }
        match &self.peer {
            Peer::Unix(path) => {
                let stream = UnixStream::connect(path).map_err(|error| {
                    let problem = format!("{error}; is `ctdl-dump serve --socket {}` running?", path.display());
                    if self.was_connected {
                        // It was there before, and may be on its way back.
                        return WireError::Io { source: io::Error::new(error.kind(), problem) };
                    }
                    self.unreachable(problem)
                })?;
                let second = stream.try_clone().map_err(|source| WireError::Io { source })?;
                Ok((Box::new(Paced::new(stream, &pace)), Box::new(Paced::new(second, &pace))))
            }
            Peer::Tls { host, port } => match tls::connect(host, *port, &self.options, &self.interrupt) {
                Ok((input, output)) => Ok((Box::new(input), Box::new(output))),
                Err(tls::Failed::Io(source)) if self.was_connected || self.interrupt.is_set() => {
                    Err(WireError::Io { source })
                }
                Err(tls::Failed::Io(source)) => Err(self.unreachable(format!(
                    "{source}; is `ctdl-dump serve --listen` running there, at this port, and does no firewall stand between?"
                ))),
                Err(tls::Failed::Identity(error)) => Err(self.unreachable(crate::error::text(&error))),
            },
            Peer::Ssh { .. } | Peer::Command(_) => Err(self.unreachable("it has no program".into())),
        }
    }

    fn unreachable(&self, problem: String) -> WireError {
        WireError::Unreachable { problem: format!("{}: {problem}", self.peer) }
    }
}

impl Connector for PeerConnector {
    type Input = Input;
    type Output = Output;

    fn connect(&mut self) -> Result<Client<Input, Output>, WireError> {
        let (input, output) = self.streams()?;
        let is_packed = self.peer.is_remote() && !self.options.no_compress;
        let level = is_packed.then_some(LEVEL);
        let client = Client::begin(input, output, &Login { program: PROGRAM, token: self.token.as_deref(), level })?;
        self.was_connected = true;
        Ok(client)
    }

    fn tries_again(&mut self, error: &WireError, progressed: bool) -> bool {
        if progressed {
            self.attempts = 0;
        }
        let is_passing_refusal = !error.is_of_the_connection();
        let is_worth_it = self.was_connected || is_passing_refusal;
        if self.interrupt.is_set() || !is_worth_it || self.attempts >= self.options.retries {
            return false;
        }
        let wait = FIRST_WAIT.saturating_mul(1 << self.attempts.min(16)).min(LONGEST_WAIT);
        self.attempts += 1;
        self.screen.warning(&format!(
            "{}: {error}; attempt {} of {} in {} s",
            self.peer,
            self.attempts,
            self.options.retries,
            wait.as_secs()
        ));
        self.interrupt.pause(wait)
    }
}
