//! A site whose tables are taken as they are, as far as they can be read.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::settle::{Rest, Workbench, scratch};
use super::{Request, Taken};
use crate::endpoint::Failure;
use crate::monitor::Monitor;
use crate::site::{Watch, inventory, settled};

/// Reads whole tables in place, and puts what can be had of the torn ones into new tables in the scratch directory. `losses` are known before.
pub(super) fn take(
    request: &Request,
    data: &Path,
    method: &str,
    proof: String,
    losses: Vec<(String, String)>,
    monitor: &dyn Monitor,
) -> Result<Taken, Failure> {
    let fingerprint = settled::fingerprint(data).map_err(super::unreadable)?;
    let inventory = inventory::take(request.site).map_err(super::unreadable)?;
    let bench = Workbench::set_up(request, data, u32::MAX, None, monitor)?;
    // The rest of the work sees one directory of tables, wherever they lie.
    let in_place = bench.scratch.data();
    let real = std::path::absolute(data).map_err(|error| scratch(data, error))?;
    for name in settled::table_names(data).map_err(|error| super::source(data, error))? {
        let link = in_place.join(&name);
        symlink(real.join(&name), &link).map_err(|error| scratch(&link, error))?;
    }
    let settled = bench.salvage_tables(&in_place, method, proof, losses)?;
    let rest = Rest { inventory, files: None, watch: Watch::Site(fingerprint), setting: None };
    let findings = bench.check(&settled)?;
    bench.taken(settled, &findings, rest)
}
