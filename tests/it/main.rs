//! Whole paths through the program.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod archive;
mod catalogue;
mod cli;
mod cli_cutover;
mod cli_no_room;
mod cli_pull;
mod cli_push;
mod cli_screen;
mod cli_trouble;
mod fixtures;
mod foreign_pages;
mod layers;
mod layout_option;
mod live;
mod processes;
mod readme;
mod recovery;
mod serve;
mod site;
mod snapshot;
mod spread;
mod support;
mod target;
mod upgrade;
mod wire;
