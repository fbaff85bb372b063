//! Every line of the conversations in `fixtures/wire/`, with each of its fields in turn as it can't be, left out, doubled, or in another place, and each
//! conversation cut after every byte: for the client what a server says, for the server what a client says.

use ctdl_dump::monitor::Silent;
use ctdl_dump::wire::Server;

use super::conversation::{Scripted, converse, gives_no_digest};
use super::script::{Script, scripts};
use crate::support::project;

/// What stands for a field, or for a number of bytes.
const OTHERS: [&str; 14] = [
    "",
    "0",
    "1",
    "-1",
    "+1",
    "01",
    "1e3",
    "257",
    "65537",
    "16777217",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999",
    "\u{fffd}\u{202e}zz",
];

/// What can be otherwise in what a server says without being wrong: words for people, points in time, and what later lines or other commands decide.
const MAY_DIFFER: [&str; 7] = ["200 ", "600 ", "COUNT ", "TOTAL ", "KEEP ", "553 ", "575 "];

/// A conversation that went otherwise: what was changed of which line, and all that was said.
struct Variant {
    what: String,
    line: String,
    is_added: bool,
    script: Script,
}

/// All variants of what one side says.
fn variants(name: &str, side: &str) -> Vec<Variant> {
    let text = std::fs::read_to_string(project("fixtures/wire").join(name)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let ours: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with(side)).collect();
    let mut variants = Vec::new();
    let mut add = |what: &str, line: &str, is_added: bool, changed: &[(usize, String)]| {
        if changed.iter().all(|(at, line)| lines[*at] == line) {
            return;
        }
        let mut all: Vec<&str> = lines.clone();
        changed.iter().for_each(|(at, line)| all[*at] = line);
        let script = Script::parse(name, &format!("{}\n@ changed\n", all.join("\n")));
        variants.push(Variant { what: format!("{name}: {what} {line:?}"), line: line.to_owned(), is_added, script });
    };
    for (number, &at) in ours.iter().enumerate() {
        let said = lines[at].strip_prefix(side).unwrap().trim_start();
        // Fields and the blanks and bars between them, in turn.
        let is_between = |sign: char| sign == ' ' || sign == '|';
        let parts: Vec<&str> = said.split_inclusive(is_between).collect();
        for (field, part) in parts.iter().enumerate() {
            let between = &part[part.trim_end_matches(is_between).len()..];
            let with = |other: &str| [&parts[..field], &[other, between], &parts[field + 1..]].concat().concat();
            let flipped: String = part.chars().rev().filter(|sign| !is_between(*sign)).collect();
            // Of words for people two are enough.
            let count = if said.starts_with(['5', '9']) { 2 } else { OTHERS.len() };
            for other in OTHERS[..count].iter().copied().chain([flipped.as_str(), &"f".repeat(1_100)]) {
                let what = format!("{other:.30?} in place of {part:?} of");
                add(&what, said, false, &[(at, format!("{side} {}", with(other)))]);
            }
        }
        add("a field behind", said, false, &[(at, format!("{side} {said}|1"))]);
        add("without", said, true, &[(at, "#".into())]);
        add("twice", said, true, &[(at, format!("{side} {said}\n{side} {said}"))]);
        if let Some(&next) = ours.get(number + 1) {
            add("not before the next", said, false, &[(at, lines[next].into()), (next, lines[at].into())]);
        }
        for line in ["900 wait", "901 know this", "510 broken", "000"] {
            add(&format!("{line:?} before"), said, true, &[(at, format!("{side} {line}\n{side} {said}"))]);
        }
    }
    variants
}

fn answers(script: &Script, said: &[u8]) -> Vec<u8> {
    let token = script.says("token").map(str::to_owned);
    let server = Server { program: "ctdl-dump 0.1.0".to_owned(), token, level: Some(3) };
    let mut answers = Vec::new();
    // How it ends is in its answers.
    let _ = server.serve(&mut Scripted::new(script), said, &mut answers, &mut |_| (), &Silent);
    answers
}

fn played_by_the_client(script: &Script) -> bool {
    script.says("by-hand").is_none() && script.says("refused").is_none() && !gives_no_digest(script)
}

#[test]
fn whatever_field_of_a_server_s_line_is_wrong_its_client_ends_in_good_order() {
    let (mut refused, mut passed) = (0, 0);
    for script in scripts("sync-").iter().filter(|script| played_by_the_client(script)) {
        for Variant { what, line, is_added, script } in variants(&script.name, "S:") {
            if let Err(error) = converse(&script, &mut Vec::new()) {
                assert!(!error.to_string().contains('\n'), "{what}: {error}");
                refused += 1;
            } else {
                let may_differ =
                    is_added || line.starts_with('9') || MAY_DIFFER.iter().any(|word| line.starts_with(word));
                // A number has no sign, and no zeros before it.
                let is_none = ["\"+1\" in", "\"01\" in", "\"1e3\" in"].iter().any(|other| what.contains(other));
                let is_words = line.starts_with(['2', '5', '9']);
                assert!(may_differ && (is_words || !is_none), "{what} was not noticed");
                passed += 1;
            }
        }
    }
    assert!(passed < refused / 3, "{passed} of {} were not noticed", refused + passed);
}

#[test]
fn whatever_field_of_a_client_s_line_is_wrong_its_server_answers_in_good_order() {
    for script in scripts("sync-").iter().filter(|script| script.says("refused").is_none()) {
        for Variant { what, script: changed, .. } in variants(&script.name, "C:") {
            let answers = answers(&changed, &changed.client);
            assert!(answers.starts_with(b"200 ctdl-dump wire 1|"), "{what}");
            let is_right = |line: &str| script.says("token").is_none_or(|token| line == format!("PASS {token}"));
            let is_in = String::from_utf8_lossy(&changed.client).lines().any(is_right);
            assert!(is_in || !answers.windows(5).any(|said| said == b"\n600 "), "{what}: before the token");
        }
    }
}

#[test]
fn a_conversation_that_is_cut_after_any_byte_ends_on_both_sides() {
    let places = |length: usize| (0..length).filter(move |at| *at < 1_500 || at + 300 > length || at % 331 == 0);
    for script in scripts("sync-").iter().filter(|script| script.says("refused").is_none()) {
        let (said, whole) = (&script.client, answers(script, &script.client));
        for end in places(said.len()) {
            let answers = answers(script, &said[..end]);
            let same = answers.iter().zip(&whole).take_while(|(said, whole)| said == whole).count();
            // Nothing but what it would have said anyway, and then why it goes, if anything.
            let rest = &answers[same..];
            assert!(rest.len() < 400, "{}, cut after {end}: {}", script.name, rest.escape_ascii());
        }
        if played_by_the_client(script) {
            let last = script.server.iter().rev().skip(1).position(|byte| *byte == b'\n').unwrap() + 1;
            for end in places(script.server.len() - last) {
                let cut = script.with_server(script.server[..end].to_vec());
                assert!(converse(&cut, &mut Vec::new()).is_err(), "{}, cut after {end}", script.name);
            }
        }
    }
}
