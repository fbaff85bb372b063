//! What can be typed after the commands that make, take and check archives.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use ctdl_dump::record::Layout;

use super::named::{named, output};
use super::wait::waiting_time;
use super::{ArrangementOptions, TablesOptions};

/// The site of a server that was installed the usual way.
pub(super) const USUAL_SITE: &str = "/usr/local/citadel";

/// Write a whole site into one archive.
///
/// The site is never written to, not a byte, and its server may be stopped, at work or killed: what is found decides how the copy is
/// taken, and the output says so. Unless the server was stopped in order, a private copy is made first, for which there must be room
/// (--scratch). The archive holds every password and key of the site: with -o only its owner may read it.
///
/// What is no part of a site (sockets, programs, core dumps) is left out and named at the end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ctdl-dump export -o /backup/site.ctz
  ctdl-dump export --site /citadel-data --log /var/log/citadel.log -o site.ctz
  ctdl-dump export --single-user 5m -o site.ctz
  ctdl-dump export | ssh new ctdl-dump import -")]
pub struct Export {
    /// The site's directory [default: /usr/local/citadel]
    #[arg(long, value_name = "DIR", value_parser = named(), value_hint = ValueHint::DirPath)]
    pub site: Option<PathBuf>,
    /// The same, as other commands take it
    #[arg(value_name = "SITE", conflicts_with = "site", value_parser = named(), value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
    /// Write to FILE instead of standard output; it appears when it is complete, until then it is FILE.partial
    #[arg(short, long, value_name = "FILE", value_parser = output(), value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Replace FILE if it exists, once the new archive is complete
    #[arg(long, requires = "output")]
    pub force: bool,
    #[command(flatten)]
    pub tables: TablesOptions,
    /// Stop a running server by a signal for the seconds that the copy of its tables takes; its users merely wait
    #[arg(long, conflicts_with = "single_user", help_heading = "Ways to take it")]
    pub freeze: bool,
    /// Refuse new logins and mail for the time of the copy; users are told, and have WAIT to leave (90, 90s, 5m)
    #[arg(long, value_name = "WAIT", value_parser = waiting_time, help_heading = "Ways to take it")]
    pub single_user: Option<Duration>,
    /// Take what can be had of torn tables, and what an archive can hold, and list what is lost (exit code 5)
    #[arg(long, help_heading = "Ways to take it")]
    pub salvage: bool,
    /// Take a log file along (may be given more than once); an import puts it into `logs/` of the site
    #[arg(long = "log", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub logs: Vec<PathBuf>,
    /// Leave the full text index to the new server, which rebuilds it at 26 messages a minute
    #[arg(long)]
    pub without_fulltext: bool,
    /// Where temporary files and private copies go; else beside FILE, else $TMPDIR or /var/tmp
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub scratch: Option<PathBuf>,
    /// Keep attachments in base64, as they stand in the messages: the archive gets larger, but tar alone gives messages back
    #[arg(long)]
    pub no_fold: bool,
    /// Level of the zstd compression
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=19))]
    pub level: i32,
    /// Threads that compress; the archive is the same for any number [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Print the summary as a line of JSON on standard output
    #[arg(long, requires = "output")]
    pub json: bool,
    #[command(flatten)]
    pub arrangement: ArrangementOptions,
}

/// Make a site from an archive.
///
/// The new site is built beside the old one, read back and compared with the archive, and put into place at the very end, in one
/// step. Until then nothing of the old site is touched; afterwards it is kept under a dated name. The server must be stopped.
///
/// A site that has been used is refused unless --replace is given. Fresh is what a server makes at its first start.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  ctdl-dump import site.ctz
  ctdl-dump import site.ctz --site /srv/citadel --replace
  ctdl-dump import site.ctz --arrangement debian --keep-release --replace
  ssh old ctdl-dump export | ctdl-dump import -")]
pub struct Import {
    /// The archive, or `-` for standard input
    #[arg(value_name = "ARCHIVE|-", value_hint = ValueHint::FilePath)]
    pub archive: PathBuf,
    /// Taken to say what is meant instead
    #[arg(value_name = "DIR", hide = true)]
    pub elsewhere: Option<PathBuf>,
    /// The directory that becomes the site [default: /usr/local/citadel]
    #[arg(long, value_name = "DIR", value_parser = named(), value_hint = ValueHint::DirPath)]
    pub site: Option<PathBuf>,
    /// Replace a site that has been used; it is kept under a dated name
    #[arg(long)]
    pub replace: bool,
    /// Write a site of an old release as it was, for a server of that release
    #[arg(long)]
    pub keep_release: bool,
    #[arg(long, value_name = "LAYOUT", help = format!(
        "Write for a server of another machine than the one whose tables are in DIR, or than a 64-bit little-endian one: {}",
        Layout::names()
    ))]
    pub layout: Option<Layout>,
    /// Trust the disk: don't read back what was written before it is put into place, which is about a tenth of the work
    #[arg(long)]
    pub no_read_back: bool,
    /// Where temporary files go; else into the new site's own staging directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub scratch: Option<PathBuf>,
    /// Threads that unpack [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Print the summary as a line of JSON on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub arrangement: ArrangementOptions,
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
    /// Threads that unpack [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Print the result as a line of JSON
    #[arg(long)]
    pub json: bool,
}
