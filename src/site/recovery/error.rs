//! What can go wrong with the recovery of a copy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Kind;
use crate::endpoint::{Class, Failure};

/// Why tables were not recovered, as the process that tried knows it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibdbError {
    /// Nobody has said that this directory may be changed.
    #[error(
        "{data}: {reason}; recovery changes tables, so only a private copy is recovered that ctdl-dump has made itself: nothing was touched",
        data = data.display()
    )]
    NotACopy {
        /// The directory.
        data: PathBuf,
        /// What shows that it is none.
        reason: String,
    },
    /// The disk is full or broken. It says nothing about the logs.
    #[error("{data}: recovery failed: {source}", data = data.display())]
    Disk {
        /// The directory.
        data: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// libdb has tried and given up.
    #[error("{data}: {kind} recovery failed: {}", words(said), data = data.display())]
    Refused {
        /// The directory.
        data: PathBuf,
        /// Which recovery.
        kind: Kind,
        /// libdb's number for the error, or the system's if it is positive.
        code: i32,
        /// What libdb said.
        said: Vec<String>,
    },
}

/// Why a copy was not recovered. The copy is spoilt in most cases: the next attempt needs a fresh one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The program that recovers can't be started.
    #[error("{program}: can't be started to recover the copy in {data}: {source}", program = program.display(), data = data.display())]
    Start {
        /// The program, which is this one.
        program: PathBuf,
        /// The copy.
        data: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The process can't be watched.
    #[error("the process that recovers {data} can't be watched: {source}", data = data.display())]
    Watch {
        /// The copy.
        data: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The copy is none, or something in it is not as it must be.
    #[error("{}", words(said))]
    NotStarted {
        /// What the process said.
        said: Vec<String>,
    },
    /// The disk of the copy is full or broken. It says nothing about the logs.
    #[error(
        "the copy in {data} can't be recovered: {source}; make room there, or name another place with --scratch",
        data = data.display()
    )]
    Disk {
        /// The copy.
        data: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// libdb has tried and given up.
    #[error(
        "{data}: {kind} recovery failed: libdb says: {}", words(said), data = data.display()
    )]
    Refused {
        /// The copy.
        data: PathBuf,
        /// Which recovery.
        kind: Kind,
        /// libdb's number for the error, or the system's if it is positive.
        code: i32,
        /// What libdb said.
        said: Vec<String>,
    },
    /// A signal has ended the process: libdb crashed.
    #[error(
        "{data}: {kind} recovery crashed (signal {signal}{}): the logs or tables are damaged",
        behind(said), data = data.display()
    )]
    Crashed {
        /// The copy.
        data: PathBuf,
        /// Which recovery.
        kind: Kind,
        /// The signal's number.
        signal: i32,
        /// What the process said on standard error.
        said: String,
    },
    /// It took too long, and was killed.
    #[error(
        "{data}: {kind} recovery was not done after {} seconds and was ended: the logs or tables are damaged",
        limit.as_secs(), data = data.display()
    )]
    TimedOut {
        /// The copy.
        data: PathBuf,
        /// Which recovery.
        kind: Kind,
        /// How long it had.
        limit: Duration,
    },
    /// The process ended by itself, and has not said how.
    #[error("{program}: recovers nothing: it ended with {status} and no answer{}", behind(said), program = program.display())]
    NoAnswer {
        /// The program, which is this one.
        program: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said on standard error.
        said: String,
    },
    /// The user has interrupted it.
    #[error("interrupted")]
    Interrupted,
}

impl RecoveryError {
    /// Whether another kind of recovery, on a fresh copy, might succeed: it is the logs and tables that were at fault.
    pub fn is_of_the_copy(&self) -> bool {
        matches!(self, RecoveryError::Refused { .. } | RecoveryError::Crashed { .. } | RecoveryError::TimedOut { .. })
    }

    pub(super) fn watch(data: &Path, source: impl Into<std::io::Error>) -> Self {
        RecoveryError::Watch { data: data.into(), source: source.into() }
    }
}

impl From<RecoveryError> for Failure {
    fn from(error: RecoveryError) -> Self {
        let class = match &error {
            RecoveryError::Interrupted => Class::Interrupted,
            error if error.is_of_the_copy() => Class::InUse,
            _ => Class::Failed,
        };
        Failure::new(class, error)
    }
}

/// The beginning and the end of what libdb said: where it began to fail, and what came of it.
fn words(said: &[String]) -> String {
    match said {
        [] => "nothing was said of it".into(),
        [first, second, _, .., last] => format!("{first}; {second}; ... {last}"),
        all => all.join("; "),
    }
}

fn behind(said: &str) -> String {
    let said: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if said.is_empty() { String::new() } else { format!(", {}", said.join("; ")) }
}
