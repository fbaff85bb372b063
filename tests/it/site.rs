//! A real site read and written again.

use std::path::Path;
use std::process::Command;

use ctdl_dump::endpoint::{Class, Sink as _, Source as _};
use ctdl_dump::monitor::{Collecting, Silent};
use ctdl_dump::record::{Body, Kind};
use ctdl_dump::site::{Expected, OwnSetting, Parts, ReadOptions, Site, SiteOwner, SiteSink};
use ctdl_dump::transfer::{Comparison, copy};

use crate::support::{listing, unpack_site};

fn options(scratch: &Path) -> ReadOptions {
    ReadOptions { scratch: scratch.to_owned(), logs: Vec::new(), without_fulltext: false, salvages: false }
}

/// The pairs of a table as libdb's own tool shows them.
fn dumped(table: &Path) -> Vec<u8> {
    let output = Command::new("db5.3_dump").arg(table).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let header_end = b"HEADER=END\n";
    let start = output.stdout.windows(header_end.len()).position(|window| window == header_end).unwrap();
    output.stdout[start..].to_vec()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

#[test]
fn a_site_written_from_its_records_is_the_same_site() {
    for name in ["small", "small-2016", "small-7xx", "fresh"] {
        let (old, new) = (unpack_site(name), tempfile::tempdir().unwrap());
        let scratch = tempfile::tempdir().unwrap();
        let old_site = Site::open(old.path()).unwrap();
        let data = std::fs::metadata(old.path().join("data")).unwrap();
        let owner = if is_root() {
            use std::os::unix::fs::MetadataExt;
            SiteOwner::ids_of(data.uid(), data.gid())
        } else {
            SiteOwner::of_process()
        };
        let mut source = old_site.source(options(scratch.path()), &Silent);
        let mut sink =
            SiteSink::create(new.path(), scratch.path().to_owned(), owner, ctdl_dump::record::Layout::LP64_LITTLE)
                .unwrap();
        let summary = copy(&mut source, &mut sink, &Silent).unwrap();
        assert!(summary.kinds.iter().any(|(kind, count)| *kind == Kind::User && count.records > 1));
        let (expected, notices) = sink.into_expected();
        assert!(notices.iter().any(|notice| notice.contains("never run both")));

        let new_site = Site::open(new.path()).unwrap();
        expected.read_back(new.path(), &Silent).unwrap();
        let mut read = new_site.source(options(scratch.path()), &Silent);
        let again = copy(&mut read, &mut ctdl_dump::transfer::Discard, &Silent).unwrap();
        assert_eq!(again.site_digest, summary.site_digest, "{name}");

        let mut first = old_site.source(options(scratch.path()), &Silent);
        let mut second = new_site.source(options(scratch.path()), &Silent);
        let mut comparison = Comparison::begin(&mut first, &mut second).unwrap();
        assert_eq!(comparison.next_difference().unwrap(), None, "{name}");

        // Old releases keep settings, counters and a queue as structs in files.
        for file in ["citadel.config", "citadel.control", "refcount_adjustments.dat"] {
            let (old, new) = (std::fs::read(old.path().join(file)), std::fs::read(new.path().join(file)));
            assert_eq!(old.ok(), new.ok(), "{file} of {name}");
        }
        for number in 0..14 {
            let table = format!("data/cdb.{number:02x}");
            let is_there = old.path().join(&table).exists();
            assert_eq!(new.path().join(&table).exists(), is_there, "{table} of {name}");
            if !is_there {
                continue;
            }
            let verified = Command::new("db5.3_verify").arg("-o").arg(new.path().join(&table)).status().unwrap();
            assert!(verified.success(), "{table}");
            // Visits are compressed anew: the comparison above has looked at what is in them.
            if number != 5 {
                let same = dumped(&old.path().join(&table)) == dumped(&new.path().join(&table));
                assert!(same, "{name}: db5.3_dump shows other pairs in {table}");
            }
        }
    }
}

/// A new site of all records of one.
fn written(site: &Path) -> (tempfile::TempDir, Expected) {
    let (new, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let opened = Site::open(site).unwrap();
    let (owner, layout) = (SiteOwner::of_process(), ctdl_dump::record::Layout::LP64_LITTLE);
    let mut sink = SiteSink::create(new.path(), scratch.path().to_owned(), owner, layout).unwrap();
    copy(&mut opened.source(options(scratch.path()), &Silent), &mut sink, &Silent).unwrap();
    (new, sink.into_expected().0)
}

#[test]
fn the_read_back_finds_whatever_is_not_as_it_was_written() {
    let site = unpack_site("small");
    let (new, expected) = written(site.path());
    let mut files = ctdl_dump::site::inventory::take(new.path()).unwrap().entries.into_iter();
    let file = files.find(|entry| matches!(entry.what, ctdl_dump::site::inventory::What::File { bytes: 9.. })).unwrap();
    let file = new.path().join(std::str::from_utf8(&file.path).unwrap());
    expected.read_back(new.path(), &Silent).unwrap();

    // Bytes of keys and values: of the pages of the leaves and of long values, behind their headers.
    for table in ["data/cdb.00", "data/cdb.02", "data/cdb.08", "data/cdb.09"].map(|table| new.path().join(table)) {
        let whole = std::fs::read(&table).unwrap();
        let is_content =
            |at: &usize| matches!(whole[at / 4096 * 4096 + 25], 5 | 7) && at % 4096 >= 26 && whole[*at] != 0;
        let content: Vec<usize> = (4096..whole.len()).filter(is_content).collect();
        for at in content.iter().step_by(content.len() / 12 + 1) {
            let mut changed = whole.clone();
            changed[*at] ^= 0x20;
            std::fs::write(&table, &changed).unwrap();
            let found = expected.read_back(new.path(), &Silent);
            assert!(found.is_err(), "{} byte {at}", table.display());
        }
        std::fs::write(&table, &whole).unwrap();
    }
    expected.read_back(new.path(), &Silent).unwrap();

    let content = std::fs::read(&file).unwrap();
    let times = std::fs::metadata(&file).unwrap().modified().unwrap();
    let restore = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        std::fs::File::options().append(true).open(&file).unwrap().set_modified(times).unwrap();
    };
    restore(&[b"x", &content[1..]].concat());
    let error = expected.read_back(new.path(), &Silent).unwrap_err().to_string();
    assert!(error.contains("among the file records from"), "{error}");
    restore(&content);
    expected.read_back(new.path(), &Silent).unwrap();
    std::fs::remove_file(&file).unwrap();
    expected.read_back(new.path(), &Silent).unwrap_err();
}

#[test]
fn no_file_of_an_import_lends_the_rights_of_its_owner_whatever_record_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let site = unpack_site("small-7xx");
    let files = ["files/tool", "logs/tool", "citadel.control", "citadel.config", "refcount_adjustments.dat"];
    std::fs::create_dir(site.path().join("logs")).unwrap();
    for file in files.map(|file| site.path().join(file)) {
        let file = std::fs::File::options().create(true).append(true).open(&file).unwrap();
        file.set_permissions(PermissionsExt::from_mode(0o6755)).unwrap();
    }
    let (new, expected) = written(site.path());
    for file in files {
        let mode = std::fs::metadata(new.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "{file}");
    }
    expected.read_back(new.path(), &Silent).unwrap();
}

#[test]
fn an_import_that_breaks_off_leaves_no_thread_that_writes() {
    let site = unpack_site("small");
    let (new, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let opened = Site::open(site.path()).unwrap();
    let (owner, layout) = (SiteOwner::of_process(), ctdl_dump::record::Layout::LP64_LITTLE);
    let mut sink = SiteSink::create(new.path(), scratch.path().to_owned(), owner, layout).unwrap();
    let mut source = opened.source(options(scratch.path()), &Silent);
    sink.begin(source.site()).unwrap();
    while let Some(header) = source.next().unwrap() {
        sink.record(&header).unwrap();
        if header.kind == Kind::Message {
            break;
        }
        sink.end_record(&source.digest()).unwrap();
    }
    drop(sink);
    std::fs::remove_dir_all(new.path()).unwrap();
    assert!(!new.path().exists());
}

#[test]
fn a_walk_over_a_site_changes_nothing_of_it() {
    let site = unpack_site("small");
    let scratch = tempfile::tempdir().unwrap();
    let before = listing(site.path());
    let opened = Site::open(site.path()).unwrap();
    copy(&mut opened.source(options(scratch.path()), &Silent), &mut ctdl_dump::transfer::Discard, &Silent).unwrap();
    assert!(before.len() > 30);
    assert_eq!(before, listing(site.path()));
}

#[test]
fn records_are_the_same_when_their_bodies_are_passed_over() {
    let site = unpack_site("small");
    let scratch = tempfile::tempdir().unwrap();
    let opened = Site::open(site.path()).unwrap();
    let walk = |every: usize| {
        let mut source = opened.source(options(scratch.path()), &Silent);
        let (mut headers, mut segment) = (Vec::new(), Vec::new());
        while let Some(header) = source.next().unwrap() {
            headers.push(header);
            while headers.len() % every == 0 && source.segment(&mut segment).unwrap() {}
        }
        assert!(source.next().unwrap().is_none() && !source.segment(&mut segment).unwrap());
        headers
    };
    let headers = walk(1);
    assert!(headers.iter().any(|header| matches!(header.body, Some(Body::Segments(_)))));
    assert_eq!(headers, walk(2));
    assert_eq!(headers, walk(usize::MAX));
}

#[test]
fn a_walk_that_is_interrupted_says_so_and_leaves_nothing_behind() {
    let site = unpack_site("small");
    let scratch = tempfile::tempdir().unwrap();
    let opened = Site::open(site.path()).unwrap();
    let monitor = Collecting::default();
    let mut source = opened.source(options(scratch.path()), &monitor);
    source.next().unwrap();
    monitor.interrupt();
    let error = copy(&mut source, &mut ctdl_dump::transfer::Discard, &monitor).unwrap_err();
    assert_eq!(error.class, Class::Interrupted);
    drop(source);
    assert_eq!(scratch.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_site_that_changes_meanwhile_is_refused_at_the_end() {
    let site = unpack_site("fresh");
    let scratch = tempfile::tempdir().unwrap();
    let opened = Site::open(site.path()).unwrap();
    std::fs::write(site.path().join("messages/new"), "hello").unwrap();
    let mut source = opened.source(options(scratch.path()), &Silent);
    let error = copy(&mut source, &mut ctdl_dump::transfer::Discard, &Silent).unwrap_err();
    assert!(error.to_string().contains("(messages came, went or changed)"), "{error}");
}

#[test]
fn a_setting_changed_for_the_snapshot_is_carried_as_the_site_had_it() {
    let site = unpack_site("small");
    let scratch = tempfile::tempdir().unwrap();
    let key = "c_nodename";
    let carried = |value: Option<&[u8]>| {
        let setting = OwnSetting { name: key.into(), value: value.map(<[u8]>::to_vec), instead_of: None };
        let parts = Parts { setting: Some(setting), ..Parts::in_place(site.path()).unwrap() };
        let opened = Site::of(parts).unwrap();
        let mut source = opened.source(options(scratch.path()), &Silent);
        while let Some(header) = source.next().unwrap() {
            if header.kind == Kind::Config && header.key.to_string() == key {
                return match header.body {
                    Some(Body::Inline(value)) => Some(value),
                    body => panic!("{body:?}"),
                };
            }
        }
        None
    };
    assert_eq!(carried(Some(b"elsewhere")).unwrap(), b"elsewhere");
    assert_eq!(carried(None), None);
    let stale = OwnSetting { name: key.into(), value: None, instead_of: Some(b"ours".to_vec()) };
    let opened = Site::of(Parts { setting: Some(stale), ..Parts::in_place(site.path()).unwrap() }).unwrap();
    let mut source = opened.source(options(scratch.path()), &Silent);
    let mut keys = Vec::new();
    while let Some(header) = source.next().unwrap() {
        keys.push(header.key.to_string());
    }
    assert!(keys.iter().any(|found| found == key), "somebody has changed it since");
}

#[test]
fn losses_are_records_of_their_own() {
    let site = unpack_site("fresh");
    let scratch = tempfile::tempdir().unwrap();
    let losses = vec![("message 7".to_owned(), "its page is gone".to_owned())];
    let opened = Site::of(Parts { losses, ..Parts::in_place(site.path()).unwrap() }).unwrap();
    let mut source = opened.source(options(scratch.path()), &Silent);
    let summary = copy(&mut source, &mut ctdl_dump::transfer::Discard, &Silent).unwrap();
    assert_eq!(summary.left_out, [(Kind::Loss, "message 7: its page is gone".to_owned())]);
}

#[test]
fn a_site_of_2010_is_read_in_the_terms_of_its_release() {
    let (site, scratch) = (unpack_site("small-7xx"), tempfile::tempdir().unwrap());
    let opened = Site::open(site.path()).unwrap();
    let info = opened.info();
    assert_eq!((info.release, info.release_by.as_deref()), (772, Some("citadel.control")));
    assert_eq!(info.node, b"y2010");
    let mut source = opened.source(options(scratch.path()), &Silent);
    let (mut settings, mut refcounts, mut screens) = (0, 0, 0);
    while let Some(header) = source.next().unwrap() {
        match header.kind {
            Kind::Config => {
                assert_eq!(header.fields.bytes("origin"), Some(&b"citadel.config"[..]));
                settings += 1;
            }
            Kind::Control if header.key.to_string() == "citadel.control" => {
                assert_eq!(header.fields.int("version"), Some(772));
            }
            Kind::Refcount => refcounts += 1,
            Kind::User => screens += usize::from(header.fields.get("screenwidth").is_some()),
            Kind::Message if header.fields.get("refcount").is_some() => {
                assert!(header.fields.get("mimetype").is_some(), "message {}", header.key);
            }
            Kind::Table => panic!("{} could not be understood", header.key),
            _ => {}
        }
    }
    assert_eq!((settings, refcounts, screens), (75, 983, 20));
}
