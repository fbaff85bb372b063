use std::os::unix::fs::MetadataExt;

use super::*;
use crate::monitor::Silent;
use crate::site::settled::log::LogFile;
use crate::site::settled::{Lsn, read_log_end};

impl Place {
    fn copy_of_log(&self, number: u32) -> Vec<u8> {
        self.read(&format!("copy/{}", log(number)))
    }

    fn copied_logs(&self) -> Vec<String> {
        let names = fs::read_dir(self.copy()).unwrap();
        let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Three files of one log.
    fn three_logs(&self) -> [Log; 3] {
        let first = Log::new(0).change(1000).change(20);
        let second = Log::new(first.last).change(2_000_000);
        let third = Log::new(second.last).change(100).change(7);
        for (number, log) in (1..).zip([&first, &second, &third]) {
            self.log(number, &log.build(FULL));
        }
        [first, second, third]
    }
}

#[test]
fn logs_are_copied_to_the_byte_from_the_number_on_that_is_needed() {
    let place = Place::new();
    let logs = place.three_logs();
    let copied = copy_logs(&place.data(), &place.copy(), 2, &Silent).unwrap();
    assert_eq!((copied.first, copied.last, &copied.cut), (2, 3, &None));
    assert_eq!(copied.bytes, 2 * FULL as u64);
    assert_eq!(place.copied_logs(), [log(2), log(3)]);
    for number in [2, 3] {
        assert!(place.copy_of_log(number) == logs[number as usize - 1].build(FULL));
    }
    let room = fs::metadata(place.copy().join(log(3))).unwrap().blocks() * 512;
    assert!(room < 100_000, "the zeros of a log take no room: {room}");
}

#[test]
fn a_needed_log_that_is_not_there_makes_the_copy_void() {
    let place = Place::new();
    place.three_logs();
    let vanished = |from| {
        let error = copy_logs(&place.data(), &place.copy(), from, &Silent).unwrap_err();
        assert!(error.is_void());
        matches!(error, SnapshotError::LogVanished { number, .. } if number == from)
    };
    assert!(vanished(4), "the log begins anew");
    fs::remove_file(place.data().join(log(1))).unwrap();
    assert!(vanished(1));
    assert!(copy_logs(&place.data(), &place.copy(), 2, &Silent).is_ok());
    for number in [2, 3] {
        fs::remove_file(place.data().join(log(number))).unwrap();
    }
    assert!(vanished(1), "there's no log");
}

#[test]
fn a_gap_makes_the_copy_void() {
    let place = Place::new();
    place.three_logs();
    fs::remove_file(place.data().join(log(2))).unwrap();
    let error = copy_logs(&place.data(), &place.copy(), 1, &Silent).unwrap_err();
    assert!(matches!(error, SnapshotError::LogGap { missing: 2, .. }), "{error}");
    assert!(error.is_void());
}

#[test]
fn a_log_that_vanishes_before_its_turn_is_copied_all_the_same() {
    let place = Place::new();
    let logs = place.three_logs();
    let monitor = Busy::new(|step| {
        if step == 0 {
            for number in 1..=3 {
                fs::remove_file(place.data().join(log(number))).unwrap();
            }
        }
        Ok(())
    });
    let copied = copy_logs(&place.data(), &place.copy(), 1, &monitor).unwrap();
    assert_eq!((copied.first, copied.last), (1, 3));
    for (number, log) in (1..).zip(&logs) {
        assert!(place.copy_of_log(number) == log.build(FULL));
    }
}

#[test]
fn a_log_that_vanishes_after_its_copy_was_made_is_no_loss() {
    let place = Place::new();
    let [first, ..] = place.three_logs();
    let path = place.data().join(log(1));
    let monitor = Busy::new(|step| {
        if step == 4 {
            fs::remove_file(&path).unwrap();
        }
        Ok(())
    });
    let copied = copy_logs(&place.data(), &place.copy(), 1, &monitor).unwrap();
    assert_eq!((copied.first, copied.last), (1, 3));
    assert!(place.copy_of_log(1) == first.build(FULL));
}

#[test]
fn when_the_server_begins_a_new_log_the_end_of_the_old_one_and_the_new_one_are_copied() {
    let place = Place::new();
    let [.., third] = place.three_logs();
    let finished = third.change(500).change(60);
    let fourth = Log::new(finished.last).change(30);
    let monitor = Busy::new(|step| {
        // The last of three blocks of the third log has been read.
        if step == 8 {
            place.log(3, &finished.build(FULL));
            place.log(4, &fourth.build(FULL));
        }
        Ok(())
    });
    let copied = copy_logs(&place.data(), &place.copy(), 1, &monitor).unwrap();
    assert_eq!((copied.last, copied.cut), (4, None));
    assert!(place.copy_of_log(3) == finished.build(FULL));
    assert!(place.copy_of_log(4) == fourth.build(FULL));
}

#[test]
fn logs_that_are_begun_faster_than_they_are_copied_end_somewhere() {
    let place = Place::new();
    let mut newest = (3, place.three_logs()[2].last);
    let monitor = Busy::new(|_| {
        let next = Log::new(newest.1).change(10);
        newest = (newest.0 + 1, next.last);
        place.log(newest.0, &next.build(5000));
        Ok(())
    });
    let copied = copy_logs(&place.data(), &place.copy(), 1, &monitor).unwrap();
    assert!(copied.last > 3 && copied.cut.is_none(), "{copied:?}");
    assert_eq!(place.copied_logs().len(), copied.last as usize);
}

#[test]
fn a_log_cut_at_any_byte_is_copied_to_its_last_whole_record() {
    let whole = Log::new(0).change(40).change(3).change(25);
    let ends: Vec<usize> = LogEnds::of(&whole.bytes).collect();
    for cut in 0..=whole.bytes.len() {
        let place = Place::new();
        place.log(6, &Log::new(0).change(1).build(1000));
        let mut bytes = whole.bytes[..cut].to_vec();
        bytes.resize(1000, 0);
        place.log(7, &bytes);
        let copied = copy_logs(&place.data(), &place.copy(), 6, &Silent).unwrap();
        // The last bytes of a record can be zeros, which are there anyway.
        let Some(end) = ends.iter().rev().find(|end| bytes[..**end] == whole.bytes[..**end]) else {
            assert_eq!((copied.last, place.copied_logs()), (6, vec![log(6)]), "{cut}: a file without header");
            continue;
        };
        let mut expected = whole.bytes[..*end].to_vec();
        expected.resize(1000, 0);
        assert!(place.copy_of_log(7) == expected, "{cut}");
        assert_eq!(copied.last, 7);
        if let Some(torn) = copied.cut {
            assert_eq!(torn.at, Lsn { file: 7, offset: *end as u32 });
            assert!(torn.dropped_bytes as usize <= cut - *end && !torn.reason.is_empty());
        } else {
            assert!(bytes == expected, "{cut}");
        }
        assert_eq!(place.read(&format!("site/data/{}", log(7))), bytes, "the original is as it was");
    }
}

/// Where whole records end.
struct LogEnds;

impl LogEnds {
    fn of(bytes: &[u8]) -> impl Iterator<Item = usize> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let len = u32::from_le_bytes(bytes.get(at + 4..at + 8)?.try_into().unwrap());
            at += len as usize;
            Some(at)
        })
    }
}

#[test]
fn a_record_that_is_just_being_written_is_read_again() {
    let place = Place::new();
    let done = Log::new(0).change(100).change(5000);
    let mut half = done.bytes[..3000].to_vec();
    half.resize(FULL, 0);
    place.log(1, &half);
    let monitor = Busy::new(|step| {
        // The last of three blocks has been read.
        if step == 2 {
            place.log(1, &done.build(FULL));
        }
        Ok(())
    });
    let copied = copy_logs(&place.data(), &place.copy(), 1, &monitor).unwrap();
    assert_eq!(copied.cut, None);
    assert!(place.copy_of_log(1) == done.build(FULL));
}

#[test]
fn no_record_of_the_copy_stands_behind_a_hole() {
    let place = Place::new();
    let mut log = Log::new(0);
    while log.bytes.len() < 600_000 {
        log = log.change(1000);
    }
    place.log(1, &log.build(FULL));
    let mut state = Some(log);
    let monitor = Busy::new(|_| {
        // At each block that was read the server has written half a block more.
        if let Some(mut log) = state.take_if(|log| log.bytes.len() < FULL - 600_000) {
            let target = log.bytes.len() + 500_000;
            while log.bytes.len() < target {
                log = log.change(1000);
            }
            place.log(1, &log.build(FULL));
            state = Some(log);
        }
        Ok(())
    });
    copy_logs(&place.data(), &place.copy(), 1, &monitor).unwrap();
    let mut copy = LogFile::open(&place.copy().join(self::log(1)), 1).unwrap();
    assert!(copy.by_ref().all(|record| record.is_ok()));
    assert!(copy.next_record().offset >= 600_000);
    assert!(read_log_end(&place.copy()).unwrap().end().is_some());
}

#[test]
fn a_new_log_whose_header_is_not_written_yet_is_left_out() {
    for size in [0, 10, FULL] {
        let place = Place::new();
        place.three_logs();
        place.log(4, &vec![0; size]);
        let copied = copy_logs(&place.data(), &place.copy(), 2, &Silent).unwrap();
        assert_eq!((copied.last, copied.cut), (3, None));
        assert_eq!(place.copied_logs(), [log(2), log(3)]);
        let error = copy_logs(&place.data(), &place.copy(), 4, &Silent).unwrap_err();
        assert!(matches!(error, SnapshotError::LogVanished { number: 4, .. }), "{error}");
    }
}

#[test]
fn a_log_of_another_version_is_copied_as_it_is() {
    let place = Place::new();
    let mut bytes = Log::new(0).change(10).build(5000);
    bytes[16] = 99;
    bytes[4000] = 1;
    place.log(1, &bytes);
    let copied = copy_logs(&place.data(), &place.copy(), 1, &Silent).unwrap();
    assert_eq!(copied.cut, None);
    assert!(place.copy_of_log(1) == bytes);
}
