//! Leases of a server whose process is stopped; a process that sleeps stands in for it.

use std::time::Duration;

use ctdl_dump::live::{Lease, LiveError, Outcome, undo_leftovers};
use ctdl_dump::monitor::Silent;
use rustix::process::Signal;

use super::place::{Place, kill, until, wait_for_end};
use super::worker::Worker;

const LONG: Duration = Duration::from_secs(30);

fn freeze(place: &Place, pid: Option<u32>, limit: Duration) -> Result<Lease<'static>, LiveError> {
    Lease::freeze(&place.server(pid), limit, &place.means(), &Silent)
}

#[test]
fn a_process_is_stopped_while_the_lease_lasts_and_goes_on_afterwards() {
    let place = Place::new();
    let process = place.process();
    let mut lease = freeze(&place, Some(process.pid()), LONG).unwrap();
    assert!(process.is_stopped());
    assert_eq!(lease.original(), None);
    lease.still_held().unwrap();
    lease.release().unwrap();
    assert!(process.goes_on());
    assert!(place.records().is_empty());
    drop(freeze(&place, Some(process.pid()), LONG).unwrap());
    assert!(process.goes_on());
}

#[test]
fn a_process_that_is_not_the_server_s_is_left_alone() {
    let (place, other) = (Place::new(), Place::new());
    let process = other.process();
    let error = |pid| freeze(&place, pid, LONG).map(drop).unwrap_err();
    assert!(matches!(error(Some(process.pid())), LiveError::WrongProcess { .. }));
    assert!(matches!(error(None), LiveError::NoProcess));
    assert!(!process.is_stopped());
    assert!(place.records().is_empty());
}

#[test]
fn a_server_that_somebody_else_has_stopped_is_not_woken() {
    let place = Place::new();
    let process = place.process();
    kill(process.pid(), Signal::STOP);
    assert!(until(|| process.is_stopped()));
    let error = freeze(&place, Some(process.pid()), LONG).map(drop).unwrap_err();
    assert!(matches!(error, LiveError::AlreadyStopped { .. }), "{error}");
    assert!(process.is_stopped());
}

#[test]
fn a_server_is_frozen_no_longer_than_allowed() {
    let place = Place::new();
    let process = place.process();
    let lease = freeze(&place, Some(process.pid()), Duration::from_millis(200)).unwrap();
    assert!(process.goes_on());
    let error = lease.release().unwrap_err();
    assert!(matches!(error, LiveError::Expired), "{error}");
}

#[test]
fn a_server_is_not_left_frozen_by_a_guardian_that_hangs() {
    let place = Place::new();
    let process = place.process();
    let lease = freeze(&place, Some(process.pid()), Duration::from_millis(200)).unwrap();
    kill(place.guardian(), Signal::STOP);
    assert!(process.goes_on());
    let error = lease.release().unwrap_err();
    assert!(matches!(error, LiveError::Expired), "{error}");
    assert!(place.records().is_empty());
}

#[test]
fn a_server_that_somebody_else_wakes_makes_the_copy_void() {
    let place = Place::new();
    let process = place.process();
    let mut lease = freeze(&place, Some(process.pid()), LONG).unwrap();
    kill(process.pid(), Signal::CONT);
    assert!(process.goes_on());
    assert!(matches!(lease.still_held().unwrap_err(), LiveError::Woken { .. }));
    assert!(lease.release().is_err());
}

#[test]
fn a_server_that_is_killed_while_it_is_frozen_makes_the_copy_void() {
    let place = Place::new();
    let process = place.process();
    let lease = freeze(&place, Some(process.pid()), LONG).unwrap();
    drop(process);
    let error = lease.release().unwrap_err();
    assert!(matches!(error, LiveError::Restarted { .. }), "{error}");
    assert!(place.records().is_empty());
}

#[test]
fn a_frozen_server_goes_on_when_worker_or_guardian_is_killed() {
    let place = Place::new();
    let process = place.process();
    let mut worker = Worker::start(&place, Some(process.pid()));
    assert!(worker.says("held"));
    let guardian = place.guardian();
    assert!(process.is_stopped());
    drop(worker);
    wait_for_end(guardian);
    assert!(process.goes_on());
    assert!(place.records().is_empty());

    let mut lease = freeze(&place, Some(process.pid()), LONG).unwrap();
    kill(place.guardian(), Signal::KILL);
    assert!(process.goes_on());
    assert!(until(|| lease.still_held().is_err()));
    assert!(matches!(lease.release().unwrap_err(), LiveError::GuardianGone));
    assert!(place.records().is_empty());
}

#[test]
fn when_both_are_killed_the_next_command_lets_the_server_go_on() {
    let place = Place::new();
    let process = place.process();
    let mut worker = Worker::start(&place, Some(process.pid()));
    assert!(worker.says("held"));
    let guardian = place.guardian();
    // A stopped guardian does not see that its worker dies.
    kill(guardian, Signal::STOP);
    kill(worker.pid(), Signal::KILL);
    wait_for_end(worker.pid());
    kill(guardian, Signal::KILL);
    wait_for_end(guardian);
    assert!(process.is_stopped());
    let undone = undo_leftovers(&place.state_dir(), &Silent);
    assert!(matches!(undone[0].outcome, Outcome::Restored(_)), "{undone:?}");
    assert!(process.goes_on());
    assert!(place.records().is_empty());
}

#[test]
fn a_record_of_a_process_that_is_no_more_stops_nobody() {
    let place = Place::new();
    let process = place.process();
    let mut worker = Worker::start(&place, Some(process.pid()));
    assert!(worker.says("held"));
    let guardian = place.guardian();
    kill(guardian, Signal::STOP);
    drop(worker);
    kill(guardian, Signal::KILL);
    wait_for_end(guardian);
    drop(process);
    let next = place.process();
    let mut lease = freeze(&place, Some(next.pid()), LONG).unwrap();
    lease.still_held().unwrap();
    lease.release().unwrap();
}
