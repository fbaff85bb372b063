//! The lines by which the process that recovers tells the one that waits for it (see the module).

use std::fmt;

use serde_json::{Value, json};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// So much is done.
    Percent(u8),
    /// Done.
    Recovered {
        /// What libdb said all the same.
        said: Vec<String>,
    },
    /// The disk is full or broken.
    DiskFailed {
        /// The system's number of the error.
        code: i32,
    },
    /// libdb has given up.
    Refused {
        /// libdb's number.
        code: i32,
        /// What it said.
        said: Vec<String>,
    },
    /// Nothing was tried.
    NotStarted {
        /// Why.
        said: Vec<String>,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match self {
            Message::Percent(percent) => json!({ "percent": percent }),
            Message::Recovered { said } => json!({ "ended": "recovered", "said": said }),
            Message::DiskFailed { code } => json!({ "ended": "disk failed", "code": code, "said": [] }),
            Message::Refused { code, said } => json!({ "ended": "refused", "code": code, "said": said }),
            Message::NotStarted { said } => json!({ "ended": "not started", "said": said }),
        };
        value.fmt(f)
    }
}

impl Message {
    /// Reads a line; `None` for whatever is none of ours.
    pub fn parse(line: &[u8]) -> Option<Message> {
        let value: Value = serde_json::from_slice(line).ok()?;
        if let Some(percent) = value.get("percent") {
            return Some(Message::Percent(u8::try_from(percent.as_u64()?).ok()?));
        }
        let said = value.get("said")?.as_array()?.iter().map(|line| line.as_str().map(str::to_owned));
        let said = said.collect::<Option<Vec<_>>>()?;
        let code = || i32::try_from(value.get("code")?.as_i64()?).ok();
        match value.get("ended")?.as_str()? {
            "recovered" => Some(Message::Recovered { said }),
            "disk failed" => Some(Message::DiskFailed { code: code()? }),
            "refused" => Some(Message::Refused { code: code()?, said }),
            "not started" => Some(Message::NotStarted { said }),
            _ => None,
        }
    }
}
