//! `serve --receive`: a place for a site that a peer pushes.
//!
//! What comes is kept beside the site, as `DIR.ctdl-dump-received.ctz.partial` (see `spool`), until the site is in place. Then a receipt takes its
//! turn, until the peer has heard of it.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use ctdl_dump::archive::{Options, Reader};
use ctdl_dump::codec::Digest;
use ctdl_dump::endpoint::{Class, Failure, Source, no_thread};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::record::SiteInfo;
use ctdl_dump::site::install::{InstallError, Recovered};
use ctdl_dump::transfer::Intake;
use ctdl_dump::wire::{Abilities, Code, Pulse, Reception, Refusal, Served, SnapshotId, View, WireError};

use super::receipt::Receipt;
use crate::building::{self, Plan};
use crate::command::Context;
use crate::destination::Destination;
use crate::error::{exit_code_of, text};
use crate::exit_code::ExitCode;
use crate::partial::beside;
use crate::place;
use crate::relay::Relay;
use crate::spool::{InUse, Spool};
use crate::stream::Stream;
use crate::upgrading::Records;

/// What follows the name of a site in the name of what a peer has sent for it.
const RECEIVED: &str = ".ctdl-dump-received.ctz";
/// How the spool calls whoever sends.
const SENDER: &str = "a push";
/// How often a peer hears that the work goes on.
const PULSE_EVERY: Duration = Duration::from_secs(10);
/// What has come is read once.
const LEVEL: i32 = 1;

/// The place for a site. One peer at a time may give one.
pub struct Target {
    site: Destination,
    keeps_release: bool,
    replace: bool,
    scratch: Option<PathBuf>,
    is_taken: AtomicBool,
    outcome: Mutex<Option<ExitCode>>,
}

impl Target {
    /// A place that takes a site; with `replace` also in the place of one that has been used. With `keeps_release` one of an old release stays one.
    pub fn new(site: Destination, keeps_release: bool, replace: bool, scratch: Option<PathBuf>) -> Self {
        Target { site, keeps_release, replace, scratch, is_taken: AtomicBool::new(false), outcome: Mutex::new(None) }
    }

    /// What became of the last site that a peer wanted to give.
    pub fn outcome(&self) -> Option<ExitCode> {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_outcome(&self, code: ExitCode) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
    }

    fn received(&self) -> Result<PathBuf> {
        Ok(beside(&std::path::absolute(self.site.root()).context("the site")?, RECEIVED))
    }
}

/// The right to give a site; free again when it is dropped.
struct Turn<'t>(&'t AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A place for a site, as one peer sees it.
pub struct Receiving<'t> {
    target: &'t Target,
    /// What is said goes to the peer.
    context: Context,
    relay: Arc<Relay>,
    turn: Option<Turn<'t>>,
    open: Option<Open>,
    /// What is removed when the peer says anything after it was told.
    receipt: Option<Receipt>,
}

/// A push that comes.
struct Open {
    id: SnapshotId,
    spool: Spool,
    intake: Intake<BufWriter<Stream>>,
}

impl<'t> Receiving<'t> {
    /// For one peer. `log` gets what the peer is told.
    pub fn new(target: &'t Target, context: &Context, log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let relay = Arc::new(Relay::new(log));
        let screen = context.screen.relayed(&relay);
        let context = Context { interrupt: Arc::clone(&context.interrupt), screen, undone: Vec::new() };
        Receiving { target, context, relay, turn: None, open: None, receipt: None }
    }

    fn prepare(&mut self, id: SnapshotId, site: &SiteInfo, pulse: Pulse) -> Result<Reception> {
        let received = self.target.received()?;
        if let Some(digest) = self.in_place(id, &received)? {
            return Ok(Reception::InPlace(digest));
        }
        self.target.site.check_release(site)?;
        self.target.site.check(&self.context)?;
        let mut spool = Spool::open(&received, true, &SENDER)?;
        let before = beginning(&spool, id, &self.context);
        if before.is_none() && spool.forget()? {
            self.context.screen.say("what an earlier push of something else had sent is given up");
        }
        spool.note_snapshot(id)?;
        let output = BufWriter::with_capacity(1 << 16, Stream::new(spool.file()?, &self.context.interrupt)?);
        let options = Options { level: LEVEL, threads: self.context.threads(None) };
        let begun = Intake::begin(output, options, site, before, pulse);
        match begun {
            Ok((intake, receiver)) => {
                self.open = Some(Open { id, spool, intake });
                Ok(Reception::Open(Box::new(receiver)))
            }
            Err(failure) => {
                spool.keep()?;
                Err(failure.into())
            }
        }
    }

    /// The site digest, if this very push has been put in place and the peer doesn't know.
    fn in_place(&mut self, id: SnapshotId, received: &Path) -> Result<Option<Digest>> {
        let mut is_finished = false;
        for recovered in self.target.site.recover(&self.context)? {
            if let Recovered::Finished { leftover, .. } = recovered {
                is_finished |= leftover.source == Some(source_name(id));
            }
        }
        self.receipt = Receipt::find(received, id, self.target.site.root(), is_finished)?;
        if self.receipt.is_some() {
            // What was received is of no more use.
            Spool::open(received, true, &SENDER)?.discard()?;
        }
        Ok(self.receipt.as_ref().map(Receipt::site_digest))
    }

    /// Builds the site of what has come, in a thread of its own, while the peer is told what is done.
    fn build(&mut self, id: SnapshotId, received: &Path, pulse: Pulse) -> Result<Receipt> {
        let (context, relay, target) = (&self.context, &self.relay, self.target);
        std::thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            // Whoever receives it waits below until it is there.
            std::thread::Builder::new()
                .spawn_scoped(scope, move || send.send(put_in_place(id, received, target, context)))
                .map_err(no_thread)?;
            loop {
                match receive.recv_timeout(PULSE_EVERY) {
                    Ok(result) => return result,
                    Err(RecvTimeoutError::Timeout) if pulse(&relay.task()).is_err() => relay.end(),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        let broken = "the work broke off; this is a bug in ctdl-dump";
                        return Err(Failure::new(Class::Failed, broken).into());
                    }
                }
            }
        })
    }

    fn finish(&mut self, open: Open, source: &mut dyn Source, pulse: Pulse) -> Result<Digest> {
        let Open { id, spool, mut intake } = open;
        self.context.screen.task("take what comes");
        let received = self.target.received()?;
        let built = intake.take(source, &self.context.screen).map_err(anyhow::Error::from).and_then(|()| {
            intake.into_output().into_inner().map_err(std::io::IntoInnerError::into_error).context("what has come")?;
            self.build(id, &received, pulse)
        });
        match built {
            Ok(receipt) => {
                let digest = receipt.site_digest();
                self.receipt = Some(receipt);
                // The site is in place all the same.
                if let Err(error) = spool.discard() {
                    self.context.screen.warning(&text(&error));
                }
                Ok(digest)
            }
            Err(error) => {
                if is_wrong(&error) {
                    spool.discard()?;
                } else if spool.keep()? {
                    self.context.screen.say("what has arrived is kept here: the same push goes on with it");
                }
                Err(error)
            }
        }
    }

    fn refusal(&self, error: &anyhow::Error) -> Refusal {
        self.target.set_outcome(exit_code_of(error));
        let cause = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()?.cause());
        let code = match cause {
            _ if self.context.interrupt.is_set() => Code::GOING_DOWN,
            _ if error.is::<InUse>() => Code::BUSY,
            Some(InstallError::Living { .. }) => Code::BUSY,
            Some(InstallError::NotFresh { .. } | InstallError::NoSite { .. }) => Code::EXISTS,
            _ => Code::FAILED,
        };
        Refusal::new(code, text(error))
    }
}

impl Served for Receiving<'_> {
    fn abilities(&self) -> Abilities {
        Abilities { receive: true, ..Abilities::default() }
    }

    fn snapshot(&mut self, _id: Option<&SnapshotId>, _pulse: Pulse) -> Result<Arc<dyn View>, Refusal> {
        Err(Refusal::new(Code::NOT_HERE, "this server takes a site and gives none; without --receive it would"))
    }

    fn receive(&mut self, id: SnapshotId, site: &SiteInfo, pulse: Pulse) -> Result<Reception, Refusal> {
        if self.target.is_taken.swap(true, Ordering::Acquire) {
            return Err(Refusal::new(Code::BUSY, "another peer is giving a site already; try again later"));
        }
        self.turn = Some(Turn(&self.target.is_taken));
        self.prepare(id, site, pulse).map_err(|error| {
            self.turn = None;
            self.refusal(&error)
        })
    }

    fn take(&mut self, source: &mut dyn Source, pulse: Pulse) -> Result<Digest, Refusal> {
        let turn = self.turn.take();
        let Some(open) = self.open.take() else {
            return Err(Refusal::new(Code::FAILED, "nothing was offered"));
        };
        let taken = self.finish(open, source, pulse);
        drop(turn);
        match taken {
            Ok(digest) => {
                self.target.set_outcome(ExitCode::Complete);
                Ok(digest)
            }
            Err(error) => Err(self.refusal(&error)),
        }
    }

    fn notices(&mut self) -> Vec<String> {
        self.relay.take_said()
    }

    fn alive(&mut self) {
        if let Some(receipt) = self.receipt.take() {
            receipt.remove();
        }
    }
}

/// What has come is put in place, in the words that the next run meets.
fn source_name(id: SnapshotId) -> String {
    format!("push {id}")
}

/// What an earlier connection has left of the same push. Whatever is not right about it, it is no loss to get it anew.
fn beginning(spool: &Spool, id: SnapshotId, context: &Context) -> Option<Reader<Stream>> {
    let (_, path) = spool.beginning().filter(|(other, _)| *other == id)?;
    let file = Stream::new(std::fs::File::open(path).ok()?, &context.interrupt).ok()?;
    Reader::new(file, context.threads(None)).ok()
}

fn put_in_place(id: SnapshotId, received: &Path, target: &Target, context: &Context) -> Result<Receipt> {
    context.screen.task("building the site");
    let place = target.site.open(context)?;
    let scratch = place::scratch_directory(target.scratch.as_deref(), Some(place.path()))?;
    let archive = beside(received, ".partial");
    let records = match target.keeps_release {
        true => Records::as_they_are(&archive, None, context)?,
        false => Records::of_file(&archive, None, &scratch, context)?,
    };
    records.refuse_older_target(place.arrangement())?;
    let received_digest = records.digest_before();
    let source = source_name(id);
    let plan = Plan {
        source: &source,
        scratch: target.scratch.as_deref(),
        reads_back: true,
        keeps_release: target.keeps_release,
        layout: None,
        replaces: target.replace,
    };
    let (built, notices) = records.give(|records| building::build(records, place, &plan, &context.screen, context))?;
    if context.screen.is_interrupted() {
        return Err(Failure::interrupted().into());
    }
    let site_digest = received_digest.unwrap_or(built.summary.site_digest);
    let ready = built.ready()?;
    let receipt = Receipt::begin(received, id, site_digest, &ready.data())?;
    // After an error, too, the receipt is true if the new tables are in place, or when the next run has put them there, and only then.
    let summary = ready.put_in_place(context)?;
    receipt.complete(target.site.root())?;
    notices.iter().for_each(|notice| context.screen.say(notice));
    context.screen.summary(&summary);
    Ok(receipt)
}

fn is_wrong(error: &anyhow::Error) -> bool {
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    let wire = failure.and_then(|failure| failure.cause());
    failure.is_some_and(|failure| failure.class == Class::Damaged)
        || matches!(wire, Some(WireError::Disagreement { .. } | WireError::Digest { .. }))
}
