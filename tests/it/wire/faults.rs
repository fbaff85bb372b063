//! Connections on which things go wrong by a seed: a pull goes on or says why not, and gives nothing wrong. A failure names its seed.

use std::io::{Read, Write};
use std::sync::Arc;

use ctdl_dump::archive::Options;
use ctdl_dump::monitor::Silent;
use ctdl_dump::transfer::pull::{Merged, Plan};
use ctdl_dump::transfer::{ArchiveView, copy};
use ctdl_dump::wire::{Client, Connector, Receiver, Scope, Steady, WireError};

use super::faulty::{CUTS, Dice, FAULTS, Fault, halves, seeds};
use super::pull::{changed, plain, records};
use super::{connect, login, server, view};
use crate::archive::records::Record;
use crate::archive::{Kept, write, write_folded};

const SEEDS: u64 = 300;

/// Connections of which the first ones are faulty.
struct Faulty<'a> {
    view: &'a Arc<ArchiveView>,
    seed: u64,
    faulty: u32,
    heard_bytes: u64,
    faults: &'a [Fault],
    connections: u32,
}

impl Connector for Faulty<'_> {
    type Input = Box<dyn Read>;
    type Output = Box<dyn Write>;

    fn connect(&mut self) -> Result<Client<Self::Input, Self::Output>, WireError> {
        self.connections += 1;
        let stream = connect(self.view, &server());
        let (input, output): (Box<dyn Read>, Box<dyn Write>) = if self.connections > self.faulty {
            (Box::new(stream.try_clone().unwrap()), Box::new(stream))
        } else {
            halves(Dice(self.seed << 8 | u64::from(self.connections)), stream, (200, self.heard_bytes), self.faults)
        };
        Client::connect(input, output, &login())
    }

    fn tries_again(&mut self, _error: &WireError, _progressed: bool) -> bool {
        self.connections <= self.faulty
    }
}

/// Pulls all, or what an archive has not.
fn pull(connector: Faulty, old: Option<&ArchiveView>) -> Result<Vec<Record>, String> {
    let mut steady = Steady::new(connector, None);
    let info = steady.attempt(|client| client.info()).map_err(|error| error.to_string())?;
    let mut kept = Kept::default();
    let copied = match old {
        None => {
            let mut records = steady.records(Scope::All, Receiver::all(Scope::All), info.site);
            copy(&mut records, &mut kept, &Silent)
        }
        Some(old) => {
            let plan =
                Plan::make(&mut steady, &[old.archive()], &std::env::temp_dir()).map_err(|error| error.to_string())?;
            copy(&mut Merged::new(&mut steady, &[old.archive()], plan, info), &mut kept, &Silent)
        }
    };
    copied.map(|_| plain(kept)).map_err(|error| error.to_string())
}

#[test]
fn whatever_goes_wrong_on_a_line_a_pull_gives_nothing_wrong_and_the_next_one_all() {
    let before = records();
    let wanted = changed(before.clone());
    let old = view(&write_folded(&before, Options { level: 1, threads: 2 }).0);
    let new = view(&write(&wanted, Options { level: 1, threads: 2 }).0);
    let (mut finished, mut told) = (0, 0);
    for seed in seeds(SEEDS) {
        let mut dice = Dice(seed);
        let faulty = 1 + dice.below(3) as u32;
        let (old, heard_bytes) = if dice.below(4) > 0 { (Some(&*old), 300_000) } else { (None, 4_000_000) };
        // Mostly in what comes first: there are more lines than later on.
        let heard_bytes = if dice.below(2) == 0 { heard_bytes } else { 20_000 };
        // A pull goes on whenever its line is cut; what else goes wrong mostly ends it.
        let faults = if seed % 3 == 0 { CUTS } else { FAULTS };
        let line = |faulty| Faulty { view: &new, seed, faulty, heard_bytes, faults, connections: 0 };
        match pull(line(faulty), old) {
            Ok(came) => {
                finished += 1;
                assert!(came == wanted, "seed {seed}");
            }
            Err(error) => {
                told += 1;
                assert!(faults != CUTS, "seed {seed}: {error}");
                assert!(!error.is_empty() && !error.contains("bug"), "seed {seed}: {error}");
                assert!(pull(line(0), old).is_ok_and(|came| came == wanted), "seed {seed}");
            }
        }
    }
    assert!(finished > SEEDS / 4 && told > SEEDS / 20, "{finished} finished, {told} told why not");
}
