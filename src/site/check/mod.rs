//! Whether the tables of a site are whole, and whether what is in them belongs together.
//!
//! [`walk_table`] proves one table page by page. [`references`] looks at what a server's own walk never compares: message lists and messages,
//! bodies and entries, rooms and floors, users and their mailboxes. A running server leaves loose ends everywhere: every store is a
//! transaction of its own, and much waits for the nightly purge. Those are counted as normal; what no order of stores and
//! deletions leaves behind is damage, and is named.

mod by_name;
mod entry;
mod error;
mod facts;
mod finding;
mod message;
mod messages;
mod references;
mod rooms;
mod subject;
#[cfg(test)]
mod tests;
mod users;
mod walk;

pub use error::CheckError;
pub(crate) use finding::cut;
pub use finding::{Finding, Findings};
pub use references::references;
pub(in crate::site) use references::references_of;
pub(in crate::site) use rooms::room_keys;
pub use subject::Subject;
pub(in crate::site) use subject::key_text;
pub use walk::{NamedWalk, Walked, walk_table, walk_tables};
