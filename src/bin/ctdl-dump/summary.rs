//! What a copy ends with: what was copied, and what was left out.

use ctdl_dump::codec::identity::hex;
use ctdl_dump::record::Kind;
use ctdl_dump::transfer::Summary;

use crate::exit_code::ExitCode;
use crate::screen::{self, Screen};

/// What was copied, in two lines.
pub fn text(summary: &Summary) -> String {
    let kinds: Vec<String> = summary.kinds.iter().map(|(kind, count)| format!("{} {kind}", count.records)).collect();
    format!(
        "{} records, {} of bodies: {}\nsite digest {}",
        summary.records(),
        screen::bytes(summary.body_bytes() as f64),
        kinds.join(", "),
        hex(&summary.site_digest)
    )
}

/// Names what was left out, and gives the exit code that this means: a loss is one against the caller's wish.
pub fn report_left_out(summary: &Summary, screen: &Screen) -> ExitCode {
    for (kind, what) in &summary.left_out {
        screen.left_out(&format!("{} {what}", if *kind == Kind::Loss { "lost:" } else { "left out:" }));
    }
    if summary.left_out.iter().any(|(kind, _)| *kind == Kind::Loss) { ExitCode::LeftOut } else { ExitCode::Complete }
}
