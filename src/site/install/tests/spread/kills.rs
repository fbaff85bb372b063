//! A kill or an error at every single step: all directories have the old site, or all the new one.

use super::super::faults::{dies_at, fails_at};
use super::*;

#[test]
fn after_a_kill_at_any_step_recovery_leaves_the_old_site_or_the_new_one_in_all_directories() {
    // Those that are not there are made, and go again with whatever else was begun.
    for missing in [&[][..], &["spool", "ssl"]] {
        after_a_kill_at_any_step(missing);
    }
}

fn after_a_kill_at_any_step(missing: &[&str]) {
    let new = after(missing);
    let (mut before, mut behind) = (0, 0);
    for last in 0.. {
        let spread = Spread::without(missing, false);
        let done = spread.install(&dies_at(last, false)).is_ok();
        spread.recover();
        let is_new = spread.now() != spread.before;
        if is_new {
            assert_eq!(spread.now(), new, "killed at {last}");
        } else {
            spread.assert_is_old(&format!("killed at {last}"));
        }
        assert!(is_new || behind == 0, "once the exchange has begun it goes forward, also at {last}");
        assert_eq!(spread.recover(), []);
        *(if is_new { &mut behind } else { &mut before }) += 1;
        if done {
            break;
        }
    }
    assert!(before > 20 && behind > 20, "{before} {behind}");
}

#[test]
fn a_kill_during_the_recovery_of_several_directories_is_recovered_as_well() {
    let missing = ["spool"];
    let new = after(&missing);
    for last in (0..).step_by(3) {
        let mut again = 0;
        loop {
            let spread = Spread::without(&missing, false);
            if spread.install(&dies_at(last, false)).is_ok() {
                return;
            }
            let done = super::recover::recover_with(spread.arrangement(), &dies_at(again, false)).is_ok();
            spread.recover();
            let when = format!("killed at {last}, again at {again}");
            if spread.now() == spread.before {
                spread.assert_is_old(&when);
            } else {
                assert_eq!(spread.now(), new, "{when}");
            }
            assert_eq!(spread.recover(), []);
            if done {
                break;
            }
            again += 1;
        }
    }
}

#[test]
fn an_error_at_any_step_is_undone_in_all_directories_or_named() {
    let missing = ["ssl"];
    let new = after(&missing);
    for only in 0.. {
        let spread = Spread::without(&missing, false);
        match spread.install(&fails_at(only, false)) {
            Ok(_) => {
                assert_eq!(spread.now(), new);
                break;
            }
            Err(InstallError::Untidy { .. }) => {
                spread.recover();
                assert_eq!(spread.now(), new, "failed at {only}");
            }
            Err(error) => {
                assert!(!matches!(error, InstallError::HalfDone { .. }), "{error}");
                assert!(error.to_string().contains("free space"), "{error}");
                spread.assert_is_old(&format!("failed at {only}: {error}"));
            }
        }
    }
}
