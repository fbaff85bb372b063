//! A Citadel site on disk: its tables, its files, whether they are settled, and how a new one is put in place.

pub mod btree;
pub mod install;
pub mod inventory;
pub mod layout;
pub mod settled;
pub mod sort;
