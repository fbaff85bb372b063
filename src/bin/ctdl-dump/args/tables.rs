//! What can be said of a site's tables that they don't tell, or tell wrongly.

use clap::Args;
use ctdl_dump::record::Layout;

/// For all commands that read a site.
#[derive(Clone, Copy, Debug, Args)]
pub struct TablesOptions {
    #[arg(long, value_name = "LAYOUT", help = format!(
        "Read the tables of the site as those of such a machine, whatever they look like: {}",
        Layout::names()
    ))]
    pub layout: Option<Layout>,
}
