//! Snapshots that were taken for peers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::view::SiteView;
use crate::wire::{SnapshotId, View as _};

/// How long a snapshot is kept that nobody looks at: whoever was cut off comes again.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// The most snapshots that nobody looks at: each may hold a copy of the site's tables and files.
const MOST_UNUSED: usize = 1;

/// All snapshots of a site that peers may still ask for, the newest last.
#[derive(Default)]
pub(super) struct KeptViews(Vec<Kept>);

struct Kept {
    view: Arc<SiteView>,
    /// When it was begun: whoever asked before that may have it.
    begun: Instant,
    used: Instant,
}

impl Kept {
    /// Whether a peer looks at it.
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.view) > 1
    }
}

impl KeptViews {
    /// Another snapshot.
    pub(super) fn add(&mut self, view: &Arc<SiteView>, begun: Instant) {
        let now = Instant::now();
        self.0.push(Kept { view: Arc::clone(view), begun, used: now });
        self.give_up_old(now);
    }

    /// The snapshot with this id.
    pub(super) fn find(&self, id: &SnapshotId) -> Option<Arc<SiteView>> {
        self.0.iter().find(|kept| kept.view.id() == *id && !kept.view.is_spoilt()).map(|kept| Arc::clone(&kept.view))
    }

    /// The newest snapshot, if it was begun after this moment.
    pub(super) fn begun_after(&self, moment: Instant) -> Option<Arc<SiteView>> {
        self.0.last().filter(|kept| kept.begun >= moment && !kept.view.is_spoilt()).map(|kept| Arc::clone(&kept.view))
    }

    /// Gives up those that nobody looks at, if it is too long ago or they are too many.
    pub(super) fn give_up_old(&mut self, now: Instant) {
        self.0.retain(|kept| !kept.view.is_spoilt());
        let mut unused = 0;
        for kept in self.0.iter_mut().filter(|kept| kept.is_used()) {
            kept.used = now;
        }
        for at in (0..self.0.len()).rev() {
            if !self.0[at].is_used() {
                unused += 1;
                if unused > MOST_UNUSED || now.duration_since(self.0[at].used) >= KEPT_FOR {
                    self.0.remove(at);
                }
            }
        }
    }
}
