//! A Unix socket that peers connect to.

use std::io::{ErrorKind, Result as IoResult, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use rustix::fs::Mode;

use super::COMMAND_WITHIN;
use super::conversation::{Hall, Visit, talk};
use super::doors::{Door, Doors, Entry};
use crate::command::Context;
use crate::paced::{Pace, Paced};

/// Answers whoever connects to a socket of this name, so many at once, until a signal comes.
pub fn serve(path: &Path, most: usize, hall: &Hall, context: &Context) -> Result<()> {
    let socket = Socket::make(path)?;
    context.screen.say(format_args!("listening at unix:{}", path.display()));
    let doors = Doors::new(most);
    let latch = Latch { socket, seen: AtomicU64::new(0), doors: &doors, hall, context };
    doors.stand_open(&latch, context);
    Ok(())
}

/// A door for programs of this machine.
struct Latch<'s> {
    socket: Socket,
    /// How many have come so far.
    seen: AtomicU64,
    doors: &'s Doors,
    hall: &'s Hall,
    context: &'s Context,
}

impl AsFd for Latch<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.listener.as_fd()
    }
}

impl Door for Latch<'_> {
    type Peer = (UnixStream, String);

    fn accept(&self) -> IoResult<Self::Peer> {
        let (stream, _) = self.socket.listener.accept()?;
        let number = 1 + self.seen.fetch_add(1, Ordering::Relaxed);
        Ok((stream, format!("peer {number}")))
    }

    fn receive(&self, (stream, name): Self::Peer, mut entry: Entry) {
        if let Some(why) = self.doors.refusal() {
            self.turn_away((stream, name), &why);
            return;
        }
        let pace = Pace::of_server(&self.context.interrupt, COMMAND_WITHIN, COMMAND_WITHIN);
        pace.watch(&stream);
        let Ok(second) = stream.try_clone() else {
            self.turn_away((stream, name), "there are too many open files; try again later");
            return;
        };
        let mut visit = Visit {
            name: &name,
            on_entry: Box::new(|_| {
                // Where the last place was taken while this peer waited, it is cut off, and told why when it comes again.
                pace.set_deadline((!entry.let_in()).then(Instant::now));
            }),
        };
        // How it ended was logged.
        let _ = talk(self.hall, &mut visit, &pace, Paced::new(stream, &pace), Paced::new(second, &pace));
    }

    fn turn_away(&self, (mut stream, name): Self::Peer, why: &str) {
        self.context.screen.log(&name, why);
        // So much goes into a new socket at once; he may have gone.
        let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(format!("551 {why}\n").as_bytes()));
    }
}

/// A socket that only its owner may open; removed when it is dropped.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Tells it from one that somebody else has put in its place.
    identity: (u64, u64),
}

impl Socket {
    fn make(path: &Path) -> Result<Self> {
        remove_stale(path)?;
        let what = || format!("{} can't be made", path.display());
        // Nobody may connect between the making and a change of its mode.
        let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
        let listener = UnixListener::bind(path);
        rustix::process::umask(mask);
        let listener = listener.with_context(what)?;
        let found = path.symlink_metadata().with_context(what)?;
        Ok(Socket { listener, path: path.to_owned(), identity: (found.dev(), found.ino()) })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let found = self.path.symlink_metadata().map(|found| (found.dev(), found.ino()));
        if found.is_ok_and(|found| found == self.identity) {
            // A socket that stays is replaced by the next server.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that nobody listens at any more.
fn remove_stale(path: &Path) -> Result<()> {
    let found = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.with_context(|| path.display().to_string())?,
    };
    if !found.file_type().is_socket() {
        bail!("{} is there and is no socket; move it, or name another path", path.display());
    }
    let answer: IoResult<UnixStream> = UnixStream::connect(path);
    match answer {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).with_context(|| format!("{} is in the way", path.display()))
        }
        Err(error) => Err(error).with_context(|| format!("{} is in the way", path.display())),
        Ok(_) => bail!("somebody listens at {} already; end that server, or name another path", path.display()),
    }
}
