use super::*;

#[test]
fn a_site_whose_log_ends_with_the_closing_of_its_tables_is_settled() {
    let state = Site::stopped().examine();
    assert_eq!(state.verdict, Verdict::StoppedSettled);
    assert_eq!(state.server, ServerState::NotRunning);
    assert_eq!(state.highest(), Some(lsn(1, 28)));
    assert_eq!(state.notes, []);
}

#[test]
fn tables_without_log_that_never_had_one_are_settled() {
    let site = Site::new();
    site.table("cdb.00", &[Lsn::NOT_LOGGED, Lsn::NOT_LOGGED]);
    site.table("cdb.0d", &[Lsn::NOT_LOGGED, Lsn::BLANK]);
    assert_eq!(site.examine().verdict, Verdict::NeverOpened);
}

#[test]
fn tables_whose_log_is_gone_are_not_settled() {
    let site = Site::new();
    site.table("cdb.00", &[Lsn::NOT_LOGGED, lsn(3, 99)]);
    let verdict = site.examine().verdict;
    assert!(matches!(&verdict, Verdict::Unsettled { .. }));
    assert!(verdict.to_string().contains("page 1 of cdb.00 was changed at [3][99]"), "{verdict}");
}

#[test]
fn a_log_that_is_not_read_is_no_proof_and_the_way_out_needs_none() {
    for version in [8, 11, 22] {
        let site = Site::stopped();
        site.log(1, &LogBuilder::with(ByteOrder::Little, version, 0).checkpoint().close("cdb.00").build());
        let verdict = site.examine().verdict;
        assert!(matches!(&verdict, Verdict::Unsettled { .. }));
        assert!(verdict.to_string().contains("start and stop it once"), "{verdict}");
        assert!(verdict.to_string().contains("--salvage"), "{verdict}");
    }
}

#[test]
fn an_old_release_closes_as_many_tables_as_it_has() {
    for tables in [11, 13] {
        let names: Vec<String> = (0..tables).map(|number| format!("cdb.{number:02x}")).collect();
        let site = Site::new();
        names.iter().for_each(|name| site.table(name, &[lsn(1, 28)]));
        let closing =
            |count| names.iter().take(count).fold(LogBuilder::new().change().checkpoint(), |log, name| log.close(name));
        site.log(1, &closing(tables).build());
        assert_eq!(site.examine().verdict, Verdict::StoppedSettled, "{tables} tables");
        for closed in 0..tables {
            site.log(1, &closing(closed).build());
            assert!(!site.examine().verdict.is_settled(), "{closed} of {tables} tables were closed");
        }
    }
}

#[test]
fn a_page_changed_behind_the_end_of_the_log_is_from_another_environment() {
    let site = Site::stopped();
    site.table("cdb.01", &[lsn(1, 28), lsn(2, 28)]);
    let verdict = site.examine().verdict;
    assert!(verdict.to_string().contains("page 1 of cdb.01 was last changed at [2][28]"), "{verdict}");
}

#[test]
fn every_table_must_have_been_closed() {
    let site = Site::stopped();
    site.table("cdb.02", &[lsn(1, 28)]);
    let verdict = site.examine().verdict;
    assert!(verdict.to_string().contains("not that it closed cdb.02"), "{verdict}");
}

#[test]
fn a_table_that_no_server_ever_opened_need_not_be_closed() {
    let site = Site::stopped();
    site.table("cdb.0e", &[Lsn::NOT_LOGGED]);
    assert_eq!(site.examine().verdict, Verdict::StoppedSettled);
}

#[test]
fn a_table_that_was_closed_must_be_there() {
    let site = Site::stopped();
    std::fs::remove_file(site.data().join("cdb.01")).unwrap();
    let verdict = site.examine().verdict;
    assert!(verdict.to_string().contains("closed cdb.01, but there is no such table"), "{verdict}");
}

#[test]
fn a_lock_that_nobody_holds_is_noted_and_the_log_decides() {
    let site = Site::stopped();
    site.write("citadel.lock", b"");
    let state = site.examine();
    assert_eq!(state.verdict, Verdict::StoppedSettled);
    assert_eq!(state.notes, [Note::StaleLock]);
    site.log(1, &LogBuilder::new().change().checkpoint().change().build());
    assert!(matches!(site.examine().verdict, Verdict::Crashed { .. }));
}

#[test]
fn a_checkpoint_without_an_orderly_stop_is_a_crash() {
    let site = Site::stopped();
    site.log(1, &LogBuilder::new().change().checkpoint().build());
    let verdict = site.examine().verdict;
    assert!(matches!(verdict, Verdict::Crashed { .. }), "{verdict}");
    assert!(verdict.to_string().contains("never recovers"), "{verdict}");
}

#[test]
fn a_recovered_copy_is_settled() {
    let site = Site::stopped();
    let log = LogBuilder::new().change().recovery();
    site.log(1, &log.build());
    assert_eq!(site.examine().verdict, Verdict::StoppedSettled);
}

#[test]
fn settings_in_db_config_are_refused_and_an_empty_one_is_not() {
    let site = Site::stopped();
    site.write("data/DB_CONFIG", b"# nothing\n\n");
    let state = site.examine();
    assert_eq!((state.verdict, state.notes), (Verdict::StoppedSettled, vec![Note::EmptyDbConfig]));
    site.write("data/DB_CONFIG", b"set_lg_dir /elsewhere\n");
    let verdict = site.examine().verdict;
    assert!(verdict.to_string().contains("DB_CONFIG"), "{verdict}");
}

#[test]
fn files_of_berkeley_db_tools_are_noted() {
    let site = Site::stopped();
    site.write("data/__db.001", b"x");
    let name = "__db.001".to_owned();
    assert_eq!(site.examine().notes, [Note::RegionFile { name }]);
}

#[test]
fn a_directory_without_tables_is_no_site() {
    let site = Site::new();
    let error = examine(&site.data(), site.root()).unwrap_err();
    assert!(matches!(error, SettledError::NoTables { .. }), "{error}");
    let error = examine(&site.root().join("nothing"), site.root()).unwrap_err();
    assert!(matches!(error, SettledError::Io { .. }), "{error}");
}

#[test]
fn a_file_that_only_has_a_table_s_name_is_damage() {
    for bytes in [&b""[..], b"short", &[0; 4096], &[0xff; 4096]] {
        let site = Site::stopped();
        site.write("data/cdb.01", bytes);
        let error = examine(&site.data(), site.root()).unwrap_err();
        assert!(matches!(error, SettledError::NotATable { .. }), "{error}");
    }
}

#[test]
fn tables_that_were_exchanged_are_told_apart_by_their_ids() {
    let site = Site::new();
    site.log(1, &real_log());
    let LogState::CleanStop { closed, .. } = read_log_end(&site.data()).unwrap() else { panic!("no orderly stop") };
    for (name, id) in &closed {
        site.table(name, &[lsn(1, 131)]);
        let path = site.data().join(name);
        let mut table = std::fs::read(&path).unwrap();
        table[52..72].copy_from_slice(&id.unwrap());
        std::fs::write(&path, table).unwrap();
    }
    assert_eq!(site.examine().verdict, Verdict::StoppedSettled);
    let [one, other, aside] = ["cdb.06", "cdb.0c", "aside"].map(|name| site.data().join(name));
    for (from, to) in [(&one, &aside), (&other, &one), (&aside, &other)] {
        std::fs::rename(from, to).unwrap();
    }
    let verdict = site.examine().verdict;
    assert!(verdict.to_string().contains("cdb.06 is the one that the server closed as cdb.0c"), "{verdict}");
    // A table that was loaded anew has an id that the log doesn't know.
    for name in ["cdb.06", "cdb.0c"] {
        site.table(name, &[Lsn::NOT_LOGGED]);
    }
    assert_eq!(site.examine().verdict, Verdict::StoppedSettled);
}

#[test]
fn the_survey_reads_tables_of_both_byte_orders_and_a_page_cut_short() {
    let site = Site::new();
    let mut table = vec![0_u8; 1024 * 3];
    table[12..16].copy_from_slice(&0x0005_3162_u32.to_be_bytes());
    table[20..24].copy_from_slice(&1024_u32.to_be_bytes());
    table[52..72].fill(7);
    table[1024..1032].copy_from_slice(&[0, 0, 0, 7, 0, 0, 1, 0]);
    table[2048..2056].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
    table.truncate(2100);
    site.write("data/cdb.00", &table);
    let found = survey(&site.data().join("cdb.00")).unwrap();
    let expected = TableLsns {
        name: "cdb.00".to_owned(),
        id: [7; 20],
        pages: 3,
        not_logged: 1,
        blank: 1,
        highest: lsn(7, 256),
        highest_page: 1,
    };
    assert_eq!(found, expected);
}

#[test]
fn a_pipe_in_place_of_a_file_is_not_waited_for() {
    let with_pipe = |name: &str| {
        let site = Site::stopped();
        let path = site.data().join(name);
        let _ = std::fs::remove_file(&path);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        site
    };
    assert_eq!(with_pipe("DB_CONFIG").examine().notes, [Note::EmptyDbConfig]);
    assert!(matches!(with_pipe("log.0000000001").examine().verdict, Verdict::Unsettled { .. }));
    let site = with_pipe("cdb.01");
    let error = examine(&site.data(), site.root()).unwrap_err();
    assert!(matches!(error, SettledError::NotATable { .. }), "{error}");
}
