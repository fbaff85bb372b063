//! What can be typed after `pull`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueHint};
use ctdl_dump::record::Layout;

use super::named::named;
use super::wait::waiting_time;
use super::{ArrangementOptions, PeerOptions};
use crate::peer::Peer;

/// Collect a site or an archive from another machine.
///
/// PEER is ssh://[user@]host[:port][/path], which runs `ctdl-dump serve --stdio /path` there; tls://host[:port], a `ctdl-dump serve --listen`;
/// unix:/path, the socket of a `ctdl-dump serve --socket`; or cmd:COMMAND, a command for the shell that does what ssh would.
///
/// A connection that is cut is made again and goes on where it was cut. If that doesn't help, what has arrived is kept beside FILE, and the same command
/// goes on with it.
///
/// With --have only what has changed since OLD comes over the wire.
///
/// With --site the archive becomes a site, as `import` makes one. It is kept beside the site, as DIR.ctdl-dump-pulled.ctz, and the next pull to
/// the same place transfers only what has changed since.
///
/// With --cutover the site moves, and nothing is lost: it is pulled while its server works, again and again until little is left; then the old server refuses logins and
/// mail, the last difference comes, the old server stays closed, and the new site is in place. The expected outage is printed before it begins. At
/// any failure before the last step the old server takes logins again, and nothing is changed here.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  ctdl-dump pull ssh://old.example.org -o site.ctz
  ctdl-dump pull ssh://root@old.example.org/backup/site.ctz -o tuesday.ctz --have monday.ctz
  ctdl-dump pull ssh://old.example.org --site /srv/citadel
  ctdl-dump pull unix:/run/ctdl-dump.socket -o site.ctz
  ctdl-dump pull ssh://root@old/usr/local/citadel --site /srv/citadel --cutover --stop-old")]
#[command(group = ArgGroup::new("target").required(true).args(["output", "site"]))]
pub struct Pull {
    /// Where to pull from
    #[arg(value_name = "PEER")]
    pub peer: Peer,
    /// Write to FILE; it appears when it is complete
    #[arg(short, long, value_name = "FILE", value_parser = named(), value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Make a site of it in DIR, whose server must be stopped
    #[arg(long, value_name = "DIR", value_parser = named(), value_hint = ValueHint::DirPath)]
    pub site: Option<PathBuf>,
    /// Replace a site that has been used; it is kept under a dated name
    #[arg(long, requires = "site")]
    pub replace: bool,
    #[arg(long, value_name = "LAYOUT", conflicts_with = "output", help = format!(
        "Write for a server of another machine than the one whose tables are in DIR, or than a 64-bit little-endian one: {}",
        Layout::names()
    ))]
    pub layout: Option<Layout>,
    /// Replace FILE if it exists, once the new archive is complete
    #[arg(long, requires = "output")]
    pub force: bool,
    /// An archive of an earlier time: what is the same there is taken from it
    #[arg(long, value_name = "OLD", requires = "output", value_hint = ValueHint::FilePath)]
    pub have: Option<PathBuf>,
    /// Write a site of an old release as it was, for a server of that release
    #[arg(long, requires = "site", conflicts_with = "is_wanted")]
    pub keep_release: bool,
    /// Keep attachments in base64, as they stand in the messages
    #[arg(long)]
    pub no_fold: bool,
    /// Level of the zstd compression of FILE
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=19))]
    pub level: i32,
    /// Threads that compress FILE; it is the same for any number [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Print the summary as a line of JSON on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub cutover: Cutover,
    #[command(flatten)]
    pub connection: PeerOptions,
    #[command(flatten)]
    pub arrangement: ArrangementOptions,
}

impl Pull {
    /// The same, from a peer that was reached before.
    pub fn of_known_peer(&self) -> Self {
        let connection = PeerOptions { was_reached: true, ..self.connection.clone() };
        Pull { connection, ..self.clone() }
    }
}

/// How a site moves.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Moving a site")]
pub struct Cutover {
    /// Move the site to this machine: close the old server for good at the end, with as short an outage as can be
    #[arg(long = "cutover", requires = "site")]
    pub is_wanted: bool,
    /// Stop the old server, too; otherwise it runs on, refuses logins, and you stop it before you start the new one
    #[arg(long, requires = "is_wanted")]
    pub stop_old: bool,
    /// How long users of the old server may take to leave (90, 90s, 5m)
    #[arg(long, value_name = "WAIT", default_value = "2m", value_parser = waiting_time, requires = "is_wanted")]
    pub wait: Duration,
    /// How long the old server may hear nothing of this machine before it takes logins again
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = waiting_time, requires = "is_wanted")]
    pub expire: Duration,
}
