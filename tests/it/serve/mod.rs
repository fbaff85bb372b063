//! `serve` as a process, and peers that come to it.

mod local;
mod server;
mod site;
