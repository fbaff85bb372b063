//! A port that peers connect to, by TLS and with a token.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::PollFlags;
use rustls::{ServerConfig, ServerConnection};

use super::COMMAND_WITHIN;
use super::attempts::Attempts;
use super::conversation::{Hall, Visit, talk};
use crate::args::Reception;
use crate::command::Context;
use crate::error::usage;
use crate::paced::Pace;
use crate::state;
use crate::tls::{Identity, halves};

/// How long a peer may take from the first byte to the right token.
const LOGIN_WITHIN: Duration = Duration::from_secs(30);
/// The most connections at once that have not given the token yet. Each is a thread that waits, for half a minute at most.
const MOST_WAITING: usize = 256;

/// Answers whoever connects to an address, until a signal comes.
pub fn serve(address: &str, at: &Reception, hall: &Hall, context: &Context) -> Result<()> {
    let identity = match (&at.certificate, &at.key) {
        (Some(certificate), Some(key)) => Identity::from_files(certificate, key)?,
        (None, None) => own_identity(context)?,
        _ => usage!("--certificate and --key are given together"),
    };
    let fingerprint = identity.fingerprint();
    let config = identity.into_config()?;
    let listener = TcpListener::bind(address).with_context(|| format!("--listen {address}"))?;
    let bound = listener.local_addr().with_context(|| format!("--listen {address}"))?;
    context.screen.say(format_args!("listening at tls://{bound}; certificate {fingerprint}"));
    let doors = Doors {
        config,
        most: at.peers,
        attempts: Attempts::default(),
        waiting: AtomicUsize::new(0),
        inside: AtomicUsize::new(0),
    };
    std::thread::scope(|scope| {
        while context.interrupt.wait_for(&listener, PollFlags::IN).is_ok() {
            let Ok((stream, from)) = listener.accept() else { continue };
            let doors = &doors;
            // Nobody is told: he may be one of thousands.
            let Some(place) = Place::take(&doors.waiting, MOST_WAITING) else { continue };
            scope.spawn(move || doors.receive(stream, from, place, hall, context));
        }
    });
    Ok(())
}

fn own_identity(context: &Context) -> Result<Identity> {
    let directory = state::directory();
    let (identity, is_new) = Identity::own(&directory)?;
    if is_new {
        context.screen.say(format_args!("made a certificate for this machine, in {}", directory.display()));
    }
    Ok(identity)
}

/// Who may come in.
struct Doors {
    config: Arc<ServerConfig>,
    most: usize,
    attempts: Attempts,
    waiting: AtomicUsize,
    inside: AtomicUsize,
}

impl Doors {
    fn receive(&self, stream: TcpStream, from: SocketAddr, waiting: Place<'_>, hall: &Hall, context: &Context) {
        let pace = Pace::new(&context.interrupt, LOGIN_WITHIN, COMMAND_WITHIN);
        pace.set_deadline(Some(Instant::now() + LOGIN_WITHIN));
        let connection = ServerConnection::new(Arc::clone(&self.config));
        let (Ok(connection), Ok(())) = (connection, stream.set_nodelay(true)) else { return };
        let (input, mut output) = halves(connection, stream, &pace);
        let name = from.to_string();
        if let Some(why) = self.refusal(from) {
            context.screen.log(&name, &why);
            // He may have gone.
            let _ = output.write_all(format!("551 {why}\n").as_bytes()).and_then(|()| output.flush());
            return;
        }
        let (mut waiting, mut inside) = (Some(waiting), None);
        let mut visit = Visit {
            name: &name,
            on_login: Box::new(|is_right| {
                if !is_right {
                    self.attempts.wrong(from.ip(), Instant::now());
                    return;
                }
                self.attempts.right(from.ip());
                inside = Place::take(&self.inside, self.most);
                waiting = None;
                // Where the last place was taken while this peer waited, it is cut off, and told why when it comes again.
                pace.set_deadline(inside.is_none().then(Instant::now));
            }),
        };
        // How it ended was logged.
        let _ = talk(hall, &mut visit, &pace, input, output);
    }

    fn refusal(&self, from: SocketAddr) -> Option<String> {
        if let Some(left) = self.attempts.shut_out(from.ip(), Instant::now()) {
            return Some(format!("too many wrong tokens from your address; try again in {} s", left.as_secs() + 1));
        }
        let is_full = self.inside.load(Ordering::Relaxed) >= self.most;
        is_full.then(|| format!("there are {} peers already; try again later", self.most))
    }
}

/// One of a number of places; free again when it is dropped.
struct Place<'c>(&'c AtomicUsize);

impl<'c> Place<'c> {
    fn take(count: &'c AtomicUsize, most: usize) -> Option<Self> {
        let more = |count| Some(count + 1).filter(|count| *count <= most);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Place(count))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
