//! Berkeley DB B-tree tables: reader and writer.
//!
//! The form is version 9, which libdb 4.2 to 5.3 write: `layout.rs` shows its pages. Both byte orders and all page sizes are read and
//! written; several values for a key, record numbers, compression, encryption, checksums and sub-databases are refused, because no
//! Citadel server makes them. The facts come from libdb's documentation and headers and from tables that it made; its own tools are the
//! oracle of the tests.

mod branches;
mod error;
mod free;
mod items;
mod layout;
mod meta;
mod page;
mod pageset;
mod place;
mod salvage;
mod table;
mod unreached;
mod value;
mod window;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{Damage, TableError};
pub use items::{Item, Items, MAX_KEY_BYTES};
pub use layout::FILE_ID_BYTES;
pub use place::Place;
pub use salvage::{Chain, PageLoss, PageLosses, SalvageItems, Taken, TornTable, Trouble, can_be_torn};
pub use table::Table;
pub use value::ValueReader;
pub use writer::{BigValue, DEFAULT_PAGE_SIZE, TableWriteError, TableWriter};
