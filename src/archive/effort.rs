//! How hard a frame is tried to compress. Any way makes a frame that every reader takes; this one follows from the records alone, so that it is the
//! same for any number of threads.

use std::io;

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, Strategy};

/// The level that is taken where nobody asks for another. The ways below take its place.
pub const USUAL_LEVEL: i32 = 3;

/// A frame that is shorter is one of the manifest, or the last of its group.
const SHORT_BYTES: usize = 64 << 10;
/// zstd's own level for short frames: it looks for matches of four bytes and more, of which a manifest has many.
const SHORT_LEVEL: i32 = 2;

/// What is known of a frame's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing: samples must show it.
    Any,
    /// Mostly lists of message numbers.
    Numbers,
}

/// One sample in so many bytes.
const SAMPLE_EVERY: usize = 16 << 10;
const SAMPLE_BYTES: usize = 256;
/// 256 random bytes have about 162 different values, hardly ever less than this; text has 40 to 60, structs and numbers not many more.
const RANDOM_VALUES: u32 = 144;
/// A frame counts as packed if so many of a hundred samples are random.
const PACKED_PER_CENT: usize = 35;

/// A compressor for one frame.
pub fn compressor(content: &[u8], level: i32, sort: Content) -> io::Result<Compressor<'static>> {
    if level != USUAL_LEVEL {
        return Compressor::new(level);
    }
    if content.len() < SHORT_BYTES {
        return Compressor::new(SHORT_LEVEL);
    }
    let mut compressor = Compressor::new(level)?;
    let (strategy, min_match, hash_log) = match sort {
        // Differences of numbers are all different, but not equally frequent: that is all there is to be saved.
        Content::Numbers => (Strategy::ZSTD_fast, 7, 14),
        // Attachments are packed already. What lies between them is little, and a table that stays in the processor's cache finds most of it.
        Content::Any if is_packed(content) => (Strategy::ZSTD_fast, 6, 15),
        // Tables large enough for all of a frame: what they forget otherwise costs as much time to write as they cost to look into.
        Content::Any => {
            compressor.set_parameter(CParameter::ChainLog(18))?;
            (Strategy::ZSTD_dfast, 6, 19)
        }
    };
    compressor.set_parameter(CParameter::Strategy(strategy))?;
    // Six bytes and more: shorter matches cost more time to find and to write than they save.
    compressor.set_parameter(CParameter::MinMatch(min_match))?;
    compressor.set_parameter(CParameter::HashLog(hash_log))?;
    Ok(compressor)
}

/// Whether much of a frame is bytes that nothing compresses, as far as samples show.
fn is_packed(content: &[u8]) -> bool {
    let (mut samples, mut random) = (0, 0);
    for sample in content.chunks(SAMPLE_EVERY).filter_map(|piece| piece.get(..SAMPLE_BYTES)) {
        samples += 1;
        random += usize::from(different_values(sample) >= RANDOM_VALUES);
    }
    random > 0 && random * 100 >= samples * PACKED_PER_CENT
}

fn different_values(sample: &[u8]) -> u32 {
    let mut seen = [0u64; 4];
    for byte in sample {
        seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    seen.iter().map(|word| word.count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(bytes: usize) -> Vec<u8> {
        (0u32..).flat_map(|number| *blake3::hash(&number.to_le_bytes()).as_bytes()).take(bytes).collect()
    }

    #[test]
    fn noise_is_packed_and_text_and_numbers_are_not() {
        let noise = noise(1 << 20);
        let text = "Von neuem, mit ü und ß, and then in English: the same again. ".repeat(20_000).into_bytes();
        let numbers: Vec<u8> = (1_000_000u64..).flat_map(|number| (number * 7).to_be_bytes()).take(1 << 20).collect();
        assert!(is_packed(&noise));
        for other in [&text, &numbers] {
            assert!(!is_packed(other));
            assert!(is_packed(&[&noise, other.as_slice()].concat()));
            assert!(!is_packed(&[&noise[..200_000], other.as_slice()].concat()));
        }
        assert!(!is_packed(&noise[..100]) && !is_packed(&[]));
    }

    #[test]
    fn both_ways_make_small_frames_of_what_can_be_made_small() {
        let words: Vec<u8> =
            (0u64..150_000).flat_map(|number| format!("{} ", number * number % 7919).into_bytes()).collect();
        let noise = noise(words.len());
        for (content, most) in
            [(words.clone(), words.len() / 3), ([words, noise.clone()].concat(), noise.len() * 3 / 2)]
        {
            let mut packed = Vec::with_capacity(content.len() * 2);
            compressor(&content, USUAL_LEVEL, Content::Any).unwrap().compress_to_buffer(&content, &mut packed).unwrap();
            assert!(packed.len() < most, "{} bytes of {}", packed.len(), content.len());
        }
    }
    #[test]
    fn numbers_take_no_more_room_for_less_effort() {
        // Differences as the full text index has them: small ones often, large ones seldom.
        let differences = noise(1 << 20).into_iter().map(|byte| (byte >> (byte & 7)) + 1).collect::<Vec<_>>();
        let packed = |sort| {
            let mut packed = Vec::with_capacity(differences.len() * 2);
            compressor(&differences, USUAL_LEVEL, sort).unwrap().compress_to_buffer(&differences, &mut packed).unwrap();
            packed.len()
        };
        assert!(packed(Content::Numbers) < differences.len() * 3 / 4);
        assert!(packed(Content::Numbers) <= packed(Content::Any));
    }
}
