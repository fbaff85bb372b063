use proptest::prelude::*;

use super::*;

fn history(site: &Site) -> LogHistory {
    read_history(&site.data()).unwrap()
}

fn history_of(bytes: &[u8]) -> LogHistory {
    let site = Site::new();
    site.log(1, bytes);
    history(&site)
}

/// A recorded log as it was when it ended at `end`.
fn recorded_until(name: &str, end: usize) -> Vec<u8> {
    let mut bytes = recorded(name);
    bytes.truncate(end);
    bytes.resize(end + 5000, 0);
    bytes
}

fn starts(history: &LogHistory) -> Vec<(Lsn, StartedAfter)> {
    history.starts.iter().map(|start| (start.at, start.after)).collect()
}

fn several_files() -> Site {
    let site = Site::new();
    for number in 1..=3 {
        site.log(number, &recorded(&format!("several-files.{number}.log")));
    }
    site
}

const BEGINNING: (Lsn, StartedAfter) = (Lsn { file: 1, offset: 28 }, StartedAfter::Beginning);

#[test]
fn a_site_that_was_killed_at_its_first_run_has_no_checkpoint() {
    let found = history_of(&recorded_until("crashed-and-restarted.log", 153_783));
    assert_eq!(starts(&found), [BEGINNING]);
    assert_eq!((found.checkpoint, found.needed_from(), found.crashed_and_restarted()), (None, 1, false));
    assert_eq!((found.first, found.end), (lsn(1, 28), lsn(1, 153_783)));
    assert!(matches!(found.state, LogState::Unclean { .. }));
}

#[test]
fn a_server_that_was_started_after_a_crash_without_recovery_is_seen() {
    let found = history_of(&recorded("crashed-and-restarted.log"));
    assert_eq!(starts(&found), [BEGINNING, (lsn(1, 153_783), StartedAfter::Unclean)]);
    assert!(found.crashed_and_restarted());
    let without_checkpoint = LogHistory { checkpoint: None, ..found };
    assert_eq!(without_checkpoint.restarted_since_checkpoint(), Some(lsn(1, 153_783)));
}

#[test]
fn a_recovered_site_and_the_server_started_on_it_are_no_crash() {
    let found = history_of(&recorded_until("recovered-and-restarted.log", 155_037));
    assert_eq!(starts(&found), [BEGINNING]);
    assert_eq!(found.state, LogState::Recovered { checkpoint: lsn(1, 154_945), end: lsn(1, 155_037) });

    let found = history_of(&recorded("recovered-and-restarted.log"));
    assert_eq!(starts(&found), [BEGINNING, (lsn(1, 155_037), StartedAfter::Recovery)]);
    assert!(matches!(found.state, LogState::CleanStop { .. }));
    assert!(!found.crashed_and_restarted());
}

#[test]
fn a_recovery_cut_short_is_no_recovery() {
    let found = history_of(&recorded_until("recovered-and-restarted.log", 155_001));
    assert!(matches!(found.state, LogState::Unclean { .. }), "{:?}", found.state);
}

#[test]
fn the_checkpoint_of_a_quiet_server_is_proved() {
    let found = history_of(&recorded_until("settled-and-restarted.log", 490_182));
    let checkpoint = Checkpoint { lsn: lsn(1, 490_126), ckp_lsn: lsn(1, 488_920), time: 1_795_520_823 };
    assert_eq!(found.checkpoint, Some(checkpoint));
    assert_eq!(found.state, LogState::Checkpoint { checkpoint: checkpoint.lsn, end: lsn(1, 490_182) });
}

#[test]
fn a_server_killed_when_all_was_in_the_tables_left_nothing_to_recover() {
    let found = history_of(&recorded("settled-and-restarted.log"));
    assert_eq!(starts(&found), [BEGINNING, (lsn(1, 490_182), StartedAfter::Checkpoint)]);
    assert!(!found.crashed_and_restarted());
}

#[test]
fn an_orderly_stop_before_a_start_is_seen() {
    let log = LogBuilder::new().start().change().checkpoint().close("cdb.00").close("cdb.01");
    let second = log.end();
    let found = history_of(&log.start().change().checkpoint().close("cdb.00").build());
    assert_eq!(starts(&found), [BEGINNING, (second, StartedAfter::CleanStop)]);
}

#[test]
fn an_environment_that_was_opened_and_left_again_is_no_server_start() {
    let log = LogBuilder::new().start().change().checkpoint().close("cdb.00").recycle().recycle();
    assert_eq!(history_of(&log.build()).starts.len(), 1);
    let log = LogBuilder::new().start().change().recycle().recovery();
    assert_eq!(history_of(&log.build()).starts.len(), 1);
}

#[test]
fn a_release_that_logs_no_opening_in_its_first_file_is_seen_to_start_there() {
    let found = history_of(&LogBuilder::new().change().build());
    assert_eq!(starts(&found), [BEGINNING]);
}

#[test]
fn what_the_logs_do_not_reach_back_to_is_not_known() {
    let older = || LogBuilder::with(ByteOrder::Little, 19, 4711);
    let after = |log: LogBuilder| history_of(&log.build()).starts.first().map(|start| start.after);
    assert_eq!(after(older().change()), None);
    assert_eq!(after(older().start()), Some(StartedAfter::Unknown));
    assert_eq!(after(older().checkpoint().start()), Some(StartedAfter::Unknown));
    assert_eq!(after(older().close("cdb.00").close("cdb.01").start()), Some(StartedAfter::CleanStop));
    assert_eq!(after(older().change().start()), Some(StartedAfter::Unclean));
}

#[test]
fn several_log_files_are_one_history() {
    let found = history(&several_files());
    assert_eq!((found.files.as_slice(), found.whole_from, found.gap.as_deref()), (&[1, 2, 3][..], 1, None));
    assert_eq!((found.first, found.end, found.version), (lsn(1, 28), lsn(3, 23_231), 19));
    assert_eq!(starts(&found), [BEGINNING]);
}

#[test]
fn a_missing_log_file_is_a_gap() {
    let site = several_files();
    std::fs::remove_file(site.data().join("log.0000000002")).unwrap();
    let found = history(&site);
    assert_eq!((found.files.as_slice(), found.whole_from), (&[1, 3][..], 3));
    let gap = found.gap.unwrap();
    assert!(gap.contains("log.0000000003") && gap.contains("doesn't follow"), "{gap}");
    assert_eq!(found.end, lsn(3, 23_231));
}

#[test]
fn a_log_file_of_another_site_is_a_gap() {
    let site = several_files();
    site.log(2, &LogBuilder::with(ByteOrder::Little, 19, 28).change().build());
    let found = history(&site);
    assert_eq!(found.whole_from, 3);
    assert!(found.gap.is_some());
}

#[test]
fn an_older_log_file_that_is_damaged_or_no_log_is_a_gap_and_the_newer_ones_are_read() {
    let site = several_files();
    let mut damaged = recorded("several-files.2.log");
    damaged[30_000] ^= 1;
    for (bytes, why) in [(&damaged[..], "check sum"), (b"not a log", "only 9 bytes"), (&[0; 99], "nothing was written")]
    {
        site.log(2, bytes);
        let found = history(&site);
        assert_eq!((found.whole_from, found.end), (3, lsn(3, 23_231)));
        assert!(found.gap.as_ref().unwrap().contains(why), "{:?}", found.gap);
    }
}

#[test]
fn no_log_is_an_answer() {
    let found = history(&Site::new());
    assert_eq!((found.state, found.files.len(), found.end), (LogState::None, 0, Lsn::default()));
    assert_eq!(checkpoint_since(&Site::new().data(), Lsn::default()).unwrap(), None);
}

#[test]
fn a_log_that_can_not_be_read_is_an_answer() {
    let found = history_of(&LogBuilder::with(ByteOrder::Little, 22, 0).change().build());
    assert!(matches!(found.state, LogState::Unreadable { version: Some(22), .. }), "{found:?}");
}

#[test]
fn a_file_that_the_server_is_about_to_write_ends_the_history_before_it() {
    let site = several_files();
    site.log(4, &[0; 65_535]);
    let found = history(&site);
    assert_eq!((found.end, found.gap.as_deref()), (lsn(3, 23_231), None));
    assert!(matches!(&found.state, LogState::Unclean { end, .. } if *end == found.end));
}

#[test]
fn a_checkpoint_behind_a_position_is_found_and_one_before_it_is_not() {
    let site = Site::new();
    let first = LogBuilder::new().change().checkpoint().change();
    let (one, middle, last) = (first.checkpoint_at(), first.end(), first.last);
    site.log(1, &first.build());
    assert_eq!(checkpoint_since(&site.data(), Lsn::default()).unwrap(), Some(one));
    assert_eq!(checkpoint_since(&site.data(), one).unwrap(), Some(one));
    assert_eq!(checkpoint_since(&site.data(), middle).unwrap(), None);

    let second = LogBuilder::with(ByteOrder::Little, 19, last).change().checkpoint();
    let two = Lsn { file: 2, ..second.checkpoint_at() };
    site.log(2, &second.build());
    assert_eq!(checkpoint_since(&site.data(), middle).unwrap(), Some(two));
    assert_eq!(checkpoint_since(&site.data(), two).unwrap(), Some(two));

    site.log(2, &LogBuilder::with(ByteOrder::Little, 19, last - 1).build());
    assert!(checkpoint_since(&site.data(), middle).is_err());
    std::fs::remove_file(site.data().join("log.0000000001")).unwrap();
    let error = checkpoint_since(&site.data(), middle).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_log_cut_at_any_byte_ends_with_its_last_whole_record() {
    let log = LogBuilder::new().start().change().checkpoint().recycle().recovery().close("cdb.00");
    let whole = log.bytes;
    let site = Site::new();
    let mut ends = vec![28];
    while let Some(len) = ByteOrder::Little.u32_at(&whole, ends[ends.len() - 1] + 4) {
        ends.push(ends[ends.len() - 1] + len as usize);
    }
    for cut in 28..=whole.len() {
        site.log(1, &whole[..cut]);
        let found = history(&site);
        let before = *ends.iter().rev().find(|end| **end <= cut).unwrap();
        assert_eq!((found.end.offset as usize, found.gap), (before, None), "cut at {cut}");
        assert_eq!(read_log_end(&site.data()).unwrap(), found.state);
        assert_eq!(checkpoint_since(&site.data(), found.end).unwrap(), None);
    }
}

/// What holds for every history, whatever the bytes were.
fn holds_together(site: &Site) -> Result<(), TestCaseError> {
    let found = history(site);
    prop_assert!(found.first <= found.end);
    prop_assert!(found.starts.iter().all(|start| start.at < found.end));
    prop_assert!(found.checkpoint.is_none_or(|checkpoint| checkpoint.lsn < found.end));
    prop_assert!(found.state.end().is_none_or(|end| end == found.end));
    read_log_end(&site.data()).unwrap();
    let _ = checkpoint_since(&site.data(), found.first);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_for_any_of_the_files_give_an_answer(
        number in 1..=4_u32,
        place in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        keep in any::<bool>(),
    ) {
        let site = several_files();
        let mut file = recorded(&format!("several-files.{}.log", number.min(3)));
        let at = place.index(file.len());
        if !keep {
            file.truncate(at);
        }
        let end = file.len().min(at + bytes.len());
        file.splice(at..end, bytes);
        site.log(number, &file);
        holds_together(&site)?;
    }

    #[test]
    fn a_changed_byte_never_makes_a_proof(place in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let mut bytes = LogBuilder::new().start().change().checkpoint().bytes;
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        let found = history_of(&bytes);
        prop_assert!(matches!(found.state, LogState::Unclean { .. } | LogState::Unreadable { .. }), "{:?}", found.state);
    }

    #[test]
    fn records_of_any_kind_and_body_give_an_answer(
        records in prop::collection::vec((0..16_u32, prop::collection::vec(0..8_u8, 0..60)), 0..40),
    ) {
        let site = Site::new();
        let log = records.iter().fold(LogBuilder::new(), |log, (kind, body)| log.record(*kind, body));
        let end = log.end();
        site.log(1, &log.build());
        prop_assert_eq!(history(&site).end, end);
        holds_together(&site)?;
    }
}

#[test]
fn a_recent_history_has_no_more_files_than_recovery_needs_and_says_the_same() {
    let site = several_files();
    let all = history(&site);
    let recent = read_recent_history(&site.data()).unwrap();
    assert_eq!((recent.checkpoint, recent.end, &recent.state), (all.checkpoint, all.end, &all.state));
    assert_eq!(recent.needed_from(), all.needed_from());
    let fewest = all.files.iter().filter(|number| **number >= all.needed_from()).count();
    assert!((fewest..2 * fewest).contains(&recent.files.len()), "{:?} of {:?}", recent.files, all.files);
    assert_eq!(read_recent_history(&Site::new().data()).unwrap(), history(&Site::new()));
}

#[test]
fn logs_of_libdb_before_5_are_not_replayed() {
    for (version, is_replayed) in [(12, false), (16, false), (17, true), (19, true)] {
        let found = history_of(&LogBuilder::with(ByteOrder::Little, version, 0).change().build());
        assert_eq!(found.too_old_to_replay().is_none(), is_replayed, "{version}");
    }
    assert_eq!(history(&Site::new()).too_old_to_replay(), None);
}

#[test]
fn tables_are_known_by_the_ids_that_they_had_last() {
    let found = history_of(&real_log());
    assert_eq!(found.tables.len(), 14);
    let table = |name: &str, id| {
        let name = name.to_owned();
        TableLsns { name, id, pages: 1, not_logged: 0, blank: 0, highest: lsn(1, 131), highest_page: 0 }
    };
    let tables = |names: [(&str, &str); 2]| names.map(|(name, id_of)| table(name, found.tables[id_of].unwrap()));
    assert_eq!(found.exchanged(&tables([("cdb.06", "cdb.06"), ("cdb.0c", "cdb.0c")])), None);
    let exchanged = tables([("cdb.06", "cdb.0c"), ("cdb.0c", "cdb.06")]);
    assert_eq!(found.exchanged(&exchanged), Some(("cdb.06", "cdb.0c")));
    // A table that was loaded anew has an id that the log doesn't know.
    assert_eq!(found.exchanged(&[table("cdb.06", [7; 20])]), None);
}
