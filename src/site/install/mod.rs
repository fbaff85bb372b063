//! Staging and atomic replacement of a site.
//!
//! Someone else fills a staging directory with a complete site; this module decides where it may go, puts it there, and
//! finishes or removes what a killed run left. It knows directories and names, nothing of records or archives: what of a target is
//! the site's it learns from [`inventory`](super::inventory), whether a server runs there from [`settled`](super::settled).
//!
//! # Where things stand
//!
//! Everything of one run lies in its *workshop*, a directory (mode 0700) on the target's file system:
//! `PARENT/.ctdl-dump-NAME.staging` ([`Mode::Whole`]) or `TARGET/.ctdl-dump-staging` ([`Mode::Parts`]). Who works there holds it open, and goes by
//! that and not by its name, which the owner of the directory around it could give to something else. In it:
//!
//! | name | what | there |
//! |---|---|---|
//! | `state` | who works here (below); locked by `flock` as long as that process lives | from the first moment to the last |
//! | `site/` | the new site | until it is in place |
//! | `journal` | what is to be exchanged; written as `journal.new`, synced, renamed | from before the first exchange until all is synced |
//! | `old`, `old/` | the old site (`Whole`), its parts (`Parts`) | during the exchange |
//! | `back` | empty: the exchange failed and is being undone | until it is undone |
//!
//! `state` and `journal` are lines of a word and a value, `%XX` for every byte that is not plain. `state`: `ctdl-dump-staging 1`,
//! `pid`, `started` (clock ticks after boot), `boot` (the kernel's boot id), `begun` (UTC), `source`. `journal`:
//! `ctdl-dump-journal 1`, `mode whole|parts`, `previous NAME|-` (the name under which the old site is kept), `lock created|found`
//! (whether the target's `citadel.lock` is ours), in `parts` a line `part both|new|old NAME` for each part in the order of the
//! exchange, and `end`.
//!
//! A site that lies in several directories ([`Arrangement`](super::Arrangement)) is exchanged in `Parts`. Its workshop is in the root; what belongs into another
//! directory waits in an annex there, `DIRECTORY/.ctdl-dump-annex`, with `site/`, `old/`, and `of`, the root in one line. Then there are also:
//!
//! | name | what | there |
//! |---|---|---|
//! | `bases` | `ctdl-dump-bases 1`, a line `directory PATH` for each directory beside the root, `end`; synced before the first annex is made | until all annexes are gone |
//!
//! In a journal of such a site (`ctdl-dump-journal 2`) a part beside the root has the number of its directory in `bases` behind its name, counted from 1, and a line
//! `keys NUMBER MODE UID GID SECONDS NANOSECONDS` says what the directory of the keys is to be. `data` is exchanged first, then the rest of the root, then each
//! directory; each keeps its old parts under the same name. Annexes go before the journal, and a recovery works only in directories that it was told.
//!
//! # The order of the steps
//!
//! 1. `Whole`: an empty `.ctdl-dump-new` is put into `site/`, which tells for ever which of two directories is the new one, and needs no inode
//!    numbers. Every file and directory of `site/` is synced.
//! 2. The journal is written and synced, then the workshop's directory and the one around it.
//! 3. The target's `citadel.lock` is made (or the one found is taken) and locked, `Whole`: and one in `site/`: no server starts from here on.
//! 4. `Whole`: target and `site` change places by one `RENAME_EXCHANGE`; where that does not exist, the target becomes `old` and
//!    `site` the target. `Parts`, `data` first: each part of the target is renamed into `old/`, the new one into its place.
//! 5. The old site becomes `NAME.ctdl-dump-before-DATE` beside the target, or `.ctdl-dump-before-DATE` in it. Nothing is
//!    kept of an empty target.
//! 6. All directories concerned are synced; `citadel.lock` and `.ctdl-dump-new` go, the journal goes, the workshop goes; each is synced.
//!
//! An error in step 4 or 5 is undone at once. This rests on `rename` being atomic and kept in order, as file systems with a
//! journal do it.
//!
//! # What a kill leaves
//!
//! | killed | left | [`recover`] |
//! |---|---|---|
//! | in 1, 2, before the journal has its name | the old site, a dead workshop | removes the workshop |
//! | in 2, 3 | the old site, a journal, perhaps a free `citadel.lock` of ours | removes all three |
//! | in 4, 5 | old and new parts in known places | goes forward to the end, or back if `back` is there |
//! | in 6 | the new site, remains of the workshop | syncs and removes |
//!
//! Which step was the last is read from which names exist, so every step may be repeated. A workshop whose process lives is never
//! touched, and one that belongs to neither this user nor root is not obeyed: who owns a site could lead root out of it by links. The only thing ever removed with its contents is `site/`, and only when no journal says that it may be the old one.

mod anchor;
mod annex;
mod error;
mod exchange;
mod fresh;
mod journal;
mod lock;
mod mounts;
mod names;
mod place;
mod ready;
mod recover;
mod resolve;
mod seen;
mod staging;
mod steps;
mod target;
mod way;
mod workshop;

#[cfg(test)]
mod tests;

pub use error::InstallError;
pub use fresh::Freshness;
pub use names::is_ours;
pub use ready::{Installed, Ready};
pub use recover::{Leftover, Recovered, leftovers, recover};
pub use staging::Staging;
pub use target::{Mode, Target, TargetOptions, TargetState};
