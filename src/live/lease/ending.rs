//! How leases end.

use crate::live::LiveError;

/// How a lease ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Released,
    Left,
    Expired,
    Restarted(String),
    Opened(String),
    GuardianGone,
    GuardianSilent,
    Kept { reason: String, repair: String },
}

impl Ending {
    /// The last word of a guardian; `None` for what isn't one.
    pub(super) fn parse(line: &str, repair: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "released" => Ending::Released,
            "left" => Ending::Left,
            "expired" => Ending::Expired,
            "restarted" => Ending::Restarted(rest.into()),
            "opened" => Ending::Opened(rest.into()),
            "stopped" | "failed" => Ending::GuardianGone,
            "kept" => Ending::Kept { reason: rest.into(), repair: repair.into() },
            _ => return None,
        })
    }

    /// What it means for what was copied.
    pub(super) fn into_error(self) -> LiveError {
        match self {
            // Nobody asks for the error of a lease that was released as it should be.
            Ending::Released | Ending::Left | Ending::Expired => LiveError::Expired,
            Ending::Restarted(what) => LiveError::Restarted { what },
            Ending::Opened(value) => LiveError::Opened { value },
            Ending::GuardianGone => LiveError::GuardianGone,
            Ending::GuardianSilent => LiveError::GuardianSilent,
            Ending::Kept { reason, repair } => LiveError::Kept { reason, repair },
        }
    }
}
