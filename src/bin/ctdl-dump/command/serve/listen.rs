//! A port that peers connect to, by TLS and with a token.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustls::{ServerConfig, ServerConnection};

use super::COMMAND_WITHIN;
use super::attempts::Attempts;
use super::conversation::{Hall, Visit, talk};
use super::doors::{Door, Doors, Entry};
use crate::args::Reception;
use crate::command::Context;
use crate::error::usage;
use crate::paced::Pace;
use crate::state;
use crate::tls::{Ending, Identity, halves};

/// How long a peer may take from the first byte to the right token.
const LOGIN_WITHIN: Duration = Duration::from_secs(30);

/// Answers whoever connects to an address, until a signal comes.
pub fn serve(address: &str, at: &Reception, hall: &Hall, context: &Context) -> Result<()> {
    let identity = match (&at.certificate, &at.key) {
        (Some(certificate), Some(key)) => Identity::from_files(certificate, key)?,
        (None, None) => own_identity(context)?,
        _ => usage!("--certificate and --key are given together"),
    };
    let fingerprint = identity.fingerprint();
    let config = identity.into_config()?;
    let listener = TcpListener::bind(address).map_err(|error| not_listening(address, error))?;
    let bound = listener.local_addr().with_context(|| format!("--listen {address}"))?;
    context.screen.say(format_args!("listening at tls://{bound}; certificate {fingerprint}"));
    let doors = Doors::new(at.peers);
    let port = Port { listener, config, attempts: Attempts::default(), doors: &doors, hall, context };
    doors.stand_open(&port, context);
    Ok(())
}

fn not_listening(address: &str, error: io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there, or another `ctdl-dump serve`: end it, or name another port"
        }
        ErrorKind::PermissionDenied => "ports below 1024 are for root: name another one",
        ErrorKind::AddrNotAvailable => "this machine does not have that address: 0.0.0.0 stands for all that it has",
        _ => "HOST:PORT is meant: an address or a name of this machine, or 0.0.0.0 for all, and a port up to 65535",
    };
    anyhow::anyhow!("--listen {address}: {error}; {advice}")
}

fn own_identity(context: &Context) -> Result<Identity> {
    let directory = state::directory();
    let (identity, is_new) = Identity::own(&directory)?;
    if is_new {
        context.screen.say(format_args!("made a certificate for this machine, in {}", directory.display()));
    }
    Ok(identity)
}

/// A door for peers from other machines.
struct Port<'s> {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    attempts: Attempts,
    doors: &'s Doors,
    hall: &'s Hall,
    context: &'s Context,
}

impl AsFd for Port<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Door for Port<'_> {
    type Peer = (TcpStream, SocketAddr);

    fn accept(&self) -> io::Result<Self::Peer> {
        self.listener.accept()
    }

    fn receive(&self, (stream, from): Self::Peer, mut entry: Entry) {
        let pace = Pace::of_server(&self.context.interrupt, LOGIN_WITHIN, COMMAND_WITHIN);
        pace.set_deadline(Some(Instant::now() + LOGIN_WITHIN));
        pace.watch(&stream);
        let connection = ServerConnection::new(Arc::clone(&self.config));
        let (Ok(connection), Ok(())) = (connection, stream.set_nodelay(true)) else { return };
        let (input, mut output) = halves(connection, stream, &pace, Ending::Lingers);
        let name = from.to_string();
        if let Some(why) = self.refusal(from) {
            self.context.screen.log(&name, &why);
            // He may have gone.
            let _ = output.write_all(format!("551 {why}\n").as_bytes()).and_then(|()| output.flush());
            return;
        }
        let mut visit = Visit {
            name: &name,
            on_entry: Box::new(|is_right| {
                if !is_right {
                    self.attempts.wrong(from.ip(), Instant::now());
                    return;
                }
                self.attempts.right(from.ip());
                // Where the last place was taken while this peer waited, it is cut off, and told why when it comes again.
                pace.set_deadline((!entry.let_in()).then(Instant::now));
            }),
        };
        // How it ended was logged.
        let _ = talk(self.hall, &mut visit, &pace, input, output);
    }

    /// It is told nothing: it may be one of thousands, and a handshake takes a while.
    fn turn_away(&self, _peer: Self::Peer, _why: &str) {}
}

impl Port<'_> {
    fn refusal(&self, from: SocketAddr) -> Option<String> {
        if let Some(left) = self.attempts.shut_out(from.ip(), Instant::now()) {
            return Some(format!("too many wrong tokens from your address; try again in {} s", left.as_secs() + 1));
        }
        self.doors.refusal()
    }
}
