//! A look at a site before it is read: what imports do or have left there, and what killed snapshots have left in the scratch directory.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use ctdl_dump::endpoint::{Class, Failure};
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::Arrangement;
use ctdl_dump::site::arrangement::hints;
use ctdl_dump::site::install::{self, Leftover};
use ctdl_dump::site::snapshot::remove_leftovers;

use crate::command::Context;
use crate::place::{parent_of, refuse_inside};

/// So long an import may take to put a site in its place: some renames, and what the disk needs to have them safe.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Which tables stand at a site: an import puts others there.
#[derive(PartialEq, Eq)]
pub struct Standing {
    tables: Option<(u64, u64)>,
    is_exchanging: bool,
}

impl Standing {
    /// Those that stand there now.
    pub fn at(site: &Arrangement) -> Standing {
        let tables = std::fs::metadata(site.data()).ok().map(|found| (found.dev(), found.ino()));
        let leftovers = install::leftovers(site).unwrap_or_default();
        Standing { tables, is_exchanging: leftovers.iter().any(|leftover| leftover.exchanging) }
    }

    /// Whether what stood there was about to be exchanged, or has been, when this was found `afterwards`.
    pub fn is_passing(&self, afterwards: &Standing) -> bool {
        self != afterwards || afterwards.is_exchanging
    }
}

/// Looks at what an import may have left at a site, and what snapshots may have left in the scratch directory.
pub fn look_round(site: &Arrangement, scratch: &Path, context: &Context) -> Result<()> {
    // In the middle of an exchange the site itself may be away.
    if parent_of(site.root()).is_dir() {
        for leftover in settled_leftovers(site, context)? {
            look_at(&leftover, site, context)?;
        }
    }
    refuse_inside(scratch, site, "scratch files")?;
    hints(site).iter().for_each(|hint| context.screen.warning(hint));
    for removed in remove_leftovers(scratch).map_err(Failure::from)? {
        context.screen.say(format_args!("removed {}, which an interrupted ctdl-dump has left", removed.display()));
    }
    Ok(())
}

/// What imports do or have left there, once none is putting a site into its place.
fn settled_leftovers(site: &Arrangement, context: &Context) -> Result<Vec<Leftover>> {
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        let leftovers = install::leftovers(site).map_err(Failure::from)?;
        let Some(busy) = leftovers.iter().find(|leftover| leftover.exchanging && leftover.alive) else {
            return Ok(leftovers);
        };
        let doing = format!("{busy} is putting another site into {}", site.root().display());
        if begun.elapsed() > LONGEST_EXCHANGE {
            let text = format!("{doing}, and takes long; wait for it to end, and start again");
            return Err(Failure::new(Class::InUse, text).into());
        }
        if !std::mem::replace(&mut is_told, true) {
            context.screen.say(format_args!("{doing}; waiting for it to end"));
        }
        if !context.interrupt.pause(LOOK_EVERY) {
            return Err(Failure::interrupted().into());
        }
    }
}

/// A site is only read, but one in the middle of an exchange is not whole: what a killed import began is finished first.
fn look_at(leftover: &Leftover, site: &Arrangement, context: &Context) -> Result<()> {
    if leftover.exchanging {
        for recovered in install::recover(site).map_err(Failure::from)? {
            context.screen.say(recovered);
        }
    } else if leftover.alive {
        context.screen.say(format_args!("{leftover} is at work; what is read here is the site as it is before that"));
    } else {
        context.screen.say(format_args!(
            "{leftover} was interrupted and has left {}; the next import into this site removes it",
            leftover.workshop.display()
        ));
    }
    Ok(())
}
