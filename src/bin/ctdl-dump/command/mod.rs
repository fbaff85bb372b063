//! The commands, one file each, and what every one of them gets.

pub mod diff;
pub mod export;
pub mod extract;
pub mod guard;
pub mod import;
pub mod info;
pub mod list;
pub mod pull;
pub mod push;
pub mod recover_copy;
pub mod reopen;
pub mod serve;
pub mod verify;

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use ctdl_dump::endpoint::Failure;
use ctdl_dump::live::{Original, Outcome, Undone};
use ctdl_dump::monitor::Monitor as _;

use crate::error;
use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::screen::Screen;
use crate::stream::Data;

/// What every command gets.
pub struct Context {
    /// Ctrl-C and its like.
    pub interrupt: Arc<Interrupt>,
    /// The screen.
    pub screen: Screen,
    /// What earlier commands have left on running servers, and what became of it.
    pub undone: Vec<Undone>,
}

impl Context {
    /// How many threads to use.
    pub fn threads(&self, named: Option<u16>) -> usize {
        named.map_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get()), usize::from)
    }

    /// The own limit of sessions of a site whose tables still hold one of ours, because its server did not run to be told.
    pub fn own_limit(&self, site: &Path) -> Option<&Original> {
        let site = site.canonicalize().ok()?;
        let kept = self.undone.iter().filter(|undone| matches!(undone.outcome, Outcome::Kept(_)));
        kept.filter(|undone| undone.site == site).find_map(|undone| undone.original.as_ref())
    }

    /// Standard output, for data.
    pub fn data(&self) -> Result<Data> {
        Data::stdout(&self.interrupt).context("standard output")
    }

    /// Prints the result of work that is done, which is text or a line of JSON. That it can't be printed undoes nothing: it is told, and has an exit
    /// code of its own.
    pub fn print_result(&self, result: impl Display) -> ExitCode {
        let print = || -> Result<()> {
            let mut output = self.data()?;
            output.line(result)?;
            Ok(output.flush()?)
        };
        match print() {
            Err(error) if !error::is_reader_gone(&error) => {
                let error = error::text(&error);
                self.screen.warning(&format!("all is done, but its result could not be printed: {error}"));
                ExitCode::Unsaid
            }
            _ => ExitCode::Complete,
        }
    }

    /// Ends a command that the user has interrupted.
    pub fn check_interrupt(&self) -> Result<(), Failure> {
        if self.interrupt.is_set() { Err(Failure::interrupted()) } else { Ok(()) }
    }
}
