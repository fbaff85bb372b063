//! Answers about records: what there is, and which manifest segments differ.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::sync::Arc;

use super::{Session, Then, going_down, with_pulse};
use crate::codec::manifest::GroupCutter;
use crate::codec::{Digest, site_info};
use crate::endpoint::{Class, Failure};
use crate::record::Kind;
use crate::wire::command::{Action, Command, Level, Scope};
use crate::wire::error::WireError;
use crate::wire::item::Item;
use crate::wire::line::Output;
use crate::wire::reply::{Code, Reply};
use crate::wire::served::{Refusal, SegmentAt, View};
use crate::wire::totals::{Tally, Totals};
use crate::wire::words;

/// Why an answer broke off.
pub(super) enum Broken {
    /// The client can't be reached.
    Wire(WireError),
    /// The source failed, or what was asked for is not there; the client is told.
    Source(Refusal),
    /// This program was told to end.
    Interrupted,
}

impl From<WireError> for Broken {
    fn from(error: WireError) -> Self {
        Broken::Wire(error)
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        if failure.class == Class::Interrupted { Broken::Interrupted } else { Broken::Source(failure.into()) }
    }
}

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Broken::Source(refusal)
    }
}

/// How an answer ended that did not break off: with the code of its reply.
type Answer = Result<Code, Broken>;

impl<R: Read, W: Write> Session<'_, R, W> {
    /// Answers `SYNC`.
    pub(super) fn sync(&mut self, scope: Scope, action: Action) -> Result<Then, WireError> {
        let command = Command::Sync(scope, action).encode();
        let bytes = Command::Sync(scope, action).counted_bytes();
        let mut counted = Vec::new();
        self.input.counted(bytes, "what follows a command", &mut counted)?;
        if let Action::Put { id, digest, .. } = action {
            return self.put(&command, id, digest, &counted);
        }
        let answer = match self.present_view() {
            Ok(view) => self.answer(&*view, scope, action, &counted),
            Err(refusal) => Err(Broken::Source(refusal)),
        };
        let then = match answer {
            Ok(code) => {
                self.answered(&command, code);
                Then::GoOn
            }
            Err(Broken::Source(refusal)) => {
                self.refuse(&command, &refusal)?;
                Then::GoOn
            }
            Err(Broken::Interrupted) => {
                self.refuse(&command, &going_down())?;
                Then::Close
            }
            Err(Broken::Wire(error)) => return Err(error),
        };
        self.output.flush()?;
        Ok(then)
    }

    fn present_view(&mut self) -> Result<Arc<dyn View>, Refusal> {
        let view = match &self.view {
            Some(view) => Arc::clone(view),
            None => with_pulse(&mut self.output, |pulse| self.served.snapshot(None, pulse))?,
        };
        self.view = Some(Arc::clone(&view));
        with_pulse(&mut self.output, |pulse| view.prepare(pulse))?;
        Ok(view)
    }

    fn answer(&mut self, view: &dyn View, scope: Scope, action: Action, counted: &[u8]) -> Answer {
        match action {
            Action::Info => self.info(view, scope),
            Action::List(None) => self.since_segments(view, scope, &[]),
            Action::List(Some(_)) => self.list_chosen(view, scope, &digests(counted)?),
            Action::Since(Level::Segments, _) => self.since_segments(view, scope, &digests(counted)?),
            Action::Since(Level::Groups, _) => self.since_groups(view, scope, &digests(counted)?),
            Action::GetAll(resume) => self.get_all(view, scope, resume, counted),
            Action::Get { offset, .. } => self.get(view, scope, offset, counted),
            Action::Put { .. } => Err(Refusal::new(Code::NOT_HERE, "not here").into()),
        }
    }

    fn info(&mut self, view: &dyn View, scope: Scope) -> Answer {
        let (kinds, total) = view.totals()?;
        if let Scope::Kind(kind) = scope {
            let totals = totals_of(&kinds, kind);
            self.output.line(&Reply::new(Code::OK, format!("{kind}|{}", totals.encode())).encode())?;
            return Ok(Code::OK);
        }
        self.begin(view)?;
        let site = site_info::encode(view.site());
        self.checked_piece(Item::Site, &site)?;
        for (kind, totals) in kinds {
            self.send(&Item::Count(kind, totals))?;
        }
        self.send(&Item::Total(total))?;
        self.checked_piece(Item::State, view.state_after().as_bytes())?;
        self.end()
    }

    fn list_chosen(&mut self, view: &dyn View, scope: Scope, chosen: &[Digest]) -> Answer {
        let mut left: HashSet<&Digest> = chosen.iter().collect();
        let segments = view.segments(scope)?;
        self.begin(view)?;
        for segment in segments {
            let SegmentAt { number, digest } = segment?;
            if left.remove(&digest) {
                self.piece(Item::Segment, &view.segment(number)?)?;
            }
        }
        if !left.is_empty() {
            return Err(Refusal::new(Code::NO_RECORD, format!("{} of the segments are not here", left.len())).into());
        }
        self.end()
    }

    fn since_segments(&mut self, view: &dyn View, scope: Scope, known: &[Digest]) -> Answer {
        let segments = view.segments(scope)?;
        self.begin(view)?;
        let mut row = Row::new(known);
        for segment in segments {
            let SegmentAt { number, digest } = segment?;
            if !row.keeps(&digest, &mut self.output)? {
                self.piece(Item::Segment, &view.segment(number)?)?;
            }
        }
        row.end(&mut self.output)?;
        self.end()
    }

    fn since_groups(&mut self, view: &dyn View, scope: Scope, known: &[Digest]) -> Answer {
        // Where groups end depends on all segments, so those of a kind are picked out of the whole row.
        let mut wanted = None;
        for segment in view.segments(scope)? {
            let number = segment?.number;
            wanted = Some((wanted.map_or(number, |(first, _)| first), number));
        }
        let segments = view.segments(Scope::All)?;
        self.begin(view)?;
        let (mut row, mut cutter, mut first) = (Row::new(known), GroupCutter::default(), 0);
        for segment in segments {
            let SegmentAt { number, digest } = segment?;
            if let Some(group) = cutter.push(digest) {
                self.group(&mut row, wanted, (first, number), &group.0, &group.digest())?;
                first = number + 1;
            }
        }
        if let Some(group) = cutter.finish() {
            self.group(&mut row, wanted, (first, usize::MAX), &group.0, &group.digest())?;
        }
        row.end(&mut self.output)?;
        self.end()
    }

    fn group(
        &mut self,
        row: &mut Row,
        wanted: Option<(usize, usize)>,
        (first, last): (usize, usize),
        segments: &[Digest],
        digest: &Digest,
    ) -> Result<(), WireError> {
        let is_wanted = wanted.is_some_and(|(from, to)| first <= to && from <= last);
        if is_wanted && !row.keeps(digest, &mut self.output)? {
            self.piece(Item::Group, segments.as_flattened())?;
        }
        Ok(())
    }

    /// Begins an answer of several items.
    pub(super) fn begin(&mut self, view: &dyn View) -> Result<(), WireError> {
        let text = format!("{}|{}", view.id(), view.site().snapshot.taken);
        self.output.line(&Reply::new(Code::FRAMES, text).encode())
    }

    fn end(&mut self) -> Answer {
        self.send(&Item::End)?;
        Ok(Code::FRAMES)
    }

    fn send(&mut self, item: &Item) -> Result<(), WireError> {
        self.output.line(&item.encode())
    }

    fn checked_piece(&mut self, item: impl FnOnce(u64) -> Item, bytes: &[u8]) -> Result<(), WireError> {
        self.piece(item, bytes)?;
        self.send(&Item::Digest(blake3::hash(bytes).into()))
    }

    fn piece(&mut self, item: impl FnOnce(u64) -> Item, bytes: &[u8]) -> Result<(), WireError> {
        self.send(&item(bytes.len() as u64))?;
        self.output.counted(bytes)
    }
}

/// The row of nodes of an answer, in which those that the client knows are told by their numbers.
struct Row<'a> {
    known: HashMap<&'a Digest, u64>,
    /// Number of the first of a run that was not told yet, and how many there are.
    run: Option<(u64, u64)>,
}

impl<'a> Row<'a> {
    fn new(known: &'a [Digest]) -> Self {
        Row { known: known.iter().zip(0..).collect(), run: None }
    }

    /// Whether the client knows the next node; if not, all before it has been told.
    fn keeps<W: Write>(&mut self, digest: &Digest, output: &mut Output<W>) -> Result<bool, WireError> {
        let number = self.known.get(digest).copied();
        match (number, &mut self.run) {
            (Some(number), Some((from, count))) if *from + *count == number => *count += 1,
            (number, _) => {
                self.end(output)?;
                self.run = number.map(|number| (number, 1));
            }
        }
        Ok(number.is_some())
    }

    fn end<W: Write>(&mut self, output: &mut Output<W>) -> Result<(), WireError> {
        match self.run.take() {
            Some((from, count)) => output.line(&Item::Keep { from, count }.encode()),
            None => Ok(()),
        }
    }
}

/// What there is of a kind, of which there may be nothing.
pub(super) fn totals_of(kinds: &[(Kind, Totals)], kind: Kind) -> Totals {
    let found = kinds.iter().find(|(other, _)| *other == kind).map(|(_, totals)| *totals);
    found.unwrap_or_else(|| Tally::new(Scope::Kind(kind)).totals())
}

fn digests(bytes: &[u8]) -> Result<Vec<Digest>, Refusal> {
    words::digests(bytes).ok_or_else(|| Refusal::new(Code::ILLEGAL, "what followed is no row of digests of 32 bytes"))
}
