//! The wire: records that go from one machine to another, over any pair of byte streams.
//!
//! Obeys `format-spec/wire.md`. `line` is lines and counted bytes, packed or not; `command`, `reply` and `item` are what stands in the
//! lines; `frame` is records; `server` answers for whatever is `Served`, `client` asks. Which socket, which login, how long to wait and
//! how often to try again is the business of those who bring the streams: a time-out is an error of the stream.

mod client;
mod command;
mod error;
mod frame;
mod item;
mod line;
mod reply;
mod served;
mod server;
mod totals;
mod words;

pub use client::{
    Ahead, Client, Connector, Greeting, Info, Listed, Listing, Login, Offered, Steady, SteadyChosen, SteadyRecords,
    Taken,
};
pub use command::{Action, Command, EndOfLease, Level, Resume, Scope};
pub use error::WireError;
pub use frame::{Frames, Position, Receiver, Sender};
pub use item::Item;
pub use line::{Input, MAX_LINE_BYTES, Output};
pub use reply::{Code, Reply};
pub use served::{Pulse, Reception, Refusal, SegmentAt, Segments, Served, SnapshotId, View};
pub use server::{Event, Server};
pub use totals::{Tally, Totals};
pub use words::{Abilities, decode_keys, decode_position, encode_keys, encode_position};

/// The version of the protocol that this program speaks.
pub const VERSION: u32 = 1;
/// The most bytes that any counted piece has, but for the digests of a `since`.
pub const MAX_PIECE_BYTES: usize = 65_536;
/// The most bytes of digests that go with a `since`.
pub const MAX_DIGEST_BYTES: usize = 16 << 20;
/// The most bytes of commands, with what goes with them, that may be unanswered when another is sent.
pub const MAX_UNANSWERED_BYTES: usize = 16_384;
