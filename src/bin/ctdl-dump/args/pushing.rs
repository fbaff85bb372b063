//! What can be typed after `push`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{ArrangementOptions, PeerOptions, TablesOptions};
use crate::peer::Peer;

/// Give a site or an archive to another machine, where it becomes the site.
///
/// PEER is ssh://[user@]host[:port][/path], which runs `ctdl-dump serve --stdio --receive --site /path` there; tls://host[:port] or unix:/path, a
/// `ctdl-dump serve --receive` that listens; or cmd:COMMAND, a command for the shell that does what ssh would.
///
/// The new site is put into place there as `import` does it: complete and read back, or not at all. What a person must know of it is told here.
///
/// A connection that is cut is made again and goes on where it was cut. If that doesn't help, what has arrived is kept there, and the same command goes on
/// with it, unless the site has changed meanwhile.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  ctdl-dump push site.ctz ssh://root@new.example.org/usr/local/citadel
  ctdl-dump push /usr/local/citadel tls://new.example.org --token-file token
  ctdl-dump push old.ctz 'cmd:ssh root@new ctdl-dump serve --stdio --receive --arrangement debian --keep-release'

The options below that tell where a site has what are about SITE. What the other machine has where, the server there is told, as in the last example.")]
pub struct Push {
    /// The directory of a site, or an archive
    #[arg(value_name = "SITE|ARCHIVE", value_hint = ValueHint::AnyPath)]
    pub place: PathBuf,
    /// Where to push to
    #[arg(value_name = "PEER")]
    pub peer: Peer,
    /// Replace a site that has been used (ssh:// only: other servers are told that by whoever starts them); it is kept under a dated name
    #[arg(long)]
    pub replace: bool,
    #[command(flatten)]
    pub tables: TablesOptions,
    #[command(flatten)]
    pub connection: PeerOptions,
    /// Where a private copy of a site goes; else $TMPDIR or /var/tmp
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub scratch: Option<PathBuf>,
    /// Print the summary as a line of JSON on standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub arrangement: ArrangementOptions,
}
