//! A connection to a server that listens: who it is, and whether it is the one that it was.

use std::io::{self, IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::bracketed;
use crate::args::PeerOptions;
use crate::interrupt::Interrupt;
use crate::paced::{MOST_SILENCE, Pace};
use crate::state;
use crate::tls::{Ending, Fingerprint, Half, KnownPeers, Pinned, halves};

/// How long a machine may take to answer at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// The two halves of a connection.
pub type ClientHalf = Half<ClientConnection, rustls::client::ClientConnectionData>;

/// Why there is no connection.
pub enum Failed {
    /// The network, or the machine: another attempt may succeed.
    Io(io::Error),
    /// The wrong server, or nobody to ask about it.
    Identity(anyhow::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Io(error)
    }
}

/// Connects to a server and makes sure that it is the right one, before anything is said to it.
pub fn connect(
    host: &str,
    port: u16,
    options: &PeerOptions,
    interrupt: &Arc<Interrupt>,
) -> Result<(ClientHalf, ClientHalf), Failed> {
    let address = format!("{}:{port}", bracketed(host));
    let known = KnownPeers::of(&state::directory());
    let expected = match options.fingerprint {
        Some(fingerprint) => Some(fingerprint),
        None => known.find(&address).map_err(Failed::Identity)?,
    };
    let expected = match expected {
        Some(expected) => expected,
        None => {
            let (_, found) = shake_hands(host, port, None, interrupt)?;
            accept(&address, &found, options, &known).map_err(Failed::Identity)?;
            found
        }
    };
    let (halves, found) = shake_hands(host, port, Some(expected), interrupt)?;
    halves.ok_or_else(|| Failed::Identity(changed(&address, &expected, &found, options, &known)))
}

/// Connects, and finds out which certificate the server has; there are no halves if it's not the expected one.
fn shake_hands(
    host: &str,
    port: u16,
    expected: Option<Fingerprint>,
    interrupt: &Arc<Interrupt>,
) -> Result<(Option<(ClientHalf, ClientHalf)>, Fingerprint), Failed> {
    let pinned = Pinned::new(expected);
    let named = |error: rustls::Error| Failed::Identity(error.into());
    let name = ServerName::try_from(host.to_owned()).map_err(|error| Failed::Identity(error.into()))?;
    let connection = ClientConnection::new(pinned.config().map_err(named)?, name).map_err(named)?;
    let stream = reach(host, port, interrupt)?;
    let pace = Pace::new(interrupt, CONNECT_WITHIN, MOST_SILENCE);
    let (input, mut output) = halves(connection, stream, &pace, Ending::Leaves);
    // Nothing is written, but the handshake is done.
    let shaken = output.write(&[]).and_then(|_| output.flush());
    match (shaken, pinned.found()) {
        (Ok(()), Some(found)) => Ok((Some((input, output)), found)),
        (Err(_), Some(found)) if expected != Some(found) => Ok((None, found)),
        (Err(error), _) if error.kind() == io::ErrorKind::InvalidData => {
            let error = anyhow::Error::new(error).context("it does not speak TLS as this program does; is this the port that `ctdl-dump serve --listen` has said there?");
            Err(Failed::Identity(error))
        }
        (Err(error), _) => Err(error.into()),
        (Ok(()), None) => Err(Failed::Identity(anyhow::anyhow!("it has no certificate"))),
    }
}

fn reach(host: &str, port: u16, interrupt: &Interrupt) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for address in (host, port).to_socket_addrs()? {
        match reach_at(&address, interrupt) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if interrupt.is_set() => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to an address; a signal ends the wait for it.
fn reach_at(address: &SocketAddr, interrupt: &Interrupt) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS | Errno::INTR) => {
            interrupt.wait_for_within(&socket, PollFlags::OUT, Some(CONNECT_WITHIN))?;
            rustix::net::sockopt::socket_error(&socket)??;
        }
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// A server that was never seen before: the user must know whether it is the right one.
fn accept(address: &str, found: &Fingerprint, options: &PeerOptions, known: &KnownPeers) -> Result<()> {
    if !options.accept_new {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            bail!(
                "it was never seen before; its certificate is {found}: compare that with what `ctdl-dump serve` shows there, and say --fingerprint {found}"
            );
        }
        let question = format!(
            "{address} was never seen before. Its certificate is\n  {found}\nDoes `ctdl-dump serve` show the same there? (yes/no) "
        );
        io::stderr().write_all(question.as_bytes()).context("the terminal")?;
        let mut answer = [0; 16];
        let count = io::stdin().read(&mut answer).context("the terminal")?;
        if answer[..count].trim_ascii() != b"yes" {
            bail!("you did not say yes, so nothing was done");
        }
    }
    known.add(address, found)
}

fn changed(
    address: &str,
    expected: &Fingerprint,
    found: &Fingerprint,
    options: &PeerOptions,
    known: &KnownPeers,
) -> anyhow::Error {
    let what = match options.fingerprint {
        Some(_) => "is another one than --fingerprint says".to_owned(),
        None => format!(
            "has changed since it was seen first. Somebody may be listening in; or the server has a new certificate: then remove the line of {address} from {}",
            known.path().display()
        ),
    };
    anyhow::anyhow!("its certificate {what}; expected {expected}, found {found}; nothing was sent to it")
}
