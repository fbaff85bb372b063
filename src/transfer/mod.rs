//! What is done with a source and a sink: one copy, and one comparison. Knows nothing of where they are.

mod compare;
mod copy;
mod discard;
mod serve;
pub mod snapshot;

pub use compare::{Comparison, Difference, FieldDifference};
pub use copy::{Summary, copy};
pub use discard::Discard;
pub use serve::{ArchiveView, ServedArchive};
