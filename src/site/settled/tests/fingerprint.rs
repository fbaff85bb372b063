use std::time::{Duration, SystemTime};

use super::*;

fn taken(site: &Site) -> Fingerprint {
    fingerprint(&site.data()).unwrap()
}

fn moved(change: impl FnOnce(&Site)) -> String {
    let site = Site::stopped();
    let before = taken(&site);
    assert_eq!(before.difference(&taken(&site)), None);
    change(&site);
    let after = taken(&site);
    assert_ne!(before, after);
    before.difference(&after).expect("a difference")
}

#[test]
fn nothing_moves_when_a_site_is_looked_at() {
    let site = Site::stopped();
    site.write("citadel.lock", b"");
    let before = taken(&site);
    site.examine();
    assert_eq!(before, taken(&site));
}

#[test]
fn what_moved_is_named() {
    assert_eq!(moved(|site| site.write("data/__db.001", b"")), "data/__db.001 is new");
    let gone = moved(|site| std::fs::remove_file(site.data().join("cdb.01")).unwrap());
    assert_eq!(gone, "data/cdb.01 is gone");
    let grown = moved(|site| site.table("cdb.00", &[Lsn::NOT_LOGGED; 3]));
    assert_eq!(grown, "data/cdb.00 had 512 bytes and has 1536 now");
    let replaced = moved(|site| {
        std::fs::copy(site.data().join("cdb.00"), site.root().join("new")).unwrap();
        std::fs::rename(site.root().join("new"), site.data().join("cdb.00")).unwrap();
    });
    assert_eq!(replaced, "data/cdb.00 was replaced by another file of that name");
    let written = moved(|site| {
        let file = std::fs::File::options().write(true).open(site.data().join("cdb.00")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(9)).unwrap();
    });
    assert_eq!(written, "data/cdb.00 was written");
}

#[test]
fn a_record_more_in_the_log_is_a_difference_even_if_the_clock_does_not_show_it() {
    let site = Site::stopped();
    let before = taken(&site);
    let mut after = before.clone();
    after.log = LogState::None;
    assert_eq!(before.difference(&after).as_deref(), Some("the log ended at [1][510] and ends at nowhere now"));
}
