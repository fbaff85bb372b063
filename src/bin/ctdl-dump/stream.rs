//! Standard input and output that a signal can interrupt even while the other end stands still.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::PollFlags;

use crate::error::ReaderGone;
use crate::interrupt::Interrupt;

/// So much goes into a pipe that can be written to without waiting (PIPE_BUF of pipe(7)).
const PIPE_BYTES: usize = 4096;

/// A file, pipe or socket that is read or written piece by piece, each as soon as it can be done without waiting.
#[derive(Debug)]
pub struct Stream {
    file: File,
    interrupt: Arc<Interrupt>,
    is_regular: bool,
}

impl Stream {
    /// Standard input.
    pub fn stdin(interrupt: &Arc<Interrupt>) -> io::Result<Self> {
        Self::new(File::from(io::stdin().as_fd().try_clone_to_owned()?), interrupt)
    }

    /// Standard output, unbuffered.
    pub fn stdout(interrupt: &Arc<Interrupt>) -> io::Result<Self> {
        Self::new(File::from(io::stdout().as_fd().try_clone_to_owned()?), interrupt)
    }

    /// An open file of any type.
    pub fn new(file: File, interrupt: &Arc<Interrupt>) -> io::Result<Self> {
        let is_regular = file.metadata()?.is_file();
        Ok(Stream { file, interrupt: Arc::clone(interrupt), is_regular })
    }

    /// What the file system says of it.
    pub fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.file.metadata()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupt.wait_for(&self.file, PollFlags::IN)?;
        self.file.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.interrupt.wait_for(&self.file, PollFlags::OUT)?;
        let most = if self.is_regular { bytes.len() } else { bytes.len().min(PIPE_BYTES) };
        self.file.write(&bytes[..most])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Standard output for data that a command prints. When its reader goes away that is [`ReaderGone`], which `main` takes for no failure.
#[derive(Debug)]
pub struct Data(BufWriter<Stream>);

impl Data {
    /// Standard output, buffered.
    pub fn stdout(interrupt: &Arc<Interrupt>) -> io::Result<Self> {
        Ok(Data(BufWriter::new(Stream::stdout(interrupt)?)))
    }

    /// Writes one line.
    pub fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self, "{line}")
    }
}

impl Write for Data {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(told)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(told)
    }
}

fn told(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::other(ReaderGone),
        // An interruption has its own way to be told.
        io::ErrorKind::Other => error,
        kind => io::Error::new(kind, format!("standard output can't be written to: {error}")),
    }
}
