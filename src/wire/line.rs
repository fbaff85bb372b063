//! Lines and counted bytes, in both directions, plain or packed (`format-spec/wire.md`, sections 2 and 5).

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use super::error::WireError;

/// The longest line in bytes, its end included.
pub const MAX_LINE_BYTES: usize = 1024;
/// The window of a packed stream has at most 2 to this power bytes.
const WINDOW_LOG: u32 = 21;
/// So much is read from, or written to, a stream at once.
const BUFFER_BYTES: usize = 1 << 16;

/// What a peer sends.
pub struct Input<R: Read> {
    stream: InputStream<R>,
}

enum InputStream<R: Read> {
    Plain(BufReader<Counting<R>>),
    Packed(Box<BufReader<zstd::Decoder<'static, BufReader<Counting<R>>>>>),
    /// Only while the one becomes the other, or after that has failed.
    Gone,
}

impl<R: Read> Input<R> {
    /// What comes over a stream.
    pub fn new(stream: R) -> Self {
        Input { stream: InputStream::Plain(BufReader::with_capacity(BUFFER_BYTES, Counting::new(stream))) }
    }

    /// Takes everything from here on for packed.
    pub fn unpack(&mut self) -> Result<(), WireError> {
        let what = "a packed stream";
        if let InputStream::Plain(plain) = std::mem::replace(&mut self.stream, InputStream::Gone) {
            let mut decoder = zstd::Decoder::with_buffer(plain).map_err(|source| WireError::of_stream(source, what))?;
            decoder.window_log_max(WINDOW_LOG).map_err(|source| WireError::of_stream(source, what))?;
            let reader = BufReader::with_capacity(BUFFER_BYTES, decoder.single_frame());
            self.stream = InputStream::Packed(Box::new(reader));
        }
        Ok(())
    }

    /// The next line, without its end.
    pub fn line(&mut self) -> Result<String, WireError> {
        const WHAT: &str = "a line";
        let mut line = Vec::new();
        loop {
            let there = self.fill(WHAT)?;
            if there.is_empty() {
                return Err(if line.is_empty() { WireError::Closed } else { WireError::Cut { what: WHAT } });
            }
            let end = there.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(there.len(), |end| end + 1);
            if line.len() + count > MAX_LINE_BYTES {
                return Err(WireError::Line { problem: "is longer than 1,024 bytes" });
            }
            line.extend_from_slice(&there[..count]);
            self.consume(count);
            if end.is_some() {
                break;
            }
        }
        line.pop();
        line.pop_if(|last| *last == b'\r');
        let line = String::from_utf8(line).map_err(|_| WireError::Line { problem: "is not UTF-8" })?;
        if line.chars().any(char::is_control) {
            return Err(WireError::Line { problem: "holds control characters" });
        }
        Ok(line)
    }

    /// Puts the next `count` bytes into `out`, which grows only as they arrive.
    pub fn counted(&mut self, count: usize, what: &'static str, out: &mut Vec<u8>) -> Result<(), WireError> {
        out.clear();
        while out.len() < count {
            let there = self.fill(what)?;
            if there.is_empty() {
                return Err(WireError::Cut { what });
            }
            let now = there.len().min(count - out.len());
            out.extend_from_slice(&there[..now]);
            self.consume(now);
        }
        Ok(())
    }

    /// How many bytes came over the stream so far, as they came.
    pub fn bytes_read(&self) -> u64 {
        match &self.stream {
            InputStream::Plain(plain) => plain.get_ref().bytes,
            InputStream::Packed(packed) => packed.get_ref().get_ref().get_ref().bytes,
            InputStream::Gone => 0,
        }
    }

    fn fill(&mut self, what: &'static str) -> Result<&[u8], WireError> {
        loop {
            let filled = match &mut self.stream {
                InputStream::Plain(plain) => plain.fill_buf().map(|_| ()),
                InputStream::Packed(packed) => packed.fill_buf().map(|_| ()),
                InputStream::Gone => Ok(()),
            };
            match filled {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(WireError::of_stream(error, what)),
            }
        }
        Ok(match &self.stream {
            InputStream::Plain(plain) => plain.buffer(),
            InputStream::Packed(packed) => packed.buffer(),
            InputStream::Gone => &[],
        })
    }

    fn consume(&mut self, count: usize) {
        match &mut self.stream {
            InputStream::Plain(plain) => plain.consume(count),
            InputStream::Packed(packed) => packed.consume(count),
            InputStream::Gone => {}
        }
    }
}

/// What is sent to a peer. Nothing is sure to go before `flush`.
pub struct Output<W: Write> {
    stream: OutputStream<W>,
}

enum OutputStream<W: Write> {
    Plain(BufWriter<Counting<W>>),
    Packed(Box<zstd::Encoder<'static, BufWriter<Counting<W>>>>),
    Gone,
}

impl<W: Write> Output<W> {
    /// What goes over a stream.
    pub fn new(stream: W) -> Self {
        Output { stream: OutputStream::Plain(BufWriter::with_capacity(BUFFER_BYTES, Counting::new(stream))) }
    }

    /// Packs everything from here on, at a level of zstd.
    pub fn pack(&mut self, level: i32) -> Result<(), WireError> {
        self.flush()?;
        if let OutputStream::Plain(plain) = std::mem::replace(&mut self.stream, OutputStream::Gone) {
            let packed = zstd::Encoder::new(plain, level)
                .and_then(|mut encoder| encoder.window_log(WINDOW_LOG).map(|()| encoder))
                .map_err(|source| WireError::Io { source })?;
            self.stream = OutputStream::Packed(Box::new(packed));
        }
        Ok(())
    }

    /// Sends a line, without its end. What no line may hold becomes a blank, and a line that would be too long is cut.
    pub fn line(&mut self, text: &str) -> Result<(), WireError> {
        let mut line = String::with_capacity(text.len() + 1);
        for character in text.chars() {
            if line.len() + character.len_utf8() >= MAX_LINE_BYTES {
                break;
            }
            line.push(if character.is_control() { ' ' } else { character });
        }
        line.push('\n');
        self.counted(line.as_bytes())
    }

    /// Sends bytes that the line before them has counted.
    pub fn counted(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.with(|stream| stream.write_all(bytes))
    }

    /// Sends on what was held back.
    pub fn flush(&mut self) -> Result<(), WireError> {
        self.with(|stream| stream.flush())
    }

    /// How many bytes went over the stream so far, as they went.
    pub fn bytes_written(&self) -> u64 {
        match &self.stream {
            OutputStream::Plain(plain) => plain.get_ref().bytes,
            OutputStream::Packed(packed) => packed.get_ref().get_ref().bytes,
            OutputStream::Gone => 0,
        }
    }

    fn with(&mut self, work: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), WireError> {
        let done = match &mut self.stream {
            OutputStream::Plain(plain) => work(plain),
            OutputStream::Packed(packed) => work(packed),
            OutputStream::Gone => Err(io::ErrorKind::NotConnected.into()),
        };
        done.map_err(|source| WireError::of_stream(source, "what was sent"))
    }
}

/// Counts the bytes of a stream.
struct Counting<S> {
    stream: S,
    bytes: u64,
}

impl<S> Counting<S> {
    fn new(stream: S) -> Self {
        Counting { stream, bytes: 0 }
    }
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_line_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..3000), cut in 1usize..40) {
            let mut input = Input::new(BufReader::with_capacity(cut, bytes.as_slice()));
            match input.line() {
                Ok(line) => {
                    prop_assert!(line.len() < MAX_LINE_BYTES);
                    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
                    prop_assert_eq!(line.as_bytes(), bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]));
                }
                Err(WireError::Closed) => prop_assert!(bytes.is_empty()),
                Err(WireError::Cut { .. }) => prop_assert!(!bytes.contains(&b'\n')),
                Err(error) => prop_assert!(matches!(error, WireError::Line { .. }), "{}", error),
            }
        }

        #[test]
        fn what_is_sent_packed_arrives(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..9)) {
            let mut sent = Vec::new();
            {
                let mut output = Output::new(&mut sent);
                output.line("200 plain").unwrap();
                output.pack(1).unwrap();
                for piece in &pieces {
                    output.line(&format!("CHUNK {}", piece.len())).unwrap();
                    output.counted(piece).unwrap();
                    output.flush().unwrap();
                }
            }
            let mut input = Input::new(sent.as_slice());
            prop_assert_eq!(input.line().unwrap(), "200 plain");
            input.unpack().unwrap();
            for piece in &pieces {
                prop_assert_eq!(input.line().unwrap(), format!("CHUNK {}", piece.len()));
                let mut arrived = Vec::new();
                input.counted(piece.len(), "test", &mut arrived).unwrap();
                prop_assert_eq!(&arrived, piece);
            }
            let error = input.line().unwrap_err();
            prop_assert!(error.is_of_the_connection(), "{}", error);
        }
    }

    #[test]
    fn a_line_without_end_is_refused_after_a_kilobyte() {
        let mut input = Input::new(io::repeat(b'a'));
        assert!(matches!(input.line(), Err(WireError::Line { .. })));
        assert!(input.bytes_read() <= BUFFER_BYTES as u64);
    }

    #[test]
    fn a_count_is_not_believed_before_the_bytes_are_there() {
        let mut input = Input::new(b"ten bytes.".as_slice());
        let mut out = Vec::new();
        assert!(matches!(input.counted(usize::MAX, "test", &mut out), Err(WireError::Cut { .. })));
        assert!(out.capacity() < 100);
    }

    #[test]
    fn a_packed_stream_that_wants_too_large_a_window_is_refused() {
        let mut sent = Vec::new();
        let mut encoder = zstd::Encoder::new(&mut sent, 1).unwrap();
        encoder.window_log(24).unwrap();
        encoder.write_all(&[b'a'; 100_000]).unwrap();
        encoder.finish().unwrap();
        let mut input = Input::new(sent.as_slice());
        input.unpack().unwrap();
        input.line().unwrap_err();
    }

    #[test]
    fn what_no_line_may_hold_is_not_sent() {
        let mut sent = Vec::new();
        Output::new(&mut sent).line(&format!("a\nb\u{1b}[c\u{85}{}", "\u{fc}".repeat(1000))).unwrap();
        let line = Input::new(sent.as_slice()).line().unwrap();
        assert!(line.starts_with("a b [c \u{fc}") && line.len() < MAX_LINE_BYTES, "{line}");
    }
}
