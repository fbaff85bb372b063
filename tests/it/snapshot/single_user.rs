//! Exports of a server that nobody else is logged in to.

use std::fs;

use super::{StandIn, Work, command, said};
use crate::live::stand_in::Citadel;
use crate::support::unpack_site;

#[test]
fn a_single_user_export_holds_the_sites_own_limit_and_gives_the_server_back() {
    for (before, carried) in [(None, None), (Some("25"), Some("c_maxsessions"))] {
        let (site, work) = (unpack_site("small"), Work::new());
        let server = StandIn::start(site.path());
        let citadel = Citadel::start(&site.path().join("citadel-admin.socket"), before);
        citadel.state().users.insert(3, ("alice", true));
        let (archive, state) = (work.0.path().join("a.ctz"), work.0.path().join("state"));
        let exported = command(&[&"export", &"--site", &site.path(), &"--single-user", &"0", &"-o", &archive])
            .env("CTDL_DUMP_STATE", &state)
            .output()
            .unwrap();
        assert_eq!(exported.status.code(), Some(0), "{}", said(&exported));
        assert!(said(&exported).contains("snapshot: single-user"), "{}", said(&exported));
        assert!(!citadel.is_on(3), "alice was cut off");
        assert_eq!(citadel.limit().as_deref(), Some(before.unwrap_or("0")));
        assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing is left to be undone");
        drop(server);
        let listed = command(&[&"list", &archive, &"config"]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(
            listed.lines().find_map(|line| line.split_whitespace().find(|word| *word == "c_maxsessions")),
            carried
        );
    }
}
