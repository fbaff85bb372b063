//! Backup, migration and synchronisation of Citadel sites.
//!
//! Every command is one copy of *records* from one *place* to another. The way of a record:
//!
//! 1. It is read where it lies: `site` reads tables and files of a Citadel server, `archive` reads a `.ctz`. Both are a
//!    [`endpoint::Source`], and give records in one canonical order.
//! 2. What it is, is said by `record`: a kind, a key, named fields, a body.
//! 3. How it is encoded, folded, cut and digested is the same for all places: `codec`.
//! 4. `transfer` moves it on, or compares it with another.
//! 5. It is written where it goes: an [`endpoint::Sink`] of `archive` or `site`. `wire` gives it to another machine, and takes it there.
//!
//! `live` controls a running server while its site is being read.
//!
//! A module uses only those above it in the list below; `archive`, `site`, `wire` and `live` never use each other.
#![deny(unsafe_code)]

pub mod record;

pub mod monitor;

pub mod codec;
pub mod endpoint;

pub mod archive;

pub mod site;

pub mod wire;

pub mod live;

pub mod transfer;
