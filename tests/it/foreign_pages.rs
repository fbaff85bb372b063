//! Sites in whose tables a page of another table stands, or pairs that are none of theirs: nothing of it passes without a word.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::cli_trouble::{program, said};
use crate::support::{pairs, unpack_site};

const PAGE_BYTES: u64 = 4096;

fn export(site: &Path, salvages: bool) -> (Output, TempDir) {
    let work = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args(["export", "-q", "--site"]).arg(site).arg("-o").arg(work.path().join("a.ctz"));
    command.env("TMPDIR", work.path()).args(salvages.then_some("--salvage"));
    (command.output().unwrap(), work)
}

fn table(site: &Path, number: u8) -> std::path::PathBuf {
    site.join(format!("data/cdb.{number:02x}"))
}

/// Puts page 1 of one table in the place of page 1 of another: both bear the same number.
fn replace_root(site: &Path, of: u8, by: u8) {
    let mut page = vec![0; PAGE_BYTES as usize];
    std::fs::File::open(table(site, by)).unwrap().read_exact_at(&mut page, PAGE_BYTES).unwrap();
    let file = std::fs::File::options().write(true).open(table(site, of)).unwrap();
    file.write_all_at(&page, PAGE_BYTES).unwrap();
}

/// Loads a table anew: `edit` changes what `db5.3_dump` says of it.
fn reload(site: &Path, number: u8, edit: impl FnOnce(String) -> String) {
    let path = table(site, number);
    let dump = Command::new("db5.3_dump").arg(&path).output().expect("db5.3_dump, from the Debian package db5.3-util");
    std::fs::remove_file(&path).unwrap();
    let mut load = Command::new("db5.3_load").arg(&path).stdin(Stdio::piped()).spawn().unwrap();
    let text = edit(String::from_utf8(dump.stdout).unwrap());
    std::io::Write::write_all(&mut load.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(load.wait().unwrap().success());
}

#[test]
fn a_page_of_another_table_is_refused_and_named_by_a_salvage() {
    // Tables of one page each: addresses, users by number, entries that were seen before.
    for (of, by) in [(0x06, 0x0b), (0x0b, 0x06), (0x07, 0x06), (0x06, 0x07), (0x0b, 0x07)] {
        let site = unpack_site("small");
        let first = pairs(site.path(), by).len();
        replace_root(site.path(), of, by);
        let (output, _) = export(site.path(), false);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(3), "{of:02x} <- {by:02x}: {text}");
        assert!(text.contains(&format!("cdb.{of:02x}: none of the {first} pairs of page 1, the first with")), "{text}");
        assert!(text.contains("--salvage"), "{text}");
        let (output, _) = export(site.path(), true);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(5), "{text}");
        assert!(text.contains(&format!("lost: table cdb.{of:02x}, page 1: none of its {first} pairs")), "{text}");
    }
}

#[test]
fn a_root_that_is_replaced_by_a_page_of_another_table_hides_nothing() {
    let site = unpack_site("small");
    let users = pairs(site.path(), 1).len();
    replace_root(site.path(), 0x01, 0x0b);
    let (output, _) = export(site.path(), false);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("cdb.01: the table is damaged at page") && text.contains("nothing leads to this page"),
        "{text}"
    );
    let (output, _) = export(site.path(), true);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(
        text.contains(&format!("lost: table cdb.01: {users} of its pairs stand only on pages to which its tree")),
        "{text}"
    );
    assert!(text.contains("warning: table cdb.01: "), "{text}");
}

#[test]
fn a_pair_that_cant_be_understood_is_carried_and_told_with_its_page() {
    let site = unpack_site("small");
    reload(site.path(), 0x0b, |dump| dump.replace("DATA=END", " 010203\n 7a7a00\nDATA=END"));
    let (output, _) = export(site.path(), false);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("table cdb.0b: 1 of its pairs can't be understood, the first with the key 0x010203 on page 1"),
        "{text}"
    );
}

#[test]
fn a_hash_table_in_place_of_a_table_is_called_one_with_the_way_out() {
    let site = unpack_site("small");
    reload(site.path(), 0x06, |dump| dump.replace("type=btree", "type=hash"));
    let (output, _) = export(site.path(), false);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("it is a Berkeley DB hash table") && text.contains("db5.3_load -t btree NEW"), "{text}");
    // As it is told.
    let way = "db5.3_dump $0 | grep -v '^h_' | db5.3_load -t btree $0.new && mv $0.new $0";
    let mended = Command::new("sh").args(["-c", way]).arg(table(site.path(), 0x06)).status().unwrap();
    assert!(mended.success());
    let (output, _) = export(site.path(), false);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn an_index_in_which_a_killed_server_has_put_every_message_twice_is_no_damage() {
    let site = unpack_site("small");
    let before = pairs(site.path(), 0x09);
    reload(site.path(), 0x09, |dump| {
        let mut lines: Vec<String> = dump.lines().map(str::to_owned).collect();
        let values = lines.iter_mut().filter(|line| line.starts_with(' ')).skip(1).step_by(2);
        values.for_each(|value| *value = format!("{value}{}", value.trim_start()));
        lines.join("\n") + "\n"
    });
    let after = pairs(site.path(), 0x09);
    assert!(before.iter().zip(&after).all(|(before, after)| [&before.1[..], &before.1].concat() == after.1));
    let (output, _) = export(site.path(), false);
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
}
