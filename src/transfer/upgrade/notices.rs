//! What a person must know of an upgrade: what became what, and what was left behind.

use crate::record::printable;

/// So many names stand in one sentence.
const MOST_NAMES: usize = 10;

/// Collects sentences, in the order in which they are to be read.
#[derive(Debug, Default)]
pub(super) struct Notices(Vec<String>);

impl Notices {
    /// Adds a sentence.
    pub fn say(&mut self, sentence: impl Into<String>) {
        self.0.push(sentence.into());
    }

    /// Adds a sentence that ends with names, if there are any.
    pub fn say_names(&mut self, sentence: &str, names: &[Vec<u8>]) {
        if !names.is_empty() {
            self.say(format!("{sentence}: {}", listed(names)));
        }
    }

    /// All sentences.
    pub fn into_sentences(self) -> Vec<String> {
        self.0
    }
}

/// Names as a person reads them: the first ones, and how many more there are.
fn listed(names: &[Vec<u8>]) -> String {
    let mut text = names.iter().take(MOST_NAMES).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    if names.len() > MOST_NAMES {
        text.push_str(&format!(" and {} more", names.len() - MOST_NAMES));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_counted() {
        let mut notices = Notices::default();
        notices.say_names("left", &vec![b"n".to_vec(); 12]);
        notices.say_names("none", &[]);
        assert_eq!(notices.into_sentences(), ["left: n, n, n, n, n, n, n, n, n, n and 2 more"]);
    }
}
