//! What can be typed after `reopen`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Let users in again on a server that a cutover has left closed.
///
/// After `pull --cutover` the old server refuses all sessions, also when it is started again, so that no mail arrives at a site that has moved. To go back to it:
/// stop the new server, start the old one if it was stopped, and reopen it. What came to the new server meanwhile is not in the old one.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  ctdl-dump reopen --site /usr/local/citadel")]
pub struct Reopen {
    /// The directory of the old site, whose server runs
    #[arg(long, value_name = "DIR", default_value = super::copying::USUAL_SITE, value_hint = ValueHint::DirPath)]
    pub site: PathBuf,
}
