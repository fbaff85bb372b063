//! What can be typed. What it means is each command's business.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::exit_code::ExitCode;

/// The site of a server that was installed the usual way.
const USUAL_SITE: &str = "/usr/local/citadel";

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
    /// Say nothing but warnings, errors and what was left out
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

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a whole site into one archive
    Export(Export),
    /// Make a site from an archive
    Import(Import),
    /// Check every byte of an archive
    Verify(Verify),
    /// Say what an archive or a site is
    Info(Info),
    /// List the records of an archive or a site
    List(List),
    /// Compare two archives or sites record by record
    Diff(Diff),
    /// Take single messages, files or a room's messages out of an archive
    Extract(Extract),
    /// Recover a copy of a site's tables; for ctdl-dump itself, which starts it
    #[command(hide = true, name = ctdl_dump::site::recovery::COMMAND)]
    RecoverCopy(RecoverCopy),
}

/// Write a whole site into one archive.
///
/// The site is never written to, not a byte. Its server must be stopped; a running, crashed or torn site is refused with the
/// reason and the way out. The archive holds every password and key of the site: with -o only its owner may read it.
///
/// What is no part of a site (sockets, programs, core dumps) is left out and named at the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ctdl-dump export -o /backup/site.ctz
  ctdl-dump export --site /citadel-data --log /var/log/citadel.log -o site.ctz
  ctdl-dump export | ssh new ctdl-dump import -")]
pub struct Export {
    /// The site's directory
    #[arg(long, value_name = "DIR", default_value = USUAL_SITE, value_hint = ValueHint::DirPath)]
    pub site: PathBuf,
    /// Write to FILE instead of standard output; it appears when it is complete, until then it is FILE.partial
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Replace FILE if it exists, once the new archive is complete
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Take a log file along (may be given more than once); an import puts it into `logs/` of the site
    #[arg(long = "log", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub logs: Vec<PathBuf>,
    /// Leave the full text index to the new server, which rebuilds it at 26 messages a minute
    #[arg(long)]
    pub without_fulltext: bool,
    /// Where temporary files go; else beside FILE, else $TMPDIR or /var/tmp
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub scratch: Option<PathBuf>,
    /// Level of the zstd compression
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=19))]
    pub level: i32,
    /// Threads that compress; the archive is the same for any number [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Print the summary as a line of JSON on standard output
    #[arg(long, requires = "output")]
    pub json: bool,
}

/// Make a site from an archive.
///
/// The new site is built beside the old one, read back and compared with the archive, and put into place at the very end, in one
/// step. Until then nothing of the old site is touched; afterwards it is kept under a dated name. The server must be stopped.
///
/// A site that has been used is refused unless --replace is given. Fresh is what a server makes at its first start.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ctdl-dump import site.ctz
  ctdl-dump import site.ctz --site /srv/citadel --replace
  ssh old ctdl-dump export | ctdl-dump import -")]
pub struct Import {
    /// The archive, or `-` for standard input
    #[arg(value_name = "ARCHIVE|-", value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
    /// The directory that becomes the site
    #[arg(long, value_name = "DIR", default_value = USUAL_SITE, value_hint = ValueHint::DirPath)]
    pub site: PathBuf,
    /// Replace a site that has been used; it is kept under a dated name
    #[arg(long)]
    pub replace: bool,
    /// Where temporary files go; else into the new site's own staging directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub scratch: Option<PathBuf>,
    /// Print the summary as a line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Check every byte of an archive.
///
/// This is the copy that an import makes, without a site at its end: what verify accepts, import accepts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ctdl-dump verify site.ctz
  ssh old ctdl-dump export | tee site.ctz | ctdl-dump verify -")]
pub struct Verify {
    /// The archive, or `-` for standard input
    #[arg(value_name = "ARCHIVE|-", value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
    /// Print the result as a line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Say what an archive or a site is: node, release, how and when it was taken, what is in it and what was left out.
///
/// Of an archive in a file only the parts that say so are read, and nothing is verified. A site is read whole.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ctdl-dump info site.ctz")]
pub struct Info {
    /// An archive, the directory of a site, or `-`
    #[arg(value_name = "ARCHIVE|SITE")]
    pub place: PathBuf,
    /// Print it as a line of JSON
    #[arg(long)]
    pub json: bool,
}

/// List the records of an archive or a site.
///
/// Without KIND: a line with kind, size of the body in bytes, and key of every record. With KIND: what matters of the records of that
/// kind. Bytes that are no text are shown as `\xf6`, and can be typed so in `extract`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ctdl-dump list site.ctz
  ctdl-dump list site.ctz user
  ctdl-dump list --json /usr/local/citadel room")]
pub struct List {
    /// An archive, the directory of a site, or `-`
    #[arg(value_name = "ARCHIVE|SITE")]
    pub place: PathBuf,
    /// Only records of this kind: config, floor, user, room, list, visit, use, directory, openid, euid, usernumber, fulltext,
    /// table, message, file, log, loss or omitted
    #[arg(value_name = "KIND")]
    pub kind: Option<ctdl_dump::record::Kind>,
    /// Print a line of JSON with all fields for each record (passwords too)
    #[arg(long)]
    pub json: bool,
}

/// Compare two archives or sites record by record.
///
/// Prints `< KIND KEY` for a record that only A has, `> KIND KEY` for one that only B has, and `! KIND KEY: ...` with the fields that
/// differ. Ends with code 0 if there is no difference and 7 if there is one.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ctdl-dump diff monday.ctz /usr/local/citadel")]
pub struct Diff {
    /// An archive or the directory of a site
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// Another one
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// Print a line of JSON for each difference
    #[arg(long)]
    pub json: bool,
}

/// Take single messages, files or a room's messages out of an archive.
///
/// Only the parts of the archive that are needed are read. Without -o the content of exactly one record goes to standard output. With
/// -o DIR a file gets its own path below DIR, its mode and its time, and a directory brings all that is in it; links are not made.
///
/// A message is written as mail: header lines made of its fields, then its text; with --raw as the bytes that the server stored. KEY is
/// what `list` prints: a number, a path, a room's name; bytes that are no text as `\xf6`, a backslash as `\\`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ctdl-dump extract site.ctz message 1234
  ctdl-dump extract site.ctz file messages/hello
  ctdl-dump extract site.ctz file files/library/report.pdf keys -o restored
  ctdl-dump extract site.ctz room lobby --messages -o mails")]
pub struct Extract {
    /// The archive, in a file
    #[arg(value_name = "ARCHIVE", value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
    /// Kind of the records: message, file, log, room ...
    #[arg(value_name = "KIND")]
    pub kind: ctdl_dump::record::Kind,
    /// Their keys
    #[arg(value_name = "KEY", required = true)]
    pub keys: Vec<String>,
    /// Write files into DIR, which is made if need be; nothing that is there is replaced
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Of a room: every message that it lists
    #[arg(long, requires = "output")]
    pub messages: bool,
    /// Messages as the bytes that are stored
    #[arg(long)]
    pub raw: bool,
}

/// What an export starts, in a process of its own, to recover a private copy of tables from the logs beside them.
#[derive(Debug, Args)]
pub struct RecoverCopy {
    /// The process that waits for it
    #[arg(long, value_name = "PID")]
    pub parent: u32,
    /// Which recovery
    #[arg(value_name = "KIND")]
    pub kind: RecoveryKind,
    /// The directory `data` of a scratch directory
    #[arg(value_name = "DATA", value_hint = ValueHint::DirPath)]
    pub data: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecoveryKind {
    Normal,
    Catastrophic,
}
