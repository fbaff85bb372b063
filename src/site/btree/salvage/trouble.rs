//! Pages that gave nothing, or not all that stood on them.

use std::collections::BTreeMap;
use std::fmt;

/// Pages that are kept by their number; the rest is counted.
const MOST_PAGES: usize = 10_000;

/// What is wrong with a page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The operating system can't read it.
    Unread(String),
    /// It lies behind the end of the file.
    BehindEnd,
    /// A leaf page must stand there, and nothing of it can be read.
    NoLeaf(String),
    /// So many pairs of the page can't be read; what is wrong with the first of them.
    Pairs(u32, String),
    /// So many pairs can't be right, because their keys are out of order.
    Order(u32),
    /// Its pairs are none of those that the tree has there.
    Misplaced,
    /// All its items can be read, but the page says that there were others.
    Incomplete(String),
    /// Nobody knows what it was.
    Unrecognised,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unread(why) => write!(f, "the page can't be read ({why}), and all that stood on it is lost"),
            Trouble::BehindEnd => write!(f, "the file ends before this page, and all that stood on it is lost"),
            Trouble::NoLeaf(why) => write!(f, "all pairs of the page are lost: {why}"),
            Trouble::Pairs(1, why) => write!(f, "a pair of the page is lost: {why}"),
            Trouble::Pairs(pairs, why) => write!(f, "{pairs} pairs of the page are lost, the first because: {why}"),
            Trouble::Order(1) => write!(f, "a pair of the page is lost: its key was changed and is out of order"),
            Trouble::Order(pairs) => write!(f, "{pairs} pairs of the page are lost: their keys are out of order"),
            Trouble::Misplaced => write!(
                f,
                "another page of pairs stands in the place of the one that the tree has there, and what stood on that is lost"
            ),
            Trouble::Incomplete(why) => write!(f, "pairs of the page may be lost: {why}"),
            Trouble::Unrecognised => {
                write!(f, "what the page was can't be recognised; whatever stood on it is lost")
            }
        }
    }
}

/// A page that gave less than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageLoss {
    /// What is wrong; several things, where several are.
    pub troubles: Vec<Trouble>,
    /// The last key before it, if the page before it is known.
    pub after: Option<Vec<u8>>,
    /// The first key behind it, if the page behind it is known.
    pub before: Option<Vec<u8>>,
}

/// All such pages by number, as far as there is room to keep them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageLosses {
    /// The pages.
    pub pages: BTreeMap<u32, PageLoss>,
    /// How often there was trouble with pages that there was no room for.
    pub more: u64,
}

impl PageLosses {
    /// Adds something about a page; the entry for its neighbours' keys, if there is room.
    pub(super) fn add(&mut self, page: u32, trouble: Trouble) -> Option<&mut PageLoss> {
        if self.pages.len() >= MOST_PAGES && !self.pages.contains_key(&page) {
            self.more += 1;
            return None;
        }
        let loss = self.pages.entry(page).or_insert(PageLoss { troubles: Vec::new(), after: None, before: None });
        // A page that others lead to is better known than one that is only found.
        loss.troubles.retain(|known| *known != Trouble::Unrecognised);
        let is_known = !loss.troubles.is_empty() && trouble == Trouble::Unrecognised;
        if !is_known && !loss.troubles.contains(&trouble) {
            loss.troubles.push(trouble);
        }
        Some(loss)
    }
}
