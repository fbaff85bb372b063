//! Backup, migration and synchronisation of Citadel sites.
#![deny(unsafe_code)]

pub mod site;
