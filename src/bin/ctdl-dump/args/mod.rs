//! What can be typed. What it means is each command's business.

mod arrangement;
mod copying;
mod hidden;
mod looking;
mod named;
mod pulling;
mod pushing;
mod reopening;
mod serving;
mod tables;
mod wait;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use arrangement::ArrangementOptions;
pub use copying::{Export, Import, Verify};
pub use hidden::{Guard, RecoverCopy, RecoveryKind};
pub use looking::{Diff, Extract, Info, List};
pub use pulling::{Cutover, Pull};
pub use pushing::Push;
pub use reopening::Reopen;
pub use serving::{PeerOptions, Reception, Serve, Taking};
pub use tables::TablesOptions;

use crate::exit_code::ExitCode;

/// Backs up and moves whole Citadel sites: users, rooms, messages, files, banners, keys.
///
/// A site is a directory (the one that holds `data/`), an archive is a file (`.ctz`), and `-` is standard input.
#[derive(Debug, Parser)]
#[command(name = "ctdl-dump", version, max_term_width = 100, after_help = ExitCode::table())]
#[command(after_long_help = format!("{}{}", EXAMPLES, ExitCode::table()))]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub report: Report,
}

const EXAMPLES: &str = "Examples:
  ctdl-dump export -o site.ctz                          back up the site in /usr/local/citadel
  ctdl-dump verify site.ctz                             make sure that the backup is whole
  ctdl-dump import site.ctz --site /srv/citadel         make a site of it
  ctdl-dump export | ssh new ctdl-dump import -         move a site to another machine

";

/// How the work is reported.
#[derive(Clone, Copy, Debug, Args)]
pub struct Report {
    /// How progress is shown on standard error
    #[arg(long, global = true, value_enum, value_name = "HOW", default_value_t = Progress::Auto, help_heading = "Reporting")]
    pub progress: Progress,
    /// Say nothing but warnings, errors and what was left out; data that was asked for is printed all the same
    #[arg(short, long, global = true, help_heading = "Reporting")]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A line that is redrawn if standard error is a terminal, else nothing
    Auto,
    /// A line that is redrawn
    Bar,
    /// Lines of JSON (docs/json.md), also for warnings, errors and summaries
    Json,
    /// Nothing
    None,
}

// A doc comment here would hide all that its arguments' own says, from `--help`, too.
#[derive(Debug, Subcommand)]
pub enum Command {
    Export(Export),
    Import(Import),
    Verify(Verify),
    Info(Info),
    List(List),
    Diff(Diff),
    Extract(Extract),
    Pull(Pull),
    Push(Push),
    Serve(Serve),
    Reopen(Reopen),
    /// Recover a copy of a site's tables; for ctdl-dump itself, which starts it
    #[command(hide = true, name = ctdl_dump::site::recovery::COMMAND)]
    RecoverCopy(RecoverCopy),
    /// Look after a server that is held still; for ctdl-dump itself, which starts it
    #[command(hide = true, name = ctdl_dump::live::guardian::COMMAND)]
    Guard(Guard),
}
