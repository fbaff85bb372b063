//! The layers of the program hold: a module uses only those below its own, the places never use each other, and the library
//! neither prints nor exits nor looks at arguments and environment.

mod source;

use std::collections::BTreeSet;

use source::{Source, sources};

use crate::support::project;

/// What each module of the library may use of the others.
const MAY_USE: &[(&str, &[&str])] = &[
    ("record", &[]),
    ("monitor", &[]),
    ("codec", &["record"]),
    ("endpoint", &["record", "monitor", "codec"]),
    ("archive", &["record", "monitor", "codec", "endpoint"]),
    ("site", &["record", "monitor", "codec", "endpoint"]),
    ("wire", &["record", "monitor", "codec", "endpoint"]),
    ("live", &["record", "monitor", "codec", "endpoint"]),
    ("transfer", &["record", "monitor", "codec", "endpoint", "archive", "site", "wire", "live"]),
];

/// What the library leaves to whoever calls it.
const NOT_OURS: &[&str] = &["print!", "println!", "eprint!", "eprintln!", "dbg!", "process::exit", "env::"];

/// The longest file that is still read in one go. Tests stand in files of their own.
const MOST_LINES: usize = 400;

fn may_use(module: &str) -> BTreeSet<&'static str> {
    let known = MAY_USE.iter().find(|(name, _)| *name == module);
    let (name, others) =
        known.unwrap_or_else(|| panic!("src/{module} has no place among the layers: give it one in tests/it/layers"));
    std::iter::once(*name).chain(others.iter().copied()).collect()
}

#[test]
fn a_module_uses_only_the_layers_below_its_own() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_of_the_binary()) {
        let Some(module) = source.module().first().cloned() else { continue };
        let allowed = may_use(&module);
        for used in source.used_modules() {
            if !allowed.contains(used.as_str()) {
                wrong.push(format!("{} uses {used}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "modules that use a layer at or above their own:\n{}", wrong.join("\n"));
}

#[test]
fn tests_start_the_program_with_a_state_directory_that_is_not_the_users() {
    // In two parts, or this file would be one of them.
    let named = concat!("CARGO_BIN", "_EXE");
    let files = walkdir::WalkDir::new(project("tests")).into_iter().map(|entry| entry.unwrap().into_path());
    let starting = files.filter(|path| path.is_file() && std::fs::read_to_string(path).unwrap().contains(named));
    assert_eq!(starting.collect::<Vec<_>>(), [project("tests/it/support.rs")]);
}

#[test]
fn the_library_never_prints_exits_or_reads_arguments_and_environment() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_of_the_binary()) {
        for word in NOT_OURS {
            if source.says(word) {
                wrong.push(format!("{} has {word}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_wrapper_of_libdb_has_unsafe_code() {
    let unsafe_code = sources("src").into_iter().filter(|source| source.says("unsafe")).map(|source| source.path);
    assert_eq!(unsafe_code.collect::<Vec<_>>(), [std::path::Path::new("src/site/recovery/libdb.rs")]);
}

#[test]
fn a_file_is_short_enough_to_be_read_in_one_go() {
    let long: Vec<_> = sources("src").into_iter().filter(|source| source.lines > MOST_LINES).collect();
    let named: Vec<_> = long.iter().map(|source| format!("{} has {}", source.path.display(), source.lines)).collect();
    assert!(long.is_empty(), "files of more than {MOST_LINES} lines; is there a room missing?\n{}", named.join("\n"));
}

#[test]
fn every_file_has_its_line_in_the_design() {
    let design = std::fs::read_to_string(project("DESIGN.md")).unwrap();
    let lines = design.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    let described: BTreeSet<String> = lines.map(|(path, _)| path.into()).collect();
    let files = sources("src");
    let there: BTreeSet<String> = files.iter().map(|source| source.path.to_str().unwrap().into()).collect();
    let missing: Vec<_> = there.difference(&described).collect();
    let gone: Vec<_> = described.difference(&there).collect();
    assert!(missing.is_empty() && gone.is_empty(), "DESIGN.md lacks {missing:#?} and has, though not there, {gone:#?}");
}

#[test]
fn the_scan_sees_every_way_to_name_a_module() {
    let text = "use crate::record::Kind;\nuse crate::{archive, codec::{cbor, header}};\nfn f(x: super::super::transfer::Copy) -> super::Own { crate::site::g() }";
    let source = Source::new("src/codec/cbor.rs", text);
    assert_eq!(source.module(), ["codec", "cbor"]);
    let used: Vec<String> = source.used_modules().into_iter().collect();
    assert_eq!(used, ["archive", "codec", "record", "site", "transfer"]);
}

#[test]
fn the_scan_overlooks_comments_literals_and_tests() {
    let text = r##"
        // crate::archive
        /* crate::archive /* nested */ crate::archive */
        pub(crate) const A: &str = "crate::archive \" crate::archive";
        const B: &[u8] = br#"crate::archive""#;
        const C: (char, char) = ('"', '\'');
        fn f<'a>(x: &'a str) -> &'a str { x }
        #[cfg(test)]
        mod tests { use crate::archive::X; fn g() { println!("{}", '{'); } }
        #[cfg(test)]
        use crate::archive::Y;
        fn h() { crate::record::z(); }
    "##;
    let source = Source::new("src/codec/cbor.rs", text);
    assert_eq!(source.used_modules().into_iter().collect::<Vec<_>>(), ["record"]);
    assert!(!source.says("println!"));
    assert!(source.says("record"));
}
