//! Answers that are records, and taking records instead.

use std::io::{Read, Write};

use super::answer::{Broken, totals_of};
use super::{Event, Session, Then, with_pulse};
use crate::codec::{Digest, SEGMENT_BYTES, site_info};
use crate::endpoint::{Failure, Source};
use crate::monitor::Monitor;
use crate::record::{Key, Kind};
use crate::wire::command::{Resume, Scope};
use crate::wire::error::WireError;
use crate::wire::frame::{Frames, Sender};
use crate::wire::reply::{Code, Reply};
use crate::wire::served::{Reception, Refusal, SnapshotId, View};
use crate::wire::words::{self, hex};

impl<R: Read, W: Write> Session<'_, R, W> {
    pub(super) fn get_all(
        &mut self,
        view: &dyn View,
        scope: Scope,
        resume: Option<Resume>,
        counted: &[u8],
    ) -> Result<Code, Broken> {
        let after = match resume {
            None => None,
            Some(Resume { offset, .. }) => {
                let position = words::decode_position(counted).map_err(illegal)?;
                if !scope.holds(position.0) {
                    return Err(illegal("the position is outside of what is asked for").into());
                }
                Some((position, offset))
            }
        };
        let mut source = view.records(scope, after.as_ref().map(|(position, offset)| (position, *offset)))?;
        let totals = match (&after, scope) {
            (None, _) => None,
            (Some(_), Scope::All) => Some(view.totals()?.1),
            (Some(_), Scope::Kind(kind)) => Some(totals_of(&view.totals()?.0, kind)),
        };
        self.begin(view)?;
        let mut sender = match totals {
            None => Sender::new(&mut self.output, scope),
            Some(totals) => Sender::of_part(&mut self.output, totals),
        };
        send(&mut *source, &mut sender, after, self.monitor)?;
        sender.end_with(view.state_after())?;
        Ok(Code::FRAMES)
    }

    pub(super) fn get(&mut self, view: &dyn View, scope: Scope, offset: u64, counted: &[u8]) -> Result<Code, Broken> {
        let Scope::Kind(kind) = scope else { return Err(illegal("get is for one kind").into()) };
        let keys = words::decode_keys(counted).map_err(illegal)?;
        let first = keys.first().cloned().map(|key| ((kind, key), offset));
        let mut source = view.chosen(kind, keys, offset)?;
        self.begin(view)?;
        let mut sender = Sender::new(&mut self.output, scope);
        send(&mut *source, &mut sender, first, self.monitor)?;
        sender.end()?;
        Ok(Code::FRAMES)
    }

    /// Takes the records of a peer. After a failure nobody knows where the next command begins.
    pub(super) fn put(
        &mut self,
        command: &str,
        id: SnapshotId,
        digest: Option<Digest>,
        counted: &[u8],
    ) -> Result<Then, WireError> {
        let site = match digest.is_none_or(|digest| blake3::hash(counted) == digest) {
            true => site_info::decode(counted).map_err(illegal),
            false => Err(illegal("what is known of the site is not what its digest says")),
        };
        let receiver = site.and_then(|site| {
            let ready = with_pulse(&mut self.output, |pulse| self.served.receive(id, &site, pulse));
            ready.map(|receiver| (receiver, site))
        });
        let (receiver, site) = match receiver {
            Ok((Reception::Open(receiver), site)) => (*receiver, site),
            Ok((Reception::InPlace(digest), _)) => return self.done(command, Ok(hex(&digest))),
            Err(refusal) => {
                self.tell_notices()?;
                self.refuse(command, &refusal)?;
                return Ok(Then::GoOn);
            }
        };
        let (position, offset) = match receiver.position() {
            None => (Vec::new(), 0),
            Some(last) => (words::encode_position(last.kind, &last.key), last.offset),
        };
        self.output.line(&Reply::new(Code::SEND, format!("{offset}|{}", position.len())).encode())?;
        self.output.counted(&position)?;
        self.output.flush()?;
        let mut frames = Frames::new(&mut self.input, receiver, site);
        let taken = with_pulse(&mut self.output, |pulse| self.served.take(&mut frames, pulse));
        if let (true, Err(refusal)) = (frames.is_cut() && !self.monitor.is_interrupted(), &taken) {
            // Nobody is left to be told.
            let Refusal { code, text } = refusal;
            (self.journal)(&Event::Refused { command, code: *code, text });
            return Err(WireError::Cut { what: "records that were given" });
        }
        self.tell_notices()?;
        match taken {
            Ok(digest) => self.done(command, Ok(hex(&digest))),
            Err(refusal) => {
                self.refuse(command, &refusal)?;
                Ok(Then::Close)
            }
        }
    }

    fn tell_notices(&mut self) -> Result<(), WireError> {
        for notice in self.served.notices() {
            self.output.line(&Reply::new(Code::NOTICE, notice).encode())?;
        }
        Ok(())
    }
}

/// Sends all records of a source; if the first is `partly`, its body begins at that offset.
fn send<W: Write>(
    source: &mut dyn Source,
    sender: &mut Sender<W>,
    mut partly: Option<((Kind, Key), u64)>,
    monitor: &dyn Monitor,
) -> Result<(), Broken> {
    let check = || if monitor.is_interrupted() { Err(Broken::Interrupted) } else { Ok(()) };
    let mut segment = Vec::with_capacity(SEGMENT_BYTES);
    while let Some(header) = source.next()? {
        check()?;
        let offset = match partly.take() {
            Some(((kind, key), offset)) if (kind, &key) == (header.kind, &header.key) => offset,
            _ => 0,
        };
        sender.begin_record(&header, offset)?;
        while source.segment(&mut segment)? {
            check()?;
            sender.send_segment(&segment)?;
        }
        sender.complete_record(&source.digest())?;
    }
    source.finish().map(|_| ()).map_err(|failure: Failure| failure.into())
}

fn illegal(problem: impl ToString) -> Refusal {
    Refusal::new(Code::ILLEGAL, problem.to_string())
}
