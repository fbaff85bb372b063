//! Where a message's body is, as its entry in table 00 says.

use crate::site::btree::{Place, Table, TableError};

/// What an entry says of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The entry has it, in the field `M`.
    Here,
    /// The entry has no field `M`: it is in table 08.
    Elsewhere,
    /// These bytes are no entry.
    NoEntry,
}

impl Body {
    /// One byte, for the way through a sort.
    pub fn code(self) -> u8 {
        match self {
            Body::Here => 0,
            Body::Elsewhere => 1,
            Body::NoEntry => 2,
        }
    }

    /// What [`Body::code`] made.
    pub fn of_code(code: u8) -> Body {
        match code {
            0 => Body::Here,
            1 => Body::Elsewhere,
            _ => Body::NoEntry,
        }
    }
}

/// An entry as it passes by: 255, anonymity, format, then fields: a letter, a text, a NUL. NULs between fields are skipped, and `M` is the last.
enum State {
    Start(u8),
    Letter,
    Text,
    Found,
    Wrong,
}

/// Reads an entry up to the field that tells.
pub(super) fn body_of(table: &Table, place: &Place) -> Result<Body, TableError> {
    let mut state = State::Start(0);
    match place {
        Place::Inline(bytes) => pass(&mut state, bytes),
        place => {
            let mut value = table.value(place);
            while let Some(piece) = value.piece()? {
                pass(&mut state, piece);
                if matches!(state, State::Found | State::Wrong) {
                    break;
                }
            }
        }
    }
    Ok(match state {
        State::Found => Body::Here,
        State::Start(_) | State::Wrong => Body::NoEntry,
        State::Letter | State::Text => Body::Elsewhere,
    })
}

fn pass(state: &mut State, bytes: &[u8]) {
    for byte in bytes {
        *state = match (&state, byte) {
            (State::Start(0), 255) => State::Start(1),
            (State::Start(0), _) => State::Wrong,
            (State::Start(1), _) => State::Start(2),
            (State::Start(_), _) => State::Letter,
            (State::Letter, 0) => State::Letter,
            (State::Letter, b'M') => State::Found,
            (State::Letter, _) => State::Text,
            (State::Text, 0) => State::Letter,
            (State::Text, _) => State::Text,
            (State::Found | State::Wrong, _) => return,
        };
    }
}
