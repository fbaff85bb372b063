//! What ends the program early: which exit code it means, and how it is told.

use std::io;
use std::path::Path;

use ctdl_dump::archive::ReadError;
use ctdl_dump::endpoint::Failure;

use crate::exit_code::ExitCode;
use crate::interrupt::InterruptedBySignal;

/// The command line asks for something that can't be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Whoever read our output has seen enough, as `head` has in `list | head`.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub struct ReaderGone;

/// Ends a command because of its arguments.
macro_rules! usage {
    ($($text:tt)*) => {
        return Err($crate::error::Usage(format!($($text)*)).into())
    };
}
pub(crate) use usage;

/// The exit code that an error ends the program with.
pub fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    if error.chain().any(|cause| cause.is::<Usage>()) {
        return ExitCode::Usage;
    }
    if error.chain().any(holds::<InterruptedBySignal>) {
        return ExitCode::Interrupted;
    }
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    failure.map_or(ExitCode::Failed, |failure| failure.class.into())
}

/// Whether an error only says that nobody reads our output any more.
pub fn is_reader_gone(error: &anyhow::Error) -> bool {
    error.chain().any(holds::<ReaderGone>)
}

/// Whether something is wrong with an archive.
pub fn is_of_an_archive(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<Failure>().is_some_and(|failure| failure.cause::<ReadError>().is_some()))
}

/// Says the name of an archive with what is wrong with it, and with nothing else: a disk may fail as well.
pub fn of_archive(error: anyhow::Error, path: &Path) -> anyhow::Error {
    if is_of_an_archive(&error) { error.context(path.display().to_string()) } else { error }
}

/// An error as one line: each cause once, though many of the library's messages say already what their cause says.
pub fn text(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.replace('\n', " ")
}

/// Whether a cause is, or is an I/O error made of, an error of our own.
fn holds<E: std::error::Error + 'static>(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<E>()
        || cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<E>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_cause_that_was_told_already_is_not_told_again() {
        let error =
            anyhow::Error::new(io::Error::other("no space")).context("writing failed: no space").context("a.ctz");
        assert_eq!(text(&error), "a.ctz: writing failed: no space");
    }

    #[test]
    fn our_own_errors_are_found_inside_of_others() {
        let gone = Err::<(), _>(io::Error::other(ReaderGone)).context("list").unwrap_err();
        assert!(is_reader_gone(&gone));
        let interrupted = Err::<(), _>(io::Error::other(InterruptedBySignal)).context("export").unwrap_err();
        assert_eq!(exit_code_of(&interrupted), ExitCode::Interrupted);
        assert_eq!(exit_code_of(&anyhow::Error::new(Usage("no".into())).context("export")), ExitCode::Usage);
    }
}
