//! What stands at a site into whose place an import is putting another one.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use crate::endpoint::{Class, Failure};
use crate::monitor::Monitor;
use crate::site::Arrangement;
use crate::site::install::{self, Leftover};

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

/// What imports do or have left at a site, once none that lives is putting another site into its place. `waits` hears once what is waited for.
///
/// # Errors
/// If the place can't be looked at, the exchange takes longer than any, or `monitor` is interrupted.
pub fn settled_leftovers(
    site: &Arrangement,
    monitor: &dyn Monitor,
    waits: &mut dyn FnMut(&str),
) -> Result<Vec<Leftover>, Failure> {
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        let leftovers = install::leftovers(site)?;
        let Some(busy) = leftovers.iter().find(|leftover| leftover.exchanging && leftover.alive) else {
            return Ok(leftovers);
        };
        let doing = format!("{busy} is putting another site into {}", site.root().display());
        if begun.elapsed() > LONGEST_EXCHANGE {
            let text = format!("{doing}, and takes long; wait for it to end, and start again");
            return Err(Failure::new(Class::InUse, text));
        }
        if !std::mem::replace(&mut is_told, true) {
            waits(&format!("{doing}; waiting for it to end"));
        }
        if monitor.is_interrupted() {
            return Err(Failure::interrupted());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
