//! What of a site no record can hold, by name: it joins what could not be had of torn tables.

use std::collections::BTreeMap;

use crate::site::check::{Subject, cut};

/// Most pairs that are named; the rest is counted.
const MOST_NAMED: usize = 10_000;

/// Pairs that were left out.
#[derive(Debug, Default)]
pub(super) struct Lost {
    named: BTreeMap<String, String>,
    more: u64,
}

impl Lost {
    pub fn add(&mut self, pair: &Subject, why: &str) {
        if self.named.len() < MOST_NAMED {
            add(&mut self.named, pair.to_string(), why);
        } else {
            self.more += 1;
        }
    }

    /// All losses of a site, each name once, in canonical order: these, and those that were `known` before.
    pub fn finish(self, known: &[(String, String)]) -> BTreeMap<String, String> {
        let mut all = self.named;
        known.iter().for_each(|(what, why)| add(&mut all, what.clone(), why));
        if self.more > 0 {
            let why =
                format!("only the first {MOST_NAMED} pairs with too long a key are named; so many more were found");
            add(&mut all, format!("{} pairs", Subject::Rest(self.more)), &why);
        }
        all
    }
}

/// Names too long to be shown whole may look the same.
fn add(all: &mut BTreeMap<String, String>, what: String, why: &str) {
    let told = all.entry(what).or_default();
    if !told.is_empty() {
        told.push_str("; ");
    }
    told.push_str(why);
    cut(told);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_look_the_same_are_one_loss_and_too_many_are_counted() {
        let mut lost = Lost::default();
        let pair = |number: u32| {
            let mut key = vec![b'x'; 5000];
            key[..4].copy_from_slice(&number.to_le_bytes());
            Subject::Pair { table: 6, key }
        };
        let hidden = |last| Subject::Pair { table: 6, key: [vec![b'y'; 5000], vec![last]].concat() };
        (0..MOST_NAMED as u32 - 1).for_each(|number| lost.add(&pair(number), "long"));
        lost.add(&hidden(b'a'), "long");
        let all = lost.finish(&[]);
        assert_eq!(all.len(), MOST_NAMED);
        let mut lost = Lost { named: all, more: 0 };
        lost.add(&hidden(b'b'), "long");
        let known = [(hidden(b'c').to_string(), "torn".to_owned())];
        let all = lost.finish(&known);
        assert_eq!(all.len(), MOST_NAMED + 1);
        assert_eq!(all[&known[0].0], "long; torn");
        assert!(all.contains_key("1 more pairs"));
    }
}
