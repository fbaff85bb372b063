//! The paths of one exchange.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Mode;
use super::anchor::Anchor;
use super::annex::Annex;
use super::names::PARTS_WORKSHOP;

/// The longest name of a target that leaves room for what is added to it (a name has at most 255 bytes).
pub(super) const LONGEST_NAME: usize = 200;

/// The paths of one exchange, made from the target's real path and the mode, and from its directories beside the root.
#[derive(Debug, Clone)]
pub(super) struct Place {
    target: PathBuf,
    workshop: PathBuf,
    /// The workshop itself, where its name may come to stand for something else.
    anchor: Option<Arc<Anchor>>,
    mode: Mode,
    annexes: Vec<Annex>,
}

/// One of the directories whose parts are exchanged.
#[derive(Debug)]
pub(super) struct Base {
    /// Where the parts belong.
    pub(super) directory: PathBuf,
    /// Where the new ones wait.
    pub(super) site: PathBuf,
    /// Where the old ones go.
    pub(super) old: PathBuf,
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
        Some(Self { target: target.to_owned(), workshop, anchor: None, mode, annexes: Vec::new() })
    }

    /// The same with directories beside the root.
    pub(super) fn with(mut self, annexes: Vec<Annex>) -> Self {
        self.annexes = annexes;
        self
    }

    /// The same with a workshop that is held open.
    pub(super) fn anchored(mut self, workshop: OwnedFd) -> Self {
        self.anchor = Anchor::of(workshop).map(Arc::new);
        self
    }

    /// The paths that lead through what is held open.
    pub(super) fn anchors(&self) -> Vec<PathBuf> {
        let annexes = self.annexes.iter().filter_map(Annex::anchor);
        self.anchor.as_deref().into_iter().chain(annexes).map(Anchor::path).collect()
    }

    pub(super) fn annexes(&self) -> &[Annex] {
        &self.annexes
    }

    /// The directories whose parts are exchanged, the root first: a part is said to be in one of them by its number here.
    pub(super) fn directories(&self) -> Vec<Base> {
        let root = Base { directory: self.target.clone(), site: self.site(), old: self.old() };
        let beside = self.annexes.iter().map(|annex| Base {
            directory: annex.directory().to_owned(),
            site: annex.site(),
            old: annex.old(),
        });
        std::iter::once(root).chain(beside).collect()
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

    /// The path of something in the workshop.
    pub(super) fn inside(&self, name: &str) -> PathBuf {
        self.anchor.as_ref().map_or_else(|| self.workshop.join(name), |anchor| anchor.path().join(name))
    }

    /// The workshop itself, which its name may not stand for any more.
    pub(super) fn itself(&self) -> PathBuf {
        self.inside(".")
    }

    pub(super) fn site(&self) -> PathBuf {
        self.inside("site")
    }

    pub(super) fn old(&self) -> PathBuf {
        self.inside("old")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.inside("journal")
    }

    /// The list of the directories beside the root.
    pub(super) fn bases(&self) -> PathBuf {
        self.inside("bases")
    }

    pub(super) fn back(&self) -> PathBuf {
        self.inside("back")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.inside("state")
    }
}
