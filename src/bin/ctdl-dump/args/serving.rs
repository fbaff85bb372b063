//! What can be typed after the commands that talk to another machine.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueHint};

use super::named::named;
use super::{ArrangementOptions, TablesOptions};
use crate::tls::Fingerprint;

/// How a peer is reached, for all commands that ask one.
#[derive(Clone, Debug, Args)]
pub struct PeerOptions {
    /// How often to try again after a cut, each time a little later; what arrives meanwhile sets the count back
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Connection")]
    pub retries: u32,
    /// How ssh starts ctdl-dump on the other machine, such as /opt/bin/ctdl-dump or `sudo ctdl-dump`
    #[arg(long, value_name = "COMMAND", default_value = "ctdl-dump", help_heading = "Connection")]
    pub remote_program: String,
    /// Send everything as it is: for a network that is faster than a processor
    #[arg(long, help_heading = "Connection")]
    pub no_compress: bool,
    /// The token of a server that listens, in a file that only you may read
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Connection")]
    pub token_file: Option<PathBuf>,
    /// The certificate that a tls:// server must have, as `ctdl-dump serve` shows it; else the one that it had the first time
    #[arg(long, value_name = "SHA256", help_heading = "Connection")]
    pub fingerprint: Option<Fingerprint>,
    /// Take a tls:// server that was never seen before for the right one
    #[arg(long, conflicts_with = "fingerprint", help_heading = "Connection")]
    pub accept_new: bool,
    /// Whether there was a connection to it before: then it is worth waiting for.
    #[arg(skip)]
    pub was_reached: bool,
}

/// Give a site or an archive to peers that ask for it, or take one.
///
/// A peer that pulls gets everything, or what has changed since its last time. The place is only read. A site is taken as `export` takes it,
/// whatever its server is doing, anew for each peer that asks; private copies go to the scratch directory.
///
/// With --receive it is the other way round: a peer that pushes gives a site, which is put into --site as `import` does it. Its server must be stopped, and a
/// site that has been used is refused unless --replace is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ssh old ctdl-dump serve --stdio                 what pull ssh://old does by itself
  ctdl-dump serve --socket /run/wire.socket       for users of this machine that may open the socket
  ctdl-dump serve --make-token /root/token        once, and then copy it to the machine that pulls
  ctdl-dump serve --listen 0.0.0.0:20080 --token-file /root/token
  ctdl-dump serve --receive --site /srv/citadel --listen 0.0.0.0:20080 --token-file /root/token")]
pub struct Serve {
    /// The directory of a site, or an archive [default: /usr/local/citadel]
    #[arg(value_name = "SITE|ARCHIVE", conflicts_with = "receive", value_hint = ValueHint::AnyPath)]
    pub place: Option<PathBuf>,
    #[command(flatten)]
    pub taking: Taking,
    #[command(flatten)]
    pub at: ServeAt,
    #[command(flatten)]
    pub tables: TablesOptions,
    #[command(flatten)]
    pub reception: Reception,
    /// Where private copies of a site go; else $TMPDIR or /var/tmp. With --receive, temporary files; else beside the new site
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub scratch: Option<PathBuf>,
    #[command(flatten)]
    pub arrangement: ArrangementOptions,
}

/// What becomes of a site that a peer gives.
#[derive(Debug, Args)]
pub struct Taking {
    /// Take a site from a peer that pushes it, and give none
    #[arg(long, conflicts_with = "layout", help_heading = "To be pushed to")]
    pub receive: bool,
    /// The directory that becomes the site [default: /usr/local/citadel]
    #[arg(long, value_name = "DIR", value_parser = named(), requires = "receive", value_hint = ValueHint::DirPath, help_heading = "To be pushed to")]
    pub site: Option<PathBuf>,
    /// Replace a site that has been used; it is kept under a dated name
    #[arg(long, requires = "receive", help_heading = "To be pushed to")]
    pub replace: bool,
    /// Write a site of an old release as it was, for a server of that release
    #[arg(long, requires = "receive", help_heading = "To be pushed to")]
    pub keep_release: bool,
}

/// Where peers come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ServeAt {
    /// Answer one peer on standard input and output, and end with it
    #[arg(long)]
    pub stdio: bool,
    /// Make a socket that only your own user may open
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub socket: Option<PathBuf>,
    /// Listen for peers from other machines, by TLS; the port is usually 20080
    #[arg(long, value_name = "HOST:PORT", requires = "token_file")]
    pub listen: Option<String>,
    /// Make a token for --token-file in a new FILE, and end
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub make_token: Option<PathBuf>,
}

/// How peers from other machines are received.
#[derive(Debug, Args)]
pub struct Reception {
    /// What peers must know: a file with one line of at least 32 characters, which only you may read
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "listen", help_heading = "With --listen")]
    pub token_file: Option<PathBuf>,
    /// A certificate (PEM), instead of one that is made at the first start
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires_all = ["listen", "key"], help_heading = "With --listen")]
    pub certificate: Option<PathBuf>,
    /// The key of the certificate
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "certificate", help_heading = "With --listen")]
    pub key: Option<PathBuf>,
    /// The most peers at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_535), conflicts_with_all = ["stdio", "make_token"], help_heading = "With --listen or --socket")]
    pub peers: usize,
}
