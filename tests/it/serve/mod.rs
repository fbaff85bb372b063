//! `serve` as a process, and peers that come to it.

mod crowd;
mod ending;
mod leases;
mod local;
mod refusing;
mod remote;
mod scene;
pub mod server;
mod site;
