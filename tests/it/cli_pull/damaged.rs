//! What is here already is damaged.

use super::{Script, assert_code, export, run, said};
use crate::support::unpack_site;

#[test]
fn an_archive_that_is_damaged_is_named_and_not_the_peer() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (archive, have, pulled) = (work.path().join("a.ctz"), work.path().join("have.ctz"), work.path().join("p.ctz"));
    export(site.path(), &archive);
    let script = Script::new(&archive);
    let whole = std::fs::read(&archive).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for damaged in [&changed[..], &whole[..whole.len() / 2]] {
        std::fs::write(&have, damaged).unwrap();
        let output = run(&[&"pull", &script.peer(), &"-o", &pulled, &"--have", &have]);
        assert_code(&output, 3);
        // What the peer says of the end may come last.
        let said = said(&output);
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("ctdl-dump: ")).collect();
        let begins = format!("ctdl-dump: {}, which holds what is here already (remove it, ", have.display());
        assert!(errors.len() == 1 && errors[0].starts_with(&begins) && !pulled.exists(), "{said}");
    }
}

#[test]
fn an_archive_that_has_rotted_is_not_called_up_to_date() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let (archive, pulled) = (work.path().join("a.ctz"), work.path().join("p.ctz"));
    export(site.path(), &archive);
    let script = Script::new(&archive);
    assert_code(&run(&[&"pull", &script.peer(), &"-o", &pulled]), 0);
    let again = || run(&[&"pull", &script.peer(), &"-o", &pulled, &"--have", &pulled, &"--force"]);
    assert_code(&again(), 0);
    let mut rotten = std::fs::read(&pulled).unwrap();
    let middle = rotten.len() / 2;
    rotten[middle] ^= 1;
    std::fs::write(&pulled, &rotten).unwrap();
    let output = again();
    assert_code(&output, 3);
    assert!(said(&output).contains("remove it, "), "{}", said(&output));
}
