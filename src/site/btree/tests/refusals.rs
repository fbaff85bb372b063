use super::*;

/// Where bytes of the meta page are replaced, and with what.
type Change<'a> = (usize, &'a [u8]);

/// The reason why a small table with these changes is refused.
fn refused(changes: &[Change<'_>]) -> String {
    let made = Made::written(&Pairs::new(), 512, ByteOrder::Little);
    let mut bytes = std::fs::read(&made.path).unwrap();
    for (at, new) in changes {
        bytes[*at..*at + new.len()].copy_from_slice(new);
    }
    std::fs::write(&made.path, bytes).unwrap();
    let text = Table::open(&made.path).unwrap_err().to_string();
    assert!(text.contains("cdb.00"), "{text}");
    text
}

#[test]
fn what_is_no_table_of_this_kind_is_refused_with_the_reason() {
    use layout::meta;
    let cases: [(Change<'_>, &str); 14] = [
        ((meta::MAGIC, &[0x61, 0x15, 0x06, 0]), "hash"),
        ((meta::MAGIC, &[0x53, 0x22, 0x04, 0]), "queue"),
        ((meta::MAGIC, &[0x82, 0x45, 0x07, 0]), "heap"),
        ((meta::MAGIC, b"text"), "magic number"),
        ((0, &[0; 512]), "zeros"),
        ((meta::VERSION, &[10]), "version 10"),
        ((meta::VERSION, &[8]), "db5.3_upgrade"),
        ((meta::ENCRYPTION, &[1]), "encrypted"),
        ((meta::META_FLAGS, &[1]), "checksums"),
        ((meta::FLAGS, &[0x41]), "several values for a key"),
        ((meta::FLAGS, &[0x12]), "recno"),
        ((meta::FLAGS, &[0x04]), "RECNUM"),
        ((meta::FLAGS, &[0x20]), "sub-databases"),
        ((meta::FLAGS, &[0x80]), "compressed"),
    ];
    for (change, reason) in cases {
        let text = refused(&[change]);
        assert!(text.contains(reason), "{reason}: {text}");
    }
}

#[test]
fn a_meta_page_that_contradicts_the_file_is_refused() {
    use layout::meta;
    assert!(refused(&[(meta::LAST_PAGE, &[2])]).contains("page 2 is the last"));
    assert!(refused(&[(meta::PAGE_SIZE, &[0, 8])]).contains("no multiple"));
    assert!(refused(&[(meta::PAGE_SIZE, &[1, 2])]).contains("513 bytes"));
    assert!(refused(&[(meta::PAGE_SIZE, &[0, 0])]).contains("0 bytes"));
    assert!(refused(&[(meta::ROOT, &[0])]).contains("root"));
    assert!(refused(&[(meta::ROOT, &[9])]).contains("root"));
    assert!(refused(&[(meta::TYPE, &[8])]).contains("type 8"));
}

#[test]
fn tables_that_libdb_makes_with_features_are_refused() {
    for (kind, reason) in [
        ("type=hash", "hash"),
        ("type=recno", "recno"),
        ("type=btree\nduplicates=1", "several values"),
        ("type=btree\nrecnum=1", "RECNUM"),
        ("type=btree\nchksum=1", "checksums"),
        ("type=btree\nsubdatabase=inner", "sub-databases"),
    ] {
        let made = Made::empty();
        let key = if kind.contains("recno") { "keys=0\n" } else { "" };
        let halves = if kind.contains("recno") { " 31\n" } else { " 31\n 32\n" };
        made.load(&format!("VERSION=3\nformat=bytevalue\n{kind}\n{key}HEADER=END\n{halves}DATA=END\n"));
        let text = Table::open(&made.path).unwrap_err().to_string();
        assert!(text.contains(reason), "{kind}: {text}");
    }
}

#[test]
fn a_file_of_no_bytes_has_an_error_of_its_own() {
    let made = Made::empty();
    std::fs::write(&made.path, b"").unwrap();
    assert!(matches!(Table::open(&made.path), Err(TableError::ZeroLength { .. })));
}

#[test]
fn a_directory_or_a_missing_file_is_named() {
    let made = Made::empty();
    assert!(matches!(Table::open(made.path.parent().unwrap()), Err(TableError::NotAFile { .. })));
    assert!(matches!(Table::open(&made.path), Err(TableError::Open { .. })));
}

#[test]
fn too_many_open_files_are_told_with_the_limit_to_raise() {
    let (path, source) = (PathBuf::from("cdb.00"), || std::io::Error::from_raw_os_error(24));
    let opened = TableError::Open { path: path.clone(), source: source() }.to_string();
    let made = TableWriteError::Create { path, source: source() }.to_string();
    for text in [opened, made] {
        assert!(text.contains("(ulimit -n)"), "{text}");
    }
}

#[test]
fn the_writer_refuses_what_no_table_can_hold() {
    let made = Made::empty();
    let scratch = made.path.parent().unwrap();
    let create = |page_size| TableWriter::create(&made.path, scratch, 1000, page_size);
    assert!(matches!(create(513), Err(TableWriteError::PageSize { .. })));
    let mut writer = create(DEFAULT_PAGE_SIZE).unwrap();
    assert!(matches!(create(DEFAULT_PAGE_SIZE), Err(TableWriteError::Create { .. })));
    let key = vec![0; MAX_KEY_BYTES as usize + 1];
    assert!(matches!(writer.put(&key, b""), Err(TableWriteError::KeyTooLong { .. })));
    writer.put(b"twice", b"1").unwrap();
    writer.put(b"twice", b"2").unwrap();
    let text = writer.finish().unwrap_err().to_string();
    assert!(text.contains("\"twice\" came twice"), "{text}");
}

#[test]
fn a_value_of_another_length_than_announced_is_refused_and_spoils_the_table() {
    for announced in [10, 10_000] {
        let made = Made::empty();
        let scratch = made.path.parent().unwrap();
        let mut writer = TableWriter::create(&made.path, scratch, 1000, DEFAULT_PAGE_SIZE).unwrap();
        let mut value = writer.put_big(b"k", announced).unwrap();
        value.write(&mut writer, &[1; 9]).unwrap();
        assert!(matches!(value.write(&mut writer, &[1; 10_000]), Err(TableWriteError::Length { came: 10_009, .. })));
        assert!(matches!(value.finish(&mut writer), Err(TableWriteError::Length { came: 9, .. })));
        assert!(matches!(writer.put(b"l", b""), Err(TableWriteError::Unfinished { .. })));
        assert!(matches!(writer.finish(), Err(TableWriteError::Unfinished { .. })));
    }
}

#[test]
fn a_new_table_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let made = Made::written(&Pairs::new(), 4096, ByteOrder::Little);
    let mode = made.path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
