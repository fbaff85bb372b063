//! Records of a peer, but for those that are here already: in an archive of an earlier time, or in the beginning of one that was cut short.

mod chosen;
mod comparison;
mod continued;
mod lists;
mod merged;
mod plan;
mod shortened;

pub use chosen::{Chosen, Missing};
pub use comparison::Comparison;
pub use continued::Continued;
pub(super) use continued::up_to_the_cut;
pub use merged::Merged;
pub use plan::Plan;
pub use shortened::complete_records;
