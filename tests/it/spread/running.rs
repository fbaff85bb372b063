//! Their servers at work: what holds a lock and sockets elsewhere is found, and held still.

use super::*;
use crate::live::stand_in::Citadel;
use crate::processes::{EndedAtLast, holding};
use crate::support::{PROGRAM, listing};

/// Holds a site as a server of Debian's packages does: `citadel.control` among the tables until 901, and a log that is open for writing.
struct Server(EndedAtLast);

impl Server {
    fn start(machine: &Machine) -> Server {
        let data = machine.site().join("data");
        let logs = data.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let log = logs.filter(|path| text(path).contains("/log.")).max().unwrap();
        // Servers of 902 hold no lock.
        let script = r#"exec 9>>"$1" && { [ ! -e "$0" ] || { exec 8<"$0" && flock -x 8; } }"#;
        Server(holding(script, &[&data.join("citadel.control"), &log]))
    }
}

#[test]
fn a_running_server_is_copied_as_it_is_frozen_or_served_and_refuses_an_import() {
    let machine = Machine::with("small-7xx");
    let (site, work) = (machine.site(), tempfile::tempdir().unwrap());
    let wanted = info(&["--arrangement", "debian", text(&site)])["site_digest"].clone();
    let server = Server::start(&machine);
    let before = listing(machine.0.path());
    let archive = |name: &str| work.path().join(name);
    for (name, options, method) in [("hot", &[][..], "running"), ("frozen", &["--freeze"], "frozen")] {
        let path = archive(name);
        let all = ["export", "--site", text(&site), "--arrangement", "debian", "-o", text(&path)];
        let output = done(&[&all[..], options].concat());
        assert!(said(&output).contains(&format!("snapshot: {method}")), "{}", said(&output));
        assert_eq!(info(&[text(&path)])["site_digest"], wanted, "{name}");
    }
    let served = archive("served");
    let peer = format!("cmd:'{PROGRAM}' serve --stdio --arrangement debian '{}'", text(&site));
    done(&["pull", &peer, "-o", text(&served)]);
    assert_eq!(info(&[text(&served)])["site_digest"], wanted);
    let import = ["import", text(&served), "--site", text(&site), "--replace", "--keep-release"];
    let refused = run(&[&import[..], &["--arrangement", "debian"]].concat());
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("data/citadel.control is locked"), "{}", said(&refused));
    assert_eq!(listing(machine.0.path()), before);
    assert!(!server.0.is_stopped());
}

#[test]
fn a_server_whose_sockets_are_elsewhere_is_taken_single_user_and_given_back() {
    let machine = Machine::with("small-2016");
    let (site, work) = (machine.site(), tempfile::tempdir().unwrap());
    let _server = Server::start(&machine);
    let citadel = Citadel::start(&machine.at("var/run/citadel/citadel-admin.socket"), Some("25"));
    citadel.state().users.insert(3, ("alice", true));
    let archive = work.path().join("a.ctz");
    let all = ["export", "--site", text(&site), "--arrangement", "debian", "--single-user", "0", "-o", text(&archive)];
    let output = done(&all);
    assert!(said(&output).contains("snapshot: single-user"), "{}", said(&output));
    assert!(!citadel.is_on(3), "alice was cut off");
    assert_eq!(citadel.limit().as_deref(), Some("25"));
    done(&["verify", text(&archive)]);
}
