//! `pull --cutover`: a site moves to this machine, and nobody can log in anywhere for as short a time as can be
//! (`format-spec/wire.md`, section 11, "The order of a cutover").
//!
//! First the site is pulled while its server works, as often as that makes the rest smaller (`rounds`). Then all is done once as it will be done when it counts,
//! and what each step took gives the outage to expect; the new site that comes of it is kept (`staged`). Only then the old server refuses logins (`lease`): the last
//! difference comes, the new site is built and compared again, or is right as it is, and is made ready so that nothing is left but renaming. While that is done
//! the old server hears of us all the time (`keeper`), and what ends the lease ends the work.
//!
//! | it ends | the old server | here |
//! |---|---|---|
//! | before `ESNG refuse` or `ESNG stop` was sent | takes logins again: told by `ESNG`, or because the connection is gone or silent | nothing was changed |
//! | sent, and no answer came | closed or open; a new lease finds out | nothing was changed; a note lies beside the site |
//! | answered, and the new site is not in place yet: a kill, or a broken disk | closed for good | nothing was changed; the note says what to type |
//! | afterwards | closed for good | the new site is in place |
//!
//! Closed comes before in place, because two closed sites lose nothing, and two open ones can't be put together again.

mod keeper;
mod lease;
mod note;
mod rounds;
mod staged;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use ctdl_dump::endpoint::{Class, Failure};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::transfer::{Summary, upgrade};
use ctdl_dump::wire::{Abilities, Connector as _, WireError};

use self::lease::{Ended, Lease};
use self::note::Note;
use self::staged::{Staged, Took};
use super::archive::about_have;
use crate::args::{Cutover, Pull};
use crate::command::Context;
use crate::destination::Destination;
use crate::error::{is_of_an_archive, usage};
use crate::exit_code::ExitCode;
use crate::peer::PeerConnector;
use crate::{json, summary};

/// So often the old server is taken single-user in one run: each time its users are sent away.
const MOST_LEASES: u32 = 3;
/// A server of a single user is waited for until it writes nothing for so long.
const COMES_TO_REST: Duration = Duration::from_secs(5);
/// So long a server of release 980 takes to stop that has little left to write.
const STOPS: Duration = Duration::from_secs(1);

/// Moves the site.
pub fn run(args: &Pull, cutover: &Cutover, site: &Path, context: &Context) -> Result<ExitCode> {
    let destination = Destination::new(Some(site), &args.arrangement, args.replace, false)?;
    destination.recover(context)?;
    let note = Note::beside(site)?;
    if note.is_fulfilled() {
        note.remove()?;
        context.screen.say(format_args!(
            "an earlier cutover was interrupted when all was done: {} is complete and in place, and the old server is closed; start the new one",
            site.display()
        ));
        return Ok(ExitCode::Complete);
    }
    destination.check(context)?;
    let mut connector = PeerConnector::new(args.peer.clone(), &args.connection, &context.interrupt, &context.screen)?;
    check_peer(&mut connector, args)?;
    // Whoever was there a moment ago, and is not now, comes back.
    let args = &args.of_known_peer();
    if note.exists() {
        context.screen.warning(
            "an earlier cutover to this place was interrupted when it had closed the old server, or was about to; this one begins anew, and finishes it",
        );
    }
    let kept = super::kept_beside(site)?;
    rounds::run(args, &kept, context)?;
    // The rounds have not read one that holds what the peer has.
    let mut staged = staged::rehearse(args, site, &kept, context).map_err(|error| match is_of_an_archive(&error) {
        true => error.context(about_have(&kept)),
        false => error,
    })?;
    announce(cutover, &staged, context);
    let mut lease = Lease { args, cutover, site, kept: &kept, is_open: !note.exists(), note: &note, context };
    for attempt in 1.. {
        match lease.hold(&mut connector, &mut staged) {
            Ended::Moved { summary, outage, words } => {
                return moved(&summary, outage, &words, args, cutover, &kept, context);
            }
            Ended::Again(error) if attempt == MOST_LEASES || !connector.tries_again(&error, true) => {
                return Err(anyhow::Error::from(Failure::from(error)).context(lease.stand()));
            }
            Ended::Again(_) => {}
            Ended::Failed(error) => return Err(error),
        }
    }
    Ok(ExitCode::Complete)
}

/// Finds out before anything is transferred whether this peer can do it.
fn check_peer(connector: &mut PeerConnector, args: &Pull) -> Result<()> {
    let other_end = connector.other_end();
    let told = |error: WireError| match &error {
        // Who could not be reached was named.
        WireError::Unreachable { .. } => Failure::from(error).into(),
        _ => {
            let told = other_end.told(&error);
            anyhow::Error::from(Failure::from(error)).context(told)
        }
    };
    let client = connector.connect().map_err(told)?;
    let Abilities { lease, cutover, .. } = client.greeting().abilities;
    // It is heard out, or it would complain of a broken connection; that it refuses us, it says only now.
    match client.quit() {
        Err(error) if !error.is_of_the_connection() => return Err(told(error)),
        _ => {}
    }
    if lease && !cutover {
        let problem = format!(
            "no Citadel server works on the site that {} serves, so there is none to close: start it, if it is of release {}, and run this again; or, if it is to stay stopped, pull it without --cutover, which brings all of it",
            args.peer,
            upgrade::CURRENT_RELEASE
        );
        return Err(Failure::new(Class::Peer, problem).into());
    }
    if !cutover {
        usage!(
            "{} serves no site whose server could be closed: it serves an archive, or is an older ctdl-dump; pull without --cutover",
            args.peer
        );
    }
    Ok(())
}

/// What a rehearsal that took so long lets one expect.
fn expected(cutover: &Cutover, rehearsed: &Took) -> Took {
    Took {
        snapshot: COMES_TO_REST + rehearsed.snapshot,
        closing: if cutover.stop_old { STOPS } else { Duration::ZERO },
        ..*rehearsed
    }
}

/// Says what is going to happen, before it does.
fn announce(cutover: &Cutover, staged: &Staged, context: &Context) {
    let took = expected(cutover, &staged.took);
    context.screen.clear();
    context.screen.say(format_args!("expected outage: about {:.1} s ({took})", took.all().as_secs_f64()));
    let wait = cutover.wait.as_secs();
    context.screen.say(format_args!(
        "now the old server refuses new logins and mail; its users have {wait} s to leave, which come on top of that, and some seconds more for those who don't"
    ));
}

/// All is done.
fn moved(
    moved: &Summary,
    outage: Took,
    words: &str,
    args: &Pull,
    cutover: &Cutover,
    kept: &Path,
    context: &Context,
) -> Result<ExitCode> {
    let (screen, seconds) = (&context.screen, outage.all().as_secs_f64());
    screen.summary(moved);
    screen.say(format_args!("the old server says: {words}"));
    screen.say(format_args!("nobody could log in for {seconds:.1} s so far: start the new server now"));
    screen.say(format_args!("what that took: {outage}"));
    if !cutover.stop_old {
        screen.say(
            "the old server refuses logins, but still fetches mail and sends its queue by itself: stop it before you start the new one",
        );
    }
    screen.say(format_args!("{} is not needed any more; it holds every password of the site", kept.display()));
    let mut told = ExitCode::Complete;
    if args.json {
        let mut line = json::summary(moved);
        line["outage_seconds"] = seconds.into();
        told = context.print_result(line);
    }
    Ok(summary::report_left_out(moved, screen).or(told))
}
