//! A Unix socket that peers connect to.

use std::io::{ErrorKind, Result as IoResult};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::event::PollFlags;
use rustix::fs::Mode;

use super::COMMAND_WITHIN;
use super::conversation::{Hall, Visit, talk};
use crate::command::Context;
use crate::paced::{Pace, Paced};

/// Answers whoever connects to a socket of this name, until a signal comes.
pub fn serve(path: &Path, hall: &Hall, context: &Context) -> Result<()> {
    let socket = Socket::make(path)?;
    context.screen.say(format_args!("listening at unix:{}", path.display()));
    std::thread::scope(|scope| {
        let mut number = 0_u64;
        while context.interrupt.wait_for(&socket.listener, PollFlags::IN).is_ok() {
            let Ok((stream, _)) = socket.listener.accept() else { continue };
            number += 1;
            let peer = format!("peer {number}");
            scope.spawn(move || {
                let pace = Pace::new(&context.interrupt, COMMAND_WITHIN, COMMAND_WITHIN);
                let Ok(second) = stream.try_clone() else { return };
                // How it ended was logged.
                let _ = talk(hall, &mut Visit::of(&peer), &pace, Paced::new(stream, &pace), Paced::new(second, &pace));
            });
        }
    });
    Ok(())
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
