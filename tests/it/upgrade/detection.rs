//! Sites whose tables contradict themselves: what they are taken for, what is said of it, and what becomes of the records that don't fit.

use std::io::Read;
use std::path::{Path, PathBuf};

use ctdl_dump::record::ByteOrder;
use ctdl_dump::site::btree::{DEFAULT_PAGE_SIZE, Item, Table, TableWriter};
use tempfile::TempDir;

use super::moved::{done, run, said, text};
use crate::support::unpack_site;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A site without a log, whose tables can be changed.
struct Scene {
    work: TempDir,
    site: PathBuf,
}

impl Scene {
    fn of(name: &str, how: &[&str]) -> Scene {
        let (packed, work) = (unpack_site(name), tempfile::tempdir().unwrap());
        let (archive, site) = (work.path().join("first.ctz"), work.path().join("site"));
        done(&["export", "--site", text(packed.path()), "-o", text(&archive)]);
        done(&[&["import", text(&archive), "--site", text(&site), "--keep-release"], how].concat());
        Scene { work, site }
    }

    fn table(&self, number: u8) -> PathBuf {
        self.site.join(format!("data/cdb.{number:02x}"))
    }

    fn change(&self, number: u8, change: impl Fn(&mut Pairs)) {
        let path = self.table(number);
        let (mut pairs, order) = pairs(&path);
        change(&mut pairs);
        std::fs::remove_file(&path).unwrap();
        let scratch = self.work.path();
        let mut writer = TableWriter::create_for(&path, scratch, 1 << 20, DEFAULT_PAGE_SIZE, order).unwrap();
        pairs.iter().for_each(|(key, value)| writer.put(key, value).unwrap());
        writer.finish().unwrap();
    }

    fn info(&self, how: &[&str]) -> serde_json::Value {
        let output = done(&[&["info", "--json", text(&self.site)], how].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Exports the site, imports that, and compares the tables but that of visits.
    fn comes_back(&self, how: &[&str], of_import: &[&str]) {
        let (archive, new) = (self.work.path().join("again.ctz"), self.work.path().join("new"));
        done(&[&["export", "--site", text(&self.site), "-o", text(&archive)], how].concat());
        done(&["verify", text(&archive)]);
        done(&[&["import", text(&archive), "--site", text(&new), "--keep-release"], of_import].concat());
        for number in (0..14).filter(|number| *number != 5) {
            let other = new.join(format!("data/cdb.{number:02x}"));
            assert_eq!(pairs(&self.table(number)), pairs(&other), "cdb.{number:02x}");
        }
    }
}

fn pairs(path: &Path) -> (Pairs, ByteOrder) {
    let table = Table::open(path).unwrap();
    let (mut items, mut item, mut pairs) = (table.items(), Item::default(), Vec::new());
    while items.next_into(&mut item).unwrap() {
        pairs.push((item.key.clone(), table.read_all(&item.value, 1 << 30).unwrap()));
    }
    (pairs, table.byte_order())
}

/// Keys of a 32-bit server, after every so many.
fn narrow_keys(pairs: &mut Pairs, every: usize) {
    let narrow: Pairs = pairs.iter().step_by(every).map(|(key, value)| (key[..4].to_vec(), value.clone())).collect();
    pairs.extend(narrow.into_iter().enumerate().map(|(nth, (mut key, value))| {
        // None of them twice.
        key[2..].copy_from_slice(&(nth as u16 + 7).to_le_bytes());
        (key, value)
    }));
}

#[test]
fn a_key_of_another_width_in_the_middle_of_a_table_is_carried_as_bytes() {
    let scene = Scene::of("small", &[]);
    scene.change(8, |pairs| narrow_keys(pairs, pairs.len() / 2));
    let info = scene.info(&[]);
    assert_eq!(info["layout"], "64-bit little-endian");
    assert!(info["kinds"]["table"]["records"].as_u64().unwrap() >= 2, "{info}");
    scene.comes_back(&[], &[]);
    let archive = scene.work.path().join("again.ctz");
    let elsewhere = scene.work.path().join("elsewhere");
    let refused = run(&["import", text(&archive), "--site", text(&elsewhere), "--layout", "i386"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("table record 8/"), "the record is named: {}", said(&refused));
    assert!(!elsewhere.exists());
}

#[test]
fn a_table_of_two_machines_is_refused_with_what_was_seen_unless_it_is_told() {
    let scene = Scene::of("small", &[]);
    scene.change(8, |pairs| narrow_keys(pairs, 2));
    let archive = scene.work.path().join("none.ctz");
    for command in [&["info", text(&scene.site)][..], &["export", "--site", text(&scene.site), "-o", text(&archive)]] {
        let refused = run(command);
        assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
        let said = said(&refused);
        assert!(said.contains("cdb.08 has a key of 4 bytes (ilp32-little or"), "{said}");
        assert!(said.contains("cdb.08 has a key of 8 bytes (lp64-little;") && said.contains("--layout"), "{said}");
    }
    assert!(!archive.exists());
    assert_eq!(scene.info(&["--layout", "x86-64"])["layout_by"], "as told");
    scene.comes_back(&["--layout", "x86-64"], &["--layout", "x86-64"]);
}

#[test]
fn a_site_that_fits_two_machines_is_decided_by_all_its_records() {
    let scene = Scene::of("small-2016", &["--layout", "i386"]);
    let told_by = || {
        let found = scene.info(&[]);
        assert_eq!(found["layout"], "32-bit little-endian");
        found["layout_by"].as_str().unwrap().to_owned()
    };
    let (told, found) = (scene.info(&["--layout", "i386"]), scene.info(&[]));
    assert_eq!(found["site_digest"], told["site_digest"]);
    let by_users = "cdb.00 has a key of 4 bytes, cdb.01 a value of 140 bytes, cdb.01 a name at byte 68 of a value";
    assert_eq!(told_by(), by_users);
    // Nothing but users of no known length: their names stand where only one layout has them.
    let (rooms, _) = pairs(&scene.table(2));
    scene.change(7, Vec::clear);
    scene.change(2, Vec::clear);
    scene.change(1, |pairs| pairs.iter_mut().for_each(|(_, value)| value.resize(500, 0)));
    assert_eq!(told_by(), "cdb.00 has a key of 4 bytes, cdb.01 a name at byte 68 of a value");
    // Rooms that tell, behind two hundred that don't.
    scene.change(1, Vec::clear);
    scene.change(2, |pairs| {
        pairs.extend((100..300).map(|nth| (format!("#{nth}").into_bytes(), vec![0; 300])));
        pairs.extend(rooms.iter().filter(|(key, _)| key.starts_with(b"lobby")).cloned());
    });
    assert_eq!(told_by(), "cdb.00 has a key of 4 bytes, cdb.02 a value of 212 bytes");
    scene.change(2, Vec::clear);
    let by = told_by();
    assert!(by.ends_with("; it fits ilp32-time64-i386 and ilp32-time64-little as well"), "{by}");
}

#[test]
fn hostile_values_come_back_as_they_were() {
    let scene = Scene::of("small", &[]);
    // Texts without a NUL, the least and the greatest numbers, and lengths from nothing to more than a page.
    for number in [1, 2, 3] {
        scene.change(number, |pairs| {
            let values = [vec![0xff; 704], vec![0x80; 256], vec![b'x'; 272], vec![0x7f; 9], Vec::new(), vec![1; 5000]];
            for (nth, value) in values.into_iter().enumerate() {
                let key =
                    if number == 3 { (1000 + nth as u32).to_le_bytes().to_vec() } else { format!("zz{nth}").into() };
                pairs.push((key, value));
            }
        });
    }
    assert_eq!(scene.info(&[])["layout"], "64-bit little-endian");
    scene.comes_back(&[], &[]);
}

/// A visit as a newer server might pack it on a 64-bit little-endian machine: with eight bytes behind what is known.
fn grown_visit(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::ZlibDecoder::new(&value[24..]).read_to_end(&mut plain).unwrap();
    plain.extend(*b"new part");
    let mut packed = Vec::new();
    flate2::read::ZlibEncoder::new(plain.as_slice(), flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
    let words = [plain.len() as u64, packed.len() as u64].map(u64::to_le_bytes);
    [&value[..8], words[0].as_slice(), words[1].as_slice(), &packed].concat()
}

#[test]
fn what_is_longer_than_980_has_it_in_a_newer_release_is_carried_as_bytes_and_said() {
    let scene = Scene::of("small", &[]);
    scene.change(13, |pairs| {
        for (key, value) in pairs.iter_mut().filter(|(key, _)| key == b"MM_hosted_upgrade_level") {
            *value = [key.as_slice(), b"\x00990\x00"].concat();
        }
    });
    scene.change(1, |pairs| pairs.iter_mut().for_each(|(_, value)| value.extend(*b"new part")));
    scene.change(5, |pairs| pairs.iter_mut().skip(3).for_each(|(_, value)| *value = grown_visit(value)));
    // So long that nobody looks at what is in it.
    scene.change(5, |pairs| pairs[0].1 = vec![7; 1_048_577]);
    let output = done(&["list", text(&scene.site), "room"]);
    let warned = said(&output);
    let users = pairs(&scene.table(1)).0.len();
    assert!(warned.contains(&format!("{users} users (cdb.01) are longer than the 704 bytes of 980")), "{warned}");
    let visits = pairs(&scene.table(5)).0.len() - 3;
    assert!(warned.contains(&format!("{visits} visits (cdb.05) are longer than the 8232 bytes of 980")), "{warned}");
    assert_eq!(scene.info(&[])["release"], 990);
    scene.comes_back(&[], &[]);
    let archive = scene.work.path().join("again.ctz");
    let elsewhere = scene.work.path().join("elsewhere");
    let refused = run(&["import", text(&archive), "--site", text(&elsewhere), "--layout", "i386"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("user record alice"), "{}", said(&refused));
}

#[test]
fn a_release_that_is_not_read_is_refused_with_what_told_it() {
    let scene = Scene::of("small-7xx", &[]);
    let control = scene.site.join("citadel.control");
    let numbers = std::fs::read(&control).unwrap();
    for (version, expected) in
        [(650i32, "release 650, by citadel.control"), (0, "release 0"), (70_000, "release 70000")]
    {
        let mut other = numbers.clone();
        other[32..36].copy_from_slice(&version.to_le_bytes());
        std::fs::write(&control, other).unwrap();
        let refused = run(&["info", text(&scene.site)]);
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        let said = said(&refused);
        assert!(said.contains(expected) && said.contains("say with --layout"), "{said}");
    }
}
