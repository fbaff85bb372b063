//! Finds lines of base64 at the beginning of a text.

use base64_simd::{STANDARD, STANDARD_NO_PAD};

use super::lines::Lines;
use super::part::MAX_PART_BYTES;

/// A run's first line has at least so many characters: shorter ones are words, not base64.
const LEAST_CHARACTERS: usize = 32;

/// Which bytes are digits of base64.
const IS_DIGIT: [bool; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [false; 256];
    let mut at = 0;
    while at < digits.len() {
        table[digits[at] as usize] = true;
        at += 1;
    }
    table
};

/// Lines of base64 that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their form.
    pub lines: Lines,
    /// Length of their text, at least 1.
    pub text_bytes: usize,
    /// Whether lines behind the end of the text may belong to it, too.
    pub is_open: bool,
}

/// The run that the text begins with: its first line, those that are as long, and a shorter one behind them, if there is one. Puts what
/// they decode to into `data`. Unless nothing follows the text (`ends`), a line that reaches its end is no part of the run yet.
pub fn at_start(text: &[u8], ends: bool, data: &mut Vec<u8>) -> Option<Run> {
    data.clear();
    let first = digits(text);
    if first < LEAST_CHARACTERS || is_hexadecimal(&text[..first]) {
        return None;
    }
    let characters = first + padding(&text[first..]);
    let lines = Lines {
        groups: u16::try_from(characters.div_ceil(4)).ok()?,
        crlf: text.get(characters) == Some(&b'\r'),
        last_ends: true,
        unpadded: false,
    };
    let whole_bytes = if characters.is_multiple_of(4) { whole_lines(text, &lines, data) } else { 0 };
    let mut run = Run { lines, text_bytes: whole_bytes, is_open: false };
    if data.len().is_multiple_of(usize::from(lines.groups) * 3) {
        last_line(text, ends, &mut run, data);
    }
    (run.text_bytes > 0).then_some(run)
}

/// Decodes the lines that are as long as the first, up to one with `=` at its end, and tells how many bytes of text they have.
fn whole_lines(text: &[u8], lines: &Lines, data: &mut Vec<u8>) -> usize {
    let (characters, end) = (usize::from(lines.groups) * 4, lines.line_end());
    let bytes = characters / 4 * 3;
    let mut decoded = 0;
    for line in text.chunks_exact(characters + end.len()) {
        let is_whole = data.len() == decoded * bytes && data.len() + bytes <= MAX_PART_BYTES;
        if !is_whole || &line[characters..] != end || STANDARD.decode_append(&line[..characters], data).is_err() {
            break;
        }
        decoded += 1;
    }
    decoded * (characters + end.len())
}

/// Adds the line behind the whole lines, if it is shorter than they are, or stands at the end of the text, or ends in another way.
fn last_line(text: &[u8], ends: bool, run: &mut Run, data: &mut Vec<u8>) {
    let rest = &text[run.text_bytes..];
    let most = usize::from(run.lines.groups) * 4;
    let digits = digits(&rest[..rest.len().min(most + 1)]);
    let characters = digits + padding(&rest[digits..]);
    if characters > most {
        return;
    }
    let (line, behind) = rest.split_at(characters);
    let end = run.lines.line_end();
    if !ends && behind.len() < end.len() && end.starts_with(behind) {
        run.is_open = true;
        return;
    }
    let has_end = behind.starts_with(end);
    let is_line = has_end || matches!(behind, [] | [b'\r' | b'\n', ..]);
    if !is_line || line.is_empty() || data.len() + characters > MAX_PART_BYTES {
        return;
    }
    let unpadded = !characters.is_multiple_of(4);
    let base64 = if unpadded { STANDARD_NO_PAD } else { STANDARD };
    if base64.decode_append(line, data).is_ok() {
        run.lines = Lines { last_ends: has_end, unpadded, ..run.lines };
        run.text_bytes += characters + if has_end { end.len() } else { 0 };
    }
}

/// How many digits of base64 the text begins with.
fn digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !IS_DIGIT[usize::from(*byte)]).unwrap_or(text.len())
}

/// How many `=` the text begins with: none, one or two.
fn padding(text: &[u8]) -> usize {
    text.iter().take(2).take_while(|byte| **byte == b'=').count()
}

/// Digits of hexadecimal are digits of base64, but folding them would hide from zstd that there are only 16 of them.
fn is_hexadecimal(line: &[u8]) -> bool {
    let is =
        |letters: std::ops::RangeInclusive<u8>| line.iter().all(|byte| byte.is_ascii_digit() || letters.contains(byte));
    is(b'a'..=b'f') || is(b'A'..=b'F')
}
