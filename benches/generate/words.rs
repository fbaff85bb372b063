//! A vocabulary of invented words, and text in which the n-th word is about 1/n as frequent as the first.

use crate::random::Random;

/// As many as there are full-text buckets for, and about what a site's users use.
const WORDS: usize = 30_000;

pub struct Vocabulary {
    words: Vec<String>,
    /// Sum of the frequencies of a word and all before it; the last is 1.
    cumulated: Vec<f64>,
}

impl Vocabulary {
    pub fn new(random: &mut Random) -> Vocabulary {
        // Rarer words are longer, as in all languages.
        let words =
            (0..WORDS).map(|rank| word(random, 1 + usize::from(rank >= 150) + usize::from(rank >= 3000))).collect();
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = Vec::with_capacity(WORDS);
        for rank in 0..WORDS {
            sum += 1.0 / (rank as f64 + 2.7);
            cumulated.push(sum);
        }
        cumulated.iter_mut().for_each(|frequency| *frequency /= sum);
        Vocabulary { words, cumulated }
    }

    pub fn rank(&self, random: &mut Random) -> usize {
        let share = random.share();
        self.cumulated.partition_point(|sum| *sum <= share).min(WORDS - 1)
    }

    pub fn word(&self, rank: usize) -> &str {
        &self.words[rank]
    }

    /// Sentences of at least so many bytes, in lines; notes the ranks of the words used.
    pub fn text(&self, random: &mut Random, bytes: usize, line_end: &str, used: &mut Vec<usize>) -> String {
        let mut text = String::with_capacity(bytes + 100);
        let (mut line, mut sentence) = (0, 0);
        while text.len() < bytes {
            let rank = self.rank(random);
            used.push(rank);
            let word = self.word(rank);
            if sentence == 0 {
                text.push(word.as_bytes()[0].to_ascii_uppercase().into());
                text.push_str(&word[1..]);
                sentence = 4 + random.below(16);
            } else {
                text.push_str(word);
            }
            sentence -= 1;
            line += word.len() + 2;
            if sentence == 0 {
                text.push('.');
            }
            if line > 68 {
                text.push_str(line_end);
                line = 0;
            } else {
                text.push(' ');
            }
        }
        text.push_str(line_end);
        text
    }
}

fn word(random: &mut Random, syllables: usize) -> String {
    const BEGINS: [&str; 16] = ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "st", "tr", "w"];
    const MIDDLES: [&str; 8] = ["a", "e", "e", "i", "o", "u", "ei", "au"];
    const ENDS: [&str; 8] = ["", "n", "r", "s", "t", "", "nd", "ck"];
    (0..syllables)
        .map(|_| [BEGINS[random.below(16)], MIDDLES[random.below(8)], ENDS[random.below(8)]].concat())
        .collect()
}
