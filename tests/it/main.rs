//! Whole paths through the program.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod archive;
mod cli;
mod fixtures;
mod layers;
mod readme;
mod site;
mod support;
