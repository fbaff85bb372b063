//! `serve` as a process, and peers that come to it.

mod local;
mod remote;
mod server;
mod site;
