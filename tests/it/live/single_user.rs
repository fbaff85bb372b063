//! Leases of a server whose sessions are limited.

use std::time::Duration;

use ctdl_dump::live::{Lease, LiveError, Original, Outcome, undo_leftovers};
use ctdl_dump::monitor::{Collecting, Silent};
use rustix::process::Signal;

use super::place::{Place, kill, until, wait_for_end};
use super::stand_in::Citadel;

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(30);

fn lease(place: &Place, wait: Duration) -> Result<Lease<'static>, LiveError> {
    Lease::single_user(&place.server(None), wait, LONG, &place.means(), &Silent)
}

#[test]
fn the_limit_is_one_while_the_lease_lasts_and_its_own_again_afterwards() {
    for (before, after) in [(None, "0"), (Some("0"), "0"), (Some("25"), "25"), (Some(""), ""), (Some("1"), "1")] {
        let place = Place::new();
        let citadel = Citadel::start(&place.socket(), before);
        let mut lease = lease(&place, NOW).unwrap();
        assert_eq!(citadel.limit().as_deref(), Some("1"));
        let original = before.map_or(Original::Absent, |value| Original::Value(value.into()));
        assert_eq!(lease.original(), Some(&original));
        lease.still_held().unwrap();
        lease.release().unwrap();
        assert_eq!(citadel.limit().as_deref(), Some(after));
        assert!(place.records().is_empty());
    }
}

#[test]
fn whoever_is_on_is_asked_once_and_cut_off_when_the_time_is_over() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), None);
    citadel.state().users.extend([(3, ("alice", true)), (4, ("", true))]);
    lease(&place, Duration::from_millis(1)).unwrap().release().unwrap();
    assert!(!citadel.is_on(3) && !citadel.is_on(4));
    let said = &citadel.state().said;
    let of = |word| said.iter().filter(|line| line.starts_with(word)).cloned().collect::<Vec<_>>();
    assert_eq!(of("REQT"), ["REQT 3"], "nobody sits at a session without a login");
    assert_eq!(of("TERM"), ["TERM 3", "TERM 4"]);
}

#[test]
fn a_user_who_leaves_by_himself_is_not_cut_off() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), None);
    citadel.state().users.insert(3, ("alice", true));
    std::thread::scope(|scope| {
        let lease = scope.spawn(|| lease(&place, LONG).unwrap().release().unwrap());
        assert!(until(|| citadel.state().said.iter().any(|line| line == "REQT 3")));
        citadel.state().users.remove(&3);
        lease.join().unwrap();
    });
    assert!(!citadel.state().said.iter().any(|line| line.starts_with("TERM")));
}

#[test]
fn an_interrupt_while_users_are_waited_for_undoes_everything() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("7"));
    citadel.state().users.insert(3, ("alice", false));
    let monitor = Collecting::default();
    let error = std::thread::scope(|scope| {
        let lease =
            scope.spawn(|| Lease::single_user(&place.server(None), LONG, LONG, &place.means(), &monitor).map(drop));
        assert!(until(|| citadel.state().said.iter().any(|line| line == "REQT 3")));
        monitor.interrupt();
        lease.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, LiveError::Interrupted), "{error}");
    assert_eq!(citadel.limit().as_deref(), Some("7"));
    assert!(place.records().is_empty());
}

#[test]
fn a_second_lease_is_refused_with_the_process_that_has_the_first() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), None);
    let first = lease(&place, NOW).unwrap();
    let error = lease(&place, NOW).map(drop).unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    assert!(undo_leftovers(&place.state_dir(), &Silent).is_empty(), "it is no leftover");
    assert_eq!(citadel.limit().as_deref(), Some("1"));
    first.release().unwrap();
}

#[test]
fn a_lease_that_is_dropped_is_released() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("3"));
    drop(lease(&place, NOW).unwrap());
    assert_eq!(citadel.limit().as_deref(), Some("3"));
    assert!(place.records().is_empty());
}

#[test]
fn a_killed_guardian_is_noticed_and_everything_undone() {
    for signal in [Signal::KILL, Signal::TERM] {
        let place = Place::new();
        let citadel = Citadel::start(&place.socket(), Some("3"));
        let mut lease = lease(&place, NOW).unwrap();
        kill(place.guardian(), signal);
        assert!(until(|| citadel.limit().as_deref() == Some("3") && place.records().is_empty()));
        assert!(until(|| lease.still_held().is_err()));
        let error = lease.release().unwrap_err();
        assert!(matches!(error, LiveError::GuardianGone), "{signal:?}: {error}");
    }
}

#[test]
fn a_server_that_was_started_anew_makes_the_copy_void_and_has_its_own_limit_again() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("3"));
    let mut lease = lease(&place, NOW).unwrap();
    citadel.start_again();
    assert!(until(|| citadel.limit().as_deref() == Some("3") && place.records().is_empty()));
    let error = lease.still_held().unwrap_err();
    assert!(matches!(error, LiveError::Restarted { .. }), "{error}");
    assert!(lease.release().is_err());
}

#[test]
fn a_server_that_goes_away_leaves_a_record_and_the_next_command_mends_it_when_it_is_back() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("3"));
    let (server, expire) = (place.server(None), Duration::from_secs(2));
    let lease = Lease::single_user(&server, NOW, expire, &place.means(), &Silent).unwrap();
    citadel.stop();
    let error = lease.release().unwrap_err();
    assert!(matches!(error, LiveError::Kept { .. }), "{error}");
    assert!(error.to_string().contains("'CONF PUTVAL|c_maxsessions|3'"), "{error}");

    let monitor = Collecting::default();
    let undone = undo_leftovers(&place.state_dir(), &monitor);
    assert!(matches!(undone[0].outcome, Outcome::Kept(_)), "{undone:?}");
    assert_eq!(undone[0].original, Some(Original::Value("3".into())));
    assert!(monitor.warnings()[0].contains("'CONF PUTVAL|c_maxsessions|3'"), "{:?}", monitor.warnings());
    assert_eq!(place.records().len(), 1);

    citadel.start_again();
    assert_eq!(citadel.limit().as_deref(), Some("1"));
    let undone = undo_leftovers(&place.state_dir(), &monitor);
    assert!(matches!(undone[0].outcome, Outcome::Restored(_)), "{undone:?}");
    assert_eq!(citadel.limit().as_deref(), Some("3"));
    assert!(place.records().is_empty());
}

#[test]
fn a_limit_that_somebody_else_has_set_meanwhile_is_left_alone() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("3"));
    let lease = lease(&place, NOW).unwrap();
    citadel.state().limit = Some("40".into());
    lease.release().unwrap();
    assert_eq!(citadel.limit().as_deref(), Some("40"));
}

#[test]
fn a_silent_worker_loses_its_lease() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("3"));
    // Shorter than the time between two signs of life.
    let expire = Duration::from_millis(300);
    let mut lease = Lease::single_user(&place.server(None), NOW, expire, &place.means(), &Silent).unwrap();
    assert!(until(|| lease.still_held().is_err()));
    assert_eq!(citadel.limit().as_deref(), Some("3"));
    let error = lease.release().unwrap_err();
    assert!(matches!(error, LiveError::Expired), "{error}");
}

#[test]
fn a_guardian_that_can_not_be_started_changes_nothing() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), None);
    for (program, told) in [("/nonexistent", "No such file"), ("/bin/true", "it ended at once")] {
        let mut means = place.means();
        means.program = program.into();
        let error = Lease::single_user(&place.server(None), NOW, LONG, &means, &Silent).map(drop).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!(citadel.limit(), None);
        assert!(place.records().is_empty());
    }
}

#[test]
fn what_is_no_record_is_told_and_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.state_dir()).unwrap();
    let path = place.state_dir().join("x.undo");
    for garbage in [&b"nonsense"[..], b"", b"\xff\xfe"] {
        std::fs::write(&path, garbage).unwrap();
        let monitor = Collecting::default();
        assert!(undo_leftovers(&place.state_dir(), &monitor).is_empty());
        assert!(monitor.warnings()[0].contains("x.undo"), "{:?}", monitor.warnings());
        assert!(path.exists());
    }
}

#[test]
fn a_worker_that_is_killed_leaves_the_server_as_it_was() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("3"));
    let mut worker = super::worker::Worker::start(&place, None);
    assert!(worker.says("held"));
    let guardian = place.guardian();
    drop(worker);
    wait_for_end(guardian);
    assert_eq!(citadel.limit().as_deref(), Some("3"));
    assert!(place.records().is_empty());
}
