//! Folded bodies (`format-spec/record.md`, section 4.1): runs of base64 stored decoded, with what is needed to make the identical text.
//!
//! `part` is what a folded body is made of, `run` finds base64 in a text, `lines` makes the text of it again. `Folder` and `Unfolder` take bytes as
//! they come and give bytes as they are ready; neither does any I/O. How a body is folded is up to the writer: a reader needs no more than
//! the parts. `endpoint::Folding` decides which bodies are folded.

mod error;
mod folder;
mod lines;
mod part;
mod run;
mod unfolder;

pub use error::FoldError;
pub use folder::Folder;
pub use unfolder::Unfolder;

#[cfg(test)]
mod tests;
