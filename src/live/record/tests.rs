use super::*;
use proptest::prelude::*;

fn record(change: Change) -> Record {
    Record {
        site: "/srv/a site/ü%".into(),
        data: "/srv/a site/ü%/data".into(),
        host: "mail".into(),
        boot: "b-1".into(),
        worker: Who { pid: 7, started: 8 },
        guardian: None,
        expire: Duration::from_millis(30_500),
        change,
    }
}

fn single_user(original: Original) -> Record {
    record(Change::MaxSessions { socket: "/run/x.socket".into(), server_start: 1_795_520_471, original })
}

#[test]
fn a_record_says_the_same_after_it_was_written_and_read() {
    let frozen = Change::Frozen { pid: 4711, started: 99, limit: Duration::from_secs(60) };
    let mut all = vec![record(frozen), single_user(Original::Absent)];
    all.extend(["0", "", "absent", " 5 % "].map(|value| single_user(Original::Value(value.into()))));
    all.push(Record { guardian: Some(Who { pid: 9, started: 10 }), ..all[0].clone() });
    for record in all {
        assert_eq!(Record::parse(&record.text()), Ok(record.clone()), "{}", record.text());
    }
}

#[test]
fn a_line_that_a_killed_guardian_left_unfinished_is_no_harm() {
    let record = single_user(Original::Absent);
    for cut in ["g", "guardian 4", "guardian 4711 9"] {
        assert_eq!(Record::parse(&format!("{}{cut}", record.text())), Ok(record.clone()));
    }
}

#[test]
fn a_record_with_a_fault_is_refused_and_the_fault_named() {
    let text = single_user(Original::Value("5".into())).text();
    for (from, to, said) in [
        ("undo 1", "undo 2", "first line"),
        ("worker 7 8\n", "worker 7\n", "\"worker\""),
        ("worker 7 8\n", "worker 7 8\nworker 7 8\n", "two lines"),
        ("worker 7 8\n", "", "no line \"worker\""),
        ("server-start 17", "server-start -17", "\"server-start\""),
        ("max-sessions value 5", "max-sessions 5", "\"max-sessions\""),
        ("max-sessions value 5", "max-sessions value 5|6", "c_maxsessions"),
        ("admin-socket /run", "admin-socket run", "no whole path"),
        ("host mail", "host %FF", "no text"),
        ("host mail", "host %zz", "garbled"),
        ("host mail\n", "host\n", "no value"),
    ] {
        assert!(text.contains(from));
        let error = Record::parse(&text.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(said), "{from} -> {to}: {error}");
    }
}

#[test]
fn the_line_that_repairs_can_be_typed_as_it_is() {
    let mut record = single_user(Original::Absent);
    assert_eq!(record.repair(), "sendcommand -h '/srv/a site/ü%' 'CONF PUTVAL|c_maxsessions|0'");
    record.site = "/usr/local/citadel".into();
    record.change = Change::Frozen { pid: 4711, started: 99, limit: Duration::ZERO };
    assert_eq!(record.repair(), "kill -CONT 4711");
}

#[test]
fn the_name_of_a_record_can_be_read_and_is_the_site_s_own() {
    let name = Record::file_name(Path::new("/srv/mail/citadel"));
    assert!(name.starts_with("citadel-") && name.ends_with(".undo"), "{name}");
    assert_ne!(name, Record::file_name(Path::new("/srv/other/citadel")));
    let long = format!("/{}", "ü ".repeat(2_000));
    for path in ["/", long.as_str()] {
        let name = Record::file_name(Path::new(path));
        assert!(name.len() < 100 && !name.contains('/'), "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(lines in proptest::collection::vec("(max-sessions|frozen|site|worker|host)? ?\\PC{0,20}", 0..12)) {
        let _ = Record::parse(&format!("ctdl-dump-undo 1\n{}\n", lines.join("\n")));
    }

    #[test]
    fn every_byte_survives_the_escaping(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
        let text = escape(&bytes);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert_eq!(unescape(&text), Some(bytes));
    }

    #[test]
    fn what_was_not_escaped_is_not_understood(text in "[%0-9a-zA-Z \u{fc}]{0,8}") {
        if let Some(bytes) = unescape(&text) {
            prop_assert_eq!(escape(&bytes), text);
        }
    }

    #[test]
    fn a_limit_is_taken_only_if_it_can_be_put_back_as_it_is(value in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(original) = Original::from_setting(Some(value.clone())) {
            prop_assert_eq!(original.restored().as_bytes(), &value[..]);
            prop_assert!(!value.contains(&b'|') && !value.contains(&b'\n') && !value.contains(&0));
        }
    }
}
