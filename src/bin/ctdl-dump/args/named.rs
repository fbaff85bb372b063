//! Paths that can't be `-`.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};

/// The path of something that is made under its name or else written to standard output.
pub fn output() -> impl TypedValueParser<Value = PathBuf> {
    refusing("a name is wanted here: leave -o out for standard output, and say ./- if that is the name")
}

/// The path of something that is made or read under its name. Elsewhere `-` is standard input or output, so a file of that name is hardly meant.
pub fn named() -> impl TypedValueParser<Value = PathBuf> {
    refusing("a name is wanted here; say ./- if that is the name")
}

fn refusing(why: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| if path.as_os_str() == "-" { Err(why) } else { Ok(path) })
}
