//! Who works in a directory that this program has made, and whether he still lives.
//!
//! Such a directory (the staging of an import, the scratch copies of an export) holds a file that says who made it, and that is locked by
//! `flock` as long as he lives. A lock that nobody holds means that he was killed: what he left may be removed.

mod escape;
mod identity;
mod locked;
mod stamp;

pub(in crate::site) use escape::{escape, unescape};
pub(in crate::site) use identity::Identity;
pub(in crate::site) use locked::{Locked, same_file};
pub(in crate::site) use stamp::stamp;
