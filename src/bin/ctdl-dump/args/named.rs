//! Paths that can't be `-`.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};

/// The path of something that is made or read under its name. Elsewhere `-` is standard input or output, so a file of that name is hardly meant.
pub fn named() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.as_os_str() == "-" {
        true => Err("a name is wanted here: leave -o out for standard output, and say ./- if that is the name"),
        false => Ok(path),
    })
}
