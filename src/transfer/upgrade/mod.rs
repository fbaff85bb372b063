//! An archive of an older release, given as release 980 would have the site (`format-spec/site.md`, "Import into a newer release").
//!
//! What becomes of a user or a room depends on messages and files, which come later in an archive. So the archive is looked at twice: [`Plan::survey`] reads
//! the small records and the few messages that matter, wherever they stand, and says what changes; [`Upgraded`] gives the records of a
//! plain reading with these changes, in canonical order. Both hold little: something for each user and each room. The same archive always gives the same records.

mod accounts;
mod aliases;
mod change;
mod content;
mod domains;
mod made;
mod mail_filter;
mod mails;
mod network_lines;
mod new_message;
mod notices;
mod old_files;
mod people;
mod plan;
mod refcounts;
mod rooms;
mod seen_hash;
mod settings;
mod upgraded;
mod user_key;
mod vcard;

#[cfg(test)]
mod tests;

pub use plan::Plan;
pub use upgraded::Upgraded;

use crate::record::SiteInfo;

/// The release whose sites are made.
pub const CURRENT_RELEASE: i64 = 980;

/// Whether a site is of a release that has to be brought up to date for a new server.
pub fn is_older(site: &SiteInfo) -> bool {
    site.release < CURRENT_RELEASE
}
