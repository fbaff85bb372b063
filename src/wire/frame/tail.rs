//! What comes behind all records.

use std::io::Read;

use super::reading::{demand, next_item, state};
use crate::wire::error::WireError;
use crate::wire::item::Item;
use crate::wire::line::Input;
use crate::wire::totals::{Tally, Totals};

/// The end of an answer that gave all records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// How the source was found at the end.
    pub state_after: String,
}

impl Tail {
    /// Reads what comes behind the line that says what there is in all, which must be what came.
    pub fn read<R: Read>(input: &mut Input<R>, totals: Totals, came: &Tally) -> Result<Self, WireError> {
        let state_after = state(input)?;
        demand(next_item(input, "the end of the answer")?, &Item::End, "the end of the answer")?;
        if came.totals() != totals {
            let problem = "the records that came are not those that the peer counted";
            return Err(WireError::Disagreement { problem });
        }
        Ok(Tail { state_after })
    }
}
