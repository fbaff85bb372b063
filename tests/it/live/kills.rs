//! Worker, guardian, or both are killed at each command that they send to the server.

use ctdl_dump::live::undo_leftovers;
use ctdl_dump::monitor::Silent;
use rustix::process::Signal;

use super::place::{Place, kill, until, wait_for_end};
use super::stand_in::Citadel;
use super::worker::Worker;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Worker,
    Guardian,
    Both,
}

/// Kills when the command of this number has come, and says whether it came at all.
fn kill_at(command: usize, victim: Victim) -> bool {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("3"));
    citadel.state().users.insert(3, ("alice", true));
    let mut worker = Worker::start(&place, None);
    let pid = worker.pid();
    let has_come = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (seen, state_dir) = (has_come.clone(), place.state_dir());
    citadel.state().before = Some(Box::new(move |number, _| {
        if number == command {
            seen.store(true, std::sync::atomic::Ordering::SeqCst);
            if victim != Victim::Worker {
                guardian(&state_dir).into_iter().for_each(|guardian| kill(guardian, Signal::KILL));
            }
            if victim != Victim::Guardian {
                kill(pid, Signal::KILL);
            }
        }
    }));
    if worker.says("held") {
        worker.release();
    }
    // It ends: killed, with an error, or well.
    while worker.says("") {}
    let guardians: Vec<u32> = citadel.state().clients.iter().copied().filter(|client| *client != pid).collect();
    guardians.into_iter().for_each(wait_for_end);
    drop(worker);
    let has_come = has_come.load(std::sync::atomic::Ordering::SeqCst);
    let name = format!("{victim:?} at command {command}");
    if victim == Victim::Both {
        undo_leftovers(&place.state_dir(), &Silent);
    }
    // A guardian that was about to be born sees that its worker is dead.
    assert!(until(|| place.records().is_empty()), "{name}: {:?}", place.records());
    assert_eq!(citadel.limit().as_deref(), Some("3"), "{name}");
    has_come
}

/// The guardian that a record names, if there is one.
fn guardian(state_dir: &std::path::Path) -> Option<u32> {
    let record = std::fs::read_dir(state_dir).ok()?.next()?.ok()?;
    let text = std::fs::read_to_string(record.path()).ok()?;
    text.lines().find_map(|line| line.strip_prefix("guardian ")?.split_once(' ')?.0.parse().ok())
}

/// Kills at the first command, the second, and so on to the last.
fn kill_at_each(victim: Victim) {
    // Where the machine is so busy that a time limit ends the lease before its victim has died, a second attempt gets there.
    let commands = (1..100).take_while(|command| kill_at(*command, victim) || kill_at(*command, victim)).count();
    assert!((15..99).contains(&commands), "{commands}");
}

#[test]
fn a_worker_killed_at_any_command_leaves_the_server_as_it_was() {
    kill_at_each(Victim::Worker);
}

#[test]
fn a_guardian_killed_at_any_command_leaves_the_server_as_it_was() {
    kill_at_each(Victim::Guardian);
}

#[test]
fn when_both_are_killed_at_any_command_the_next_one_mends_it() {
    kill_at_each(Victim::Both);
}

#[test]
fn the_guardian_of_a_dead_worker_that_stands_still_is_ended_by_the_next_command_which_undoes_its_work() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("3"));
    let mut worker = Worker::start(&place, None);
    assert!(worker.says("held"));
    let guardian = place.guardian();
    kill(guardian, Signal::STOP);
    assert!(until(|| crate::processes::is_stopped(guardian)));
    kill(worker.pid(), Signal::STOP);
    assert!(until(|| crate::processes::is_stopped(worker.pid())));
    assert!(undo_leftovers(&place.state_dir(), &Silent).is_empty(), "as long as its worker lives it is left alone");
    drop(worker);
    assert_eq!(undo_leftovers(&place.state_dir(), &Silent).len(), 1);
    assert_eq!((citadel.limit().as_deref(), place.records().len()), (Some("3"), 0));
    wait_for_end(guardian);
}
