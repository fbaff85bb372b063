//! Servers that are left closed for good, until somebody lets users in again.

use std::cell::RefCell;
use std::time::Duration;

use ctdl_dump::live::{Lease, LiveError, Original, Outcome, left_closed, reopen, tell_of_left, undo_leftovers};
use ctdl_dump::monitor::{Collecting, Silent};

use rustix::process::Signal;

use super::place::{Place, kill, until, wait_for_end};
use super::stand_in::Citadel;

fn lease(place: &Place) -> Lease<'static> {
    let (now, long) = (Duration::ZERO, Duration::from_secs(30));
    Lease::single_user(&place.server(None), now, long, &place.means(), &Silent).unwrap()
}

fn original(place: &Place) -> Option<Original> {
    left_closed(&place.state_dir(), &place.site()).unwrap().map(|left| left.original)
}

fn own() -> Option<Original> {
    Some(Original::Value("25".into()))
}

#[test]
fn a_server_that_is_left_closed_stays_so_until_it_is_reopened() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("25"));
    assert_eq!(original(&place), None);
    let closed = lease(&place).leave().unwrap();
    assert!(closed.repair().contains("CONF PUTVAL|c_maxsessions|25"), "{}", closed.repair());
    drop(closed);
    assert!(undo_leftovers(&place.state_dir(), &Silent).is_empty(), "nothing is undone");
    let holds_a_session = || !citadel.state().users.is_empty();
    assert!(until(holds_a_session), "or else one could come in");
    citadel.start_again();
    assert!(until(holds_a_session), "a process keeps the door");
    assert!(undo_leftovers(&place.state_dir(), &Silent).is_empty(), "nor after a restart");
    assert_eq!((citadel.limit().as_deref(), original(&place)), (Some("1"), own()));
    let monitor = Collecting::default();
    tell_of_left(&place.state_dir(), &monitor);
    assert!(monitor.warnings()[0].contains("ctdl-dump reopen --site"), "{:?}", monitor.warnings());

    assert!(matches!(reopen(&place.state_dir(), &place.site()).unwrap(), Outcome::Restored(_)));
    assert_eq!((citadel.limit().as_deref(), place.records().len()), (Some("25"), 0));
    assert!(until(|| citadel.state().users.is_empty()), "nobody keeps the door");
    let error = reopen(&place.state_dir(), &place.site()).unwrap_err();
    assert!(matches!(error, LiveError::NotLeft { .. }), "{error}");
}

#[test]
fn a_lease_of_a_server_that_was_left_closed_knows_its_own_limit_and_leaves_it_closed() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("25"));
    drop(lease(&place).leave().unwrap());
    let again = lease(&place);
    assert_eq!(again.original(), own().as_ref());
    again.release().unwrap();
    assert_eq!((citadel.limit().as_deref(), original(&place)), (Some("1"), own()));
    drop(lease(&place).leave().unwrap());
    assert_eq!((citadel.limit().as_deref(), original(&place)), (Some("1"), own()));
}

#[test]
fn a_lease_of_a_server_that_was_left_closed_takes_its_door_over_without_a_gap() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("25"));
    drop(lease(&place).leave().unwrap());
    let ends: [fn(Lease); 3] = [|held| held.release().unwrap(), |held| drop(held.leave().unwrap()), |held| drop(held)];
    for end in ends {
        let before = place.guardian();
        let held = lease(&place);
        end(held);
        wait_for_end(before);
        assert!(until(|| citadel.state().users.len() == 1), "one keeper, and nobody else");
        let left_alone = citadel.state().left_alone;
        assert_eq!((left_alone, citadel.limit().as_deref(), original(&place)), (0, Some("1"), own()));
    }
    reopen(&place.state_dir(), &place.site()).unwrap();
    assert!(until(|| citadel.state().users.is_empty()), "nobody keeps the door");
}

#[test]
fn a_server_that_somebody_has_opened_by_hand_is_not_called_closed_any_more() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("25"));
    drop(lease(&place).leave().unwrap());
    citadel.state().limit = Some("30".into());
    let monitor = Collecting::default();
    tell_of_left(&place.state_dir(), &monitor);
    assert!(monitor.warnings()[0].contains("takes sessions again"), "{:?}", monitor.warnings());
    assert_eq!((place.records().len(), original(&place)), (0, None));
}

#[test]
fn a_server_that_does_not_run_is_not_reopened() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("25"));
    drop(lease(&place).leave().unwrap());
    citadel.stop();
    let monitor = Collecting::default();
    tell_of_left(&place.state_dir(), &monitor);
    assert!(monitor.warnings()[0].contains("does not answer; when it runs"), "{:?}", monitor.warnings());
    assert!(matches!(reopen(&place.state_dir(), &place.site()).unwrap_err(), LiveError::NoServer { .. }));
    assert_eq!(original(&place), own(), "it is still known");
}

#[test]
fn a_server_whose_door_nobody_keeps_any_more_is_told_of() {
    let place = Place::new();
    let _citadel = Citadel::start(&place.socket(), Some("25"));
    drop(lease(&place).leave().unwrap());
    let guardian = place.guardian();
    kill(guardian, Signal::KILL);
    wait_for_end(guardian);
    let monitor = Collecting::default();
    tell_of_left(&place.state_dir(), &monitor);
    assert!(monitor.warnings()[0].contains("lets in one session at a time: stop it"), "{:?}", monitor.warnings());
}

#[test]
fn a_door_keeper_does_not_count_as_a_user_who_is_waited_for() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("25"));
    drop(lease(&place).leave().unwrap());
    let (long, begun) = (Duration::from_secs(60), std::time::Instant::now());
    let again = Lease::single_user(&place.server(None), long, long, &place.means(), &Silent).unwrap();
    assert!(begun.elapsed() < long / 2, "{:?}", begun.elapsed());
    again.release().unwrap();
    assert!(until(|| !citadel.state().users.is_empty()), "it keeps the door again");
}

#[test]
fn a_server_that_somebody_opens_while_it_is_held_is_not_left_closed() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("25"));
    let held = lease(&place);
    citadel.state().limit = Some("30".into());
    let error = held.leave().map(drop).unwrap_err();
    assert!(matches!(&error, LiveError::Opened { value } if value == "30"), "{error}");
    assert_eq!((citadel.limit().as_deref(), original(&place)), (Some("30"), None));

    citadel.state().limit = Some("25".into());
    drop(lease(&place).leave().unwrap());
    let held = lease(&place);
    reopen(&place.state_dir(), &place.site()).unwrap();
    assert!(matches!(held.leave().map(drop), Err(LiveError::Opened { .. })), "also if it was reopened meanwhile");
    assert_eq!((citadel.limit().as_deref(), original(&place)), (Some("25"), None));
}

#[test]
fn a_server_that_is_reopened_in_the_very_moment_in_which_it_is_left_once_more_is_not_called_closed() {
    let place = Place::new();
    let citadel = Citadel::start(&place.socket(), Some("25"));
    drop(lease(&place).leave().unwrap());
    let held = lease(&place);
    let (said, left) = (citadel.state().said.len(), RefCell::new(place.records()));
    left.borrow_mut().retain(|path| path.extension().is_some_and(|end| end == "left"));
    assert_eq!(left.borrow().len(), 1);
    // The worker makes sure that it is the same server, and closed; then somebody else does what `reopen` does.
    citadel.state().before = Some(Box::new(move |number, limit| {
        if number == said + 3 {
            *limit = Some("25".into());
            left.borrow_mut().drain(..).for_each(|path| std::fs::remove_file(path).unwrap());
        }
    }));
    let error = held.leave().map(drop).unwrap_err();
    assert!(matches!(&error, LiveError::Opened { value } if value == "25"), "{error}");
    assert!(until(|| place.records().is_empty()), "{:?}", place.records());
    assert_eq!(citadel.limit().as_deref(), Some("25"));
}
