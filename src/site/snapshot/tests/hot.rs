use super::*;
use crate::monitor::Silent;

fn lsn(file: u32, offset: usize) -> Lsn {
    Lsn { file, offset: offset as u32 }
}

impl Place {
    /// A site with one table and three logs, of which the newest checkpoint needs the second.
    fn running() -> (Place, Log) {
        let place = Place::new();
        place.write("site/data/cdb.00", &[1; 40_960]);
        let first = Log::new(0).change(100).checkpoint(lsn(1, 28)).change(50);
        let second = Log::new(first.last).change(10).change(60);
        let third = Log::new(second.last).change(70).checkpoint(lsn(2, second.last)).change(80);
        for (number, log) in (1..).zip([&first, &second, &third]) {
            place.log(number, &log.build(FULL));
        }
        (place, third)
    }
}

#[test]
fn a_hot_copy_has_the_logs_from_the_newest_checkpoint_before_it_on() {
    let (place, third) = Place::running();
    let copied = hot_copy(&place.data(), &place.copy(), &Silent).unwrap();
    let end = lsn(3, third.bytes.len());
    assert_eq!((copied.start, copied.end, copied.checkpoint_during), (end, end, None));
    assert_eq!((copied.logs.first, copied.logs.last, copied.tables.tables), (2, 3, 1));
    let mut names: Vec<_> = fs::read_dir(place.copy()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["cdb.00", "log.0000000002", "log.0000000003"]);
}

#[test]
fn a_checkpoint_while_the_tables_are_copied_is_seen() {
    let (place, third) = Place::running();
    let start = lsn(3, third.bytes.len());
    let later = third.change(5).checkpoint(start).change(9);
    let checkpoint = lsn(3, later.bytes.len() - (9 + 28) - (28 + 28));
    let monitor = Busy::new(|step| {
        if step == 1 {
            place.log(3, &later.build(FULL));
        }
        Ok(())
    });
    let copied = hot_copy(&place.data(), &place.copy(), &monitor).unwrap();
    assert_eq!((copied.start, copied.end), (start, lsn(3, later.bytes.len())));
    assert!(copied.checkpoint_during.is_some_and(|found| found >= start));
    assert_eq!(copied.checkpoint_during.unwrap(), checkpoint);
}

#[test]
fn logs_that_the_server_removes_meanwhile_are_copied_all_the_same() {
    let (place, third) = Place::running();
    let second = place.read("site/data/log.0000000002");
    let fourth = Log::new(third.last).change(20);
    let monitor = Busy::new(|step| {
        if step == 1 {
            place.log(4, &fourth.build(FULL));
            for number in [1, 2] {
                fs::remove_file(place.data().join(format!("log.{number:010}"))).unwrap();
            }
        }
        Ok(())
    });
    let copied = hot_copy(&place.data(), &place.copy(), &monitor).unwrap();
    assert_eq!((copied.logs.first, copied.logs.last), (2, 4));
    assert!(place.read("copy/log.0000000002") == second);
}

#[test]
fn a_needed_log_that_is_gone_when_the_copy_begins_makes_it_void() {
    let (place, _) = Place::running();
    fs::remove_file(place.data().join("log.0000000002")).unwrap();
    let error = hot_copy(&place.data(), &place.copy(), &Silent).unwrap_err();
    assert!(error.is_void(), "{error}");
    assert!(matches!(error, SnapshotError::LogVanished { number: 2, .. }), "{error}");
}

#[test]
fn logs_that_are_not_needed_may_be_gone() {
    let (place, _) = Place::running();
    fs::remove_file(place.data().join("log.0000000001")).unwrap();
    assert!(hot_copy(&place.data(), &place.copy(), &Silent).is_ok());
}

#[test]
fn a_site_without_a_log_that_can_be_read_is_not_copied_hot() {
    let place = Place::new();
    place.write("site/data/cdb.00", &[1; 8192]);
    let error = hot_copy(&place.data(), &place.copy(), &Silent).unwrap_err();
    assert!(!error.is_void() && error.to_string().contains("there is no log"), "{error}");
    place.log(1, &[7; 1000]);
    let error = hot_copy(&place.data(), &place.copy(), &Silent).unwrap_err();
    assert!(!error.is_void() && error.to_string().contains("stop the server in order"), "{error}");
}

#[test]
fn a_second_try_leaves_nothing_of_the_first() {
    let (place, _) = Place::running();
    place.write("copy/cdb.07", b"of the try before");
    place.write("copy/log.0000000001", b"of the try before");
    hot_copy(&place.data(), &place.copy(), &Silent).unwrap();
    assert_eq!(fs::read_dir(place.copy()).unwrap().count(), 3);
}
