//! The commands, one file each, and what they share.

pub mod diff;
pub mod export;
pub mod extract;
pub mod import;
pub mod info;
pub mod list;
pub mod verify;

use std::io::ErrorKind;
use std::sync::Arc;

use ctdl_dump::codec::identity::hex;
use ctdl_dump::endpoint::Failure;
use ctdl_dump::record::Kind;
use ctdl_dump::transfer::Summary;
use serde_json::{Value as Json, json};

use crate::exit_code::ExitCode;
use crate::interrupt::Interrupt;
use crate::screen::{self, Screen};

/// What every command gets.
pub struct Context {
    /// Ctrl-C and its like.
    pub interrupt: Arc<Interrupt>,
    /// The screen.
    pub screen: Screen,
}

impl Context {
    /// How many threads to use.
    pub fn threads(&self, named: Option<u16>) -> usize {
        named.map_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get()), usize::from)
    }
}

/// The exit code that an error ends the program with.
pub fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    failure.map_or(ExitCode::Failed, |failure| failure.class.into())
}

/// Whether an error only says that nobody reads our output any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// What was copied, in a few lines.
pub fn summary_text(summary: &Summary) -> String {
    let kinds: Vec<String> = summary.kinds.iter().map(|(kind, count)| format!("{} {kind}", count.records)).collect();
    format!(
        "{} records, {} of bodies: {}\nsite digest {}",
        summary.records(),
        screen::bytes(summary.body_bytes() as f64),
        kinds.join(", "),
        hex(&summary.site_digest)
    )
}

/// What was copied, as JSON.
pub fn summary_json(summary: &Summary) -> Json {
    let kinds: serde_json::Map<String, Json> = summary
        .kinds
        .iter()
        .map(|(kind, count)| (kind.to_string(), json!({"records": count.records, "body_bytes": count.body_bytes})))
        .collect();
    let left_out: Vec<Json> =
        summary.left_out.iter().map(|(kind, what)| json!({"kind": kind.to_string(), "what": what})).collect();
    json!({"records": summary.records(), "body_bytes": summary.body_bytes(), "kinds": kinds,
        "site_digest": hex(&summary.site_digest), "state_after": summary.end.state_after, "left_out": left_out})
}

/// Names what was left out, and gives the exit code that this means: a loss is one against the caller's wish.
pub fn report_left_out(summary: &Summary, context: &Context) -> ExitCode {
    for (kind, what) in &summary.left_out {
        context.screen.say(&format!("{} {what}", if *kind == Kind::Loss { "lost:" } else { "left out:" }));
    }
    if summary.left_out.iter().any(|(kind, _)| *kind == Kind::Loss) { ExitCode::LeftOut } else { ExitCode::Complete }
}
