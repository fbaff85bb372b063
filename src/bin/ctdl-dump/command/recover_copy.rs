//! `recover-copy`: what an export starts to recover a private copy (see `ctdl_dump::site::recovery`). Nobody types it.

use anyhow::{Context as _, Result};
use ctdl_dump::site::recovery::{Kind, answer};

use crate::args::{RecoverCopy, RecoveryKind};
use crate::exit_code::ExitCode;

/// Recovers a copy and says on standard output, to whoever has started it, how it went.
pub fn run(args: &RecoverCopy) -> Result<ExitCode> {
    let kind = match args.kind {
        RecoveryKind::Normal => Kind::Normal,
        RecoveryKind::Catastrophic => Kind::Catastrophic,
    };
    let is_recovered = answer(&args.data, kind, args.parent, &mut std::io::stdout().lock());
    Ok(if is_recovered.context("standard output")? { ExitCode::Complete } else { ExitCode::Failed })
}
