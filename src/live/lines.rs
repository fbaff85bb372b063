//! Lines out of a socket or pipe: of bounded length, and never waited for longer than allowed.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The longest line without its end. A server cuts its lines at 1,023 bytes (release 980); the guardian's are shorter.
pub(super) const LONGEST: usize = 1_023;

/// A file that lines are read from.
#[derive(Debug)]
pub(super) struct Lines<F> {
    file: F,
    buffer: Vec<u8>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A line without its end.
    Line(Vec<u8>),
    /// The other side has closed; a line without end before that is lost.
    End,
    /// Nothing until the deadline.
    Nothing,
}

impl<F: AsFd + Read> Lines<F> {
    pub(super) fn new(file: F) -> Self {
        Lines { file, buffer: Vec::new() }
    }

    pub(super) fn file(&self) -> &F {
        &self.file
    }

    /// The next line, waited for until `deadline`. A line that is too long is an error, and the end of all reading.
    pub(super) fn next(&mut self, deadline: Instant) -> io::Result<Input> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                line.pop_if(|last| *last == b'\r');
                return if line.len() > LONGEST { Err(too_long()) } else { Ok(Input::Line(line)) };
            }
            if self.buffer.len() > LONGEST + 1 {
                return Err(too_long());
            }
            if !wait_for(&self.file, PollFlags::IN, deadline)? {
                return Ok(Input::Nothing);
            }
            let mut bytes = [0; 1_024];
            match self.file.read(&mut bytes) {
                Ok(0) => return Ok(Input::End),
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Input::End),
                Err(error) => return Err(error),
            }
        }
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a line of more than {LONGEST} bytes"))
}

/// Waits until a file is ready or closed; `false` if it isn't until the deadline.
pub(super) fn wait_for(file: &impl AsFd, wanted: PollFlags, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = timespec(deadline.saturating_duration_since(Instant::now()));
        match poll(&mut [PollFd::new(file, wanted)], Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A duration as the system wants it; longer than anybody waits becomes an hour.
pub(super) fn timespec(duration: Duration) -> Timespec {
    let duration = duration.min(Duration::from_secs(3_600));
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(1)
    }

    #[test]
    fn lines_come_one_by_one_however_they_were_cut() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(near);
        assert_eq!(lines.next(soon()).unwrap(), Input::Nothing);
        far.write_all(b"one\r\ntw").unwrap();
        assert_eq!(lines.next(soon()).unwrap(), Input::Line(b"one".to_vec()));
        assert_eq!(lines.next(soon()).unwrap(), Input::Nothing);
        far.write_all(b"o\n\nrest").unwrap();
        drop(far);
        assert_eq!(lines.next(soon()).unwrap(), Input::Line(b"two".to_vec()));
        assert_eq!(lines.next(soon()).unwrap(), Input::Line(Vec::new()));
        assert_eq!(lines.next(soon()).unwrap(), Input::End);
    }

    #[test]
    fn a_line_may_be_as_long_as_a_server_makes_it_and_no_longer() {
        for (length, is_fine) in [(LONGEST, true), (LONGEST + 1, false), (LONGEST + 5_000, false)] {
            let (near, mut far) = UnixStream::pair().unwrap();
            far.write_all(&vec![b'x'; length]).unwrap();
            far.write_all(b"\n").unwrap();
            assert_eq!(Lines::new(near).next(soon()).is_ok(), is_fine, "{length}");
        }
    }
}
