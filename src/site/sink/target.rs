//! For which layout a new site is to be written: that of the server which has been at the target.

use std::path::Path;

use crate::record::Layout;
use crate::site::source::{ReadSiteError, Tables};

/// The layout of the tables in a site's directory `root`; `None` where there are none, so that nothing is known of the server there.
///
/// # Errors
/// When the tables that are there can't be read, or contradict each other.
pub fn layout_at(root: &Path) -> Result<Option<Layout>, ReadSiteError> {
    let data = root.join("data");
    if !data.is_dir() {
        return Ok(None);
    }
    let tables = Tables::open(&data, None)?;
    Ok(tables.numbers().next().map(|_| tables.layout))
}
