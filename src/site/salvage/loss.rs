//! Losses, each told once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::site::check::{Subject, cut};

/// Most losses that are named; the rest is counted.
const MOST_LOSSES: usize = 10_000;

/// Something that is lost, in whole or in part, or that can't be trusted. It becomes a `loss` record (`format-spec/record.md`, section 5):
/// `what` as text is its key, `why` its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The table that it is lost from.
    pub table: u8,
    /// What is lost.
    pub what: Subject,
    /// Why, and what is known of it; at most 4,096 bytes.
    pub why: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// Losses on their way together.
#[derive(Debug, Default)]
pub(super) struct Losses {
    named: BTreeMap<Subject, BTreeMap<u8, String>>,
    more: u64,
}

impl Losses {
    pub fn add(&mut self, table: u8, what: Subject, why: &str) {
        if self.named.len() >= MOST_LOSSES && !self.named.contains_key(&what) {
            self.more += 1;
            return;
        }
        let known = self.named.entry(what).or_default().entry(table).or_default();
        if !known.is_empty() {
            known.push_str("; ");
        }
        known.push_str(why);
        cut(known);
    }

    /// The same, unless something of it is known to be lost from that table.
    pub fn add_unless_known(&mut self, table: u8, what: Subject, why: &str) {
        if !self.named.get(&what).is_some_and(|tables| tables.contains_key(&table)) {
            self.add(table, what, why);
        }
    }

    pub fn add_more(&mut self, count: u64) {
        self.more += count;
    }

    /// Adds what another list holds.
    pub fn extend(&mut self, losses: Vec<Loss>) {
        for loss in losses {
            match loss.what {
                Subject::Rest(count) => self.more += count,
                what => self.add(loss.table, what, &loss.why),
            }
        }
    }

    /// Gives a better name to what is known by its number only.
    pub fn rename(&mut self, old: &Subject, new: Subject) {
        if let Some(tables) = self.named.remove(old) {
            for (table, why) in tables {
                self.add(table, new.clone(), &why);
            }
        }
    }

    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.named.keys()
    }

    /// All losses in order of their subjects, no two of the same text; the last counts those that are not named.
    pub fn finish(self) -> Vec<Loss> {
        let mut losses: Vec<Loss> = Vec::new();
        // Names too long to be shown whole may look the same.
        let mut shown = HashMap::new();
        for (what, tables) in self.named {
            let table = tables.keys().next().copied().unwrap_or_default();
            let mut why = tables.into_values().collect::<Vec<_>>().join("; ");
            let at = *shown.entry(what.to_string()).or_insert(losses.len());
            if let Some(known) = losses.get_mut(at) {
                known.why.push_str("; ");
                known.why.push_str(&why);
                cut(&mut known.why);
            } else {
                cut(&mut why);
                losses.push(Loss { table, what, why });
            }
        }
        if self.more > 0 {
            let why = format!("only the first {MOST_LOSSES} losses are named; so many more were found");
            losses.push(Loss { table: 0, what: Subject::Rest(self.more), why });
        }
        losses
    }
}
