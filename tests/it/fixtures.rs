//! The sites in `fixtures/site/` are what their facts say.

use std::process::Command;

use crate::support::{project, python, unpack_site};

#[test]
fn the_packed_sites_hold_what_their_facts_say() {
    for name in ["small", "small-i386", "small-s390x", "small-2016", "small-7xx", "fresh", "crashed", "crashed-long"] {
        let site = unpack_site(name);
        if name.starts_with("crashed") {
            let status = Command::new("db5.3_recover").arg("-h").arg(site.path().join("data")).status();
            assert!(status.expect("`make setup` installs db5.3-util").success());
        }
        let facts = python().arg("-B").arg(project("fixtures/site/facts.py")).arg(site.path()).output().unwrap();
        assert!(facts.status.success(), "facts.py: {}", String::from_utf8_lossy(&facts.stderr));
        let expected = std::fs::read_to_string(project("fixtures/site").join(format!("{name}.facts"))).unwrap();
        let found = String::from_utf8(facts.stdout).unwrap();
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "in the site {name}");
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "facts of the site {name}");
    }
}
