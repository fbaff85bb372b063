//! What a peer pushes (`format-spec/wire.md`, section 10), on its way into an archive: one that was cut short is gone on with.

use std::io::{Read, Write};
use std::time::Instant;

use super::copy;
use super::pull::up_to_the_cut;
use super::serve_site::PULSE_EVERY;
use crate::archive::{Options, Reader, Writer};
use crate::codec::{Digest, RecordHasher};
use crate::endpoint::{Failure, Sink, Source};
use crate::monitor::Monitor;
use crate::record::{Body, End, Header, SiteInfo};
use crate::wire::{Pulse, Receiver, Scope};

/// An archive that a peer's records go into.
pub struct Intake<W: Write> {
    writer: Writer<W>,
    /// Whether the body of the last record is not complete.
    is_open: bool,
}

impl<W: Write> Intake<W> {
    /// Begins an archive with what an earlier connection has left of the same push: `before`, which may be cut short anywhere. The receiver takes what
    /// comes behind that.
    ///
    /// # Errors
    /// When the output refuses what is written, or the peer has gone.
    pub fn begin<R: Read>(
        output: W,
        options: Options,
        site: &SiteInfo,
        before: Option<Reader<R>>,
        pulse: Pulse,
    ) -> Result<(Self, Receiver), Failure> {
        let mut intake = Intake { writer: Writer::new(output, options), is_open: false };
        let mut receiver = Receiver::all(Scope::All);
        intake.writer.begin(site)?;
        if let Some(before) = before {
            intake.go_over(before, &mut receiver, pulse)?;
        }
        Ok((intake, receiver))
    }

    /// Copies all records of an archive that can be had.
    fn go_over<R: Read>(
        &mut self,
        mut before: Reader<R>,
        receiver: &mut Receiver,
        pulse: Pulse,
    ) -> Result<(), Failure> {
        let (mut segment, mut told) = (Vec::new(), Instant::now());
        let mut tell = || {
            if told.elapsed() < PULSE_EVERY {
                return Ok(());
            }
            told = Instant::now();
            pulse("looking at what has arrived before")
        };
        while let Some(header) = up_to_the_cut(before.next())?.flatten() {
            tell()?;
            self.writer.record(&header)?;
            let mut hasher = RecordHasher::default();
            hasher.begin(&header);
            if let Some(Body::Segments(length)) = header.body {
                let mut done = 0;
                while done < length {
                    tell()?;
                    match up_to_the_cut(before.segment(&mut segment))? {
                        Some(true) => {}
                        Some(false) | None => {
                            receiver.take_known_part(header, length, done, hasher);
                            self.is_open = true;
                            return Ok(());
                        }
                    }
                    hasher.body(&segment);
                    self.writer.segment(&segment)?;
                    done += segment.len() as u64;
                }
            }
            let digest = hasher.digest();
            self.writer.end_record(&digest)?;
            receiver.take_known(&header, &digest);
        }
        Ok(())
    }

    /// Takes what comes, to its end.
    ///
    /// # Errors
    /// When the connection breaks, what came is wrong, or it can't be written. What was right before is in the archive's beginning.
    pub fn take(&mut self, peer: &mut dyn Source, monitor: &dyn Monitor) -> Result<(), Failure> {
        let taken = self.take_all(peer, monitor);
        if taken.is_err() {
            // The error of the copy is the one to report; without the last frames there is only less to go on with.
            let _ = self.writer.write_beginning();
        }
        taken
    }

    fn take_all(&mut self, peer: &mut dyn Source, monitor: &dyn Monitor) -> Result<(), Failure> {
        if self.is_open {
            let mut segment = Vec::new();
            while peer.segment(&mut segment)? {
                self.writer.segment(&segment)?;
                monitor.progress(segment.len() as u64, 0);
            }
            self.writer.end_record(&peer.digest())?;
            self.is_open = false;
        }
        copy(peer, &mut Begun(&mut self.writer), monitor).map(|_| ())
    }

    /// Gives the output back.
    pub fn into_output(self) -> W {
        self.writer.into_output()
    }
}

/// An archive that has begun already.
struct Begun<'a, W: Write>(&'a mut Writer<W>);

impl<W: Write> Sink for Begun<'_, W> {
    fn begin(&mut self, _site: &SiteInfo) -> Result<(), Failure> {
        Ok(())
    }

    fn record(&mut self, header: &Header) -> Result<(), Failure> {
        self.0.record(header)
    }

    fn segment(&mut self, segment: &[u8]) -> Result<(), Failure> {
        self.0.segment(segment)
    }

    fn end_record(&mut self, digest: &Digest) -> Result<(), Failure> {
        self.0.end_record(digest)
    }

    fn finish(&mut self, end: &End) -> Result<(), Failure> {
        self.0.finish(end)
    }
}
