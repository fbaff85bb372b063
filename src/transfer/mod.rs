//! What is done with a source and a sink: one copy, and one comparison, wherever they are. And what needs two places at once: an archive that is
//! served, or completed from a peer.

mod ahead;
mod compare;
mod copy;
mod discard;
pub mod pull;
mod push;
mod receive;
mod serve;
mod serve_site;
mod served_records;
pub mod snapshot;
pub mod upgrade;

pub use ahead::{Ahead, copy_ahead};
pub use compare::{Comparison, Difference, FieldDifference};
pub use copy::{Summary, copy};
pub use discard::Discard;
pub use push::{Pushed, Told, push};
pub use receive::Intake;
pub use serve::{ArchiveView, ServedArchive};
pub use serve_site::{Presence, ServedSite, SharedSite, SiteToServe};
