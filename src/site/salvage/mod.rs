//! What can be had of a site with torn tables, and what is lost, by name.
//!
//! Whole tables are left where they are. Of a torn one a new table is written from its leaf pages ([`crate::site::btree::TornTable`]). Then
//! the references between all tables tell what is missing ([`crate::site::check`]). What points nowhere is carried as it is: it is named,
//! not mended.

mod candidate;
mod claims;
mod error;
mod loss;
mod site;
mod table;
#[cfg(test)]
mod tests;

pub use error::SalvageError;
pub use loss::Loss;
pub use site::{SalvagedSite, salvage_site};
pub use table::{Salvaged, salvage_table};
