//! What can be typed after the commands that look into archives and sites.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use ctdl_dump::record::Kind;

use super::named::output;
use super::{ArrangementOptions, TablesOptions};

/// A kind of records, also as people say it of many: `users`.
fn kind(typed: &str) -> Result<Kind, <Kind as std::str::FromStr>::Err> {
    let kind = typed.parse();
    match typed.strip_suffix('s').map(str::parse) {
        Some(Ok(one)) if kind.is_err() => Ok(one),
        _ => kind,
    }
}

/// Say what an archive or a site is.
///
/// That is node, release, how and when it was taken, what is in it and what was left out. Of an archive in a file only the parts that say so are read, and nothing is verified. A site is read whole.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ctdl-dump info site.ctz")]
pub struct Info {
    /// An archive, the directory of a site, or `-`
    #[arg(value_name = "ARCHIVE|SITE", required_unless_present = "arrangement")]
    pub place: Option<PathBuf>,
    #[command(flatten)]
    pub tables: TablesOptions,
    /// Print it as a line of JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub arrangement: ArrangementOptions,
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
    #[command(flatten)]
    pub tables: TablesOptions,
    #[arg(value_name = "KIND", value_parser = kind, help = format!("Only records of this kind: {}", Kind::names()))]
    pub kind: Option<Kind>,
    /// Print a line of JSON with all fields for each record (passwords too)
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub arrangement: ArrangementOptions,
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
    #[command(flatten)]
    pub tables: TablesOptions,
    /// Print a line of JSON for each difference
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub arrangement: ArrangementOptions,
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
    #[arg(value_name = "KIND", value_parser = kind)]
    pub kind: Kind,
    /// Their keys
    #[arg(value_name = "KEY", required = true)]
    pub keys: Vec<String>,
    /// Write files into DIR, which is made if need be; nothing that is there is replaced
    #[arg(short, long, value_name = "DIR", value_parser = output(), value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Of a room: every message that it lists
    #[arg(long, requires = "output")]
    pub messages: bool,
    /// Messages as the bytes that are stored
    #[arg(long)]
    pub raw: bool,
}
