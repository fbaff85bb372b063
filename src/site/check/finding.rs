//! What a check found.

use std::collections::BTreeMap;
use std::fmt;

use super::Subject;

/// Most findings that are kept by name; the rest is counted.
const MOST_FINDINGS: usize = 10_000;
/// Longest text of a finding, in bytes: a `loss` record takes no more (`format-spec/record.md`, section 5).
const MOST_TEXT_BYTES: usize = 4096;

/// Something that is missing or wrong, and that no order of a server's work leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// The table where the fault lies.
    pub table: u8,
    /// What is wrong, without the subject; at most 4,096 bytes.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.text)
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Differences that a server leaves in the course of its work: what they are, and how many. Only what there is.
    pub normal: Vec<(String, u64)>,
    /// Damage, in order of its subjects.
    pub damage: Vec<Finding>,
    /// How much more damage there is than `damage` holds.
    pub more: u64,
}

impl Findings {
    /// Whether nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty() && self.more == 0
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.normal {
            writeln!(f, "normal: {what}: {count}")?;
        }
        for finding in &self.damage {
            writeln!(f, "damage: {finding}")?;
        }
        if self.more > 0 {
            writeln!(f, "damage: {} more", self.more)?;
        }
        Ok(())
    }
}

/// Findings on their way together: each thing is told once for each table, and once for each way in which it is wrong.
#[derive(Debug, Default)]
pub(super) struct Collector {
    normal: BTreeMap<&'static str, u64>,
    damage: BTreeMap<(Subject, u8), String>,
    more: u64,
}

impl Collector {
    pub fn normal(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            *self.normal.entry(what).or_default() += count;
        }
    }

    pub fn damage(&mut self, subject: Subject, table: u8, text: &str) {
        let key = (subject, table);
        if let Some(known) = self.damage.get_mut(&key) {
            if !known.split("; ").any(|part| part == text) {
                known.push_str("; ");
                known.push_str(text);
                cut(known);
            }
        } else if self.damage.len() < MOST_FINDINGS {
            let mut text = text.to_owned();
            cut(&mut text);
            self.damage.insert(key, text);
        } else {
            self.more += 1;
        }
    }

    /// Damage that there is no room to name.
    pub fn more(&mut self, count: u64) {
        self.more += count;
    }

    pub fn finish(self) -> Findings {
        let damage = self.damage.into_iter().map(|((subject, table), text)| Finding { subject, table, text });
        Findings {
            normal: self.normal.into_iter().map(|(what, count)| (what.to_owned(), count)).collect(),
            damage: damage.collect(),
            more: self.more,
        }
    }
}

/// Cuts a text to what a record takes.
pub(crate) fn cut(text: &mut String) {
    if text.len() > MOST_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MOST_TEXT_BYTES - 3));
        text.push_str("...");
    }
}
