use base64_simd::STANDARD;
use proptest::prelude::*;

use super::lines::Lines;
use super::part::Part;
use super::{FoldError, Folder, Unfolder};

/// Bytes that don't compress, and are the same for the same seed.
fn data(bytes: usize, seed: u64) -> Vec<u8> {
    let mut output = vec![0; bytes];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut output);
    output
}

/// Base64 in lines of so many characters.
fn lines(data: &[u8], characters: usize, end: &str) -> String {
    let text = STANDARD.encode_to_string(data);
    text.as_bytes().chunks(characters).map(|line| format!("{}{end}", str::from_utf8(line).unwrap())).collect()
}

fn fold_in_pieces(text: &[u8], piece_bytes: usize) -> Vec<u8> {
    let (mut folder, mut stored) = (Folder::default(), Vec::new());
    text.chunks(piece_bytes.max(1)).for_each(|piece| folder.push(piece, &mut stored));
    folder.finish(&mut stored);
    stored
}

fn fold(text: impl AsRef<[u8]>) -> Vec<u8> {
    fold_in_pieces(text.as_ref(), usize::MAX)
}

fn unfold_in_pieces(stored: &[u8], length: usize, piece_bytes: usize) -> Result<Vec<u8>, FoldError> {
    let (mut unfolder, mut skimmer) = (Unfolder::new(length as u64), Unfolder::new(length as u64));
    let mut text = Vec::new();
    for piece in stored.chunks(piece_bytes.max(1)) {
        let result = unfolder.push(piece, &mut text);
        assert_eq!(skimmer.skim(piece), result);
        assert!(text.len() <= length);
        result?;
    }
    assert_eq!(skimmer.finish(), unfolder.finish());
    unfolder.finish()?;
    Ok(text)
}

fn unfold(stored: &[u8], length: usize) -> Result<Vec<u8>, FoldError> {
    unfold_in_pieces(stored, length, usize::MAX)
}

/// What the parts are: 'l' and the length of a literal, 'b' and the number of decoded bytes.
fn parts(stored: &[u8]) -> Vec<(char, usize)> {
    let (mut parts, mut rest) = (Vec::new(), stored);
    while !rest.is_empty() {
        let part = Part::decode(rest).unwrap().unwrap();
        let (name, head) = match part {
            Part::Literal { .. } => ('l', 3),
            Part::Base64 { .. } => ('b', 6),
        };
        parts.push((name, part.bytes()));
        rest = &rest[head + part.bytes()..];
    }
    parts
}

/// Folds and unfolds, and gives the parts.
fn round_trip(text: impl AsRef<[u8]>) -> Vec<(char, usize)> {
    let stored = fold(&text);
    assert!(unfold(&stored, text.as_ref().len()).unwrap() == text.as_ref());
    parts(&stored)
}

#[test]
fn the_example_of_the_specification_is_right() {
    let stored = b"\x01\x03\x00Hi\r\n\x02\x03\x02\x00\x0c\x00Hello, world!";
    let text = b"Hi\r\nSGVsbG8s\r\nIHdvcmxk\r\nIQ==\r\n";
    assert_eq!(unfold(stored, text.len()).unwrap(), text);
}

#[test]
fn an_attachment_is_stored_decoded_and_the_text_around_it_as_it_is() {
    for end in ["\n", "\r\n"] {
        for bytes in [1000, 1140, 1141, 1142] {
            let text = format!("--x{end}{end}{}{end}--x--{end}", lines(&data(bytes, 1), 76, end));
            assert_eq!(round_trip(&text), [('l', 3 + 2 * end.len()), ('b', bytes), ('l', 5 + 2 * end.len())]);
        }
    }
}

#[test]
fn lines_of_any_usual_length_are_found() {
    for characters in [32, 60, 64, 72, 76, 1000, 20_000] {
        assert_eq!(round_trip(lines(&data(40_000, 1), characters, "\n")), [('b', 40_000)], "{characters}");
    }
}

#[test]
fn a_line_without_an_end_and_base64_without_padding_are_found() {
    let text = lines(&data(1000, 1), 76, "\n");
    let text = text.trim_end();
    assert_eq!(round_trip(text), [('b', 1000)]);
    assert_eq!(round_trip(text.trim_end_matches('=')), [('b', 1000)]);
    assert_eq!(round_trip(format!("{}\r\n\nx", text.trim_end_matches('='))), [('b', 1000), ('l', 4)]);
}

#[test]
fn one_endless_line_is_found() {
    let text = STANDARD.encode_to_string(data(200_000, 1));
    let whole = text.len() / 65_536;
    let parts = round_trip(&text);
    assert_eq!(parts[..whole], vec![('b', 49_152); whole]);
    assert_eq!(parts.iter().map(|(_, bytes)| bytes).sum::<usize>(), 200_000);
}

#[test]
fn a_long_attachment_costs_a_few_bytes_for_each_window() {
    for end in ["\n", "\r\n"] {
        let text = lines(&data(1_000_000, 1), 76, end);
        let stored = fold(&text);
        assert!(unfold(&stored, text.len()).unwrap() == text.as_bytes());
        assert!(stored.len() < 1_000_000 + 6 * 25, "{}", stored.len());
    }
}

#[test]
fn what_is_irregular_stays_as_it_is() {
    let regular = lines(&data(57 * 20, 1), 76, "\n");
    let line = |number: usize, change: &dyn Fn(&str) -> String| -> String {
        regular.split_inclusive('\n').enumerate().map(|(n, l)| if n == number { change(l) } else { l.into() }).collect()
    };
    let irregular: [(&str, String); 6] = [
        ("white space behind a line", line(10, &|line| line.replace('\n', " \n"))),
        ("a longer line", line(10, &|line| format!("AAAA{line}"))),
        ("another end", line(10, &|line| line.replace('\n', "\r\n"))),
        ("a foreign byte", line(10, &|line| format!("-{}", &line[1..]))),
        ("padding in the middle", line(10, &|line| format!("{}====\n", &line[..72]))),
        ("an empty line", line(10, &|_| "\n".into())),
    ];
    for (what, text) in irregular {
        let parts = round_trip(&text);
        assert!(parts.len() >= 2 && parts.iter().any(|(name, _)| *name == 'l'), "{what}: {parts:?}");
    }
}

#[test]
fn bits_that_decoding_would_lose_keep_the_last_line_literal() {
    let whole = lines(&data(57 * 20, 1), 76, "\n");
    assert_eq!(round_trip(format!("{whole}QQ==\n")), [('b', 57 * 20 + 1)]);
    for last in ["QR==\n", "QUJ=\n", "QR\n", "QUJ\n", "Q\n", "Q===\n", "=\n"] {
        assert_eq!(round_trip(format!("{whole}{last}")), [('b', 57 * 20), ('l', last.len())], "{last:?}");
    }
}

#[test]
fn text_words_and_hexadecimal_are_no_base64() {
    let words = "word\n".repeat(1000);
    let prose = "Lorem ipsum dolor sit amet, consectetur adipisici elit.\n".repeat(100);
    let hexadecimal: String = (0..100).map(|n| format!("{}\n", blake3::hash(&[n]).to_hex())).collect();
    for text in [words, prose, hexadecimal.to_uppercase(), hexadecimal] {
        assert_eq!(round_trip(&text), [('l', text.len())]);
    }
}

#[test]
fn a_run_that_is_cut_by_a_window_goes_on_in_the_next() {
    let text = lines(&data(10_000, 1), 76, "\r\n");
    for before in 65_536 - 400..65_536 + 4 {
        let body = format!("{}\n{text}", "-".repeat(before));
        let parts = round_trip(&body);
        let decoded: usize = parts.iter().filter(|(name, _)| *name == 'b').map(|(_, bytes)| bytes).sum();
        assert_eq!(decoded, 10_000, "{before}: {parts:?}");
    }
}

fn part(part: Part, content: &[u8]) -> Vec<u8> {
    let mut stored = Vec::new();
    part.encode(&mut stored);
    [&stored, content].concat()
}

#[test]
fn what_is_no_folded_body_is_refused() {
    let literal = part(Part::Literal { bytes: 10 }, &[b'x'; 10]);
    let form = Lines { groups: 19, crlf: false, last_ends: true, unpadded: false };
    let base64 = part(Part::Base64 { bytes: 3, lines: form }, b"abc");
    assert_eq!(unfold(&[&literal, &base64[..]].concat(), 15).unwrap(), b"xxxxxxxxxxYWJj\n");
    let change = |at: usize, to: u8| {
        let mut changed = base64.clone();
        changed[at] = to;
        [&literal, &changed[..]].concat()
    };
    assert!(matches!(unfold(&change(0, 0), 15), Err(FoldError::Type { at: 13, found: 0 })));
    assert!(matches!(unfold(&change(0, 4), 15), Err(FoldError::Type { at: 13, found: 4 })));
    assert!(matches!(unfold(&change(0, 3), 15), Err(FoldError::Reference { at: 13 })));
    for (at, to) in [(1, 8), (1, 128), (1, 4), (2, 0)] {
        assert!(matches!(unfold(&change(at, to), 15), Err(FoldError::Form { at: 13, .. })), "{at} {to}");
    }
    assert_eq!(unfold(&literal, 9), Err(FoldError::TooLong { at: 0, bytes: 10, left: 9 }));
    assert_eq!(unfold(&change(0, 2), 14), Err(FoldError::TooLong { at: 13, bytes: 5, left: 4 }));
    assert_eq!(unfold(&[&literal, &b"\x01"[..]].concat(), 10), Err(FoldError::Behind { at: 13 }));
    for end in 0..literal.len() {
        assert!(matches!(unfold(&literal[..end], 10), Err(FoldError::CutShort { .. })), "{end}");
    }
    assert_eq!(unfold(&literal, 11), Err(FoldError::CutShort { at: 13, left: 1 }));
}

#[test]
fn no_part_unfolds_to_more_than_twice_its_length() {
    for bytes in 1..=65_536 {
        let lines = Lines { groups: 1, crlf: true, last_ends: true, unpadded: false };
        assert!(lines.text_bytes(bytes) < 2 * (bytes + 6));
    }
}

/// Pieces of which bodies are made: base64 in lines of any form, text, single bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![4 => 0usize..2000, 1 => 45_000usize..110_000];
    let characters = prop_oneof![3 => Just(76usize), 1 => (8usize..30).prop_map(|groups| groups * 4), 1 => 1usize..200];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just(""), Just(" \n")];
    let cut = prop_oneof![2 => Just(0usize), 1 => 0usize..100];
    prop_oneof![
        4 => (length, any::<u64>(), characters, end, cut).prop_map(|(length, seed, characters, end, cut)| {
            let mut text = lines(&data(length, seed), characters, end).into_bytes();
            text.truncate(text.len().saturating_sub(cut));
            text
        }),
        2 => "[ -~\r\n]{0,300}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..50),
        1 => (65_000usize..66_000).prop_map(|length| vec![b'A'; length]),
    ]
}

/// Bodies with some bytes changed.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec(
        (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(b'='), Just(b'\n')]),
        0..4,
    );
    (proptest::collection::vec(piece(), 0..6), changes).prop_map(|(pieces, changes)| {
        let mut body = pieces.concat();
        for (at, byte) in changes {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = byte;
            }
        }
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_survives_whatever_the_pieces(body in body(), piece_bytes in 1usize..200_000, other in 1usize..70_000) {
        let stored = fold(&body);
        prop_assert!(unfold(&stored, body.len()).unwrap() == body);
        prop_assert!(stored.len() <= body.len() + 3 * (body.len() / 256 + 1));
        prop_assert!(fold_in_pieces(&body, piece_bytes) == stored);
        prop_assert!(unfold_in_pieces(&stored, body.len(), other).unwrap() == body);
    }

    #[test]
    fn any_bytes_are_unfolded_or_refused_within_the_bounds(
        mut stored in proptest::collection::vec(prop_oneof![0u8..5, any::<u8>()], 0..400),
        body in body(), at in any::<prop::sample::Index>(), byte in any::<u8>(), length in 1usize..1000,
    ) {
        let _ = unfold(&stored, length);
        stored = fold(&body);
        if !stored.is_empty() {
            let at = at.index(stored.len());
            stored[at] = byte;
        }
        if let Ok(text) = unfold(&stored, body.len()) {
            prop_assert_eq!(text.len(), body.len());
        }
    }
}
