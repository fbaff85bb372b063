//! A site that is served: its snapshots, and its server while a peer has the lease.

use std::fs;
use std::os::unix::net::UnixStream;

use ctdl_dump::archive::RandomReader;
use ctdl_dump::wire::{Code, EndOfLease, Receiver, Scope};
use rustix::process::Signal;

use super::scene::{Scene, code, serve};
use super::server::{archive, client, program};
use crate::snapshot::StandIn;
use crate::support::unpack_site;

#[test]
fn what_a_site_gives_is_what_its_export_holds() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let expected = RandomReader::open(fs::File::open(archive(work.path(), "small")).unwrap()).unwrap();
    let socket = work.path().join("wire.socket");
    let before = crate::support::listing(site.path());
    let mut serving = serve(work, site.path(), &socket);
    let connect = || {
        let stream = UnixStream::connect(&socket).unwrap();
        client(stream.try_clone().unwrap(), stream)
    };
    let mut first = connect();
    let taken = first.take_snapshot(None, &mut |_| ()).unwrap();
    assert_eq!(first.info().unwrap().total.digest, expected.root().site_digest);
    drop(first);
    let mut second = connect();
    assert_eq!(second.take_snapshot(Some(taken.id), &mut |_| ()).unwrap(), taken, "it goes on with the same snapshot");
    second.take_snapshot(None, &mut |_| ()).unwrap();
    assert_eq!(second.info().unwrap().total.digest, expected.root().site_digest);
    drop(second);
    assert_eq!(serving.end(Signal::TERM).code(), Some(0));
    assert_eq!(crate::support::listing(site.path()), before);
}

#[test]
fn a_stopped_site_that_changes_while_it_is_served_is_looked_at_anew() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let socket = work.path().join("wire.socket");
    let serving = serve(work, site.path(), &socket);
    let connect = || {
        let stream = UnixStream::connect(&socket).unwrap();
        client(stream.try_clone().unwrap(), stream)
    };
    let mut first = connect();
    let taken = first.take_snapshot(None, &mut |_| ()).unwrap();
    let total = first.info().unwrap().total;
    fs::write(site.path().join("messages/hello"), "another hello").unwrap();
    let mut receiver = Receiver::all(Scope::All);
    first.get_all(Scope::All, None).unwrap();
    let error = loop {
        match receiver.next(first.input()) {
            Ok(header) => assert!(header.is_some(), "the change was not seen"),
            Err(error) => break error,
        }
        let mut segment = Vec::new();
        while receiver.segment(first.input(), &mut segment).unwrap() {}
    };
    assert!(error.may_pass(), "{error}");
    serving.logged("messages/hello");
    let mut second = connect();
    assert_ne!(second.take_snapshot(Some(taken.id), &mut |_| ()).unwrap().id, taken.id);
    let now = second.info().unwrap().total;
    assert_eq!(now.records, total.records);
    assert_ne!(now.digest, total.digest);
}

#[test]
fn a_lease_ends_when_its_peer_says_so_and_when_it_goes() {
    let scene = Scene::new();
    let (_, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    assert_eq!((scene.limit().as_str(), scene.records()), ("1", 1));
    let (_, mut other) = scene.connect();
    assert_eq!(code(other.single_user(0, 500, &mut |_| ())), Code::BUSY);
    client.end_single_user(EndOfLease::Back).unwrap();
    assert_eq!((scene.limit().as_str(), scene.records()), ("25", 0));
    assert_eq!(code(client.end_single_user(EndOfLease::Back)), Code::NO_LEASE);
    assert!(client.info().unwrap().total.records > 0, "the snapshot stays");

    other.single_user(0, 500, &mut |_| ()).unwrap();
    assert_eq!(scene.limit(), "1");
    drop(other);
    scene.serving.logged("a peer has gone without ending single-user mode");
    scene.wait_until_given_back();
}

#[test]
fn a_lease_expires_when_its_peer_is_silent() {
    let scene = Scene::new();
    let (_stream, mut client) = scene.connect();
    client.single_user(0, 1, &mut |_| ()).unwrap();
    scene.serving.logged("a peer in single-user mode was silent for too long");
    scene.wait_until_given_back();
    assert_eq!(code(client.end_single_user(EndOfLease::Refuse)), Code::NO_LEASE);
    assert_eq!(scene.limit(), "25");
}

#[test]
fn after_a_cutover_nobody_lets_users_in_again() {
    let scene = Scene::new();
    let (_, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    client.end_single_user(EndOfLease::Refuse).unwrap();
    drop(client);
    scene.serving.logged("the server refuses all sessions from now on");
    assert_eq!((scene.limit().as_str(), scene.records()), ("1", 1));
    let looked = program(&scene.state).arg("info").arg(scene.site.path()).output().unwrap();
    assert!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stderr));
    assert_eq!(scene.limit(), "1");
}

#[test]
fn a_cutover_whose_last_answer_was_lost_can_be_ended_once_more() {
    for how in [EndOfLease::Refuse, EndOfLease::Stop] {
        let scene = Scene::new();
        let (_, mut client) = scene.connect();
        let first = client.single_user(0, 500, &mut |_| ()).unwrap();
        let said = client.end_single_user(how).unwrap();
        assert!(said.contains("ctdl-dump reopen --site"), "{said}");
        assert_eq!(said.contains("the server is stopped"), how == EndOfLease::Stop, "{said}");
        let totals = client.info().unwrap().total;
        drop(client);
        let (_, mut client) = scene.connect();
        let second = client.single_user(0, 500, &mut |_| ()).unwrap();
        assert_ne!(first.id, second.id);
        if how == EndOfLease::Refuse {
            // The tables behind the stand-in don't know of what it was told.
            assert_eq!(client.info().unwrap().total, totals, "with the site's own limit of sessions");
        }
        client.end_single_user(EndOfLease::Back).unwrap();
        assert_eq!((scene.limit().as_str(), scene.records()), ("1", 1), "what was left closed is given back so");
        client.single_user(0, 500, &mut |_| ()).unwrap();
        client.end_single_user(how).unwrap();
        assert_eq!((scene.limit().as_str(), scene.records()), ("1", 1));
    }
}

#[test]
fn a_stopped_server_that_somebody_starts_meanwhile_is_not_called_closed() {
    let scene = Scene::new();
    let (_, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    client.end_single_user(EndOfLease::Stop).unwrap();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    let started = StandIn::start(scene.site.path());
    assert_eq!(code(client.end_single_user(EndOfLease::Refuse)), Code::NO_LEASE);
    drop(started);
}

#[test]
fn a_server_that_is_told_to_end_gives_the_site_back() {
    let mut scene = Scene::new();
    let (_, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    assert_eq!(scene.serving.end(Signal::TERM).code(), Some(0));
    assert_eq!((scene.limit().as_str(), scene.records()), ("25", 0));
}

#[test]
fn a_server_that_is_killed_gives_the_site_back() {
    let mut scene = Scene::new();
    let (_, mut client) = scene.connect();
    client.single_user(0, 500, &mut |_| ()).unwrap();
    scene.serving.end(Signal::KILL);
    scene.wait_until_given_back();
}

#[test]
fn a_site_without_a_server_has_no_lease() {
    let (site, work) = (unpack_site("small"), tempfile::tempdir().unwrap());
    let socket = work.path().join("wire.socket");
    let _serving = serve(work, site.path(), &socket);
    let stream = UnixStream::connect(&socket).unwrap();
    let mut client = client(&stream, &stream);
    assert_eq!(code(client.single_user(0, 500, &mut |_| ())), Code::NOT_HERE);
    assert_eq!(code(client.end_single_user(EndOfLease::Back)), Code::NO_LEASE);
    client.info().unwrap();
}

#[test]
fn a_peer_waits_while_an_import_puts_another_site_in_place_of_the_one_that_is_served() {
    let (place, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (site, workshop) = (place.path().join("site"), place.path().join(".ctdl-dump-site.staging"));
    let (before, away) = (unpack_site("small"), place.path().join("away"));
    fs::rename(before.keep(), &site).unwrap();
    let socket = work.path().join("wire.socket");
    let _serving = serve(work, &site, &socket);
    // The site is away, and an import is at work that is about to put one there.
    fs::create_dir(&workshop).unwrap();
    fs::write(workshop.join("journal"), "").unwrap();
    fs::write(workshop.join("state"), "ctdl-dump-staging 1\npid 1\n").unwrap();
    let living = fs::File::open(workshop.join("state")).unwrap();
    rustix::fs::flock(&living, rustix::fs::FlockOperation::LockExclusive).unwrap();
    fs::rename(&site, &away).unwrap();
    let stream = UnixStream::connect(&socket).unwrap();
    let mut client = client(&stream, &stream);
    let mut has_waited = false;
    let mut at_work = |doing: &str| {
        if doing.contains("is putting another site into") && !std::mem::replace(&mut has_waited, true) {
            fs::rename(&away, &site).unwrap();
            fs::remove_dir_all(&workshop).unwrap();
        }
    };
    client.take_snapshot(None, &mut at_work).unwrap();
    assert!(has_waited);
    assert!(client.info().unwrap().total.records > 1_000);
}
