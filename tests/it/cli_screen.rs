//! What the commands print: help, summaries, lines of JSON, records taken out.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::{program, unpack_site};

fn run(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = program();
    command.args(arguments.iter().map(AsRef::as_ref));
    command.stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn lines_of_json(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn export(site: &Path) -> (TempDir, PathBuf) {
    let work = tempfile::tempdir().unwrap();
    let archive = work.path().join("a.ctz");
    let output = run(&[&"export", &"-q", &"--site", &site, &"-o", &archive]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    (work, archive)
}

#[test]
fn help_has_every_command_an_example_for_each_and_the_exit_codes() {
    let help = printed(&[&"--help"]);
    for (command, more) in [
        ("export", "is left out and named"),
        ("import", "Fresh is what"),
        ("verify", "the copy that an import makes"),
        ("info", "nothing is verified"),
        ("list", "Without KIND"),
        ("diff", "7 if there is one"),
        ("extract", "KEY is what `list` prints"),
        ("pull", "tls://host[:port]"),
        ("push", "cmd:COMMAND"),
        ("serve", "The place is only read"),
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let own = printed(&[&command, &"--help"]);
        assert!(own.contains("Example") && own.contains(&format!("\n  ctdl-dump {command}")), "{own}");
        assert!(own.lines().all(|line| line.starts_with("Usage") || line.chars().count() <= 100), "{own}");
        assert!(own.split_whitespace().collect::<Vec<_>>().join(" ").contains(more), "{own}");
    }
    for line in ["    0  done and complete", "    7  the two differ", "  130  interrupted"] {
        assert!(help.contains(line), "{help}");
    }
    assert!(printed(&[&"--version"]).starts_with("ctdl-dump "));
}

#[test]
fn what_can_not_be_meant_ends_with_code_2() {
    let (_work, archive) = export(unpack_site("fresh").path());
    let directory = archive.parent().unwrap();
    let cases: [&[&dyn AsRef<std::ffi::OsStr>]; 15] = [
        &[],
        &[&"export", &"--level", &"99"],
        &[&"export", &"--force"],
        &[&"verify", &directory],
        &[&"list", &archive, &"nokind"],
        &[&"diff", &"-", &"-"],
        &[&"export", &"--site", &directory, &"--log", &directory, &"-o", &"x"],
        &[&"export", &"--site", &directory, &"--scratch", &archive, &"-o", &"x"],
        &[&"extract", &archive, &"file", &"a", &"b"],
        &[&"extract", &archive, &"file", &"a", &"--messages", &"-o", &"x"],
        &[&"extract", &archive, &"room", &"lobby"],
        &[&"extract", &archive, &"message", &"twelve"],
        &[&"extract", &archive, &"file", &"keys", &"-o", &archive],
        &[&"export", &"--site", &directory, &"-o", &"-"],
        &[&"import", &archive, &"--site", &"-"],
    ];
    for (number, arguments) in cases.iter().enumerate() {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "case {number}: {}", said(&output));
    }
}

#[test]
fn progress_in_json_is_json_to_the_last_line() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    let arguments: [&dyn AsRef<std::ffi::OsStr>; 8] =
        [&"export", &"--site", &site.path(), &"-o", &archive, &"--progress", &"json", &"--json"];
    let output = run(&arguments);
    let events = lines_of_json(&said(&output));
    let progress = events.iter().find(|event| event["event"] == "progress").expect("progress");
    assert_eq!(progress["task"], "export");
    let summary = events.iter().find(|event| event["event"] == "summary").expect("a summary");
    let data = lines_of_json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(data.len(), 1);
    assert_eq!(data[0]["site_digest"], summary["site_digest"]);
    assert_eq!(data[0]["archive_bytes"], std::fs::metadata(&archive).unwrap().len());
    let output = run(&arguments);
    let events = lines_of_json(&said(&output));
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["exit_code"]), (&"error".into(), &1.into()));
}

#[test]
fn quiet_still_names_what_was_left_out() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    std::fs::write(site.path().join("huge"), vec![b'x'; 2 << 20]).unwrap();
    let output = run(&[&"export", &"-q", &"--site", &site.path(), &"-o", &work.path().join("a.ctz")]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(said(&output).starts_with("left out: huge: "), "{}", said(&output));
    let info = printed(&[&"info", &work.path().join("a.ctz")]);
    assert!(info.contains("\nleft out     huge: "), "{info}");
}

#[test]
fn quiet_leaves_the_answer_to_the_exit_code_and_still_prints_data() {
    let site = unpack_site("fresh");
    let (work, archive) = export(site.path());
    let silent = |arguments: &[&dyn AsRef<std::ffi::OsStr>]| {
        let output = run(arguments);
        assert_eq!(said(&output), "");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(silent(&[&"verify", &"-q", &archive]), (Some(0), String::new()));
    assert_eq!(silent(&[&"diff", &"-q", &archive, &site.path()]), (Some(0), String::new()));
    let target = work.path().join("site");
    assert_eq!(silent(&[&"import", &"-q", &archive, &"--site", &target]), (Some(0), String::new()));
    let (code, line) = silent(&[&"verify", &"-q", &"--json", &archive]);
    assert_eq!((code, lines_of_json(&line).len()), (Some(0), 1));
    for command in ["info", "list"] {
        assert!(silent(&[&command, &"-q", &archive]).1.lines().count() > 3, "{command}");
    }
    std::fs::write(target.join("keys/citadel.cer"), "other").unwrap();
    let (code, differences) = silent(&[&"diff", &"-q", &archive, &target]);
    assert!(code == Some(7) && differences.starts_with("! file keys/citadel.cer: "), "{differences}");
    std::fs::write(&archive, "damaged").unwrap();
    let output = run(&[&"verify", &"-q", &archive]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_list_is_the_same_of_a_site_and_of_its_archive() {
    let site = unpack_site("small");
    let (_work, archive) = export(site.path());
    for extra in [["--json"].as_slice(), &[], &["message"], &["room"], &["file"], &["config"]] {
        let list = |place: &Path| {
            let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"list", &place];
            extra.iter().for_each(|argument| arguments.push(argument));
            printed(&arguments)
        };
        let (of_site, of_archive) = (list(site.path()), list(&archive));
        assert!(of_site == of_archive && of_site.lines().count() > 10, "{extra:?}");
    }
}

#[test]
fn every_record_is_a_line_of_json() {
    let site = unpack_site("small");
    let (_work, archive) = export(site.path());
    let records = lines_of_json(&printed(&[&"list", &"--json", &archive]));
    let latin1 = records.iter().find(|record| {
        record["fields"]["fullname"]["bytes"].as_str().is_some_and(|bytes| bytes.starts_with("4af67267"))
    });
    assert!(latin1.is_some(), "the name J\\xf6rg is given by its bytes");
    let setting = records.iter().find(|record| record["key"] == "c_nodename").unwrap();
    assert!(setting["value"].is_string(), "{setting}");
}

#[test]
fn a_difference_in_json_has_both_values() {
    let site = unpack_site("fresh");
    let (_work, archive) = export(site.path());
    std::fs::write(site.path().join("keys/citadel.cer"), "other").unwrap();
    let output = run(&[&"diff", &"--json", &archive, &site.path()]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    let differences = lines_of_json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((&differences[0]["sign"], &differences[0]["key"]), (&"!".into(), &"keys/citadel.cer".into()));
    assert_eq!(differences[0]["body_bytes"][1], 5);
}

#[test]
fn files_come_out_with_their_paths_modes_and_times() {
    let site = unpack_site("small");
    let (work, archive) = export(site.path());
    let out = work.path().join("out");
    printed(&[&"extract", &archive, &"file", &"keys", &"files", &"-o", &out]);
    let compared =
        Command::new("diff").arg("-r").arg(site.path().join("files")).arg(out.join("files")).output().unwrap();
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stdout));
    let metadata = |root: &Path| std::fs::metadata(root.join("keys/citadel.key")).unwrap();
    let (old, new) = (metadata(site.path()), metadata(&out));
    assert_eq!((old.modified().unwrap(), old.permissions()), (new.modified().unwrap(), new.permissions()));
    let again = run(&[&"extract", &archive, &"file", &"keys/citadel.key", &"-o", &out]);
    assert_eq!(again.status.code(), Some(1), "what is there is not replaced");
}

#[test]
fn a_message_is_a_mail_or_the_bytes_that_are_stored() {
    let site = unpack_site("small");
    let (_work, archive) = export(site.path());
    let records = lines_of_json(&printed(&[&"list", &"--json", &archive, &"message"]));
    let big =
        records.iter().find(|record| record["fields"]["big"].as_i64().is_some_and(|bytes| bytes > 100_000)).unwrap();
    let key = big["key"].as_str().unwrap();
    let raw = run(&[&"extract", &archive, &"message", &key, &"--raw"]).stdout;
    assert_eq!(raw.len() as u64, big["body_bytes"].as_u64().unwrap());
    assert_eq!(raw[0], 0xff);
    let mail = run(&[&"extract", &archive, &"message", &key]).stdout;
    assert!(mail.starts_with(b"From: "), "{}", String::from_utf8_lossy(&mail[..100]));
    let entry_bytes = usize::try_from(big["fields"]["entry"].as_u64().unwrap()).unwrap();
    assert!(mail.ends_with(raw[entry_bytes..].strip_suffix(&[0]).unwrap()));
}

#[test]
fn a_record_that_is_not_there_is_said_before_anything_is_written() {
    let (work, archive) = export(unpack_site("fresh").path());
    let out = work.path().join("out");
    let output = run(&[&"extract", &archive, &"file", &"messages", &"messages/nothing", &"-o", &out]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("no file record"), "{}", said(&output));
    assert!(!out.exists());
}
