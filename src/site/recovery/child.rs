//! What the child process does: it makes sure that it may, recovers, and says how it went.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::message::Message;
use super::{Kind, LibdbError, libdb};

/// The file at the top of a scratch directory, and its first line: who finds both knows that all below is ctdl-dump's own.
const MARKER: &str = "owner";
const MARKER_LINE: &[u8] = b"ctdl-dump scratch";

/// As much memory as recovery may have: much more than it needs, and little enough that a damaged log can't bring the machine down.
const MOST_MEMORY_BYTES: u64 = 4 << 30;

/// Recovers the copy in `data` for the process `parent`, and writes to `output` how it goes and how it went (see the module). Says whether it
/// went well.
///
/// This process dies with its parent: nobody else would wait for it, or know that it still works in a directory that may be removed.
///
/// # Errors
/// `output` can't be written.
pub fn answer(data: &Path, kind: Kind, parent: u32, output: &mut dyn Write) -> io::Result<bool> {
    let message = match live_no_longer_than(parent).and_then(|()| bound()) {
        Ok(()) => recover(data, kind, output),
        Err(error) => Message::NotStarted { said: vec![format!("the process that recovers can't be set up: {error}")] },
    };
    writeln!(output, "{message}")?;
    output.flush()?;
    Ok(matches!(message, Message::Recovered { .. }))
}

fn recover(data: &Path, kind: Kind, output: &mut dyn Write) -> Message {
    let mut last = None;
    let mut position = |percent| {
        if last.replace(percent) != Some(percent) {
            // If nobody reads it, nobody waits for it, and the end will show it.
            let _ = writeln!(output, "{}", Message::Percent(percent)).and_then(|()| output.flush());
        }
    };
    match run_here(data, kind, &mut position) {
        Ok(said) => Message::Recovered { said },
        Err(LibdbError::Refused { code, said, .. }) => Message::Refused { code, said },
        Err(LibdbError::Disk { source, .. }) => Message::DiskFailed { code: source.raw_os_error().unwrap_or_default() },
        Err(error @ LibdbError::NotACopy { .. }) => Message::NotStarted { said: vec![error.to_string()] },
    }
}

/// Recovers the copy in `data` in this process, and gives what libdb said though it succeeded. `position` gets per cents.
///
/// A crash of libdb is one of this process: call it in one that may die. Without a parent that watches it, nothing ends an endless loop.
///
/// # Errors
/// [`LibdbError::NotACopy`] unless `data` lies directly in a scratch directory of ctdl-dump's; [`LibdbError::Disk`] if the disk is full or
/// broken; [`LibdbError::Refused`] if libdb gives up.
pub fn run_here(data: &Path, kind: Kind, position: &mut dyn FnMut(u8)) -> Result<Vec<String>, LibdbError> {
    let data = check_copy(data).map_err(|reason| LibdbError::NotACopy { data: data.into(), reason })?;
    libdb::recover(&data, kind, position)
}

/// Gives the real path of `data` if it is a copy that may be changed; else why not.
fn check_copy(data: &Path) -> Result<PathBuf, String> {
    let real = data.canonicalize().map_err(|error| error.to_string())?;
    if !real.is_dir() {
        return Err("this is no directory".into());
    }
    let marker = real.parent().unwrap_or(&real).join(MARKER);
    let not_marked = |why: String| format!("{}: {why}", marker.display());
    let metadata = marker.symlink_metadata().map_err(|error| not_marked(error.to_string()))?;
    if !metadata.is_file() {
        return Err(not_marked("this is no regular file".into()));
    }
    let mut line = Vec::new();
    let file = std::fs::File::open(&marker).map_err(|error| not_marked(error.to_string()))?;
    let read = BufReader::new(file.take(MARKER_LINE.len() as u64 + 1)).read_until(b'\n', &mut line);
    read.map_err(|error| not_marked(error.to_string()))?;
    if line.strip_suffix(b"\n") != Some(MARKER_LINE) {
        return Err(not_marked("this is not the mark of a scratch directory".into()));
    }
    // libdb obeys this file, which may send the logs and tables anywhere.
    match real.join("DB_CONFIG").symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(real),
        Err(error) => Err(format!("DB_CONFIG in it: {error}")),
        Ok(_) => Err("it holds a file DB_CONFIG, which a copy never does".into()),
    }
}

/// Has the system kill this process when its parent ends, and makes sure that it has not ended yet.
fn live_no_longer_than(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let present = rustix::process::getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs());
    if present == Some(parent) { Ok(()) } else { Err(io::Error::other("its parent has ended")) }
}

/// No core dumps, which would hold a site's passwords, and not all of the machine's memory.
fn bound() -> io::Result<()> {
    let core = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, core)?;
    let allowed = rustix::process::getrlimit(Resource::As);
    let most = allowed.current.map_or(MOST_MEMORY_BYTES, |current| current.min(MOST_MEMORY_BYTES));
    rustix::process::setrlimit(Resource::As, Rlimit { current: Some(most), maximum: allowed.maximum })?;
    Ok(())
}
