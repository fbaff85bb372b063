//! Message numbers (`format-spec/record.md`, section 4.2): lists of big-endian 64-bit numbers, stored as the differences between them.
//!
//! `header` stores a short list so, `store_segment` and `restore_segment` do it with each segment of a longer one, for archives and peers alike.

/// How many bytes a number has in a body.
const NUMBER_BYTES: usize = 8;
/// The most that a difference of 64 bits takes, with 7 of them in each byte.
const MOST_DIFFERENCE_BYTES: usize = 10;
/// Set in every byte of a difference but its last.
const GOES_ON: u8 = 0x80;

/// Why stored bytes are no message numbers. Said of a record: "fulltext record 5 has ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has {problem}, at byte {at} of its stored message numbers")]
pub struct NumbersError {
    /// What is wrong.
    pub problem: &'static str,
    /// At which of the stored bytes.
    pub at: usize,
}

/// Appends the differences of a list, which the schema has found to be whole numbers.
pub fn differences(body: &[u8], out: &mut Vec<u8>) {
    for mut rest in zigzags(body) {
        while rest >= u64::from(GOES_ON) {
            out.push(rest as u8 | GOES_ON);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
}

/// Appends the list of which these are the differences, and tells how many numbers it has; an error with more than `most`.
pub fn list(differences: &[u8], most: usize, body: &mut Vec<u8>) -> Result<usize, NumbersError> {
    // As many as there are last bytes, and no more than may be.
    let numbers = differences.iter().filter(|byte| **byte & GOES_ON == 0).count();
    body.reserve(numbers.min(most) * NUMBER_BYTES);
    let (mut at, mut count, mut number) = (0, 0, 0i64);
    while at < differences.len() {
        if count == most {
            return Err(NumbersError { problem: "more numbers than there must be", at });
        }
        let (zigzag, bytes) = match differences[at] {
            byte if byte & GOES_ON == 0 => (u64::from(byte), 1),
            _ => difference(&differences[at..]).map_err(|problem| NumbersError { problem, at })?,
        };
        number = number.wrapping_add((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
        body.extend_from_slice(&number.to_be_bytes());
        at += bytes;
        count += 1;
    }
    Ok(count)
}

/// Puts what is stored of a segment into `stored`: its differences if they are fewer bytes, else the segment.
pub fn store_segment(segment: &[u8], stored: &mut Vec<u8>) {
    stored.clear();
    differences(segment, stored);
    if stored.len() >= segment.len() {
        stored.clear();
        stored.extend_from_slice(segment);
    }
}

/// Puts the segment of so many bytes that is stored so into `segment`.
pub fn restore_segment(stored: &[u8], segment_bytes: usize, segment: &mut Vec<u8>) -> Result<(), NumbersError> {
    segment.clear();
    if stored.len() == segment_bytes {
        segment.extend_from_slice(stored);
        let has_fewer = zigzags(segment).map(stored_bytes).sum::<usize>() < segment_bytes;
        let problem = "a segment that is stored as it is, though its differences are fewer bytes";
        return if has_fewer { Err(NumbersError { problem, at: 0 }) } else { Ok(()) };
    }
    let numbers = segment_bytes / NUMBER_BYTES;
    match list(stored, numbers, segment)? {
        found if found == numbers => Ok(()),
        _ => Err(NumbersError { problem: "fewer numbers than there must be", at: stored.len() }),
    }
}

/// From each number of a list the difference to the one before it, as an unsigned number that is small if the difference is.
fn zigzags(body: &[u8]) -> impl Iterator<Item = u64> {
    let (numbers, _) = body.as_chunks::<NUMBER_BYTES>();
    let mut before = 0;
    numbers.iter().map(move |bytes| {
        let number = i64::from_be_bytes(*bytes);
        let difference = number.wrapping_sub(before);
        before = number;
        ((difference << 1) ^ (difference >> 63)) as u64
    })
}

fn stored_bytes(zigzag: u64) -> usize {
    (u64::BITS - (zigzag | 1).leading_zeros()).div_ceil(7) as usize
}

/// The first difference of these, still as an unsigned number, and how many bytes it takes.
fn difference(bytes: &[u8]) -> Result<(u64, usize), &'static str> {
    let mut value = 0;
    for (number, byte) in bytes.iter().take(MOST_DIFFERENCE_BYTES).enumerate() {
        let bits = u64::from(byte & !GOES_ON);
        // Of the last byte there is room for one bit.
        if number + 1 == MOST_DIFFERENCE_BYTES && *byte > 1 {
            return Err("a difference of more than 64 bits");
        }
        value |= bits << (7 * number);
        if byte & GOES_ON == 0 {
            let is_shortest = bits != 0 || number == 0;
            return if is_shortest {
                Ok((value, number + 1))
            } else {
                Err("a difference in more bytes than necessary")
            };
        }
    }
    Err("a difference that is not complete")
}

#[cfg(test)]
mod tests;
