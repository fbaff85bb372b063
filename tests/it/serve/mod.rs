//! `serve` as a process, and peers that come to it.

mod crowd;
mod local;
mod refusing;
mod remote;
pub mod server;
mod site;
