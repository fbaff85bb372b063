//! The outage of a cutover: from the moment when the old server refuses logins to the one when the new site is in place.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use ctdl_dump::endpoint::{Failure, no_thread};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::install::InstallError;
use ctdl_dump::transfer::Summary;
use ctdl_dump::wire::{Client, Code, Connector, EndOfLease, Steady, WireError};

use super::keeper::{Connection, Keeper};
use super::note::{Identity, Note};
use super::staged::{Difference, Staged, Took};
use crate::args::{Cutover, Pull};
use crate::building::ReadySite;
use crate::command::Context;
use crate::peer::{Input, Output, PeerConnector};

/// All that one lease needs.
pub struct Lease<'a> {
    pub args: &'a Pull,
    pub cutover: &'a Cutover,
    pub site: &'a Path,
    /// The archive of the rounds.
    pub kept: &'a Path,
    /// Whether the old server takes logins when there is no lease. Not sure any more once an answer was lost that would have closed it.
    pub is_open: bool,
    pub note: &'a Note,
    pub context: &'a Context,
}

/// How a lease ended.
pub enum Ended {
    /// The new site is in place, and the old server closed.
    Moved {
        summary: Summary,
        /// What each step of it took, while nobody could log in.
        outage: Took,
        /// The old server's own.
        words: String,
    },
    /// It broke off, and another one may do better.
    Again(WireError),
    /// It makes no sense to go on.
    Failed(Error),
}

/// What an outage has taken so far.
struct Outage {
    /// When the present step began.
    begun: Instant,
    took: Took,
}

impl Outage {
    /// How long the step has taken that ends here.
    fn lap(&mut self) -> Duration {
        std::mem::replace(&mut self.begun, Instant::now()).elapsed()
    }
}

/// A connector that makes no other connection: the lease would be gone with the first one.
struct Held;

impl Connector for Held {
    type Input = Input;
    type Output = Output;

    fn connect(&mut self) -> Result<Client<Input, Output>, WireError> {
        Err(WireError::Closed)
    }

    fn tries_again(&mut self, _error: &WireError, _progressed: bool) -> bool {
        false
    }
}

impl Lease<'_> {
    /// Takes the old server single-user, and does the rest.
    pub fn hold(&mut self, connector: &mut PeerConnector, staged: &mut Staged) -> Ended {
        let mut outage = Outage { begun: Instant::now(), took: Took::default() };
        let screen = &self.context.screen;
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let (wait, expire) = (seconds(self.cutover.wait), seconds(self.cutover.expire));
        screen.task("single-user mode");
        let mut client = loop {
            match connector.connect() {
                Ok(client) => break client,
                // Nobody was sent away by this.
                Err(error) if error.is_of_the_connection() => {
                    if !connector.tries_again(&error, false) {
                        return Ended::Failed(Error::from(Failure::from(error)).context(self.stand()));
                    }
                }
                Err(error) => return self.refused(error),
            }
        };
        if let Err(error) = client.single_user(wait, expire, &mut |text| screen.task(text)) {
            return self.refused(error);
        }
        let mut connection = Some(client);
        match (self.prepare(&mut connection, staged, &mut outage), connection) {
            (Ok(ready), Some(client)) => self.close(client, ready, outage),
            (Ok(_), None) => Ended::Again(WireError::Closed),
            (Err(error), connection) => self.give_back(connection, error),
        }
    }

    /// How things stand when it has ended without the new site in place, and what to do.
    pub fn stand(&self) -> String {
        let peer = &self.args.peer;
        if self.is_open { self.note.text_open(peer) } else { self.note.text_unsure(peer) }
    }

    /// Brings the last difference, builds what must be built, and makes it ready.
    fn prepare(
        &self,
        connection: &mut Option<Connection>,
        staged: &mut Staged,
        outage: &mut Outage,
    ) -> Result<ReadySite> {
        let Some(client) = connection.take() else { return Err(Failure::from(WireError::Closed).into()) };
        let screen = &self.context.screen;
        let mut steady = Steady::over(Held, client);
        let asked = Difference::ask(&mut steady, self.kept);
        outage.took.snapshot = outage.lap();
        let arrived = match asked {
            Ok(found) if staged.built.is_some() && found.info.total.digest == staged.digest => Ok(None),
            Ok(found) => found.fetch(&mut steady, self.kept, screen, self.context).map(Some),
            Err(error) => Err(error),
        };
        // Whatever went wrong, the connection may still do to give the server back.
        *connection = steady.into_client();
        let arrived = arrived?;
        outage.took.difference = outage.lap();
        let Some(client) = connection.take() else { return Err(Failure::from(WireError::Closed).into()) };
        let keeper = Keeper::start(client, self.cutover.expire).map_err(no_thread)?;
        let ready = (|| {
            if let Some((arrived, records)) = arrived {
                screen.clear();
                screen.say(format_args!("the last difference: {records} records have changed"));
                // The one before goes first: there is room for one.
                staged.built = None;
                let (digest, built) = arrived.build(self.args, self.site, &keeper.watch(screen), self.context)?;
                (staged.digest, staged.built) = (digest, Some(built));
            }
            let built = staged.built.take().ok_or_else(|| Failure::from(WireError::Closed))?;
            screen.task("make the new site ready");
            built.ready()
        })();
        match keeper.finish() {
            Ok(client) => *connection = Some(client),
            // The work was interrupted by that, or would have been for nothing.
            Err(error) => return Err(Failure::from(error).into()),
        }
        let ready = ready?;
        outage.took.building = outage.lap();
        self.context.check_interrupt()?;
        Ok(ready)
    }

    /// The last two steps.
    fn close(&mut self, mut client: Connection, ready: ReadySite, mut outage: Outage) -> Ended {
        let (screen, peer) = (&self.context.screen, &self.args.peer);
        let identity = std::fs::metadata(ready.data()).map_err(Error::from);
        if let Err(error) = identity.and_then(|found| self.note.write(peer, Identity::of(&found))) {
            return self.give_back(Some(client), error);
        }
        screen.clear();
        screen.say(format_args!(
            "the new site is ready; now the old server is closed for good. Should this be the last line that you read: {}",
            self.note.text_last(peer)
        ));
        let _deferred = self.context.interrupt.defer();
        let how = if self.cutover.stop_old { EndOfLease::Stop } else { EndOfLease::Refuse };
        let words = match client.end_single_user(how) {
            Ok(words) => words,
            Err(WireError::Refused { code: Code::FAILED, text }) if how == EndOfLease::Stop => {
                screen.warning(&format!("{text}; stop it before you start the new server"));
                text
            }
            // The lease was over before it should have ended: the old server is as it was, and may have taken mail since.
            Err(error @ WireError::Refused { .. }) => return self.again(error),
            Err(error) => {
                self.is_open = false;
                return Ended::Again(error);
            }
        };
        let summary = match ready.put_in_place(self.context) {
            Ok(summary) => summary,
            Err(error) if is_in_place(&error) => return Ended::Failed(error.context(words)),
            Err(error) => return Ended::Failed(error.context(self.note.text_closed(peer))),
        };
        outage.took.closing = outage.lap();
        if let Err(error) = self.note.remove() {
            screen.warning(&crate::error::text(&error));
        }
        // A peer that we have started may take a moment to go.
        client.leave();
        Ended::Moved { summary, outage: outage.took, words }
    }

    /// The old server is as it was before, and there is nothing to be noted if that was open.
    fn again(&self, error: WireError) -> Ended {
        match if self.is_open { self.note.remove() } else { Ok(()) } {
            Ok(()) => Ended::Again(error),
            Err(error) => Ended::Failed(error),
        }
    }

    /// There was no lease.
    fn refused(&self, error: WireError) -> Ended {
        let may_be_stopping = !self.is_open && matches!(error, WireError::Refused { code: Code::FAILED, .. });
        if error.may_pass() || may_be_stopping {
            return Ended::Again(error);
        }
        let peer = &self.args.peer;
        let text = match &error {
            WireError::Refused { code: Code::NOT_HERE, text } if self.is_open => format!(
                "{peer}: {text}; a site whose server is stopped doesn't change: pull it without --cutover, and see that nobody starts it again"
            ),
            _ => self.stand(),
        };
        Ended::Failed(Error::from(Failure::from(error)).context(text))
    }

    /// Gives the old server back after an error.
    fn give_back(&self, connection: Option<Connection>, error: Error) -> Ended {
        let screen = &self.context.screen;
        let is_back = {
            let _deferred = self.context.interrupt.defer();
            connection.is_some_and(|mut client| client.end_single_user(EndOfLease::Back).is_ok())
        };
        screen.clear();
        let cause = error.chain().find_map(|cause| cause.downcast_ref::<Failure>()?.cause::<WireError>());
        if cause.is_some_and(WireError::is_of_the_connection) && !self.context.interrupt.is_set() {
            return self.again(WireError::Cut { what: "single-user mode" });
        }
        if let Some(WireError::Refused { code: Code::NO_LEASE, text }) = cause
            && !self.context.interrupt.is_set()
        {
            return self.again(WireError::Refused { code: Code::NO_LEASE, text: text.clone() });
        }
        if is_back && self.is_open {
            screen.say("the old server takes logins again; nothing was changed here");
            return Ended::Failed(error);
        }
        Ended::Failed(error.context(self.stand()))
    }
}

/// Whether only the cleaning up has failed.
fn is_in_place(error: &Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<Failure>()?.cause::<InstallError>());
    causes.any(|cause| matches!(cause, InstallError::Untidy { .. }))
}
