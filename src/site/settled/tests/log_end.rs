use proptest::prelude::*;

use super::log::{LogError, LogFile, RecordKind};
use super::*;

fn end_of(bytes: &[u8]) -> LogState {
    let site = Site::new();
    site.log(1, bytes);
    read_log_end(&site.data()).unwrap()
}

fn is_clean(state: &LogState) -> bool {
    matches!(state, LogState::CleanStop { .. })
}

#[test]
fn every_record_of_a_real_log_is_read() {
    let site = Site::new();
    site.log(1, &real_log());
    let mut log = LogFile::open(&site.data().join("log.0000000001"), 1).unwrap();
    let records: Vec<_> = log.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(records.len(), 437);
    assert_eq!(records[0].kind, RecordKind::TxnRecycle);
    assert_eq!((records[2].kind, records[2].lsn), (RecordKind::Other(145), lsn(1, 131)));
    assert_eq!((records[2].txn, records[2].txn_prev), (0x8000_0002, lsn(1, 64)));
    assert_eq!((log.last_record(), log.next_record()), (lsn(1, 155_939), lsn(1, 156_022)));
}

#[test]
fn a_real_orderly_stop_is_recognised() {
    let LogState::CleanStop { checkpoint, end, closed } = end_of(&real_log()) else {
        panic!("not recognised");
    };
    assert_eq!((checkpoint, end), (lsn(1, 154_804), lsn(1, 156_022)));
    let tables: Vec<_> = (0..14).map(|number| format!("cdb.{number:02x}")).collect();
    assert!(closed.keys().eq(&tables));
    let ids: std::collections::BTreeSet<_> = closed.values().map(|id| id.unwrap()).collect();
    assert_eq!(ids.len(), 14);
}

#[test]
fn a_real_log_cut_after_any_record_before_the_last_is_no_proof() {
    let site = Site::new();
    let whole = real_log();
    for number in 0..14 {
        site.table(&format!("cdb.{number:02x}"), &[lsn(1, 131)]);
    }
    site.log(1, &whole);
    assert_eq!(site.examine().verdict, Verdict::StoppedSettled);
    let log = LogFile::open(&site.data().join("log.0000000001"), 1).unwrap();
    let starts: Vec<_> = log.map(|record| record.unwrap().lsn.offset as usize).collect();
    for start in starts.into_iter().rev().take(60) {
        let mut cut = whole.get(..start).unwrap().to_vec();
        cut.resize(start + 5000, 0);
        site.log(1, &cut);
        let verdict = site.examine().verdict;
        assert!(!verdict.is_settled(), "cut at {start}");
    }
}

#[test]
fn a_record_written_in_part_is_no_orderly_stop() {
    let whole = LogBuilder::new().change().checkpoint().close("cdb.00");
    let (bytes, last) = (whole.bytes, whole.last as usize);
    for cut in last + 1..bytes.len() {
        let mut torn = bytes.get(..cut).unwrap().to_vec();
        torn.resize(bytes.len() + 100, 0);
        // Zeros at the record's own end can't be told from zeros that were never written.
        if torn.get(..bytes.len()) != Some(&bytes[..]) {
            let state = end_of(&torn);
            assert!(matches!(state, LogState::Unclean { end, .. } if end.offset as usize == last), "{cut}: {state:?}");
        }
    }
}

#[test]
fn several_starts_and_stops_are_seen_as_the_last_one() {
    let log = LogBuilder::new().change().checkpoint().close("cdb.00").recycle();
    let log = log.register(3, "cdb.00").change().register(1, "cdb.00").checkpoint().close("cdb.00");
    assert!(is_clean(&end_of(&log.build())));
}

#[test]
fn an_environment_that_was_opened_after_the_stop_and_not_changed_is_clean() {
    let log = LogBuilder::new().checkpoint().close("cdb.00").recycle().recycle();
    assert!(is_clean(&end_of(&log.build())));
    let log = LogBuilder::new().checkpoint().close("cdb.00").recycle().register(3, "cdb.00");
    assert!(matches!(end_of(&log.build()), LogState::Unclean { .. }));
}

#[test]
fn a_table_closed_twice_or_opened_is_no_orderly_stop() {
    for log in [
        LogBuilder::new().checkpoint().close("cdb.00").close("cdb.00"),
        LogBuilder::new().checkpoint().close("cdb.00").register(5, "cdb.01"),
        LogBuilder::new().checkpoint().close("cdb.00").change(),
    ] {
        assert!(matches!(end_of(&log.build()), LogState::Unclean { .. }));
    }
}

#[test]
fn a_big_endian_log_is_read_too() {
    let log = LogBuilder::with(ByteOrder::Big, 19, 0).change().checkpoint().close("cdb.00");
    assert!(is_clean(&end_of(&log.build())));
}

#[test]
fn a_new_last_file_that_holds_too_little_sends_the_look_back_to_the_one_before() {
    let site = Site::new();
    let first = LogBuilder::new().change().checkpoint().close("cdb.00");
    let last = first.last;
    site.log(7, &first.build());
    site.log(8, &LogBuilder::with(ByteOrder::Little, 19, last).close("cdb.01").build());
    let state = read_log_end(&site.data()).unwrap();
    assert!(matches!(&state, LogState::CleanStop { closed, .. } if closed.len() == 2), "{state:?}");

    site.log(8, &LogBuilder::with(ByteOrder::Little, 19, last + 4).close("cdb.01").build());
    let state = read_log_end(&site.data()).unwrap();
    assert!(matches!(&state, LogState::Unclean { reason, .. } if reason.contains("doesn't follow")), "{state:?}");
}

#[test]
fn a_log_of_another_version_is_named_and_not_guessed_at() {
    for version in [8, 11, 20, 22] {
        let state = end_of(&LogBuilder::with(ByteOrder::Little, version, 0).checkpoint().close("cdb.00").build());
        let LogState::Unreadable { reason, version: Some(found) } = state else {
            panic!("{state:?}");
        };
        assert!(found == version && reason.contains(&format!("version {version}")), "{reason}");
    }
}

#[test]
fn logs_of_older_versions_with_the_same_frame_are_read() {
    for version in 12..=19 {
        let log = LogBuilder::with(ByteOrder::Little, version, 0).change().checkpoint().close("cdb.00");
        assert!(is_clean(&end_of(&log.build())), "{version}");
    }
}

#[test]
fn a_table_with_big_endian_pages_is_closed_like_any_other() {
    let log = LogBuilder::new().change().checkpoint().register(0x1002, "cdb.00");
    assert!(is_clean(&end_of(&log.build())));
}

#[test]
fn a_checkpoint_that_covers_the_last_transaction_is_the_proof_of_whole_tables() {
    for log in [
        LogBuilder::new().change().checkpoint(),
        LogBuilder::new().change().checkpoint().checkpoint(),
        LogBuilder::new().change().checkpoint().recycle(),
        LogBuilder::new().checkpoint().close("cdb.00").start().checkpoint(),
    ] {
        let (checkpoint, end) = (log.checkpoint_at(), log.end());
        assert_eq!(end_of(&log.build()), LogState::Checkpoint { checkpoint, end });
    }
}

fn not_proved(log: LogBuilder) -> String {
    let end = log.end();
    match end_of(&log.build()) {
        LogState::Unclean { reason, end: found } if found == end => reason,
        state => panic!("{state:?}"),
    }
}

#[test]
fn a_change_while_a_checkpoint_is_made_takes_its_proof_away() {
    let log = LogBuilder::new().change();
    let covered = log.last;
    let log = log.change().register(1, "cdb.00").covering(1, covered);
    let reason = not_proved(log);
    assert!(reason.contains(&format!("covers the changes up to [1][{covered}] only")), "{reason}");

    let log = LogBuilder::new().change();
    let covered = log.last;
    not_proved(log.register(1, "cdb.00").change().covering(1, covered));
    let log = LogBuilder::new().change();
    let covered = log.last;
    not_proved(log.change().register(1, "cdb.00").covering(1, covered).recycle());
    not_proved(LogBuilder::new().change().checkpoint().change());
}

#[test]
fn a_checkpoint_within_a_transaction_is_no_proof() {
    let reason = not_proved(LogBuilder::new().change().record(58, b"a change to a page").checkpoint());
    assert!(reason.contains("was open"), "{reason}");
}

#[test]
fn a_checkpoint_before_which_nothing_is_known_is_no_proof() {
    not_proved(LogBuilder::with(ByteOrder::Little, 19, 4711).checkpoint());
}

#[test]
fn a_checkpoint_in_a_new_file_is_proved_by_the_file_before() {
    let site = Site::new();
    let first = LogBuilder::new().change();
    let covered = first.last;
    site.log(1, &first.build());
    let second = LogBuilder::with(ByteOrder::Little, 19, covered).register(1, "cdb.00").covering(1, covered);
    site.log(2, &second.build());
    let state = read_log_end(&site.data()).unwrap();
    assert!(matches!(state, LogState::Checkpoint { .. }), "{state:?}");
}

#[test]
fn recovery_that_did_not_come_to_its_end_is_no_proof() {
    let log = LogBuilder::new().change();
    let covered = log.last;
    let reason = not_proved(log.register(5, "cdb.00").covering(1, covered));
    assert!(reason.contains("recovery that did not come to its end"), "{reason}");
}

#[test]
fn a_new_file_that_was_not_written_yet_ends_the_log_before_it() {
    let site = Site::new();
    let log = LogBuilder::new().change().checkpoint();
    let end = log.end();
    site.log(4, &log.build());
    for new in [&b""[..], &[0; 20], &[0; 5000]] {
        site.log(5, new);
        let state = read_log_end(&site.data()).unwrap();
        assert!(matches!(state, LogState::Unclean { end: found, .. } if found.offset == end.offset), "{state:?}");
    }
}

#[test]
fn what_is_no_log_is_unreadable() {
    for bytes in [&b""[..], b"log", &[0; 4096], &[0xff; 100]] {
        let state = end_of(bytes);
        assert!(matches!(state, LogState::Unreadable { version: None, .. }), "{state:?}");
    }
}

#[test]
fn a_length_that_lies_is_refused_before_anything_is_read() {
    let mut bytes = LogBuilder::new().change().build();
    bytes[32..36].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let site = Site::new();
    site.log(1, &bytes);
    let mut log = LogFile::open(&site.data().join("log.0000000001"), 1).unwrap();
    let error = log.next().unwrap().unwrap_err();
    assert!(matches!(&error, LogError::Broken { what, .. } if what.contains("2147483647 bytes long")), "{error}");
    assert!(log.next().is_none());
}

proptest! {
    #[test]
    fn any_changed_byte_of_a_log_is_noticed(place in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let mut bytes = LogBuilder::new().change().checkpoint().close("cdb.00").close("cdb.01").build();
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        prop_assert!(!is_clean(&end_of(&bytes)));
    }

    #[test]
    fn any_bytes_give_an_answer(mut tail in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = LogBuilder::new().change().bytes;
        bytes.append(&mut tail);
        let state = end_of(&bytes);
        prop_assert!(!is_clean(&state));
    }
}
