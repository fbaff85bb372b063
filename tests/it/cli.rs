//! The commands as a user runs them, on the real sites of `fixtures/site/`.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{program, project, python, unpack_site};

fn run(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = program();
    for argument in arguments {
        command.arg(argument);
    }
    command.stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn export(site: &Path, archive: &Path) {
    let output = run(&[&"export", &"--site", &site, &"-o", &archive]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_site_goes_through_an_archive_and_is_the_same() {
    let (old, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (archive, new, again) = (work.path().join("a.ctz"), work.path().join("new"), work.path().join("b.ctz"));
    export(old.path(), &archive);
    let verified = run(&[&"verify", &archive]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let imported = run(&[&"import", &archive, &"--site", &new]);
    assert_eq!(imported.status.code(), Some(0), "{}", said(&imported));
    let compared = run(&[&"diff", &old.path(), &new]);
    assert_eq!((compared.status.code(), printed(&compared)), (Some(0), String::new()), "{}", said(&compared));
    export(&new, &again);
    let compared = run(&[&"diff", &archive, &again]);
    assert_eq!(compared.status.code(), Some(0), "{}", printed(&compared));

    let second = python().arg(project("format-spec/ctz.py")).arg("digest").arg(&archive).output().unwrap();
    let digest = printed(&second).trim().to_owned();
    assert_eq!(digest.len(), 64, "{}", said(&second));
    assert!(printed(&verified).contains(&digest));
    let info = run(&[&"info", &again]);
    assert!(printed(&info).contains(&digest), "{}", printed(&info));
}

#[test]
fn a_used_site_is_only_replaced_when_told_and_a_fresh_one_at_once() {
    let (small, fresh, work) = (unpack_site("small"), unpack_site("fresh"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    export(small.path(), &archive);
    let target = work.path().join("site");
    let copied = Command::new("cp").arg("-a").arg(fresh.path()).arg(&target).status().unwrap();
    assert!(copied.success());
    assert_eq!(run(&[&"import", &archive, &"--site", &target]).status.code(), Some(0));
    let refused = run(&[&"import", &archive, &"--site", &target]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("--replace"), "{}", said(&refused));
    assert_eq!(run(&[&"import", &archive, &"--site", &target, &"--replace"]).status.code(), Some(0));
    assert_eq!(run(&[&"diff", &small.path(), &target]).status.code(), Some(0));
}

#[test]
fn a_cut_or_changed_archive_is_refused_and_the_target_untouched() {
    let (fresh, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (archive, bad, target) = (work.path().join("a.ctz"), work.path().join("bad.ctz"), work.path().join("site"));
    export(fresh.path(), &archive);
    let whole = std::fs::read(&archive).unwrap();
    let mut changed = whole.clone();
    let middle = whole.len() / 2;
    changed[middle] ^= 1;
    let longer = [whole.as_slice(), b"x"].concat();
    for bytes in [&whole[..middle], &whole[..whole.len() - 1], &changed, &longer, b"".as_slice(), b"no archive"] {
        std::fs::write(&bad, bytes).unwrap();
        for output in [run(&[&"verify", &bad]), run(&[&"import", &bad, &"--site", &target])] {
            assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        }
        assert!(!target.exists());
        let refused = python().arg(project("format-spec/ctz.py")).arg("verify").arg(&bad).output().unwrap();
        assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    }
    let names: Vec<_> = std::fs::read_dir(work.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "something was left behind: {names:?}");
}

#[test]
fn what_is_no_site_or_no_archive_is_said_with_the_right_exit_code() {
    let work = tempfile::tempdir().unwrap();
    let missing = work.path().join("missing");
    let output = run(&[&"export", &"--site", &missing, &"-o", &work.path().join("x.ctz")]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("is not a Citadel site"), "{}", said(&output));
    let output = run(&[&"verify", &missing]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("missing"), "{}", said(&output));
    assert_eq!(run(&[&"frobnicate"]).status.code(), Some(2));
    assert_eq!(run(&[&"list", &missing, &"nokind"]).status.code(), Some(2));
    assert!(std::fs::read_dir(work.path()).unwrap().next().is_none());
}

#[test]
fn single_records_are_listed_and_taken_out() {
    let (small, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    export(small.path(), &archive);
    let users = printed(&run(&[&"list", &archive, &"user"]));
    assert!(users.contains("Bob Builder"), "{users}");
    assert!(!users.contains("bob pass 2"));
    assert_eq!(users, printed(&run(&[&"list", &small.path(), &"user"])));
    let banner = run(&[&"extract", &archive, &"file", &"messages/hello"]);
    assert_eq!(banner.stdout, std::fs::read(small.path().join("messages/hello")).unwrap(), "{}", said(&banner));
    let none = run(&[&"extract", &archive, &"message", &"999999999"]);
    assert_eq!(none.status.code(), Some(1));
    let out = work.path().join("mails");
    let taken = run(&[&"extract", &archive, &"room", &"general chat", &"--messages", &"-o", &out]);
    assert_eq!(taken.status.code(), Some(0), "{}", said(&taken));
    let mails = std::fs::read_dir(&out).unwrap().count();
    assert!(mails > 10, "{mails} messages of the room were written");
}

#[test]
fn a_site_and_kinds_can_be_named_as_people_are_likely_to() {
    let (fresh, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (archive, target) = (work.path().join("a.ctz"), work.path().join("new"));
    let output = run(&[&"export", &fresh.path(), &"-o", &archive]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let [users, user] = ["users", "user"].map(|kind| printed(&run(&[&"list", &archive, &kind])));
    assert!(users == user && user.contains("admin"), "{users}");
    for (first, second) in [(&archive, &target), (&fresh.path().to_owned(), &archive)] {
        let output = run(&[&"import", first, second]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        let begin = format!("named by --site: ctdl-dump import {} --site ", archive.display());
        assert!(said(&output).contains(&begin), "{}", said(&output));
    }
    assert!(!target.exists());
}

#[test]
fn of_two_archives_the_damaged_one_is_named() {
    let (fresh, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (whole, damaged, target) =
        (work.path().join("whole.ctz"), work.path().join("damaged.ctz"), work.path().join("new"));
    export(fresh.path(), &whole);
    let mut bytes = std::fs::read(&whole).unwrap();
    bytes.push(0);
    std::fs::write(&damaged, bytes).unwrap();
    let begin = format!("ctdl-dump: {}: bytes follow the end of the archive", damaged.display());
    let commands: [Vec<&dyn AsRef<std::ffi::OsStr>>; 4] = [
        vec![&"diff", &whole, &damaged],
        vec![&"diff", &damaged, &whole],
        vec![&"verify", &damaged],
        vec![&"import", &damaged, &"--site", &target],
    ];
    for arguments in commands {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).starts_with(&begin), "{}", said(&output));
    }
}

#[test]
fn a_difference_is_named_with_its_field() {
    let (small, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    export(small.path(), &archive);
    std::fs::write(small.path().join("messages/hello"), "another hello").unwrap();
    let output = run(&[&"diff", &archive, &small.path()]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(printed(&output).contains("! file messages/hello: mtime"), "{}", printed(&output));
}

#[test]
fn an_unknown_file_is_carried_if_small_and_else_named_with_code_5() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let archive = work.path().join("a.ctz");
    std::fs::write(site.path().join("\u{8}"), "a banner under an odd name").unwrap();
    std::fs::write(site.path().join("huge"), vec![b'x'; 2 << 20]).unwrap();
    let output = run(&[&"export", &"--site", &site.path(), &"-o", &archive]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(said(&output).contains("left out: huge: "), "{}", said(&output));
    let files = printed(&run(&[&"list", &archive, &"file"]));
    assert!(files.contains("\\u{8}"), "{files}");
    assert_eq!(run(&[&"verify", &archive]).status.code(), Some(0));
}

#[test]
fn a_key_that_is_a_link_out_of_the_site_is_not_lost() {
    let (site, work) = (unpack_site("fresh"), tempfile::tempdir().unwrap());
    let (key, elsewhere) = (site.path().join("keys/citadel.key"), work.path().join("real.key"));
    let content = std::fs::read(&key).unwrap();
    std::fs::rename(&key, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &key).unwrap();
    let (archive, same, other) = (work.path().join("a.ctz"), work.path().join("same"), work.path().join("other"));
    std::os::unix::fs::symlink("/nowhere/at all", site.path().join("keys/gone.key")).unwrap();
    for (option, tells_of_all) in [("--progress=none", true), ("-q", false)] {
        let output = run(&[&"export", &option, &"--force", &"--site", &site.path(), &"-o", &archive]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains("keys/gone.key is a link to /nowhere/at all, which is not there"), "{output:?}");
        let tells = said(&output).contains(&format!("keys/citadel.key is a link to {}", elsewhere.display()));
        assert_eq!(tells, tells_of_all, "{output:?}");
    }
    assert_eq!(run(&[&"import", &archive, &"--site", &same]).status.code(), Some(0));
    assert_eq!(std::fs::read_link(same.join("keys/citadel.key")).unwrap(), elsewhere);
    std::fs::remove_file(&elsewhere).unwrap();
    let output = run(&[&"import", &archive, &"--site", &other]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("was a link to"), "{}", said(&output));
    assert!(std::fs::symlink_metadata(other.join("keys/citadel.key")).unwrap().is_file());
    assert_eq!(std::fs::read(other.join("keys/citadel.key")).unwrap(), content);
}

#[test]
fn what_a_link_leads_to_may_be_long_and_stand_in_place_of_a_file_of_an_old_release() {
    let (site, work) = (unpack_site("small-7xx"), tempfile::tempdir().unwrap());
    let [bundle, settings] = ["bundle.pem", "settings"].map(|name| work.path().join(name));
    std::fs::write(&bundle, "certificate\n".repeat(200_000)).unwrap();
    std::fs::write(&settings, "port=504\n").unwrap();
    std::os::unix::fs::symlink(&bundle, site.path().join("keys/bundle.pem")).unwrap();
    // Right behind the files that are made of several records.
    std::os::unix::fs::symlink(&settings, site.path().join("citadel.rc")).unwrap();
    let beside = site.path().with_extension("beside");
    std::fs::write(&beside, "key").unwrap();
    let relative = Path::new("../..").join(beside.file_name().unwrap());
    std::os::unix::fs::symlink(relative, site.path().join("keys/beside.pem")).unwrap();
    let (archive, same, other) = (work.path().join("a.ctz"), work.path().join("same"), work.path().join("other"));
    export(site.path(), &archive);
    std::fs::remove_file(&beside).unwrap();
    let import = |place: &Path| {
        let output = run(&[&"import", &archive, &"--keep-release", &"--site", &place]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains("a relative path, which can't be followed"), "{}", said(&output));
        assert_eq!(std::fs::read(place.join("keys/beside.pem")).unwrap(), b"key");
    };
    import(&same);
    assert_eq!(std::fs::read_link(same.join("keys/bundle.pem")).unwrap(), bundle);
    assert_eq!(std::fs::read_link(same.join("citadel.rc")).unwrap(), settings);
    let whole = std::fs::read(&bundle).unwrap();
    // Another content of the same length.
    std::fs::write(&bundle, [&whole[..whole.len() - 1], b"x"].concat()).unwrap();
    std::fs::remove_file(&settings).unwrap();
    import(&other);
    for (name, content) in [("keys/bundle.pem", &whole[..]), ("citadel.rc", b"port=504\n")] {
        assert!(std::fs::symlink_metadata(other.join(name)).unwrap().is_file(), "{name}");
        assert!(std::fs::read(other.join(name)).unwrap() == content, "{name}");
    }
}
