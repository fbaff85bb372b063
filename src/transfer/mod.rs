//! What is done with a source and a sink: one copy, and one comparison. Knows nothing of where they are.

mod compare;
mod copy;
mod discard;

pub use compare::{Comparison, Difference, FieldDifference};
pub use copy::{Summary, copy};
pub use discard::Discard;
