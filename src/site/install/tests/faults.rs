//! A kill or an error at every single step.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use super::super::place::Place;
use super::*;

/// Lets every step from number `last` on fail: to those who look at the disk, a kill.
pub(super) fn dies_at(last: usize, plain_rename: bool) -> Fs {
    let count = AtomicUsize::new(0);
    Fs::watched(
        move |_, _| {
            let alive = count.fetch_add(1, Ordering::Relaxed) < last;
            if alive { Ok(()) } else { Err(io::Error::other("killed")) }
        },
        plain_rename,
    )
}

/// Lets the one step of this number fail.
pub(super) fn fails_at(only: usize, plain_rename: bool) -> Fs {
    let count = AtomicUsize::new(0);
    Fs::watched(
        move |_, _| {
            let fails = count.fetch_add(1, Ordering::Relaxed) == only;
            if fails { Err(rustix::io::Errno::NOSPC.into()) } else { Ok(()) }
        },
        plain_rename,
    )
}

fn recover_all(ground: &Ground) -> Vec<Recovered> {
    let fs = Fs::watched(|_, _| Ok(()), ground.case.plain_rename);
    super::recover::recover_with(&ground.target(), &fs).expect("recovered")
}

/// Either wholly old with nothing beside it, or wholly new with the old one kept; and nothing left to recover.
fn assert_one_or_the_other(ground: &Ground, context: &str) -> bool {
    let new = !ground.is_old();
    if new {
        ground.assert_new(context);
    }
    ground.assert_tidy(context);
    assert_eq!(recover_all(ground), [], "{context}");
    new
}

#[test]
fn after_a_kill_at_any_step_recovery_leaves_the_old_site_or_the_new_one() {
    for case in Case::all() {
        let (mut old, mut new) = (0, 0);
        for last in 0.. {
            let ground = Ground::new(case);
            let done = ground.install(&dies_at(last, case.plain_rename)).is_ok();
            let found = recover_all(&ground);
            let is_new = assert_one_or_the_other(&ground, &format!("{case:?} killed at {last}"));
            match found.as_slice() {
                [Recovered::Finished { .. }] => assert!(is_new, "{case:?} {last}"),
                // Killed when the journal was gone already: only the workshop was left.
                [Recovered::Removed(leftover)] => {
                    assert!(!is_new || !leftover.exchanging, "{case:?} {last}")
                }
                found => assert!(found.is_empty(), "{found:?}"),
            }
            assert!(!done || is_new);
            assert!(is_new || new == 0, "{case:?}: once the exchange has begun it goes forward, also at {last}");
            *(if is_new { &mut new } else { &mut old }) += 1;
            if done {
                break;
            }
        }
        assert!(old > 10 && new > 10, "{case:?}: {old} {new}");
    }
}

#[test]
fn a_kill_during_recovery_is_recovered_as_well() {
    for case in Case::all().filter(|case| case.old == Old::Site) {
        for last in 0.. {
            let mut again = 0;
            loop {
                let ground = Ground::new(case);
                if ground.install(&dies_at(last, case.plain_rename)).is_ok() {
                    break;
                }
                let fs = dies_at(again, case.plain_rename);
                let done = super::recover::recover_with(&ground.target(), &fs).is_ok();
                recover_all(&ground);
                assert_one_or_the_other(&ground, &format!("{case:?} killed at {last}, again at {again}"));
                if done {
                    break;
                }
                again += 1;
            }
            if again == 0 && Ground::new(case).install(&dies_at(last, case.plain_rename)).is_ok() {
                break;
            }
        }
    }
}

#[test]
fn an_error_at_any_step_is_undone_or_named() {
    for case in Case::all() {
        for only in 0.. {
            let ground = Ground::new(case);
            let context = format!("{case:?} failed at {only}");
            match ground.install(&fails_at(only, case.plain_rename)) {
                Ok(_) => {
                    ground.assert_new(&context);
                    ground.assert_tidy(&context);
                    break;
                }
                Err(InstallError::Untidy { cause, .. }) => {
                    assert!(cause.to_string().contains("free space"), "{cause}");
                    recover_all(&ground);
                    ground.assert_new(&context);
                    ground.assert_tidy(&context);
                }
                Err(error) => {
                    assert!(!matches!(error, InstallError::HalfDone { .. }), "{error}");
                    assert!(error.to_string().contains("free space"), "{error}");
                    assert!(ground.is_old(), "{context}: {error}");
                    ground.assert_tidy(&context);
                }
            }
        }
    }
}

#[test]
fn an_exchange_that_can_neither_go_on_nor_back_says_so_and_is_finished_later() {
    for case in Case::all().filter(|case| case.old == Old::Site) {
        let renames = Arc::new(AtomicUsize::new(0));
        let fs = Fs::watched(
            move |action, path| {
                let moves = matches!(action, "rename" | "exchange") && !path.ends_with("journal.new");
                if moves && renames.fetch_add(1, Ordering::Relaxed) > usize::from(case.plain_rename) {
                    return Err(io::Error::other("no more"));
                }
                Ok(())
            },
            case.plain_rename,
        );
        let ground = Ground::new(case);
        let error = ground.install(&fs).expect_err("stuck");
        assert!(matches!(error, InstallError::HalfDone { .. }), "{error}");
        assert!(matches!(recover_all(&ground).as_slice(), [Recovered::Removed(_)]));
        assert!(ground.is_old());
        ground.assert_tidy("half done");
    }
}

const CHILD: &str = "CTDL_DUMP_TEST_CHILD";

#[test]
#[ignore = "the child of the next test: kills itself"]
fn a_child_kills_itself_at_a_step() {
    let Ok(order) = std::env::var(CHILD) else {
        return;
    };
    let (last, target) = order.split_once(' ').expect("two words");
    let last: usize = last.parse().expect("a number");
    let count = AtomicUsize::new(0);
    let fs = Fs::watched(
        move |_, _| {
            if count.fetch_add(1, Ordering::Relaxed) == last {
                kill_process(getpid(), Signal::KILL)?;
            }
            Ok(())
        },
        false,
    );
    let staging = Target::open_with(Path::new(target), &replacing(), &fs)
        .expect("a target")
        .stage("import a.ctz")
        .expect("staged");
    fill(staging.path());
    staging.commit().expect("done");
}

#[test]
fn a_process_killed_by_the_kernel_at_any_step_leaves_the_old_site_or_the_new_one() {
    for mode in [Mode::Whole, Mode::Parts] {
        let (mut old, mut new) = (0, 0);
        for last in 0.. {
            let ground = Ground::new(Case { old: Old::Site, mode, plain_rename: false });
            let status = Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "--ignored", "-q", "site::install::tests::faults::a_child_kills_itself_at_a_step"])
                .env(CHILD, format!("{last} {}", ground.target().display()))
                .output()
                .expect("run")
                .status;
            recover_all(&ground);
            let is_new = assert_one_or_the_other(&ground, &format!("{mode:?} killed at {last}"));
            *(if is_new { &mut new } else { &mut old }) += 1;
            if status.success() {
                break;
            }
        }
        assert!(old > 10 && new > 10, "{mode:?}: {old} {new}");
    }
}

#[test]
fn nothing_is_renamed_before_the_journal_is_safe_and_the_journal_goes_when_all_else_is() {
    for case in Case::all() {
        let ground = Ground::new(case);
        let steps = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = steps.clone();
        let fs = Fs::watched(
            move |action, path| {
                log.lock().expect("whole").push((action, path.to_owned()));
                Ok(())
            },
            case.plain_rename,
        );
        ground.install(&fs).expect("in place");
        let steps = steps.lock().expect("whole");
        let first = |wanted: &dyn Fn(&str, &Path) -> bool| {
            steps.iter().position(|(action, path)| wanted(action, path)).unwrap_or(steps.len())
        };
        let moves =
            |action: &str, path: &Path| matches!(action, "rename" | "exchange") && !path.ends_with("journal.new");
        let written = first(&|action, path| action == "rename" && path.ends_with("journal.new"));
        let moved = first(&moves);
        let last_move = steps.iter().rposition(|(action, path)| moves(action, path)).expect("moved");
        let gone = first(&|action, path| action == "remove" && path.ends_with("journal"));
        let around = place(&ground).around().to_owned();
        let synced = |from: usize, to: usize, dir: &Path| {
            steps.get(from..to).expect("in order").iter().any(|(action, path)| *action == "sync" && path == dir)
        };
        assert!(synced(0, written, &place(&ground).site().join("files/c/d")), "{case:?}: files before the journal");
        assert!(synced(written, moved, place(&ground).workshop()), "{case:?}: the journal");
        assert!(synced(written, moved, &around), "{case:?}: the workshop");
        assert!(
            synced(last_move, gone, &around) && synced(last_move, gone, &ground.target()),
            "{case:?}: the exchange"
        );
    }
}

fn place(ground: &Ground) -> Place {
    Place::new(&ground.target(), ground.case.mode).expect("a place")
}
