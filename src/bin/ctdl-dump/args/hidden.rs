//! The arguments of commands that only ctdl-dump itself gives.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// What an export starts, in a process of its own, to recover a private copy of tables from the logs beside them.
#[derive(Debug, Args)]
pub struct RecoverCopy {
    /// The process that waits for it
    #[arg(long, value_name = "PID")]
    pub parent: u32,
    /// Which recovery
    #[arg(value_name = "KIND")]
    pub kind: RecoveryKind,
    /// The directory `data` of a scratch directory
    #[arg(value_name = "DATA", value_hint = ValueHint::DirPath)]
    pub data: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecoveryKind {
    Normal,
    Catastrophic,
}

/// What a command starts before it changes anything in a running server: it undoes the change, whatever becomes of that command.
#[derive(Debug, Args)]
pub struct Guard {
    /// The record of what is to be undone
    #[arg(value_name = "RECORD", value_hint = ValueHint::FilePath)]
    pub record: PathBuf,
}
