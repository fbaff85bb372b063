//! The paths of one exchange.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Mode;
use super::names::PARTS_WORKSHOP;

/// The longest name of a target that leaves room for what is added to it (a name has at most 255 bytes).
pub(super) const LONGEST_NAME: usize = 200;

/// The paths of one exchange, made from the target's real path and the mode alone.
#[derive(Debug, Clone)]
pub(super) struct Place {
    target: PathBuf,
    workshop: PathBuf,
    mode: Mode,
}

impl Place {
    /// `None` for a whole exchange of a target that has no directory around it, or too long a name.
    pub(super) fn new(target: &Path, mode: Mode) -> Option<Self> {
        let workshop = match mode {
            Mode::Parts => target.join(PARTS_WORKSHOP),
            Mode::Whole => {
                let mut name = OsString::from(".ctdl-dump-");
                name.push(target.file_name().filter(|name| name.len() <= LONGEST_NAME)?);
                name.push(".staging");
                target.parent()?.join(name)
            }
        };
        Some(Self { target: target.to_owned(), workshop, mode })
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn workshop(&self) -> &Path {
        &self.workshop
    }

    /// The directory in which the workshop lies, and later the previous site.
    pub(super) fn around(&self) -> &Path {
        self.workshop.parent().unwrap_or(&self.target)
    }

    pub(super) fn site(&self) -> PathBuf {
        self.workshop.join("site")
    }

    pub(super) fn old(&self) -> PathBuf {
        self.workshop.join("old")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.workshop.join("journal")
    }

    pub(super) fn back(&self) -> PathBuf {
        self.workshop.join("back")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.workshop.join("state")
    }
}
