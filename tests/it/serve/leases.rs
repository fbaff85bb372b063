//! When a lease ends by itself: one of the processes that have to do with it is killed, or stands still.

use std::process::Stdio;
use std::time::{Duration, Instant};

use ctdl_dump::wire::{Code, EndOfLease};
use rustix::process::{Pid, Signal, kill_process};

use super::scene::{Scene, code};
use super::server::program;
use crate::live::place::{until, wait_for_end};
use crate::processes::EndedAtLast;
use crate::support::PROGRAM;

/// Shorter than the ten seconds between two words to a peer that waits, and than the minute for which a guardian waits at most.
const SOON: Duration = Duration::from_secs(8);

/// A process that moves the site away, at the moment at which its server refuses sessions.
fn moving(scene: &Scene, peer: &str, times: &[&str]) -> EndedAtLast {
    let mut pull = program(&scene.state.with_file_name("other"));
    pull.args(["pull", "--cutover", peer, "--site"]).arg(scene.state.with_file_name("new")).args(times);
    // What it starts finds out by itself where it is to write down what it does to the server.
    let pull = pull.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pull = EndedAtLast(pull);
    scene.wait_for_limit("1");
    pull
}

fn send(process: &EndedAtLast, signal: Signal) {
    kill_process(Pid::from_child(&process.0), signal).unwrap();
}

/// Waits until the server takes sessions again, which takes no longer than this.
fn assert_given_back_within(scene: &Scene, limit: Duration) {
    let begun = Instant::now();
    scene.wait_until_given_back();
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}

#[test]
fn a_client_that_is_killed_while_users_are_waited_for_is_missed_at_once() {
    for is_child in [false, true] {
        let scene = Scene::new();
        scene.citadel.state().users.insert(3, ("alice", true));
        let site = scene.site.path().display();
        let child = format!("cmd:CTDL_DUMP_STATE={} {PROGRAM} serve --stdio {site}", scene.state.display());
        let peer = if is_child { child } else { format!("unix:{}", scene.socket.display()) };
        let pull = moving(&scene, &peer, &["--wait", "2m", "--expire", "2m"]);
        send(&pull, Signal::KILL);
        assert_given_back_within(&scene, SOON);
        assert!(scene.citadel.is_on(3), "nobody was cut off for a client that has gone");
        if !is_child {
            scene.serving.logged("refused: 510 the peer has gone");
        }
    }
}

#[test]
fn a_client_that_stands_still_in_the_lease_loses_it() {
    let scene = Scene::new();
    let pull = moving(&scene, &format!("unix:{}", scene.socket.display()), &["--wait", "0", "--expire", "1s"]);
    send(&pull, Signal::STOP);
    scene.serving.logged("a peer in single-user mode was silent for too long");
    assert_given_back_within(&scene, SOON);
    send(&pull, Signal::KILL);
}

#[test]
fn a_server_that_stands_still_loses_the_lease_when_it_would_have_expired() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    client.single_user(0, 1, &mut |_| ()).unwrap();
    let serving = Pid::from_child(&scene.serving.child);
    kill_process(serving, Signal::STOP).unwrap();
    assert_given_back_within(&scene, SOON);
    kill_process(serving, Signal::CONT).unwrap();
    assert_eq!(code(client.end_single_user(EndOfLease::Refuse)), Code::NO_LEASE);
    // The peer need not wait until the guardian has removed its record.
    assert!(until(|| scene.records() == 0));
    assert_eq!(scene.limit(), "25");
}

#[test]
fn a_lease_whose_guardian_is_killed_ends() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    kill_process(scene.guardian(), Signal::KILL).unwrap();
    assert_given_back_within(&scene, SOON);
    assert_eq!(code(client.end_single_user(EndOfLease::Refuse)), Code::NO_LEASE);
    assert_eq!((scene.limit().as_str(), scene.records()), ("25", 0));
}

#[test]
fn a_lease_whose_guardian_stands_still_ends_and_nobody_opens_what_is_closed_for_good_later() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    let guardian = scene.guardian();
    kill_process(guardian, Signal::STOP).unwrap();
    assert_given_back_within(&scene, SOON);
    scene.serving.logged("a peer has lost single-user mode: the guardian process stood still");
    let refused = client.end_single_user(EndOfLease::Refuse).unwrap_err().to_string();
    assert!(refused.contains("the guardian process stood still"), "{refused}");
    client.single_user(0, 500, &mut |_| ()).unwrap();
    client.end_single_user(EndOfLease::Refuse).unwrap();
    // It was ended, and not only left behind: there is nobody to wake up.
    assert!(kill_process(guardian, Signal::CONT).is_err());
    assert_eq!((scene.limit().as_str(), scene.records()), ("1", 1));
}

#[test]
fn a_guardian_that_stands_still_while_users_are_waited_for_is_missed_soon() {
    let scene = Scene::new();
    scene.citadel.state().users.insert(3, ("alice", true));
    let peer = format!("unix:{}", scene.socket.display());
    let mut pull = moving(&scene, &peer, &["--wait", "2m", "--expire", "2m"]);
    kill_process(scene.guardian(), Signal::STOP).unwrap();
    assert_given_back_within(&scene, SOON);
    assert!(!pull.0.wait().unwrap().success());
    assert!(scene.citadel.is_on(3), "nobody was cut off");
}

/// Has something done when the guardian asks the server for the first time while it undoes the change. Before that the worker asks, once.
fn when_undoing(scene: &Scene, mut work: impl FnMut() + Send + 'static) {
    let mut commands = 0;
    scene.citadel.state().before = Some(Box::new(move |_, _| {
        commands += 1;
        if commands == 2 {
            work();
        }
    }));
}

#[test]
fn a_guardian_that_stands_still_in_the_middle_of_undoing_is_missed_as_soon_as_any_other() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    let guardian = scene.guardian();
    when_undoing(&scene, move || kill_process(guardian, Signal::STOP).unwrap());
    let begun = Instant::now();
    let refused = client.end_single_user(EndOfLease::Back).unwrap_err().to_string();
    assert!(refused.contains("the guardian process stood still"), "{refused}");
    assert!(begun.elapsed() < 2 * SOON, "{:?}", begun.elapsed());
    assert_eq!((scene.limit().as_str(), scene.records()), ("25", 0));
    assert!(kill_process(guardian, Signal::CONT).is_err(), "it is gone");
}

#[test]
fn a_guardian_that_is_long_at_work_is_waited_for() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    // A server that takes longer for an answer than a guardian may be silent.
    when_undoing(&scene, || std::thread::sleep(Duration::from_secs(7)));
    client.end_single_user(EndOfLease::Back).unwrap();
    assert_eq!((scene.limit().as_str(), scene.records()), ("25", 0));
}

#[test]
fn a_client_that_only_shows_that_it_lives_hears_that_its_lease_has_ended() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    client.noop().unwrap();
    kill_process(scene.guardian(), Signal::KILL).unwrap();
    let mut lost = None;
    assert!(until(|| {
        lost = client.noop().err();
        lost.is_some()
    }));
    let lost = lost.unwrap().to_string();
    assert!(lost.contains("553") && lost.contains("a peer has lost single-user mode"), "{lost}");
    assert_eq!(code(client.noop()), Code::NO_LEASE, "as often as it asks");
    assert_eq!(code(client.end_single_user(EndOfLease::Refuse)), Code::NO_LEASE);
    client.noop().unwrap();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    client.noop().unwrap();
    client.end_single_user(EndOfLease::Back).unwrap();
}

#[test]
fn a_guardian_that_stands_still_when_it_is_to_close_the_server_for_good_opens_it() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    kill_process(scene.guardian(), Signal::STOP).unwrap();
    assert_eq!(code(client.end_single_user(EndOfLease::Refuse)), Code::NO_LEASE);
    assert_given_back_within(&scene, SOON);
    assert!(until(|| scene.records() == 0));
}

#[test]
fn a_keeper_of_a_door_that_stood_still_opens_nothing_when_it_wakes_up() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    let mut close = || {
        client.single_user(0, 500, &mut |_| ()).unwrap();
        let guardian = scene.guardian();
        client.end_single_user(EndOfLease::Refuse).unwrap();
        guardian
    };
    let first = close();
    kill_process(first, Signal::STOP).unwrap();
    let second = close();
    kill_process(first, Signal::CONT).unwrap();
    // It finds that another keeps the door now.
    wait_for_end(first.as_raw_nonzero().get().cast_unsigned());
    assert_eq!((scene.limit().as_str(), scene.records()), ("1", 1));
    assert!(kill_process(second, Signal::CONT).is_ok(), "the second keeps it");
}
