//! The exit codes. This enum is their documentation: `--help` and the manual print it.

use std::fmt::Write as _;

use ctdl_dump::endpoint::Class;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All that was asked for is done.
    Complete = 0,
    /// It could not be done; an error in the middle of an exchange of sites says what stands where.
    Failed = 1,
    /// The command line can't be meant so.
    Usage = 2,
    /// What was to be read is not whole.
    Damaged = 3,
    /// The site changes, or may lack changes.
    InUse = 4,
    /// Done but for something that the output names.
    LeftOut = 5,
    /// The other end of a connection.
    Peer = 6,
    /// The answer of `diff`.
    Differ = 7,
    /// All that was asked for is done, but nobody was told what it came to.
    Unsaid = 8,
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code, in order of its number.
    pub const ALL: [ExitCode; 10] = [
        ExitCode::Complete,
        ExitCode::Failed,
        ExitCode::Usage,
        ExitCode::Damaged,
        ExitCode::InUse,
        ExitCode::LeftOut,
        ExitCode::Peer,
        ExitCode::Differ,
        ExitCode::Unsaid,
        ExitCode::Interrupted,
    ];

    /// What the code says.
    pub const fn meaning(self) -> &'static str {
        match self {
            ExitCode::Complete => "done and complete",
            ExitCode::Failed => "failed; nothing was changed, unless the message says so",
            ExitCode::Usage => "wrong usage",
            ExitCode::Damaged => "the archive or site is damaged, truncated or not ours",
            ExitCode::InUse => "the site is in use, or its tables can't be proved complete",
            ExitCode::LeftOut => "done, but something that the output names was left out",
            ExitCode::Peer => "the peer failed or refused",
            ExitCode::Differ => "the two differ",
            ExitCode::Unsaid => "done and complete, but its result could not be written to standard output",
            ExitCode::Interrupted => "interrupted",
        }
    }

    /// This code of what was done, or that of how it was told if there is nothing to say of what was done.
    pub fn or(self, told: ExitCode) -> ExitCode {
        if self == ExitCode::Complete { told } else { self }
    }

    /// The table of all codes, a line each.
    pub fn table() -> String {
        let mut table = String::from("Exit codes:\n");
        for code in Self::ALL {
            // Writing to a String can't fail.
            let _ = writeln!(table, "  {:>3}  {}", code as u8, code.meaning());
        }
        table
    }
}

impl From<Class> for ExitCode {
    fn from(class: Class) -> Self {
        match class {
            Class::Failed => ExitCode::Failed,
            Class::Damaged => ExitCode::Damaged,
            Class::InUse => ExitCode::InUse,
            Class::Peer => ExitCode::Peer,
            Class::Interrupted => ExitCode::Interrupted,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}
