//! A look at a site before it is read: what imports do or have left there, and what killed snapshots have left in the scratch directory.

use std::path::Path;

use anyhow::Result;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::monitor::Monitor as _;
use ctdl_dump::site::Arrangement;
use ctdl_dump::site::arrangement::hints;
use ctdl_dump::site::install::{self, Leftover};
use ctdl_dump::site::snapshot::remove_leftovers;
use ctdl_dump::transfer::snapshot::settled_leftovers;

use crate::command::Context;
use crate::place::{parent_of, refuse_inside};

/// Looks at what an import may have left at a site, and what snapshots may have left in the scratch directory.
pub fn look_round(site: &Arrangement, scratch: &Path, context: &Context) -> Result<()> {
    // In the middle of an exchange the site itself may be away.
    if parent_of(site.root()).is_dir() {
        let waits = &mut |doing: &str| context.screen.say(doing);
        for leftover in settled_leftovers(site, &context.screen, waits)? {
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
